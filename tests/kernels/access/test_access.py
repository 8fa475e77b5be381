"""Strides, gathers and narrow elements: each element read once, with the right result and the loads
declared.
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
from kernels.cuda import sass
from kernels.cuda.disassembly import disassemble
from kernels.device import Device
from probes.harness.check import difference
from probes.harness.clocks.team import Team
from probes.harness.devices import cpu
from tests.devices import ARCHITECTURES, COMPILE_ONLY, GPU, gpu
from tests.kernels.made_up_cuda import Queue, Runtime

N = 1 << 18
EVERY_SHAPE = ("7.0", "8.0", "9.0", "12.0")  # others: every third


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    crew = Team((sorted(os.sched_getaffinity(0)) * 3)[:3])
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def host() -> Device:
    return cpu.detect()


def gpu_cases() -> list[tuple[str, dict[str, Any]]]:
    found = [
        (op, {"n": N, "width": w, **access_cuda.shape(op, w)})
        for op in ("read", "copy")
        for w in (4, 8, 16)
    ]
    found += [(op, {"n": N, **access_cuda.resident(GPU, 2)}) for op in ("read", "copy")]
    found += [
        ("stride", {"n": N, "stride": x, **access_cuda.shape("stride", 4)}) for x in (1, 2, 32)
    ]
    return found + [
        ("gather", {"n": N, "segment_bytes": x, **access_cuda.shape("gather", min(16, x))})
        for x in (4, 32, 4096)
    ]


def kernel_of(op: str) -> Any:
    return getattr(access, op.upper())


def audited(arch: str, op: str, params: dict[str, Any], work: Work | None = None) -> Audit:
    kernel = AccessKernel(op, gpu(arch), "fp32", params)
    return kernel.audit(work or kernel.work())


PLACE = {"stride": "stride", "gather": "segment_bytes"}  # param of an operation's place


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("op", "dtype", "place"),
    [
        *(("stride", "fp32", x) for x in (1, 2, 32)),
        ("stride", "fp64", 4),
        *(("gather", "fp64", x) for x in (8, 32, 64, 128, 512, 1024, 4096)),
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
    found = launch.audit(kernel.work(dtype, **params))
    assert found.instruction
    assert not found.problem
    launch.close()


def test_a_pass_that_reads_a_wrong_element_shows(
    team: Team, host: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill, wrong = pattern.fill, N // 3

    def fill_wrongly(array: Any, part: slice, dtype: str, which: int) -> None:
        fill(array, part, dtype, which)
        if part.start <= wrong < part.stop:
            array[wrong] += 1

    monkeypatch.setattr(pattern, "fill", fill_wrongly)
    params = {"n": N, "segment_bytes": 8, "threads": 2}
    launch = access.GATHER.backends["cpu"](host, "fp64", params, team)
    launch.run(1)
    assert "should be" in difference(
        launch.result(), access.GATHER.reference("fp64", 1, **params), 0.0
    )


def test_places_are_a_bijection_without_an_even_step() -> None:
    for number_bits in (2, 3, 11, 16):
        found = access_work.places(number_bits, np.arange(1 << number_bits))
        assert np.array_equal(np.sort(found), np.arange(1 << number_bits))
    steps = np.diff(found.astype(np.int64))
    assert len(np.unique(steps)) > 1 << 8, (
        "a multiplication alone would take the same step every time"
    )


@pytest.mark.parametrize("stride", [1, 3, 32])
def test_the_strided_total_is_the_sum_of_the_values(stride: int) -> None:
    n = 2 * pattern.LENGTH * stride + 17
    assert (
        access_work.strided_total("fp32", n, stride)
        == pattern.values("fp64", 0, np.arange(0, n, stride)).sum()
    )


def test_only_useful_bytes_count() -> None:
    assert access.STRIDE.work("fp32", n=N, stride=8).bytes == N // 8 * 4
    assert access.STRIDE.memory_bytes("fp32", {"n": N, "stride": 8}) == N * 4, (
        "but all of the array is held"
    )
    assert access.GATHER.work("fp64", n=N, stride=8).bytes == N * 8
    assert (
        access.COPY.work("fp32", n=N).bytes
        == access.COPY.memory_bytes("fp32", {"n": N})
        == 2 * N * 4
    )


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_loads_have_the_declared_width_on_every_architecture(arch: str) -> None:
    for op, params in gpu_cases()[:: 1 if arch in EVERY_SHAPE else 3]:
        found = audited(arch, op, params)
        assert found.problem == "", (op, params)
        if arch in COMPILE_ONLY:
            assert found.note.startswith("not audited: nvdisasm refuses")
            continue
        wide = {".64": 8, ".128": 16}
        assert [name for name, bytes_ in wide.items() if name in found.instruction] == [
            name for name, bytes_ in wide.items() if bytes_ == access_cuda.width(op, params)
        ]
        assert ("STG" in found.instruction) == (op == "copy")


@pytest.mark.parametrize("arch", ["8.0", "9.0", "12.0"])
def test_all_loads_are_on_their_way_before_the_first_is_used(arch: str) -> None:
    for op, params in gpu_cases():
        cubin = AccessKernel(op, gpu(arch), "fp32", params).build()
        loop = [i.opcode[:4] for i in max(sass.loops(disassemble(cubin)), key=len)]
        users = [at for at, opcode in enumerate(loop) if opcode in ("FADD", "STG.")]
        assert max(at for at, opcode in enumerate(loop) if opcode == "LDG.") < min(users), (
            op,
            params,
        )


@pytest.mark.parametrize("op", ["read", "copy", "stride", "gather"])
def test_a_wrong_count_of_bytes_is_caught(op: str) -> None:
    params = next(p for o, p in gpu_cases() if o == op)
    assert (
        "operations a repetition, not" in audited("9.0", op, params, Work(0, 3 * N * 4 + 4)).problem
    )


def test_loads_of_another_width_are_caught() -> None:
    params = {"n": N, **access_cuda.shape("read", 4)}
    narrow, wide = (
        AccessKernel("read", GPU, "fp32", params | {"width": width}) for width in (4, 16)
    )
    assert "removed the work" in wide.inspect(narrow.build(), wide.work()).problem


def test_what_does_not_divide_is_refused(team: Team, host: Device) -> None:
    with pytest.raises(KernelError, match="take a multiple of"):
        access.READ.backends["raw"](
            GPU,
            "fp32",
            {"n": N + 4, "width": 16, **access_cuda.shape("read", 16)},
            Queue(Runtime()),
        )
    with pytest.raises(KernelError, match="take a power of two"):
        access_work.bits("fp64", 3 << 10, 64)
    with pytest.raises(KernelError, match="places on 2 threads: take a multiple of"):
        access.STRIDE.backends["cpu"](host, "fp32", {"n": N + 8, "stride": 1, "threads": 2}, team)


def test_more_blocks_than_a_multiprocessor_holds_are_not_claimed() -> None:
    small = replace(GPU, facts={"threads_per_multiprocessor": 1536})
    assert (
        access_cuda.missing(small, 8) == "a multiprocessor holds 1536 threads, not 8 blocks of 256"
    )
    assert [access_cuda.missing(small, x) for x in (1, 4)] == ["", ""]
    assert access_cuda.resident(small, 4)["blocks"] == 4 * small.units
