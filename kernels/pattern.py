"""What the arrays of a stream hold, so that any element of any size can be checked without storing
a copy.

Random small integers: sums and products of them are exact in every type, so a stream must match to
the bit; and random, since memory and links are faster with zeros on some machines.
"""

from __future__ import annotations

from functools import cache

import numpy as np

LENGTH = 1_000_003  # prime: no power-of-two stride or partition meets the same phase twice
LARGEST = 1024
SCALE = 3.0  # the factor of scale and triad
WRITTEN = 0.5  # what write stores: no element of a tile, so a target left alone shows
SEGMENTS = 4096
SEGMENT_BYTES = 512
FLOATS = {"fp32": np.float32, "fp64": np.float64}


@cache
def tile(dtype: str, which: int) -> np.ndarray:
    """The repeating part of array number ``which``: LENGTH integers of [-1024, 1023] as
    ``dtype``.
    """
    dice = np.random.default_rng(which)
    return dice.integers(-LARGEST, LARGEST, LENGTH).astype(FLOATS[dtype])


def values(dtype: str, which: int, indices: np.ndarray) -> np.ndarray:
    """Elements of array number ``which`` at these indices."""
    return tile(dtype, which)[indices % LENGTH]


def total(dtype: str, which: int, n: int) -> float:
    """Sum of the first ``n`` elements of array number ``which``, exact."""
    whole = tile(dtype, which).astype(np.float64)
    return float(n // LENGTH * whole.sum() + whole[: n % LENGTH].sum())


def fill(array: np.ndarray, part: slice, dtype: str, which: int) -> None:
    """Write array number ``which`` into ``array[part]``."""
    whole, at = tile(dtype, which), part.start
    while at < part.stop:
        phase = at % LENGTH
        count = min(LENGTH - phase, part.stop - at)
        array[at : at + count] = whole[phase : phase + count]
        at += count


def sample_starts(n: int, itemsize: int) -> tuple[np.ndarray, int]:
    """First elements and width of what a check looks at: SEGMENTS spaced pieces of SEGMENT_BYTES,
    and the last.
    """
    width = min(n, SEGMENT_BYTES // itemsize)
    stride = max(width, n // SEGMENTS // width * width)
    return np.append(np.arange(0, n - width + 1, stride), n - width), width


def sample_indices(n: int, itemsize: int) -> np.ndarray:
    """Every element of those pieces."""
    starts, width = sample_starts(n, itemsize)
    return (starts[:, None] + np.arange(width)).ravel()
