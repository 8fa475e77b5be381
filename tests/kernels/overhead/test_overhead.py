"""Empty launches: the native loop launches and waits as often as it says, and the kernel compiles
everywhere.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kernels import overhead
from kernels.base import KernelError
from kernels.cuda.disassembly import disassemble
from kernels.overhead import cuda as overhead_cuda
from kernels.overhead import work as overhead_work
from tests.devices import COMPILE_ONLY, SINCE_VOLTA, gpu


def driver(calls: list[Any], answer: int = 0) -> tuple[Any, Any]:
    """Two C functions in place of the driver's."""

    def start(function: int, *rest: int) -> int:
        arguments = ctypes.c_size_t.from_address(rest[8]).value
        calls.append((function, rest[:7], rest[7], ctypes.c_size_t.from_address(arguments).value))
        return answer

    def finish(stream: int) -> int:
        calls.append(stream)
        return 0

    kinds = (overhead_cuda.START, start), (overhead_cuda.FINISH, finish)
    first, second = (ctypes.CFUNCTYPE(ctypes.c_int, *types)(function) for types, function in kinds)
    return first, second


LAUNCHED = (11, (1, 1, 1, overhead_cuda.THREADS, 1, 1, 0), 22, 33)


@pytest.mark.parametrize(("wait", "each"), [(False, [LAUNCHED]), (True, [LAUNCHED, 22])])
def test_the_native_loop_launches_and_waits(
    wait: bool, each: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    run = overhead_cuda.loop(*driver(calls))
    monkeypatch.setattr(overhead_cuda, "driver_loop", lambda: run)
    kernel = SimpleNamespace(kernel=SimpleNamespace(ptr=11))
    queue: Any = SimpleNamespace(ptr=22)
    overhead_cuda._native(kernel, np.uint64(33), queue, wait)(3)
    assert calls == 3 * each


def test_an_error_of_the_driver_ends_the_loop_with_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []
    run = overhead_cuda.loop(*driver(calls, answer=700))
    monkeypatch.setattr(overhead_cuda, "driver_loop", lambda: run)
    kernel = SimpleNamespace(kernel=SimpleNamespace(ptr=11))
    queue: Any = SimpleNamespace(ptr=22)
    with pytest.raises(KernelError, match="answers 700 to an empty launch"):
        overhead_cuda._native(kernel, np.uint64(33), queue, True)(5)
    assert len(calls) == 1


class Recorder:
    """A queue that captures what is launched on it, and a kernel that is launched."""

    def __init__(self) -> None:
        self.launched, self.captured, self.capturing = 0, 0, False

    def __call__(self, grid: Any, block: Any, arguments: Any, stream: Any) -> None:
        if self.capturing:
            self.captured += 1
        else:
            self.launched += 1

    def synchronize(self) -> None:
        assert not self.capturing

    def begin_capture(self) -> None:
        self.capturing = True

    def end_capture(self) -> Any:
        self.capturing = False
        return SimpleNamespace(launch=self.replay)

    def replay(self, stream: Any) -> None:
        self.launched += self.captured


@pytest.mark.parametrize("repeat", [1, 31, 32, 101])
def test_graphs_launch_just_as_many_kernels(repeat: int) -> None:
    queue = Recorder()
    enqueue = overhead_cuda._graphs(queue, np.uint64(0), queue)
    before = queue.launched
    enqueue(repeat)
    assert queue.launched - before == repeat
    assert queue.captured == overhead_work.GRAPH_KERNELS


@pytest.mark.parametrize(
    "kernel", [overhead.LAUNCH, overhead.SYNC, overhead.GRAPH], ids=lambda k: k.name
)
def test_the_check_counts_launches_and_the_timing_does_not(kernel: Any) -> None:
    assert kernel.check_params == {"counted": True}
    assert kernel.reference("fp64", kernel.check_repeat) == [kernel.check_repeat]
    assert kernel.check_repeat % overhead_work.GRAPH_KERNELS
    assert kernel.work("fp64").bytes == 0


@pytest.mark.parametrize("arch", SINCE_VOLTA)
def test_the_empty_kernel_leaves_before_it_touches_memory(arch: str) -> None:
    cubin = overhead_cuda._build(gpu(arch))
    assert cubin.path.exists()
    if arch not in COMPILE_ONLY:
        code = [i.opcode for i in disassemble(cubin)]
        touches = [
            at
            for at, opcode in enumerate(code)
            if opcode.startswith(("LD.", "LDG", "ST", "RED", "ATOM"))
        ]
        assert code.index("EXIT") < min(touches)
