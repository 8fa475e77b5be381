"""Reads of memory with some multiply-adds on each element: points on the roofline."""

from __future__ import annotations

from kernels.base import Kernel
from kernels.cuda.kernel import CompiledBackend
from kernels.intensity import cpu, cuda, work

RAW = CompiledBackend(cuda.MixedKernel)
MIXED = Kernel(
    "mixed",
    work.work,
    work.reference,
    {"raw": RAW, "cpu": cpu.build},
    check_repeat=2,
    footprint=work.footprint,
    prepare=RAW.prepare,
)
