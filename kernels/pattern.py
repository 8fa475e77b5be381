"""Contents of the arrays that kernels move: any element can be checked without storing a copy.

An array repeats one tile of random small integers. Sums and products of such integers are exact in
both types, so a result must match to the bit; and they are random, since memory and links are
faster with zeros on some machines. Each array of a kernel has a number, ``which``, and contents of
its own.
"""

from __future__ import annotations

from functools import cache

import numpy as np

LENGTH = 1_000_003
"""Elements of a tile. A prime, so that steps and parts of a power of two do not meet the same place
of the tile again and again: what was read at the wrong address shows.
"""
ELEMENT_LIMIT = 1024
"""Elements are integers from -1024 up to, but not including, 1024."""
SCALE = 3.0
"""The factor of a stream's scale and triad."""
WRITTEN = 0.5
"""What a write stores: no element of a tile, so that a target left alone shows."""
SEGMENTS = 4096
"""About how many segments of an array a check looks at."""
SEGMENT_BYTES = 512
"""Size of such a segment."""
FLOATS = {"fp32": np.float32, "fp64": np.float64}
"""NumPy's types of the elements."""


@cache
def tile(dtype: str, which: int) -> np.ndarray:
    """The tile that array number ``which`` repeats: LENGTH integers, as ``dtype``."""
    dice = np.random.default_rng(which)
    return dice.integers(-ELEMENT_LIMIT, ELEMENT_LIMIT, LENGTH).astype(FLOATS[dtype])


def values(dtype: str, which: int, indices: np.ndarray) -> np.ndarray:
    """Elements of array number ``which`` at these indices."""
    return tile(dtype, which)[indices % LENGTH]


def total(dtype: str, which: int, n: int) -> float:
    """Sum of the first ``n`` elements of array number ``which``, exact."""
    elements = tile(dtype, which).astype(np.float64)
    whole_tiles, remainder = divmod(n, LENGTH)
    return float(whole_tiles * elements.sum() + elements[:remainder].sum())


def fill(array: np.ndarray, part: slice, dtype: str, which: int) -> None:
    """Write the elements of array number ``which`` that belong there into ``array[part]``."""
    elements = tile(dtype, which)
    start = part.start
    while start < part.stop:
        phase = start % LENGTH
        count = min(LENGTH - phase, part.stop - start)
        array[start : start + count] = elements[phase : phase + count]
        start += count


def sample_starts(n: int, itemsize: int) -> tuple[np.ndarray, int]:
    """Where the segments begin that a check looks at, and the width of each, both in elements.

    They are about SEGMENTS evenly spaced ones of SEGMENT_BYTES, and the last of the array.
    """
    width = min(n, SEGMENT_BYTES // itemsize)
    stride = max(
        width, n // SEGMENTS // width * width
    )  # whole segments, so that these do not overlap
    last = n - width
    return np.append(np.arange(0, last + 1, stride), last), width


def sample_indices(n: int, itemsize: int) -> np.ndarray:
    """Indices of every element of those segments."""
    starts, width = sample_starts(n, itemsize)
    return (starts[:, None] + np.arange(width)).ravel()
