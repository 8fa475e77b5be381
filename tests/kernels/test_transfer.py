"""Copies and reads of shared memory, on a made-up CUDA runtime whose device memory is the host's own."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kernels import cuda, host_memory, transfer
from kernels.base import KernelError, Unavailable
from probes.harness.case import Case
from probes.harness.check import Failure, check
from tests.devices import GPU

SIZE = 1 << 20
SHAPE = {"block": 256, "vecs": 4}


class RuntimeError_(Exception):
    status = 704


class Runtime:
    """Allocations by address, copies as they come, and the order in which things were asked."""

    CUDARuntimeError = RuntimeError_
    hostAllocMapped = 2

    def __init__(self) -> None:
        self.held: dict[int, Any] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.broken: set[int] = set()
        self.full = self.apart = False

    def malloc(self, size: int, kind: str = "device") -> int:
        if self.full and kind == "pinned":
            raise RuntimeError_("cudaErrorMemoryAllocation")
        block = ctypes.create_string_buffer(size)
        self.held[ctypes.addressof(block)] = (kind, block)
        return ctypes.addressof(block)

    def hostAlloc(self, size: int, flags: int) -> int:
        assert flags == self.hostAllocMapped
        return self.malloc(size, "pinned")

    def mallocManaged(self, size: int) -> int:
        return self.malloc(size, "managed")

    def free(self, address: int) -> None:
        assert self.held.pop(address)[0] != "pinned"

    def freeHost(self, address: int) -> None:
        assert self.held.pop(address)[0] == "pinned"

    def memsetAsync(self, address: int, value: int, size: int, stream: int) -> None:
        ctypes.memset(address, value, size)

    def memcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> None:
        self.calls.append(("copy", size, kind, stream))
        if not (size == SIZE and kind in self.broken):
            ctypes.memmove(target, source, size)

    def memcpy2DAsync(
        self, target: int, to_pitch: int, source: int, pitch: int, width: int, rows: int, kind: int, stream: int
    ) -> None:
        assert width <= min(to_pitch, pitch), "as the driver asks"
        for row in range(rows):
            ctypes.memmove(target + row * to_pitch, source + row * pitch, width)

    def memcpyPeerAsync(self, target: int, to: int, source: int, of: int, size: int, stream: int) -> None:
        self.calls.append(("peer", to, of, stream))
        ctypes.memmove(target, source, size)

    def deviceCanAccessPeer(self, mine: int, theirs: int) -> int:
        return int(not self.apart)

    def deviceEnablePeerAccess(self, theirs: int) -> None:
        raise RuntimeError_("cudaErrorPeerAccessAlreadyEnabled")


class Queue:
    """A stream of the made-up runtime."""

    count = 0

    def __init__(self, runtime: Runtime) -> None:
        Queue.count += 1
        self.ptr, self.runtime = Queue.count, runtime

    def synchronize(self) -> None:
        self.runtime.calls.append(("synchronize", self.ptr))

    def wait_event(self, event: Event) -> None:
        self.runtime.calls.append(("wait", self.ptr, event.recorded))


class Event:
    recorded = 0

    def __init__(self, disable_timing: bool) -> None:
        assert disable_timing

    def record(self, queue: Queue) -> None:
        self.recorded = queue.ptr


class Current:
    def __init__(self, index: int) -> None:
        self.index = index

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: Any) -> None:
        pass


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    fake, top, inner = Runtime(), ModuleType("cupy"), ModuleType("cupy.cuda")
    parts = {"runtime": fake, "Stream": lambda non_blocking: Queue(fake), "Event": Event, "Device": Current}
    vars(inner).update(parts)
    vars(top)["cuda"] = inner
    monkeypatch.setitem(sys.modules, "cupy", top)
    monkeypatch.setitem(sys.modules, "cupy.cuda", inner)
    return fake


def params(direction: str, **changed: Any) -> dict[str, Any]:
    ends: dict[str, Any] = {"source": 0, "target": 1} if direction == "peer" else {"host": "pinned"}
    return {"size_bytes": SIZE, **ends, **changed}


def launch(direction: str, queue: Queue, **changed: Any) -> Any:
    build = transfer.COPIES[direction].backends["memcpy"]
    return build(GPU, "fp64", params(direction, **changed), queue)


@pytest.mark.parametrize("host", ["pinned", "pageable"])
@pytest.mark.parametrize("direction", transfer.DIRECTIONS)
def test_what_arrives_is_what_was_sent_and_all_is_given_back(direction: str, host: str, runtime: Runtime) -> None:
    changed = {} if direction == "peer" else {"host": host}
    kernel, built = transfer.COPIES[direction], launch(direction, Queue(runtime), **changed)
    check(Case(kernel, "fp64", "memcpy", "transfer/x", params(direction, **changed)), built)
    staged = changed.get("host") == "pageable"
    assert built.audit(None).instruction == ("staged copy" if staged else "copy engine")
    assert kernel.work("fp64", **params(direction)).bytes == (2 if direction == "both" else 1) * SIZE
    built.close()
    assert not runtime.held


@pytest.mark.parametrize(("direction", "broken"), [("h2d", 1), ("d2h", 2), ("both", 1), ("both", 2)])
def test_a_copy_that_moves_nothing_is_caught(direction: str, broken: int, runtime: Runtime) -> None:
    built = launch(direction, Queue(runtime))
    runtime.broken = {broken}
    with pytest.raises(Failure, match=r"out\[.*is nan"):
        check(Case(transfer.COPIES[direction], "fp64", "memcpy", "transfer/x", params(direction)), built)
    built.close()


def test_both_directions_lie_between_the_two_events_of_one_stream(runtime: Runtime) -> None:
    queue = Queue(runtime)
    built = launch("both", queue)
    runtime.calls.clear()
    built.run(2)
    other = queue.ptr + 1
    pair = [("copy", SIZE, 1, queue.ptr), ("copy", SIZE, 2, other)]
    assert runtime.calls == [("wait", other, queue.ptr), *pair, *pair, ("wait", queue.ptr, other)]
    built.close()


def test_one_direction_copies_once_a_repetition_on_the_queue(runtime: Runtime) -> None:
    queue = Queue(runtime)
    built = launch("d2h", queue)
    runtime.calls.clear()
    built.run(3)
    assert runtime.calls == [("copy", SIZE, 2, queue.ptr)] * 3
    built.close()


def test_a_peer_out_of_reach_is_a_reason_and_a_near_one_is_asked_of_this_stream(runtime: Runtime) -> None:
    queue = Queue(runtime)
    built = launch("peer", queue, source=1, target=0)
    runtime.calls.clear()
    built.run(1)
    assert runtime.calls == [("peer", 0, 1, queue.ptr)]
    built.close()
    runtime.apart = True
    with pytest.raises(Unavailable, match="GPU 0 cannot reach the memory of GPU 1"):
        launch("peer", queue)
    assert not runtime.held


def test_no_room_to_pin_is_one_line_and_leaves_nothing(runtime: Runtime) -> None:
    runtime.full = True
    with pytest.raises(KernelError, match=r"no 0\.001 GB of pinned host memory"):
        launch("both", Queue(runtime))
    assert not runtime.held


def test_a_cpu_read_waits_for_the_gpu_and_sums_everything(runtime: Runtime) -> None:
    for memory in transfer.READERS["numpy"]:
        given, queue = {"size_bytes": SIZE, "memory": memory}, Queue(runtime)
        built = transfer.READ.backends["numpy"](GPU, "fp64", given, queue)
        assert [kind for kind, _ in runtime.held.values()] == ["managed" if memory == "managed" else "pinned"]
        runtime.calls.clear()
        built.run(1)
        assert runtime.calls == [("synchronize", queue.ptr)]
        check(Case(transfer.READ, "fp64", "numpy", "transfer/x", given), built)
        built.close()
        assert not runtime.held


@pytest.mark.parametrize("memory", transfer.READERS["raw"])
def test_the_gpu_reads_each_kind_where_it_lies(memory: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    def kernel(grid: tuple[int], block: tuple[int], arguments: tuple[Any, ...], stream: Queue) -> None:
        x, _, _, sums, vectors, *_ = map(int, arguments)
        assert grid[0] * block[0] * SHAPE["vecs"] >= vectors
        read = np.ctypeslib.as_array((ctypes.c_double * (2 * vectors)).from_address(x))
        out = np.ctypeslib.as_array((ctypes.c_double * grid[0]).from_address(sums))
        out[:] = 0
        out[0] = read.sum()

    monkeypatch.setattr(cuda, "function", lambda path, name: kernel)
    given = {"size_bytes": SIZE, "memory": memory, **SHAPE}
    built = transfer.READ.backends["raw"](GPU, "fp64", given, Queue(runtime))
    assert {"device": "device", "zero-copy": "pinned"}.get(memory, memory) in {k for k, _ in runtime.held.values()}
    check(Case(transfer.READ, "fp64", "raw", "transfer/x", given), built)
    assert built.audit(transfer.READ.work("fp64", **given)).problem == ""
    built.close()
    assert not runtime.held


def test_host_memory_is_taken_beside_the_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[int]] = []
    node = tmp_path / "0000:18:00.0"
    node.mkdir()
    (node / "local_cpulist").write_text("2-3,9\n")
    fake = SimpleNamespace(sched_getaffinity=lambda _: {0, 1, 2, 9}, sched_setaffinity=lambda _, to: asked.append(to))
    monkeypatch.setattr(host_memory, "os", fake)
    monkeypatch.setattr(host_memory, "PCI", tmp_path)
    with host_memory.near(replace(GPU, facts={"pci": "00000000:18:00.0"})):
        assert asked == [{2, 9}]
    assert asked == [{2, 9}, {0, 1, 2, 9}]


def test_where_nothing_tells_what_lies_beside_the_affinity_stays() -> None:
    before = os.sched_getaffinity(0)
    with host_memory.near(GPU):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
