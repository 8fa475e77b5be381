"""Copies and reads of shared memory, on a made-up CUDA runtime whose device memory is the host's
own.
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
SHAPE = {"block": 256, "vecs": 4}


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    return installed(monkeypatch)


def params(direction: str, **changed: Any) -> dict[str, Any]:
    ends: dict[str, Any] = {"source": 0, "target": 1} if direction == "peer" else {"host": "pinned"}
    return {"size_bytes": SIZE, **ends, **changed}


def launch(direction: str, queue: Queue, **changed: Any) -> Any:
    build = transfer.COPIES[direction].backends["memcpy"]
    return build(GPU, "fp64", params(direction, **changed), queue)


@pytest.mark.parametrize("host", ["pinned", "pageable"])
@pytest.mark.parametrize("direction", transfer_work.DIRECTIONS)
def test_what_arrives_is_what_was_sent_and_all_is_given_back(
    direction: str, host: str, runtime: Runtime
) -> None:
    changed = {} if direction == "peer" else {"host": host}
    kernel, built = transfer.COPIES[direction], launch(direction, Queue(runtime), **changed)
    check(
        Case(kernel, "fp64", "memcpy", parse_tag("transfer/x"), params(direction, **changed)), built
    )
    staged = changed.get("host") == "pageable"
    assert built.audit(None).instruction == ("staged copy" if staged else "copy engine")
    assert (
        kernel.work("fp64", **params(direction)).bytes == (2 if direction == "both" else 1) * SIZE
    )
    built.close()
    assert not runtime.held


@pytest.mark.parametrize(
    ("direction", "broken"), [("h2d", 1), ("d2h", 2), ("both", 1), ("both", 2)]
)
def test_a_copy_that_moves_nothing_is_caught(direction: str, broken: int, runtime: Runtime) -> None:
    built = launch(direction, Queue(runtime))
    runtime.broken = {(SIZE, broken)}
    with pytest.raises(Failure, match=r"out\[.*is nan"):
        check(
            Case(
                transfer.COPIES[direction],
                "fp64",
                "memcpy",
                parse_tag("transfer/x"),
                params(direction),
            ),
            built,
        )
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


def test_a_peer_out_of_reach_is_a_reason_and_a_near_one_is_asked_of_this_stream(
    runtime: Runtime,
) -> None:
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
    for memory in transfer_work.READERS["numpy"]:
        given, queue = {"size_bytes": SIZE, "memory": memory}, Queue(runtime)
        built = transfer.READ.backends["numpy"](GPU, "fp64", given, queue)
        assert [kind for kind, _ in runtime.held.values()] == [
            "managed" if memory == "managed" else "pinned"
        ]
        runtime.calls.clear()
        built.run(1)
        assert runtime.calls == [("synchronize", queue.ptr)]
        check(Case(transfer.READ, "fp64", "numpy", parse_tag("transfer/x"), given), built)
        built.close()
        assert not runtime.held


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
        x, _, _, sums, vectors, *_ = map(int, arguments)
        assert grid[0] * block[0] * SHAPE["vecs"] >= vectors
        read = np.ctypeslib.as_array((ctypes.c_double * (2 * vectors)).from_address(x))
        out = np.ctypeslib.as_array((ctypes.c_double * grid[0]).from_address(sums))
        out[:] = 0
        out[0] = read.sum()

    monkeypatch.setattr(cuda_kernel, "function", lambda path, name, shared: kernel)
    given = {"size_bytes": SIZE, "memory": memory, **SHAPE}
    built = transfer.READ.backends["raw"](GPU, "fp64", given, Queue(runtime))
    assert {"device": "device", "zero-copy": "pinned"}.get(memory, memory) in {
        k for k, _ in runtime.held.values()
    }
    check(Case(transfer.READ, "fp64", "raw", parse_tag("transfer/x"), given), built)
    assert built.audit(transfer.READ.work("fp64", **given)).problem == ""
    built.close()
    assert not runtime.held


def test_host_memory_is_taken_beside_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[set[int]] = []
    node = tmp_path / "0000:18:00.0"
    node.mkdir()
    (node / "local_cpulist").write_text("2-3,9\n")
    fake = SimpleNamespace(
        sched_getaffinity=lambda _: {0, 1, 2, 9}, sched_setaffinity=lambda _, to: asked.append(to)
    )
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
