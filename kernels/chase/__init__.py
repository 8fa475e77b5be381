"""The latency of each level of memory, by loads that wait for one another."""

from __future__ import annotations

from typing import Any

from kernels.base import Kernel, no_work
from kernels.chase import cpu, cuda
from kernels.chase.work import hops
from kernels.cuda.kernel import CompiledBackend


def _footprint(dtype: str, set_bytes: float, **_: Any) -> float:
    return set_bytes


RAW = CompiledBackend(cuda.ChaseKernel)
CHASE = Kernel(
    "chase",
    no_work,
    hops,
    {"cpu": cpu.build, "raw": RAW},
    check_repeat=1001,
    footprint=_footprint,
    prepare=RAW.prepare,
)
"""One repetition is one load whose address the load before it gave: its time is the latency of that
level.
"""
