"""Empty launches: the native loop launches and waits as often as it says.

And the kernel compiles for every architecture.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from kernels import overhead
from kernels.base import KernelError
from kernels.cuda import kernel as cuda_kernel
from kernels.cuda.disassembly import disassemble
from kernels.overhead import cuda as overhead_cuda
from kernels.overhead import work as overhead_work
from tests.devices import COMPILE_ONLY, GPU, SINCE_VOLTA, gpu
from tests.kernels.made_up_cuda import Queue, Runtime, installed

FUNCTION = 11  # what stands for the address of the empty kernel
ILLEGAL_ADDRESS = 700  # an error of the driver, CUDA_ERROR_ILLEGAL_ADDRESS


def number_at(address: int) -> int:
    """The number of the width of a pointer at an address."""
    return ctypes.c_size_t.from_address(address).value


def driver(calls: list[Any], answer: int = 0) -> tuple[Any, Any]:
    """Two C functions in place of the driver's, which note their calls.

    answer: what a launch returns.
    """

    def launch(function: int, *rest: int) -> int:
        shape = rest[:7]
        stream = rest[7]
        first_argument = number_at(number_at(rest[8]))
        calls.append((function, shape, stream, first_argument))
        return answer

    def synchronize(stream: int) -> int:
        calls.append(stream)
        return 0

    launch_type = ctypes.CFUNCTYPE(ctypes.c_int, *overhead_cuda.LAUNCH_TYPES)
    synchronize_type = ctypes.CFUNCTYPE(ctypes.c_int, *overhead_cuda.SYNCHRONIZE_TYPES)
    return launch_type(launch), synchronize_type(synchronize)


KERNEL = SimpleNamespace(kernel=SimpleNamespace(ptr=FUNCTION))


def native(
    wait: bool, calls: list[Any], monkeypatch: pytest.MonkeyPatch, answer: int = 0
) -> overhead_cuda.NativeLaunches:
    """Counted launches by a driver that answers so."""
    runtime = installed(monkeypatch)
    loop = overhead_cuda.native_loop(*driver(calls, answer))
    monkeypatch.setattr(overhead_cuda, "driver_loop", lambda: loop)
    monkeypatch.setattr(cuda_kernel, "function", lambda *_: KERNEL)
    way = overhead_cuda.WaitedLaunches if wait else overhead_cuda.NativeLaunches
    launch = way(GPU, "fp64", {"counted": True})
    launch.ready(Queue(runtime))
    return launch


@pytest.mark.parametrize("wait", [False, True])
def test_the_native_loop_launches_and_waits(wait: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    launch = native(wait, calls, monkeypatch)
    launch.run(3)
    shape = (1, 1, 1, overhead_cuda.THREADS, 1, 1, 0)
    launched = (FUNCTION, shape, launch.queue.ptr, launch.counter.address)
    calls_of_a_repetition = [launched, launch.queue.ptr] if wait else [launched]
    assert calls == 3 * calls_of_a_repetition
    launch.close()


def test_an_error_of_the_driver_ends_the_loop_with_its_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[Any] = []
    launch = native(True, calls, monkeypatch, answer=ILLEGAL_ADDRESS)
    with pytest.raises(KernelError, match="answers 700 to an empty launch"):
        launch.run(5)
    assert len(calls) == 1


class Recorder(Queue):
    """A queue that captures what is launched on it, and a kernel that is launched and may count."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.launched = 0
        self.captured = 0
        self.capturing = False

    def __call__(self, grid: Any, block: Any, arguments: Any, shared_mem: int, stream: Any) -> None:
        assert (grid, block, shared_mem, stream) == ((1,), (overhead_cuda.THREADS,), 0, self)
        if self.capturing:
            self.captured += 1
        else:
            self.launches(arguments[0], 1)

    def launches(self, address: Any, times: int) -> None:
        self.launched += times
        if address:
            ctypes.c_uint64.from_address(int(address)).value += times
            self.address = address

    def synchronize(self) -> None:
        assert not self.capturing

    def begin_capture(self) -> None:
        self.capturing = True

    def end_capture(self) -> Any:
        self.capturing = False
        return SimpleNamespace(launch=self.replay)

    def replay(self, stream: Any) -> None:
        self.launches(getattr(self, "address", 0), self.captured)


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("repeat", [1, 31, 32, 101])
def test_graphs_launch_just_as_many_kernels(
    repeat: int, counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue: Any = Recorder(installed(monkeypatch))
    monkeypatch.setattr(cuda_kernel, "function", lambda *_: queue)
    launch = overhead.GRAPH.backends["raw"](GPU, "fp64", {"counted": counted}, queue)
    before = queue.launched
    launch.run(repeat)
    assert queue.launched - before == repeat
    assert queue.captured == overhead_work.GRAPH_KERNELS
    assert launch.result() == [repeat if counted else 0], "what was launched before is not counted"
    launch.close()


KERNELS = [overhead.LAUNCH, overhead.SYNC, overhead.GRAPH]


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_the_check_counts_launches_and_the_timing_does_not(kernel: Any) -> None:
    assert kernel.check_params == {"counted": True}
    assert kernel.reference("fp64", kernel.check_repeat) == [kernel.check_repeat]
    assert kernel.check_repeat % overhead_work.GRAPH_KERNELS
    assert kernel.work("fp64").bytes == 0


@pytest.mark.parametrize("arch", SINCE_VOLTA)
def test_the_empty_kernel_leaves_before_it_touches_memory(arch: str) -> None:
    cubin = overhead_cuda.GraphLaunches(gpu(arch), "fp64", {}).build()
    assert cubin.path.exists()
    if arch not in COMPILE_ONLY:
        opcodes = [instruction.opcode for instruction in disassemble(cubin)]
        on_memory = ("LD.", "LDG", "ST", "RED", "ATOM")
        touches = [place for place, name in enumerate(opcodes) if name.startswith(on_memory)]
        assert opcodes.index("EXIT") < min(touches)
