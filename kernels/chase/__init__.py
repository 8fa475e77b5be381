"""The latency of each level of memory, by loads that wait for one another."""

from __future__ import annotations

from typing import Any

from kernels.base import Kernel, no_work
from kernels.chase import cpu, cuda
from kernels.chase.work import hops


def _footprint(dtype: str, set_bytes: float, **_: Any) -> float:
    return set_bytes


CHASE = Kernel(
    "chase",
    no_work,
    hops,
    {"cpu": cpu.build, "raw": cuda.raw},
    check_repeat=1001,
    footprint=_footprint,
    prepare=cuda.prepare,
)
"""One repetition is one load whose address the load before it gave: its time is the latency of that
level.
"""
