"""Launches of a kernel that does nothing: the floor under every small layer."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kernels.base import Kernel, Work
from kernels.overhead import cuda
from kernels.overhead.work import GRAPH_KERNELS


def _no_work(dtype: str, **_: Any) -> Work:
    return Work()


def _launches(dtype: str, repeat: int, **_: Any) -> np.ndarray:
    return np.array([float(repeat)])


def _counter(dtype: str, **_: Any) -> float:
    return 8.0


def _kernel(how: str, check_repeat: int) -> Kernel:
    return Kernel(
        how,
        _no_work,
        _launches,
        {"raw": partial(cuda.raw, how)},
        check_params={"counted": True},
        check_repeat=check_repeat,
        footprint=_counter,
        prepare=cuda.prepare,
    )


LAUNCH = _kernel("launch", 1000)
"""Launched back to back."""
SYNC = _kernel("launch-and-sync", 100)
"""Each waited for."""
GRAPH = _kernel("graph-launch", 3 * GRAPH_KERNELS + 5)
"""In graphs of GRAPH_KERNELS, the rest one by one."""
