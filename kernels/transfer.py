"""Copies between host and GPU, and reads of memory that both can reach: what crosses the bus, checked by its pattern.

One repetition is one copy of ``size_bytes``, or two at once, or one pass of reading. Sizes come from the probe, which
knows how much memory the machine has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Kernel, Launch, Work
from kernels.device import Device

DIRECTIONS = {"h2d": 1, "d2h": 1, "both": 2, "peer": 1}
"""Buffers that cross in one repetition. ``peer``: from GPU ``source`` to GPU ``target`` of the params."""
READERS = {"raw": ("device", "zero-copy", "managed"), "numpy": ("zero-copy", "managed")}
"""Kinds of memory that the GPU (``raw``) and the CPU (``numpy``) can read where it lies."""


def _copy(direction: str) -> Kernel:
    def work(dtype: str, size_bytes: int, **_: Any) -> Work:
        return Work(bytes=DIRECTIONS[direction] * size_bytes)

    def reference(dtype: str, repeat: int, size_bytes: int, **_: Any) -> np.ndarray:
        """The sampled pieces of each target, one target after the other."""
        at = pattern.sample_indices(size_bytes // ITEMSIZE[dtype], ITEMSIZE[dtype])
        return np.concatenate([pattern.values(dtype, which, at) for which in range(DIRECTIONS[direction])])

    def build(device: Device, dtype: str, params: Any, queue: Any) -> Launch:
        from kernels import transfer_cuda

        return transfer_cuda.copy(device, direction, dtype, params, queue)

    return Kernel(direction, work, reference, {"memcpy": build})


def _reader(reader: str) -> Callable[..., Launch]:
    def build(device: Device, dtype: str, params: Any, queue: Any) -> Launch:
        from kernels import transfer_cuda

        return getattr(transfer_cuda, f"read_{reader}")(device, dtype, params, queue)

    return build


def _prepare(device: Device, dtype: str, params: Any) -> None:
    from kernels import stream_cuda

    stream_cuda.prepare(device, "read", dtype, params)


COPIES = {direction: _copy(direction) for direction in DIRECTIONS}
READ = Kernel(
    "memory_read",
    lambda dtype, size_bytes, **_: Work(bytes=size_bytes),
    lambda dtype, repeat, size_bytes, **_: np.array([pattern.total(dtype, 0, size_bytes // ITEMSIZE[dtype])]),
    {reader: _reader(reader) for reader in READERS},
    prepare=_prepare,
)
"""The sum over ``size_bytes`` of memory of the kind ``params["memory"]``."""
