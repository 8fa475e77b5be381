"""Reads and writes of sets that caches hold, and of shared memory: the bandwidth of each level."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.base import Kernel, no_memory
from kernels.cache import cpu, cuda
from kernels.cache.work import banks_reference, moved_reference, read_reference, read_work


def _footprint(dtype: str, set_bytes: float, copies: int = 1, **_: Any) -> float:
    return set_bytes * copies


def _kernel(op: str, reference: Callable[..., np.ndarray], check_repeat: int = 1) -> Kernel:
    backends: dict[str, Any] = {"cpu": partial(cpu.build, op), "raw": cuda.raw}
    return Kernel(
        f"cache_{op}",
        read_work,
        reference,
        backends,
        check_repeat=check_repeat,
        footprint=_footprint,
        prepare=cuda.prepare,
    )


READ = _kernel("read", read_reference, check_repeat=3)
"""Reads ``set_bytes`` a repetition in each of ``readers`` places (cores or blocks): ``pass_bytes``
together.
"""

WRITE, COPY = (_kernel(op, moved_reference(op)) for op in ("write", "copy"))
"""The same with stores, which first bring a line into the cache; half of a copy is its source."""

BANKS = Kernel(
    "bank_conflict",
    read_work,
    banks_reference,
    {"raw": cuda.raw},
    check_repeat=3,
    footprint=no_memory,
    prepare=cuda.prepare,
)
"""Loads of 4 bytes from shared memory, ``ways`` lanes of a warp on each bank: what a stride of
``ways`` words costs.
"""
