"""A window of memory that is read again and again while a stream passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import Work
from kernels.cache.work import word_total


def work(dtype: str, stream_bytes: int, **_: Any) -> Work:
    """One pass of the stream, and as many bytes of the window."""
    return Work(bytes=2 * stream_bytes)


def reference(
    dtype: str, repeat: int, window_bytes: int, stream_bytes: int, **_: Any
) -> np.ndarray:
    """The sum of all words that so many passes read, modulo 2**32, shape (1,)."""
    passes = stream_bytes // window_bytes
    total = word_total(stream_bytes // 4) + passes * word_total(window_bytes // 4)
    return np.array([repeat * total % (1 << 32)], np.float64)
