"""Reads and writes of sets that caches hold, and of shared memory: the bandwidth of each level."""

from __future__ import annotations

from functools import partial
from typing import Any

from kernels.base import Kernel
from kernels.cache import cpu, cuda
from kernels.cache.work import banks_reference, moved_reference, read_reference, read_work


def _footprint(dtype: str, x: float, copies: int = 1, **_: Any) -> float:
    return x * copies


def _none(dtype: str, **_: Any) -> float:
    return 0.0


def _moves(op: str) -> Kernel:
    backends: dict[str, Any] = {"cpu": partial(cpu.build, op), "raw": cuda.raw}
    name, reference = f"cache_{op}", moved_reference(op)
    return Kernel(name, read_work, reference, backends, footprint=_footprint, prepare=cuda.prepare)


READ = Kernel(
    "cache_read",
    read_work,
    read_reference,
    {"cpu": partial(cpu.build, "read"), "raw": cuda.raw},
    check_repeat=3,
    footprint=_footprint,
    prepare=cuda.prepare,
)
"""Reads ``x`` bytes a repetition in each of ``readers`` places (cores or blocks): ``pass_bytes`` together."""

WRITE, COPY = _moves("write"), _moves("copy")
"""The same with stores, which first bring a line into the cache; ``x`` is a copy's source and target together."""

BANKS = Kernel(
    "bank_conflict",
    read_work,
    banks_reference,
    {"raw": cuda.raw},
    check_repeat=3,
    footprint=_none,
    prepare=cuda.prepare,
)
"""Loads of 4 bytes from shared memory, ``x`` lanes of a warp on each bank: what a stride of ``x`` words costs."""
