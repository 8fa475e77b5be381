"""The vendor's matrix product as a ceiling beside ours."""

from __future__ import annotations

from kernels.base import Kernel
from kernels.cuda.launch import CudaBackend
from kernels.gemm import cublaslt, work

GEMM = Kernel(
    "gemm",
    work.work,
    work.reference,
    {"cublaslt": CudaBackend(cublaslt.CublasLtProduct)},
    work.TOLERANCE,
    footprint=work.footprint,
)
