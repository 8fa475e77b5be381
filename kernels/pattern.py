"""Contents of the arrays of a stream: any element can be checked without storing a copy.

Random small integers: sums and products of them are exact in every type, so a stream must match to
the bit; and random, since memory and links are faster with zeros on some machines.
"""

from __future__ import annotations

from functools import cache

import numpy as np

LENGTH = 1_000_003  # prime: no power-of-two stride or partition meets the same phase twice
LARGEST_ELEMENT = 1024  # and the smallest is -1024; the largest itself never occurs
SCALE = 3.0  # the factor of scale and triad
WRITTEN = 0.5  # what write stores: no element of a tile, so a target left alone shows
SEGMENTS = 4096  # that a check looks at
SEGMENT_BYTES = 512
FLOATS = {"fp32": np.float32, "fp64": np.float64}


@cache
def tile(dtype: str, which: int) -> np.ndarray:
    """The part of array ``which`` that repeats: LENGTH integers of [-1024, 1023] as ``dtype``."""
    dice = np.random.default_rng(which)
    return dice.integers(-LARGEST_ELEMENT, LARGEST_ELEMENT, LENGTH).astype(FLOATS[dtype])


def values(dtype: str, which: int, indices: np.ndarray) -> np.ndarray:
    """Elements of array number ``which`` at these indices."""
    return tile(dtype, which)[indices % LENGTH]


def total(dtype: str, which: int, n: int) -> float:
    """Sum of the first ``n`` elements of array number ``which``, exact."""
    elements = tile(dtype, which).astype(np.float64)
    whole_tiles, remainder = divmod(n, LENGTH)
    return float(whole_tiles * elements.sum() + elements[:remainder].sum())


def fill(array: np.ndarray, part: slice, dtype: str, which: int) -> None:
    """Write array number ``which`` into ``array[part]``."""
    elements = tile(dtype, which)
    start = part.start
    while start < part.stop:
        phase = start % LENGTH
        count = min(LENGTH - phase, part.stop - start)
        array[start : start + count] = elements[phase : phase + count]
        start += count


def sample_starts(n: int, itemsize: int) -> tuple[np.ndarray, int]:
    """First elements and width, in elements, of the segments that a check looks at.

    They are SEGMENTS evenly spaced ones of SEGMENT_BYTES, and the last of the array.
    """
    width = min(n, SEGMENT_BYTES // itemsize)
    stride = max(width, n // SEGMENTS // width * width)
    return np.append(np.arange(0, n - width + 1, stride), n - width), width


def sample_indices(n: int, itemsize: int) -> np.ndarray:
    """Indices of every element of those segments."""
    starts, width = sample_starts(n, itemsize)
    return (starts[:, None] + np.arange(width)).ravel()
