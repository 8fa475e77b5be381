"""The vendor's matrix product as a ceiling beside ours."""

from __future__ import annotations

from kernels.base import Kernel
from kernels.gemm import cublaslt, work

GEMM = Kernel("gemm", work.work, work.reference, {"cublaslt": cublaslt.build}, work.TOLERANCE)
