"""Streams through memory: copy, scale, add, triad, read, write. The least traffic each needs, and its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Kernel, Launch, Work
from kernels.device import Device

ARRAYS = {"copy": 2, "scale": 2, "add": 3, "triad": 3, "read": 1, "write": 1}
"""Arrays each operation touches once: STREAM's counting, with no extra for a cache's write-allocate."""
FLOPS = {"copy": 0, "scale": 1, "add": 1, "triad": 2, "read": 1, "write": 0}


def _kernel(op: str) -> Kernel:
    def work(dtype: str, n: int, **_: Any) -> Work:
        return Work(FLOPS[op] * n, ARRAYS[op] * n * ITEMSIZE[dtype])

    def reference(dtype: str, repeat: int, n: int, **_: Any) -> np.ndarray:
        if op == "read":
            return np.array([pattern.total(dtype, 0, n)])
        at = pattern.sample_indices(n, ITEMSIZE[dtype])
        x, y = (pattern.values(dtype, which, at) for which in (0, 1))
        return {"copy": x, "scale": pattern.SCALE * x, "add": x + y, "triad": x + pattern.SCALE * y}.get(
            op, np.full_like(x, pattern.WRITTEN)
        )

    def prepare(device: Device, dtype: str, params: Any) -> None:
        from kernels import stream_cuda

        stream_cuda.prepare(device, op, dtype, params)

    backends = {name: _builder(op, name) for name in ("raw", "numba", "cpu")}
    return Kernel(op, work, reference, backends, prepare=prepare)


def _builder(op: str, backend: str) -> Callable[..., Launch]:
    def build(device: Device, dtype: str, params: Any, queue: Any) -> Launch:
        if backend == "cpu":
            from kernels import stream_cpu

            return stream_cpu.build(device, op, dtype, params, queue)
        from kernels import stream_cuda

        return getattr(stream_cuda, backend)(device, op, dtype, params, queue)

    return build


COPY, _, _, _, READ, _ = KERNELS = tuple(_kernel(op) for op in ARRAYS)
