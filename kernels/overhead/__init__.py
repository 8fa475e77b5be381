"""Launches of a kernel that does nothing: the floor under every small layer."""

from __future__ import annotations

from kernels.base import Kernel, no_work
from kernels.cuda.kernel import CompiledBackend
from kernels.overhead import cuda
from kernels.overhead.work import GRAPH_KERNELS, counter_bytes, launches


def _kernel(name: str, way: type[cuda.EmptyKernel], check_repeat: int) -> Kernel:
    raw = CompiledBackend(way)
    return Kernel(
        name,
        no_work,
        launches,
        {"raw": raw},
        check_params={"counted": True},
        check_repeat=check_repeat,
        footprint=counter_bytes,
        prepare=raw.prepare,
    )


LAUNCH = _kernel("launch", cuda.NativeLaunches, 1000)
"""Launched back to back."""
SYNC = _kernel("launch-and-sync", cuda.WaitedLaunches, 100)
"""Each waited for."""
GRAPH = _kernel("graph-launch", cuda.GraphLaunches, 3 * GRAPH_KERNELS + 5)
"""In graphs of GRAPH_KERNELS, the rest one by one."""
