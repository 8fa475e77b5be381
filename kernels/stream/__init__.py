"""Streams through memory: copy, scale, add, triad, read, write, on CPUs and GPUs."""

from __future__ import annotations

from functools import partial
from typing import Any

from kernels.base import Kernel
from kernels.cuda.kernel import CompiledBackend
from kernels.cuda.launch import CudaBackend
from kernels.stream import cpu, cuda, twin, work


def _kernel(op: str) -> Kernel:
    raw = CompiledBackend(partial(cuda.StreamKernel, op))
    backends: dict[str, Any] = {
        "raw": raw,
        "numba": CudaBackend(partial(twin.NumbaStreamKernel, op)),
        "cpu": partial(cpu.build, op),
    }
    if op == "copy":
        backends["memcpy"] = CudaBackend(cuda.DriverCopy)
    return Kernel(
        op, partial(work.work, op), partial(work.reference, op), backends, prepare=raw.prepare
    )


BY_NAME = {op: _kernel(op) for op in work.ARRAYS}
KERNELS = tuple(BY_NAME.values())
COPY, READ = BY_NAME["copy"], BY_NAME["read"]
