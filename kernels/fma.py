"""Independent multiply-add chains in registers: the arithmetic peak of one type, with no memory in the way.

Each chain computes ``x = x * m + c`` again and again. While the numbers are checked, ``m`` is -0.99, so that the
result tells how many steps were really done; while time is taken, ``m`` is -1 and the values alternate for ever,
which neither overflows nor settles into a constant that costs less power.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.base import Kernel, Launch, Work

TIMED, CHECKED = {"m": -1.0, "c": 0.7}, {"m": -0.99}
TOLERANCE = {"fp64": 1e-12, "fp32": 1e-5}


def work(dtype: str, chains: int, steps: int, threads: int, lanes: int = 1, **_: Any) -> Work:
    """One repetition: ``steps`` multiply-adds on every chain of every lane of every thread."""
    return Work(flops=2.0 * chains * steps * threads * lanes)


def reference(dtype: str, repeat: int, **params: Any) -> np.ndarray:
    """Values of all chains, shape (threads, chains * lanes), computed in double precision."""
    per_thread = params["chains"] * params.get("lanes", 1)
    x = np.tile(start(np.arange(per_thread)), (params["threads"], 1))
    for _ in range(repeat * params["steps"]):
        x = x * params["m"] + params["c"]
    return x


def start(chain: Any) -> Any:
    """Start value of a chain; all of a thread differ, or a compiler could merge them."""
    return 1.0 + chain / 1024.0


def _builder(backend: str) -> Callable[..., Launch]:
    def build(device: Any, dtype: str, params: Any, queue: Any) -> Launch:
        if backend == "cpu":
            from kernels import fma_cpu

            return fma_cpu.build(device, dtype, params, queue)
        from kernels import fma_cuda

        return getattr(fma_cuda, backend)(device, dtype, params, queue)

    return build


FMA = Kernel(
    "fma",
    work,
    reference,
    {name: _builder(name) for name in ("raw", "numba", "cpu")},
    tolerance=TOLERANCE,
    check_params=CHECKED,
    check_repeat=3,
    footprint=lambda dtype, **_: 0.0,
)
