"""Launches of nothing, from native code: a loop in Python would take longer than they do."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from kernels.base import Audit, KernelError, Work
from kernels.cuda import driver
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.nvrtc import Cubin
from kernels.overhead.work import GRAPH_KERNELS

THREADS = 1
"""Threads of the one block of a launch."""
LAUNCH_TYPES = [ctypes.c_size_t, *[ctypes.c_uint] * 7, *[ctypes.c_size_t] * 3]
"""Types of cuLaunchKernel's arguments, pointers as integers: function, grid, block, shared bytes,
stream, arguments, extra.
"""
SYNCHRONIZE_TYPES = [ctypes.c_size_t]
"""Likewise of cuStreamSynchronize: the stream."""


class EmptyKernel(CudaKernel):
    """Launches of a kernel that does nothing; a subclass says how they are made.

    With ``counted`` in the params each launch counts itself.
    """

    source = Path(__file__).with_name("overhead.cu")
    entry = "empty"
    driver_call: str
    """The driver's function that launches."""

    def defines(self) -> dict[str, object]:
        """None."""
        return {}

    def work(self) -> Work:
        """None."""
        return Work()

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """What launches; the machine code does nothing that could be held against work."""
        return Audit(instruction=self.driver_call)

    def allocate(self) -> None:
        """A counter, and the kernel's argument: the counter's address, or none."""
        self.counter = self.new(1, np.uint64)
        self.argument = self.counter.pointer if self.params.get("counted") else np.uint64(0)
        self.start_count()

    def start_count(self) -> None:
        """Set the counter to zero."""
        self.counter.upload(np.zeros(1, np.uint64))

    def fetch(self) -> np.ndarray:
        """How many launches counted themselves, shape (1,)."""
        return self.counter.download().astype(np.float64)


class NativeLaunches(EmptyKernel):
    """Launches back to back, in one native loop."""

    driver_call = "cuLaunchKernel"
    waited_for = False
    """Whether the host waits for each launch before the next."""

    def allocate(self) -> None:
        """The argument as cuLaunchKernel takes it: by an array of addresses."""
        super().allocate()
        self.values = np.array([self.argument], np.uint64)
        self.addresses = np.array([self.values.ctypes.data], np.uint64)
        self.loop = driver_loop()

    def run(self, repeat: int) -> None:
        """Launch so often. Raises KernelError with the driver's code of an error."""
        kernel = self.function.kernel.ptr
        addresses = self.addresses.ctypes.data
        if status := self.loop(kernel, self.queue.ptr, addresses, repeat, self.waited_for):
            raise KernelError(f"the CUDA driver answers {status} to an empty launch: see CUresult")


class WaitedLaunches(NativeLaunches):
    """The same, each waited for."""

    waited_for = True


class GraphLaunches(EmptyKernel):
    """Launches of whole graphs of GRAPH_KERNELS, and single launches for what is left over."""

    driver_call = "cuGraphLaunch"

    def allocate(self) -> None:
        """A graph, captured from the stream."""
        super().allocate()
        queue: Any = self.queue
        self.launch_singly(1)  # may load the module, which a capture does not allow
        queue.synchronize()
        queue.begin_capture()
        self.launch_singly(GRAPH_KERNELS)
        self.graph = queue.end_capture()
        self.start_count()

    def launch_singly(self, times: int) -> None:
        """Launch the kernel so often, without a graph."""
        for _ in range(times):
            self.launch(1, THREADS, self.argument)

    def run(self, repeat: int) -> None:
        """As many whole graphs as fit, then the rest."""
        for _ in range(repeat // GRAPH_KERNELS):
            self.graph.launch(stream=self.queue)
        self.launch_singly(repeat % GRAPH_KERNELS)


@cache
def driver_loop() -> Callable[..., int]:
    """``native_loop`` over the functions of the driver. Raises KernelError without a driver."""
    library = driver.library()
    library.cuLaunchKernel.argtypes = LAUNCH_TYPES
    library.cuStreamSynchronize.argtypes = SYNCHRONIZE_TYPES
    for function in (library.cuLaunchKernel, library.cuStreamSynchronize):
        function.restype = ctypes.c_int
    return native_loop(library.cuLaunchKernel, library.cuStreamSynchronize)


def native_loop(launch: Any, synchronize: Any) -> Callable[..., int]:
    """``run(function, stream, arguments, repeat, wait)`` of these two C functions, compiled.

    It returns 0, or stops at the first error and returns its code.
    """
    from numba import njit

    @njit
    def run(function, stream, arguments, repeat, wait):  # type: ignore[no-untyped-def]
        for _ in range(repeat):
            status = launch(function, 1, 1, 1, THREADS, 1, 1, 0, stream, arguments, 0)
            if status == 0 and wait:
                status = synchronize(stream)
            if status != 0:
                return status
        return 0

    return run  # type: ignore[no-any-return]
