"""Shared memory of a cluster's blocks, read by one another: rate and latency."""

from __future__ import annotations

from kernels.base import Kernel, no_memory, no_work
from kernels.cluster import cuda
from kernels.cluster.work import chase_reference, neighbours_reference, neighbours_work
from kernels.cuda.kernel import CompiledBackend

_NEIGHBOURS = CompiledBackend(cuda.NeighboursKernel)
NEIGHBOURS = Kernel(
    "neighbours_read",
    neighbours_work,
    neighbours_reference,
    {"raw": _NEIGHBOURS},
    check_repeat=3,
    footprint=no_memory,
    prepare=_NEIGHBOURS.prepare,
)
"""Each block of a cluster reads the shared memory of the next one."""

_CHASE = CompiledBackend(cuda.ChaseKernel)
CHASE = Kernel(
    "neighbours_chase",
    no_work,
    chase_reference,
    {"raw": _CHASE},
    check_repeat=1001,
    footprint=no_memory,
    prepare=_CHASE.prepare,
)
"""Loads that wait for one another from the memory of a cluster's other blocks."""
