"""Streams through memory: copy, scale, add, triad, read, write."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Work

ARRAYS = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "read": 1, "write": 1}
"""Arrays each operation touches once: STREAM's counting, with no extra for a cache's
write-allocate.
"""
FLOPS = {"copy": 0, "scale": 1, "add": 1, "triad": 2, "read": 1, "write": 0}
NUMBA_BLOCK, NUMBA_READS = 256, 8
"""Threads of a block of the twin in Numba, and vectors that a thread of its read has in flight."""


def work(op: str, dtype: str, n: int, **_: Any) -> Work:
    """One pass of ``op`` over arrays of ``n`` elements."""
    return Work(FLOPS[op] * n, ARRAYS[op] * n * ITEMSIZE[dtype])


def reference(op: str, dtype: str, repeat: int, n: int, **_: Any) -> np.ndarray:
    """A read's sum, shape (1,); of the others, the elements of the target that a check looks at."""
    if op == "read":
        return np.array([pattern.total(dtype, 0, n)])
    at = pattern.sample_indices(n, ITEMSIZE[dtype])
    x, y = (pattern.values(dtype, which, at) for which in (0, 1))
    if op == "copy":
        return x
    if op == "scale":
        return pattern.SCALE * x
    if op == "add":
        return x + y
    if op == "triad":
        return x + pattern.SCALE * y
    return np.full_like(x, pattern.WRITTEN)


def numba_vecs(op: str) -> int:
    """Vectors a thread of the Numba twin has in flight."""
    return NUMBA_READS if op == "read" else 1
