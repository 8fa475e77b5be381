"""Launches of nothing, by the driver from native code: an interpreter's loop would take longer than
they do.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, KernelError
from kernels.cuda import launch as cuda
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.overhead.work import GRAPH_KERNELS

SOURCE = Path(__file__).with_name("overhead.cu")
THREADS = 1
LIBRARIES = ("libcuda.so.1", "libcuda.so")
START = [ctypes.c_size_t, *[ctypes.c_uint] * 7, *[ctypes.c_size_t] * 3]
"""Types of cuLaunchKernel, pointers as integers: function, grid, block, shared bytes, stream,
arguments, extra.
"""
FINISH = [ctypes.c_size_t]


def _build(device: Device) -> Cubin:
    return cuda.build(device, SOURCE, {})


def prepare(device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile into the cache."""
    _build(device)


def raw(
    how: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """``repeat`` launches, as ``how`` says; ``counted``: each counts itself."""
    kernel = cuda.function(_build(device).path, "empty")
    with collected() as held:
        held.append(counter := Buffer(1, np.uint64, queue))
        argument = counter.pointer if params.get("counted") else np.uint64(0)
        if how == "graph-launch":
            enqueue = _graphs(kernel, argument, queue)
        else:
            enqueue = _native(kernel, argument, queue, how == "launch-and-sync")
        counter.upload(np.zeros(1, np.uint64))
    result = lambda: counter.download().astype(np.float64)  # noqa: E731
    audit = Audit(instruction="cuGraphLaunch" if how == "graph-launch" else "cuLaunchKernel")
    return cuda.CudaLaunch(queue, enqueue, [counter], result, lambda work: audit)


def _graphs(kernel: Any, argument: np.uint64, queue: Any) -> Callable[[int], None]:
    """Whole graphs, and single launches for what is left over."""

    def launch(times: int) -> None:
        for _ in range(times):
            kernel((1,), (THREADS,), (argument,), stream=queue)

    launch(1)  # a module may be loaded at its first launch, which a capture does not allow
    queue.synchronize()
    queue.begin_capture()
    launch(GRAPH_KERNELS)
    graph = queue.end_capture()

    def enqueue(repeat: int) -> None:
        for _ in range(repeat // GRAPH_KERNELS):
            graph.launch(stream=queue)
        launch(repeat % GRAPH_KERNELS)

    return enqueue


def _native(kernel: Any, argument: np.uint64, queue: Stream, wait: bool) -> Callable[[int], None]:
    """Launches, each waited for or not, in one native loop."""
    cells = np.array([argument, 0], np.uint64)
    cells[1] = cells.ctypes.data  # cuLaunchKernel takes the addresses of the arguments
    run = driver_loop()

    def enqueue(repeat: int) -> None:
        if status := run(kernel.kernel.ptr, queue.ptr, cells[1:].ctypes.data, repeat, wait):
            raise KernelError(f"the CUDA driver answers {status} to an empty launch: see CUresult")

    return enqueue


@cache
def driver_loop() -> Callable[..., int]:
    """``loop`` over cuLaunchKernel and cuStreamSynchronize. Raises KernelError without a driver."""
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise KernelError(f"no NVIDIA driver: {LIBRARIES[0]} is not found")
    start, finish = library.cuLaunchKernel, library.cuStreamSynchronize
    start.argtypes, finish.argtypes = START, FINISH
    start.restype = finish.restype = ctypes.c_int
    return loop(start, finish)


def loop(start: Any, finish: Any) -> Callable[..., int]:
    """``run(function, stream, arguments, repeat, wait)``: native; stops at the first error and
    returns its code.
    """
    from numba import njit

    @njit
    def run(function, stream, arguments, repeat, wait):  # type: ignore[no-untyped-def]
        for _ in range(repeat):
            status = start(function, 1, 1, 1, THREADS, 1, 1, 0, stream, arguments, 0)
            if status == 0 and wait:
                status = finish(stream)
            if status != 0:
                return status
        return 0

    return run  # type: ignore[no-any-return]
