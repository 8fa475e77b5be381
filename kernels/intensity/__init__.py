"""Reads of memory with a number of multiply-adds on each element: points on the roofline,
measured.
"""

from __future__ import annotations

from kernels.base import Kernel
from kernels.intensity import cpu, cuda, work

MIXED = Kernel(
    "mixed",
    work.work,
    work.reference,
    {"raw": cuda.raw, "cpu": cpu.build},
    check_repeat=2,
    footprint=work.footprint,
    prepare=cuda.prepare,
)
