"""Copies between host and GPU, and reads of memory that both can reach: what crosses the bus."""

from __future__ import annotations

from functools import partial

from kernels import stream
from kernels.base import Kernel
from kernels.transfer import cuda
from kernels.transfer.work import DIRECTIONS, copy_reference, copy_work, read_reference, read_work


def _copy(direction: str) -> Kernel:
    work, reference = partial(copy_work, direction), partial(copy_reference, direction)
    return Kernel(direction, work, reference, {"memcpy": partial(cuda.copy, direction)})


COPIES = {direction: _copy(direction) for direction in DIRECTIONS}
READ = Kernel(
    "memory_read",
    read_work,
    read_reference,
    {"raw": cuda.read_raw, "numpy": cuda.read_numpy},
    prepare=stream.READ.prepare,
)
"""The sum over ``size_bytes`` of memory of the kind ``params["memory"]``."""
