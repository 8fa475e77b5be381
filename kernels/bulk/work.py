"""Bulk copies into shared memory: a set that is brought there again and again."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import Work
from kernels.cache.work import word_total


def work(dtype: str, set_bytes: int, cluster: int, **_: Any) -> Work:
    """One pass over the set, into the shared memory of every block of a cluster."""
    return Work(bytes=set_bytes * cluster)


def reference(dtype: str, repeat: int, set_bytes: int, cluster: int, **_: Any) -> np.ndarray:
    """The sum of all words that came, modulo 2**32, of each block's number in its cluster."""
    total = repeat * word_total(set_bytes // 4) % (1 << 32)
    return np.full(cluster, total, np.float64)
