"""Shared memory of a cluster's blocks, read by one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import Work
from kernels.cache.work import words
from kernels.chase.work import cycle

LINES = 64
"""Lines that a chase visits in each block's memory."""


def neighbours_work(dtype: str, cluster: int, set_bytes: int, trips: int, **_: Any) -> Work:
    """In each of ``trips`` every block of one cluster reads the set of the next block."""
    return Work(bytes=trips * cluster * set_bytes)


def neighbours_reference(
    dtype: str, repeat: int, cluster: int, set_bytes: int, trips: int, **_: Any
) -> np.ndarray:
    """Sums modulo 2**32 of what the blocks of each number in their clusters have read."""
    sets = words(cluster * set_bytes // 4).reshape(cluster, -1)
    totals = [int(total) for total in sets.sum(axis=1, dtype=np.uint64)]
    of_next = [totals[(rank + 1) % cluster] for rank in range(cluster)]
    return np.array([repeat * trips * total % (1 << 32) for total in of_next], np.float64)


def lines_visited(cluster: int) -> int:
    """Lines of a chase through the memory of the cluster's other blocks; its own if it has none."""
    return LINES * max(1, cluster - 1)


def chase_reference(dtype: str, repeat: int, cluster: int, **_: Any) -> np.ndarray:
    """The line at which so many loads end, shape (1,)."""
    order = cycle(lines_visited(cluster))
    return np.array([order[repeat % len(order)]], np.float64)
