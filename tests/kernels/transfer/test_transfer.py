"""Copies and reads of memory that a CPU and a GPU share, on a made-up CUDA runtime.

Its device memory is the host's own.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kernels import transfer
from kernels.base import KernelError, Unavailable
from kernels.cuda import kernel as cuda_kernel
from kernels.transfer import host_memory
from kernels.transfer import work as transfer_work
from probes.harness.case import Case
from probes.harness.check import Failure, check
from probes.records.tag import parse_tag
from tests.devices import GPU
from tests.kernels.made_up_cuda import Queue, Runtime, installed

SIZE = 1 << 20
TAG = parse_tag("transfer/x")
TO_DEVICE = 1  # cudaMemcpyHostToDevice
TO_HOST = 2  # cudaMemcpyDeviceToHost
BETWEEN_GPUS = ("peer", "peers")
SHAPE = {"block": 256, "vecs": 4}


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    """The made-up runtime, in the place of CuPy's."""
    return installed(monkeypatch)


def params(direction: str, **changed: Any) -> dict[str, Any]:
    """Params of a copy in this direction, between GPUs or from and to pinned memory."""
    is_between_gpus = direction in BETWEEN_GPUS
    ends: dict[str, Any] = {"source": 0, "target": 1} if is_between_gpus else {"host": "pinned"}
    return {"size_bytes": SIZE, **ends, **changed}


def launch_of(direction: str, queue: Queue, **changed: Any) -> Any:
    """A launch of such a copy."""
    build = transfer.COPIES[direction].backends["memcpy"]
    return build(GPU, "fp64", params(direction, **changed), queue)


@pytest.mark.parametrize("host", ["pinned", "pageable"])
@pytest.mark.parametrize("direction", transfer_work.DIRECTIONS)
def test_what_arrives_is_what_was_sent_and_all_is_given_back(
    direction: str, host: str, runtime: Runtime
) -> None:
    changed = {} if direction in BETWEEN_GPUS else {"host": host}
    kernel = transfer.COPIES[direction]
    launch = launch_of(direction, Queue(runtime), **changed)
    check(Case(kernel, "fp64", "memcpy", TAG, params(direction, **changed)), launch)
    is_staged = changed.get("host") == "pageable"
    assert launch.audit(None).instruction == ("staged copy" if is_staged else "copy engine")
    copies = 2 if direction in ("both", "peers") else 1
    assert kernel.work("fp64", **params(direction)).bytes == copies * SIZE
    launch.close()
    assert not runtime.allocations


@pytest.mark.parametrize(
    ("direction", "broken"),
    [("h2d", TO_DEVICE), ("d2h", TO_HOST), ("both", TO_DEVICE), ("both", TO_HOST)],
)
def test_a_copy_that_moves_nothing_is_caught(direction: str, broken: int, runtime: Runtime) -> None:
    launch = launch_of(direction, Queue(runtime))
    runtime.broken = {(SIZE, broken)}
    case = Case(transfer.COPIES[direction], "fp64", "memcpy", TAG, params(direction))
    with pytest.raises(Failure, match=r"out\[.*is nan"):
        check(case, launch)
    launch.close()


def test_both_directions_lie_between_the_two_events_of_one_stream(runtime: Runtime) -> None:
    queue = Queue(runtime)
    launch = launch_of("both", queue)
    runtime.calls.clear()
    launch.run(2)
    other = queue.ptr + 1
    pair = [("copy", SIZE, TO_DEVICE, queue.ptr), ("copy", SIZE, TO_HOST, other)]
    assert runtime.calls == [("wait", other, queue.ptr), *pair, *pair, ("wait", queue.ptr, other)]
    launch.close()


def test_one_direction_copies_once_a_repetition_on_the_queue(runtime: Runtime) -> None:
    queue = Queue(runtime)
    launch = launch_of("d2h", queue)
    runtime.calls.clear()
    launch.run(3)
    assert runtime.calls == [("copy", SIZE, TO_HOST, queue.ptr)] * 3
    launch.close()


def test_a_peer_out_of_reach_is_a_reason_and_a_near_one_is_asked_of_this_stream(
    runtime: Runtime,
) -> None:
    queue = Queue(runtime)
    launch = launch_of("peer", queue, source=1, target=0)
    runtime.calls.clear()
    launch.run(1)
    assert runtime.calls == [("peer", 0, 1, queue.ptr)]
    launch.close()
    runtime.apart = True
    with pytest.raises(Unavailable, match="GPU 0 cannot reach the memory of GPU 1"):
        launch_of("peer", queue)
    assert not runtime.allocations


def test_peers_copy_both_ways_between_the_two_events_of_one_stream(runtime: Runtime) -> None:
    queue = Queue(runtime)
    launch = launch_of("peers", queue, source=0, target=1)
    runtime.calls.clear()
    launch.run(1)
    other = launch.streams.other.ptr
    pair = [("peer", 1, 0, queue.ptr), ("peer", 0, 1, other)]
    calls = [call for call in runtime.calls if call[0] in ("peer", "wait")]
    assert calls == [("wait", other, queue.ptr), *pair, ("wait", queue.ptr, other)]
    launch.close()


def test_no_room_to_pin_is_one_line_and_leaves_nothing(runtime: Runtime) -> None:
    runtime.full = True
    with pytest.raises(KernelError, match=r"no 0\.001 GB of pinned host memory"):
        launch_of("both", Queue(runtime))
    assert not runtime.allocations


def memories(runtime: Runtime) -> list[str]:
    """The memory that each allocation lies in."""
    return [memory for memory, _ in runtime.allocations.values()]


def test_a_cpu_read_waits_for_the_gpu_and_sums_everything(runtime: Runtime) -> None:
    for memory in transfer_work.READERS["numpy"]:
        queue = Queue(runtime)
        read_params = {"size_bytes": SIZE, "memory": memory}
        launch = transfer.READ.backends["numpy"](GPU, "fp64", read_params, queue)
        expected_memory = "managed" if memory == "managed" else "pinned"
        assert memories(runtime) == [expected_memory]
        runtime.calls.clear()
        launch.run(1)
        assert runtime.calls == [("synchronize", queue.ptr)]
        check(Case(transfer.READ, "fp64", "numpy", TAG, read_params), launch)
        launch.close()
        assert not runtime.allocations


def doubles_at(address: int, count: int) -> np.ndarray:
    """Memory at an address as an array of FP64, which can be written."""
    return np.ctypeslib.as_array((ctypes.c_double * count).from_address(address))


@pytest.mark.parametrize("memory", transfer_work.READERS["raw"])
def test_the_gpu_reads_each_kind_where_it_lies(
    memory: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kernel(
        grid: tuple[int],
        block: tuple[int],
        arguments: tuple[Any, ...],
        shared_mem: int,
        stream: Queue,
    ) -> None:
        array_address, _, _, sums_address, vectors, *_ = map(int, arguments)
        assert grid[0] * block[0] * SHAPE["vecs"] >= vectors
        values = doubles_at(array_address, 2 * vectors)
        sums = doubles_at(sums_address, grid[0])
        sums[:] = 0
        sums[0] = values.sum()

    monkeypatch.setattr(cuda_kernel, "function", lambda path, name, shared: kernel)
    read_params = {"size_bytes": SIZE, "memory": memory, **SHAPE}
    launch = transfer.READ.backends["raw"](GPU, "fp64", read_params, Queue(runtime))
    expected_memory = "pinned" if memory == "zero-copy" else memory
    assert expected_memory in memories(runtime)
    check(Case(transfer.READ, "fp64", "raw", TAG, read_params), launch)
    assert launch.audit(transfer.READ.work("fp64", **read_params)).problem == ""
    launch.close()
    assert not runtime.allocations


def test_host_memory_is_taken_beside_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    affinities: list[set[int]] = []
    node = tmp_path / "0000:18:00.0"
    node.mkdir()
    (node / "local_cpulist").write_text("2-3,9\n")
    made_up_os = SimpleNamespace(
        sched_getaffinity=lambda _: {0, 1, 2, 9},
        sched_setaffinity=lambda _, cpus: affinities.append(cpus),
    )
    monkeypatch.setattr(host_memory, "os", made_up_os)
    monkeypatch.setattr(host_memory, "PCI", tmp_path)
    with host_memory.near(replace(GPU, facts={"pci": "00000000:18:00.0"})):
        assert affinities == [{2, 9}]
    assert affinities == [{2, 9}, {0, 1, 2, 9}]


def test_where_nothing_tells_what_lies_beside_the_affinity_stays() -> None:
    before = os.sched_getaffinity(0)
    with host_memory.near(GPU):
        assert os.sched_getaffinity(0) == before
    assert os.sched_getaffinity(0) == before
