"""Reads and writes of sets that caches hold, and of shared memory: the bandwidth of each level."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kernels.base import Kernel, no_memory
from kernels.cache import cpu, cuda
from kernels.cache.work import banks_reference, moved_reference, read_reference, read_work
from kernels.cuda.kernel import CompiledBackend


def _footprint(dtype: str, set_bytes: float, copies: int = 1, **_: Any) -> float:
    return set_bytes * copies


def _kernel(op: str, reference: Callable[..., np.ndarray], check_repeat: int = 1) -> Kernel:
    raw = CompiledBackend(partial(cuda.SetKernel, op))
    return Kernel(
        f"cache_{op}",
        read_work,
        reference,
        {"cpu": partial(cpu.build, op), "raw": raw},
        check_repeat=check_repeat,
        footprint=_footprint,
        prepare=raw.prepare,
    )


READ = _kernel("read", read_reference, check_repeat=3)
"""Reads ``set_bytes`` a repetition in each of ``readers`` places (cores or blocks): ``pass_bytes``
together.
"""

WRITE, COPY = (_kernel(op, moved_reference(op)) for op in ("write", "copy"))
"""The same with stores, which first bring a line into the cache; half of a copy is its source."""

_SHARED = CompiledBackend(cuda.SharedKernel)
SHARED = Kernel(
    "cache_read",
    read_work,
    read_reference,
    {"raw": _SHARED},
    check_repeat=3,
    footprint=_footprint,
    prepare=_SHARED.prepare,
)
"""The same reads of sets in a GPU's shared memory."""

_BANKS = CompiledBackend(cuda.BanksKernel)
BANKS = Kernel(
    "bank_conflict",
    read_work,
    banks_reference,
    {"raw": _BANKS},
    check_repeat=3,
    footprint=no_memory,
    prepare=_BANKS.prepare,
)
"""Loads of 4 bytes from shared memory, ``ways`` lanes of a warp on each bank: what a stride of
``ways`` words costs.
"""
