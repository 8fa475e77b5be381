"""A product that leaves out the zeros of its weights: CSR, by SciPy."""

from __future__ import annotations

from kernels.base import Kernel
from kernels.csr import cpu, work
from kernels.csr.cpu import missing

__all__ = ["CSR", "missing"]

CSR = Kernel("csr", work.work, work.reference, {"scipy": cpu.build}, work.TOLERANCE)
