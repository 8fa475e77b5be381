"""Launches of a kernel that does nothing: the floor under every small layer."""

from __future__ import annotations

from functools import partial

from kernels.base import Kernel, no_work
from kernels.overhead import cuda
from kernels.overhead.work import GRAPH_KERNELS, counter_bytes, launches


def _kernel(how: str, check_repeat: int) -> Kernel:
    return Kernel(
        how,
        no_work,
        launches,
        {"raw": partial(cuda.raw, how)},
        check_params={"counted": True},
        check_repeat=check_repeat,
        footprint=counter_bytes,
        prepare=cuda.prepare,
    )


LAUNCH = _kernel("launch", 1000)
"""Launched back to back."""
SYNC = _kernel("launch-and-sync", 100)
"""Each waited for."""
GRAPH = _kernel("graph-launch", 3 * GRAPH_KERNELS + 5)
"""In graphs of GRAPH_KERNELS, the rest one by one."""
