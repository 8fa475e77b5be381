"""A made-up CUDA runtime, whose device memory is the host's own.

What launches ask of it can be seen, and what they write can be read.
"""

from __future__ import annotations

import ctypes
import sys
from types import ModuleType
from typing import Any

import pytest


class RuntimeError_(Exception):
    """An error of the runtime, as CuPy raises it."""

    status = 704  # cudaErrorPeerAccessAlreadyEnabled


class Runtime:
    """Allocations by address, copies as they come, and the order in which things were asked."""

    CUDARuntimeError = RuntimeError_
    hostAllocMapped = 2

    def __init__(self) -> None:
        self.allocations: dict[int, Any] = {}
        """The memory that each lies in, and its bytes, by address."""
        self.calls: list[tuple[Any, ...]] = []
        """Copies and waits, in order."""
        self.broken: set[tuple[int, int]] = set()
        """(bytes, direction) of copies that move nothing."""
        self.full = False
        """True where no host memory can be pinned."""
        self.apart = False
        """True where no GPU reaches the memory of another."""

    def malloc(self, size: int, memory: str = "device") -> int:
        if self.full and memory == "pinned":
            raise RuntimeError_("cudaErrorMemoryAllocation")
        block = ctypes.create_string_buffer(size)
        self.allocations[ctypes.addressof(block)] = (memory, block)
        return ctypes.addressof(block)

    def hostAlloc(self, size: int, flags: int) -> int:
        assert flags == self.hostAllocMapped
        return self.malloc(size, "pinned")

    def mallocManaged(self, size: int) -> int:
        return self.malloc(size, "managed")

    def free(self, address: int) -> None:
        assert self.allocations.pop(address)[0] != "pinned"

    def freeHost(self, address: int) -> None:
        assert self.allocations.pop(address)[0] == "pinned"

    def memsetAsync(self, address: int, value: int, size: int, stream: int) -> None:
        ctypes.memset(address, value, size)

    def memcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        self.calls.append(("copy", size, kind, stream))
        if (size, kind) not in self.broken:
            ctypes.memmove(target, source, size)

    def memcpy2DAsync(
        self,
        target: int,
        to_pitch: int,
        source: int,
        pitch: int,
        width: int,
        rows: int,
        kind: int,
        stream: int,
    ) -> None:
        assert width <= min(to_pitch, pitch), "as the driver asks"
        for row in range(rows):
            ctypes.memmove(target + row * to_pitch, source + row * pitch, width)

    def memcpyPeerAsync(
        self, target: int, to: int, source: int, of: int, size: int, stream: int
    ) -> None:
        self.calls.append(("peer", to, of, stream))
        ctypes.memmove(target, source, size)

    def deviceCanAccessPeer(self, mine: int, theirs: int) -> int:
        return int(not self.apart)

    def deviceEnablePeerAccess(self, theirs: int) -> None:
        raise RuntimeError_("cudaErrorPeerAccessAlreadyEnabled")


class Queue:
    """A stream of the made-up runtime."""

    count = 0  # of all streams so far: the number of the last one

    def __init__(self, runtime: Runtime) -> None:
        Queue.count += 1
        self.ptr = Queue.count
        self.runtime = runtime

    def synchronize(self) -> None:
        self.runtime.calls.append(("synchronize", self.ptr))

    def wait_event(self, event: Event) -> None:
        self.runtime.calls.append(("wait", self.ptr, event.recorded))


class Event:
    """An event of the made-up runtime."""

    recorded = 0  # the stream that it was recorded on

    def __init__(self, disable_timing: bool) -> None:
        assert disable_timing

    def record(self, queue: Queue) -> None:
        self.recorded = queue.ptr


class Current:
    """The current device, in a with statement."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: Any) -> None:
        pass


def installed(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """The runtime in the place of CuPy's."""
    runtime = Runtime()
    top = ModuleType("cupy")
    inner = ModuleType("cupy.cuda")
    parts = {
        "runtime": runtime,
        "Stream": lambda non_blocking: Queue(runtime),
        "Event": Event,
        "Device": Current,
    }
    vars(inner).update(parts)
    vars(top)["cuda"] = inner
    monkeypatch.setitem(sys.modules, "cupy", top)
    monkeypatch.setitem(sys.modules, "cupy.cuda", inner)
    return runtime
