"""Slow arithmetic: functions, divisions, conversions, shuffles; results a second."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from kernels.arithmetic import cuda, work
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
