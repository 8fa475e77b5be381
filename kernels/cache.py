"""Working sets: the same bytes read again and again, and a random chase through them. One level of memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Kernel, Launch, Work
from kernels.device import Device

ARRAYS = {"read": 1, "write": 1, "copy": 2}
"""Arrays of a working set: a copy's source and target are half of it each."""

LINE = {"cpu": 64, "raw": 128}
"""Bytes of a cache line, and hence of a step of the chase."""
WORD_LENGTH = 1_000_003  # prime, as the pattern of the streams
LANES = 32  # of a warp, and banks of shared memory


def words(count: int) -> np.ndarray:
    """``count`` 32-bit words whose sum, modulo 2**32, tells whether each was read."""
    return np.resize(np.random.default_rng(7).integers(0, 1 << 32, WORD_LENGTH, np.uint32), count)


def word_total(count: int) -> int:
    """Sum of ``words(count)``, exact."""
    whole = words(WORD_LENGTH).astype(np.uint64)
    return count // WORD_LENGTH * int(whole.sum()) + int(whole[: count % WORD_LENGTH].sum())


def cycle(lines: int) -> np.ndarray:
    """A random order in which a chase visits all lines and returns to the first: no prefetcher can guess it."""
    return np.random.default_rng(11).permutation(lines)


def _read_work(dtype: str, pass_bytes: int, **_: Any) -> Work:
    return Work(0, pass_bytes)


def _read_reference(dtype: str, repeat: int, x: int, readers: int, copies: int = 1, **_: Any) -> np.ndarray:
    if dtype == "int32":  # a GPU adds words modulo 2**32; no two of several sets are alike
        return np.array([readers // copies * repeat * word_total(copies * x // 4) % (1 << 32)], np.float64)
    return np.array([readers * repeat * pattern.total(dtype, 0, x // 8)])


def _moved_reference(op: str) -> Callable[..., np.ndarray]:
    """Samples of the target of each core, one core after the other."""

    def reference(dtype: str, repeat: int, x: int, readers: int, **_: Any) -> np.ndarray:
        at = pattern.sample_indices(x // ARRAYS[op] // ITEMSIZE[dtype], ITEMSIZE[dtype])
        value = pattern.values(dtype, 0, at) if op == "copy" else np.full(at.shape, pattern.WRITTEN)
        return np.tile(value, readers)

    return reference


def _banks_reference(dtype: str, repeat: int, x: int, reads: int, blocks: int, block: int, **_: Any) -> np.ndarray:
    """Lane l of each warp reads words l * x + r % x for each of its reads r."""
    at = np.arange(LANES)[:, None] * x + np.arange(reads) % x
    warps = blocks * block // LANES
    return np.array([repeat * warps * int(words(LANES * LANES)[at].sum(dtype=np.uint64)) % (1 << 32)], np.float64)


def _hops(dtype: str, repeat: int, x: int, line: int, **_: Any) -> np.ndarray:
    order = cycle(x // line)
    return np.array([order[repeat % len(order)]], np.float64)


def _prepare(stem: str) -> Callable[..., None]:
    def prepare(device: Device, dtype: str, params: Any) -> None:
        from kernels import cache_cuda, chase_cuda

        {"read": cache_cuda, "chase": chase_cuda}[stem].prepare(device, params)

    return prepare


def _builder(stem: str, backend: str) -> Callable[..., Launch]:
    def build(device: Device, dtype: str, params: Any, queue: Any) -> Launch:
        if backend == "cpu":
            from kernels import cache_cpu, chase_cpu

            if stem == "chase":
                return chase_cpu.build(device, dtype, params, queue)
            return cache_cpu.build(device, stem, dtype, params, queue)
        from kernels import cache_cuda, chase_cuda

        return (chase_cuda if stem == "chase" else cache_cuda).raw(device, params, queue)

    return build


def _backends(stem: str) -> dict[str, Callable[..., Launch]]:
    return {backend: _builder(stem, backend) for backend in LINE}


READ = Kernel(
    "cache_read", _read_work, _read_reference, _backends("read"), check_repeat=3, prepare=_prepare("read"),
    footprint=lambda dtype, x, copies=1, **_: x * copies,
)  # fmt: skip
"""Reads ``x`` bytes a repetition in each of ``readers`` places (cores or blocks): ``pass_bytes`` together."""

WRITE, COPY = (
    Kernel(
        f"cache_{op}", _read_work, _moved_reference(op), _backends(op), prepare=_prepare("read"),
        footprint=lambda dtype, x, copies=1, **_: x * copies,
    ) for op in ("write", "copy")
)  # fmt: skip
"""The same with stores, which first bring a line into the cache; ``x`` is a copy's source and target together."""

BANKS = Kernel(
    "bank_conflict", _read_work, _banks_reference, {"raw": _builder("read", "raw")}, check_repeat=3,
    prepare=_prepare("read"), footprint=lambda dtype, **_: 0.0,
)  # fmt: skip
"""Loads of 4 bytes from shared memory, ``x`` lanes of a warp on each bank: what a stride of ``x`` words costs."""

CHASE = Kernel(
    "chase", lambda dtype, **_: Work(), _hops, _backends("chase"), check_repeat=1001, prepare=_prepare("chase"),
    footprint=lambda dtype, x, **_: x,
)  # fmt: skip
"""One repetition is one load whose address the load before it gave: its time is the latency of that level."""
