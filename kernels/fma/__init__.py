"""Chains of multiply-adds: the arithmetic peak of CUDA cores and of a CPU's vector units."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from kernels.base import Kernel, no_memory
from kernels.cuda.kernel import CompiledBackend
from kernels.cuda.launch import CudaBackend
from kernels.fma import cpu, cuda, twin, work

RAW = CompiledBackend(cuda.FmaKernel)
NUMBA = CudaBackend(twin.NumbaFmaKernel)


def _kernel(check_params: dict[str, Any], path: str = "") -> Kernel:
    on_cpu = partial(cpu.build, path=path) if path else cpu.build
    return Kernel(
        "fma",
        work.work,
        work.reference,
        {"raw": RAW, "numba": NUMBA, "cpu": on_cpu},
        work.TOLERANCE,
        check_params,
        check_repeat=3,
        footprint=no_memory,
        prepare=RAW.prepare,
    )


@cache
def kernel(dtype: str, path: str = "") -> Kernel:
    """The chains of this type; ``path`` is a CPU's further instruction for them."""
    return _kernel({} if dtype.startswith("int") else work.CHECKED, path)
