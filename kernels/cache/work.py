"""Working sets: the same bytes read again and again, one level of memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Work

ARRAYS = {"read": 1, "write": 1, "copy": 2}
"""Arrays of a working set: a copy's source and target are half of it each."""

WORD_LENGTH = 1_000_003  # prime, as the pattern of the streams
LANES = 32  # of a warp, and banks of shared memory


def words(count: int) -> np.ndarray:
    """``count`` 32-bit words whose sum, modulo 2**32, tells whether each was read."""
    return np.resize(np.random.default_rng(7).integers(0, 1 << 32, WORD_LENGTH, np.uint32), count)


def word_total(count: int) -> int:
    """Sum of ``words(count)``, exact."""
    whole = words(WORD_LENGTH).astype(np.uint64)
    return count // WORD_LENGTH * int(whole.sum()) + int(whole[: count % WORD_LENGTH].sum())


def read_work(dtype: str, pass_bytes: int, **_: Any) -> Work:
    """One pass over every set."""
    return Work(0, pass_bytes)


def read_reference(
    dtype: str, repeat: int, set_bytes: int, readers: int, copies: int = 1, **_: Any
) -> np.ndarray:
    """The sum of all that is read, shape (1,)."""
    if dtype == "int32":  # a GPU adds words modulo 2**32; no two of several sets are alike
        of_all_sets = word_total(copies * set_bytes // 4)
        total = readers // copies * repeat * of_all_sets % (1 << 32)
        return np.array([total], np.float64)
    return np.array([readers * repeat * pattern.total(dtype, 0, set_bytes // 8)])


def moved_reference(op: str) -> Callable[..., np.ndarray]:
    """Samples of the target of each core, one core after the other."""

    def reference(dtype: str, repeat: int, set_bytes: int, readers: int, **_: Any) -> np.ndarray:
        at = pattern.sample_indices(set_bytes // ARRAYS[op] // ITEMSIZE[dtype], ITEMSIZE[dtype])
        value = pattern.values(dtype, 0, at) if op == "copy" else np.full(at.shape, pattern.WRITTEN)
        return np.tile(value, readers)

    return reference


def banks_reference(
    dtype: str, repeat: int, ways: int, reads: int, blocks: int, block: int, **_: Any
) -> np.ndarray:
    """Lane l of each warp reads words l * ways + r % ways for each of its reads r."""
    at = np.arange(LANES)[:, None] * ways + np.arange(reads) % ways
    warps = blocks * block // LANES
    return np.array(
        [repeat * warps * int(words(LANES * LANES)[at].sum(dtype=np.uint64)) % (1 << 32)],
        np.float64,
    )
