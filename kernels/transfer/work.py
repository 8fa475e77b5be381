"""Copies between host and GPU, and reads of memory that both reach, checked by a pattern.

One repetition is one copy of ``size_bytes``, or two at once, or one pass of reading. Sizes come
from the probe, which knows how much memory the machine has.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Work

DIRECTIONS = {"h2d": 1, "d2h": 1, "both": 2, "peer": 1, "peers": 2}
"""Buffers that cross in one repetition. ``peer``: from GPU ``source`` to GPU ``target`` of the
params; ``peers``: back, too, at the same time.
"""
READERS = {"raw": ("device", "zero-copy", "managed"), "numpy": ("zero-copy", "managed")}
"""Kinds of memory that the GPU (``raw``) and the CPU (``numpy``) can read where it lies."""


def copy_work(direction: str, dtype: str, size_bytes: int, **_: Any) -> Work:
    """Bytes that cross in one copy."""
    return Work(bytes=DIRECTIONS[direction] * size_bytes)


def copy_reference(
    direction: str, dtype: str, repeat: int, size_bytes: int, **_: Any
) -> np.ndarray:
    """The sampled pieces of each target, one target after the other."""
    at = pattern.sample_indices(size_bytes // ITEMSIZE[dtype], ITEMSIZE[dtype])
    return np.concatenate(
        [pattern.values(dtype, which, at) for which in range(DIRECTIONS[direction])]
    )


def read_work(dtype: str, size_bytes: int, **_: Any) -> Work:
    """Bytes that cross in one pass of reading."""
    return Work(bytes=size_bytes)


def read_reference(dtype: str, repeat: int, size_bytes: int, **_: Any) -> np.ndarray:
    """The sum of what is read, shape (1,)."""
    return np.array([pattern.total(dtype, 0, size_bytes // ITEMSIZE[dtype])])
