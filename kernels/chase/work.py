"""Loads that wait for one another, so that each takes the latency of its level."""

from __future__ import annotations

from typing import Any

import numpy as np

LINE = {"cpu": 64, "raw": 128}
"""Bytes of a cache line, and hence of a step of the chase."""


def cycle(lines: int) -> np.ndarray:
    """A random order of all lines, in which a chase comes back to the first one."""
    return np.random.default_rng(11).permutation(lines)


def hops(dtype: str, repeat: int, set_bytes: int, line: int, **_: Any) -> np.ndarray:
    """The line at which so many loads end, shape (1,)."""
    order = cycle(set_bytes // line)
    return np.array([order[repeat % len(order)]], np.float64)
