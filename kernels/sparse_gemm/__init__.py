"""The vendor's 2:4 sparse matrix product, beside the dense one of ``kernels.gemm``."""

from __future__ import annotations

from kernels.base import Kernel
from kernels.cuda.launch import CudaBackend
from kernels.sparse_gemm import cusparselt, work

SPARSE_GEMM = Kernel(
    "sparse gemm",
    work.work,
    work.reference,
    {"cusparselt": CudaBackend(cusparselt.SparseProduct)},
    work.TOLERANCE,
    footprint=work.footprint,
    slow_seconds=2.0,
)
"""``slow_seconds``: the library's search times all of its kernels."""
