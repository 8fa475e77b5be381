"""Chains of multiply-adds: the arithmetic peak of CUDA cores and of a CPU's vector units."""

from __future__ import annotations

from typing import Any

from kernels.base import Kernel, no_memory
from kernels.cuda.kernel import CompiledBackend
from kernels.cuda.launch import CudaBackend
from kernels.fma import cpu, cuda, twin, work

RAW = CompiledBackend(cuda.FmaKernel)
NUMBA = CudaBackend(twin.NumbaFmaKernel)


def _kernel(check_params: dict[str, Any]) -> Kernel:
    return Kernel(
        "fma",
        work.work,
        work.reference,
        {"raw": RAW, "numba": NUMBA, "cpu": cpu.build},
        work.TOLERANCE,
        check_params,
        check_repeat=3,
        footprint=no_memory,
        prepare=RAW.prepare,
    )


_FLOATS = _kernel(work.CHECKED)
_INTS = _kernel({})


def kernel(dtype: str) -> Kernel:
    """The chains of this type."""
    return _INTS if dtype.startswith("int") else _FLOATS
