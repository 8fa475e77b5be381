"""Launches of a kernel that does nothing: the floor under every small layer.

One repetition is one launch. The same code counts its launches where it is given a place to: that is the check, and
while it is timed it has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.base import Kernel, Launch, Work
from kernels.device import Device

GRAPH_KERNELS = 32
"""Launches that one graph holds."""


def _kernel(how: str, check_repeat: int) -> Kernel:
    def build(device: Device, dtype: str, params: Any, queue: Any) -> Launch:
        from kernels import overhead_cuda

        return overhead_cuda.raw(device, how, params, queue)

    def prepare(device: Device, dtype: str, params: Any) -> None:
        from kernels import overhead_cuda

        overhead_cuda.prepare(device)

    return Kernel(
        how,
        lambda dtype, **_: Work(),
        lambda dtype, repeat, **_: np.array([float(repeat)]),
        {"raw": build},
        check_params={"counted": True},
        check_repeat=check_repeat,
        footprint=lambda dtype, **_: 8.0,
        prepare=prepare,
    )


LAUNCH = _kernel("launch", 1000)
SYNC = _kernel("launch-and-sync", 100)
GRAPH = _kernel("graph-launch", 3 * GRAPH_KERNELS + 5)
"""Launched back to back; each waited for; and in graphs of GRAPH_KERNELS, the rest one by one."""
