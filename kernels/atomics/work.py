"""Atomic additions: what is asked, and what the words hold in the end.

Every thread adds one. Floats stop growing where one is less than half of their last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import Work

SHARED, GLOBAL = "shared", "global"
MEMORIES = (SHARED, GLOBAL)
SPREAD, ONE = "spread", "one"
"""Each thread has a word of its own; all threads (of a block, in shared memory) have one."""
HALVES = {"fp16": (1.0, 0.5), "fp32": (1.0,), "int32": (1.0,)}
"""What a thread adds to the parts of a word, by type."""
STOPS_AT = {"fp16": (2048.0, 1024.0), "fp32": (2.0**24,), "int32": (float("inf"),)}
"""Where such a sum stays."""


def work(dtype: str, steps: int, threads: int, **_: Any) -> Work:
    """One repetition: ``steps`` additions of every thread, two in a word of halves."""
    return Work(flops=float(steps * threads * len(HALVES[dtype])))


def reference(dtype: str, repeat: int, **params: Any) -> np.ndarray:
    """What each word holds, shape (words, parts)."""
    threads = params["threads"]
    additions = repeat * params["steps"]
    words = threads
    if params["spread"] == ONE:
        if params["memory"] == GLOBAL:
            words = 1
            additions *= threads
        else:
            additions *= params["block"]
    sums = [
        min(additions * part, stop)
        for part, stop in zip(HALVES[dtype], STOPS_AT[dtype], strict=True)
    ]
    return np.tile(np.array(sums), (words, 1))
