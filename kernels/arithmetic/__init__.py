"""Slow arithmetic: functions, divisions, conversions, shuffles; results a second."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from kernels.arithmetic import cpu, cuda, work
from kernels.base import Kernel, no_memory
from kernels.cuda.kernel import CompiledBackend

RAW = CompiledBackend(cuda.ArithmeticKernel)


def _reference(
    timed: work.Operation, lanes: int, dtype: str, repeat: int, **params: Any
) -> np.ndarray:
    return work.reference(timed, repeat, params, lanes)


@cache
def on_gpu(dtype: str, name: str) -> Kernel:
    """The chains of one operation as a GPU does it."""
    operation = cuda.BY_TAG[dtype, name].operation
    return Kernel(
        name,
        work.work,
        partial(_reference, operation, work.LANES_OF_WARP),
        {"raw": RAW},
        {dtype: operation.tolerance},
        check_repeat=3,
        footprint=no_memory,
        prepare=RAW.prepare,
    )


@cache
def on_cpu(dtype: str, name: str) -> Kernel:
    """The chains of one operation as a CPU does it; of ``exp-numba``, Numba's own loop."""
    of_numba = name == cpu.NUMBA_EXP.name
    operation = cpu.NUMBA_EXP if of_numba else cpu.BY_TAG[dtype, name].operation
    return Kernel(
        name,
        work.work,
        partial(_reference_of_cpu, operation),
        {"cpu": cpu.build_numba if of_numba else cpu.build},
        {dtype: operation.tolerance},
        check_repeat=3,
        footprint=no_memory,
    )


def _reference_of_cpu(timed: work.Operation, dtype: str, repeat: int, **params: Any) -> np.ndarray:
    """Every lane of every register is a chain of its own."""
    chains = params["chains"] * params["lanes"]
    return work.reference(timed, repeat, {**params, "chains": chains}, lanes=1)
