"""Loads that wait for one another: each gives the address of the next, so that one takes the
latency of its level.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LINE = {"cpu": 64, "raw": 128}
"""Bytes of a cache line, and hence of a step of the chase."""


def cycle(lines: int) -> np.ndarray:
    """A random order in which a chase visits all lines and returns to the first: no prefetcher can
    guess it.
    """
    return np.random.default_rng(11).permutation(lines)


def hops(dtype: str, repeat: int, set_bytes: int, line: int, **_: Any) -> np.ndarray:
    """The line at which so many loads end, shape (1,)."""
    order = cycle(set_bytes // line)
    return np.array([order[repeat % len(order)]], np.float64)
