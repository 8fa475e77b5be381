"""Matrix instructions of the tensor cores, one row of the table after the other."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from kernels.base import Kernel, Work, no_memory
from kernels.cuda.kernel import CompiledBackend
from kernels.tensor import cuda, work
from kernels.tensor.table import Instruction


def _work(row: Instruction, dtype: str, **params: Any) -> Work:
    return work.work(row, **params)


def _reference(row: Instruction, dtype: str, repeat: int, **params: Any) -> np.ndarray:
    return work.reference(row, repeat, **params)


@cache
def kernel(row: Instruction, check: str = "integers") -> Kernel:
    """The kernel of a row, checked with ``integers`` (exactly) or ``independent`` operands."""
    raw = CompiledBackend(partial(cuda.WarpgroupKernel if row.warpgroup else cuda.WarpKernel, row))
    return Kernel(
        row.path,
        partial(_work, row),
        partial(_reference, row),
        {"raw": raw},
        {} if check == "integers" else {row.dtype: work.tolerance(row)},
        {"operands": check},
        footprint=no_memory,
        prepare=raw.prepare,
    )
