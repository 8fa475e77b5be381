"""Copies between host and GPU, and reads of memory that both can reach: what crosses the bus."""

from __future__ import annotations

from functools import partial

from kernels.base import Kernel
from kernels.cuda.kernel import CompiledBackend
from kernels.cuda.launch import CudaBackend
from kernels.transfer import cuda
from kernels.transfer.work import copy_reference, copy_work, read_reference, read_work

_LAUNCHES = {
    "h2d": CudaBackend(partial(cuda.HostCopy, "h2d")),
    "d2h": CudaBackend(partial(cuda.HostCopy, "d2h")),
    "both": CudaBackend(cuda.BothCopies),
    "peer": CudaBackend(cuda.PeerCopy),
    "peers": CudaBackend(cuda.BothPeerCopies),
}


def _copy(direction: str) -> Kernel:
    work = partial(copy_work, direction)
    reference = partial(copy_reference, direction)
    return Kernel(direction, work, reference, {"memcpy": _LAUNCHES[direction]})


COPIES = {direction: _copy(direction) for direction in _LAUNCHES}
_READ_BY_GPU = CompiledBackend(cuda.ReadByGpu)
READ = Kernel(
    "memory_read",
    read_work,
    read_reference,
    {"raw": _READ_BY_GPU, "numpy": CudaBackend(cuda.ReadByCpu)},
    prepare=_READ_BY_GPU.prepare,
)
"""The sum over ``size_bytes`` of memory of the kind ``params["memory"]``."""
