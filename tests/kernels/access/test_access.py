"""Strides, gathers and narrow elements: each element is read once, by the declared loads.

And the result is right.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels import access, pattern
from kernels.access import cuda as access_cuda
from kernels.access import work as access_work
from kernels.access.cuda import AccessKernel
from kernels.base import Audit, KernelError, Work
from kernels.cuda import disassembly, sass
from kernels.device import Device
from probes.harness.check import difference
from probes.harness.clocks.team import Team
from probes.harness.devices import cpu
from tests.devices import ARCHITECTURES, COMPILE_ONLY, GPU, gpu
from tests.kernels.audits import read_at_once
from tests.kernels.made_up_cuda import Queue, Runtime

N = 1 << 18
EVERY_SHAPE = ("7.0", "8.0", "9.0", "12.0")  # others: every third
MOST_THREADS = 3


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    cpus = sorted(os.sched_getaffinity(0)) * MOST_THREADS  # enough, even where there is just one
    crew = Team(cpus[:MOST_THREADS])
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def host() -> Device:
    return cpu.detect()


def gpu_cases() -> list[tuple[str, dict[str, Any]]]:
    """(operation, params) of every launch shape that a GPU is asked for."""
    shapes: list[tuple[str, dict[str, Any]]] = []
    for op in ("read", "copy"):
        shapes += [(op, {"width": width, **access_cuda.shape(op, width)}) for width in (4, 8, 16)]
    shapes += [(op, access_cuda.resident(GPU, 2)) for op in ("read", "copy")]
    strided = access_cuda.shape("stride", 4)
    shapes += [("stride", {"stride": stride, **strided}) for stride in (1, 2, 32)]
    for segment in (4, 32, 4096):
        shape = access_cuda.shape("gather", min(16, segment))
        shapes.append(("gather", {"segment_bytes": segment, **shape}))
    return [(op, {"n": N, **params}) for op, params in shapes]


def kernel_of(op: str) -> Any:
    """The kernel of an operation, by its lower-case name."""
    return getattr(access, op.upper())


def audited(arch: str, op: str, params: dict[str, Any], work: Work | None = None) -> Audit:
    """The audit of a kernel for an architecture, against its own work or another one."""
    kernel = AccessKernel(op, gpu(arch), "fp32", params)
    return kernel.audit(work or kernel.work())


PLACE = {"stride": "stride", "gather": "segment_bytes"}
"""The param of each operation that its sweep changes."""


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("op", "dtype", "place"),
    [
        *(("stride", "fp32", stride) for stride in (1, 2, 32)),
        ("stride", "fp64", 4),
        *(("gather", "fp64", segment) for segment in (8, 32, 64, 128, 512, 1024, 4096)),
    ],
)
def test_the_cpu_reads_each_element_once(
    team: Team, host: Device, op: str, dtype: str, place: int, threads: int
) -> None:
    params = {"n": N, PLACE[op]: place, "threads": threads}
    kernel = kernel_of(op)
    launch = kernel.backends["cpu"](host, dtype, params, team)
    launch.run(2)
    assert not difference(launch.result(), kernel.reference(dtype, 2, **params), 0.0)
    audit = launch.audit(kernel.work(dtype, **params))
    assert audit.instruction
    assert not audit.problem
    launch.close()


def test_a_pass_that_reads_a_wrong_element_shows(
    team: Team, host: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = pattern.fill
    wrong = N // 3  # an element like any other

    def fill_wrongly(array: Any, part: slice, dtype: str, which: int) -> None:
        fill(array, part, dtype, which)
        if part.start <= wrong < part.stop:
            array[wrong] += 1

    monkeypatch.setattr(pattern, "fill", fill_wrongly)
    params = {"n": N, "segment_bytes": 8, "threads": 2}
    launch = access.GATHER.backends["cpu"](host, "fp64", params, team)
    launch.run(1)
    expected = access.GATHER.reference("fp64", 1, **params)
    assert "should be" in difference(launch.result(), expected, 0.0)


def test_places_are_a_bijection_without_an_even_step() -> None:
    for number_bits in (2, 3, 11, 16):
        numbers = np.arange(1 << number_bits)
        places = access_work.places(number_bits, numbers)
        assert np.array_equal(np.sort(places), numbers)
    steps = np.diff(places.astype(np.int64))
    # a multiplication alone would take the same step every time
    assert len(np.unique(steps)) > 1 << 8


@pytest.mark.parametrize("stride", [1, 3, 32])
def test_the_strided_total_is_the_sum_of_the_values(stride: int) -> None:
    n = 2 * pattern.LENGTH * stride + 17  # two whole periods and a part of one
    values = pattern.values("fp64", 0, np.arange(0, n, stride))
    assert access_work.strided_total("fp32", n, stride) == values.sum()


def test_only_useful_bytes_count() -> None:
    assert access.STRIDE.work("fp32", n=N, stride=8).bytes == N // 8 * 4
    # but all of the array lies in memory
    assert access.STRIDE.memory_bytes("fp32", {"n": N, "stride": 8}) == N * 4
    assert access.GATHER.work("fp64", n=N, stride=8).bytes == N * 8
    assert access.COPY.work("fp32", n=N).bytes == 2 * N * 4
    assert access.COPY.memory_bytes("fp32", {"n": N}) == 2 * N * 4


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_loads_have_the_declared_width_on_every_architecture(arch: str) -> None:
    step = 1 if arch in EVERY_SHAPE else 3
    suffixes = {4: [], 8: [".64"], 16: [".128"]}  # of loads of so many bytes
    shapes = gpu_cases()[::step]
    kernels = [AccessKernel(op, gpu(arch), "fp32", params) for op, params in shapes]
    with read_at_once(kernels):
        audits = [kernel.audit(kernel.work()) for kernel in kernels]
    for (op, params), audit in zip(shapes, audits, strict=True):
        assert audit.problem == "", (op, params)
        if arch in COMPILE_ONLY:
            assert audit.note.startswith("not audited: nvdisasm refuses")
            continue
        named = [suffix for suffix in (".64", ".128") if suffix in audit.instruction]
        assert named == suffixes[access_cuda.width(op, params)]
        assert ("STG" in audit.instruction) == (op == "copy")


@pytest.mark.parametrize("arch", ["8.0", "9.0", "12.0"])
def test_all_loads_are_on_their_way_before_the_first_is_used(arch: str) -> None:
    shapes = gpu_cases()
    cubins = [AccessKernel(op, gpu(arch), "fp32", params).build() for op, params in shapes]
    codes = disassembly.read(cubins[0].arch, [cubin.path for cubin in cubins])
    for (op, params), code in zip(shapes, codes, strict=True):
        loop = max(sass.loops(code), key=len)
        opcodes = [instruction.opcode[:4] for instruction in loop]
        loads = [place for place, opcode in enumerate(opcodes) if opcode == "LDG."]
        users = [place for place, opcode in enumerate(opcodes) if opcode in ("FADD", "STG.")]
        assert max(loads) < min(users), (op, params)


@pytest.mark.parametrize("op", ["read", "copy", "stride", "gather"])
def test_a_wrong_count_of_bytes_is_caught(op: str) -> None:
    params = next(params for case_op, params in gpu_cases() if case_op == op)
    wrong = Work(0, 3 * N * 4 + 4)  # bytes that no operation moves
    assert "operations a repetition, not" in audited("9.0", op, params, wrong).problem


def test_loads_of_another_width_are_caught() -> None:
    params = {"n": N, **access_cuda.shape("read", 4)}
    narrow = AccessKernel("read", GPU, "fp32", params | {"width": 4})
    wide = AccessKernel("read", GPU, "fp32", params | {"width": 16})
    assert "removed the work" in wide.inspect(narrow.build(), wide.work()).problem


def test_what_does_not_divide_is_refused(team: Team, host: Device) -> None:
    params = {"n": N + 4, "width": 16, **access_cuda.shape("read", 16)}
    with pytest.raises(KernelError, match="take a multiple of"):
        access.READ.backends["raw"](GPU, "fp32", params, Queue(Runtime()))
    with pytest.raises(KernelError, match="take a power of two"):
        access_work.bits("fp64", 3 << 10, 64)
    with pytest.raises(KernelError, match="places on 2 threads: take a multiple of"):
        access.STRIDE.backends["cpu"](host, "fp32", {"n": N + 8, "stride": 1, "threads": 2}, team)


def test_more_blocks_than_a_multiprocessor_holds_are_not_claimed() -> None:
    small = replace(GPU, facts={"threads_per_multiprocessor": 1536})
    reason = access_cuda.missing(small, 8)
    assert reason == "a multiprocessor holds 1536 threads, not 8 blocks of 256"
    assert [access_cuda.missing(small, blocks) for blocks in (1, 4)] == ["", ""]
    assert access_cuda.resident(small, 4)["blocks"] == 4 * small.units
