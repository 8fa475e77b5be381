"""Slow arithmetic of this machine's CPU: NumPy's numbers, and code that does the declared work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from kernels.arithmetic import cpu, on_cpu
from kernels.arithmetic.cpu import Row
from kernels.base import Work
from kernels.device import Device
from probes.harness.check import difference
from probes.harness.clocks.team import Team
from probes.harness.devices import cpu as this_cpu
from tests.devices import CPU

ROWS = [pytest.param(row, id=f"{row.operation.dtype}-{row.operation.name}") for row in cpu.ROWS]


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    crew = Team(sorted(os.sched_getaffinity(0))[:1])
    yield crew
    crew.close()


@pytest.fixture(scope="module")
def host() -> Device:
    return replace(CPU, features=this_cpu.detect().features)


@pytest.mark.parametrize("row", ROWS)
def test_numbers_and_machine_code_are_those_declared(row: Row, team: Team, host: Device) -> None:
    dtype = row.operation.dtype
    kernel = on_cpu(dtype, row.operation.name)
    params: dict[str, Any] = {**cpu.shape(host.features, row), "threads": 1}
    launch = kernel.backends["cpu"](host, dtype, params, team)
    launch.run(3)
    right = kernel.reference(dtype, 3, **params)
    fewer = kernel.reference(dtype, 2, **params)
    assert difference(launch.result(), right, row.operation.tolerance) == ""
    assert difference(launch.result(), fewer, row.operation.tolerance) != ""
    work = kernel.work(dtype, **params)
    assert launch.audit(work).problem == ""
    assert launch.audit(Work(flops=2 * work.flops)).problem


def test_numba_s_exp_is_right_and_says_whose_it_is(team: Team, host: Device) -> None:
    kernel = on_cpu("fp32", cpu.NUMBA_EXP.name)
    params = {**cpu.numba_shape(), "threads": 1}
    launch = kernel.backends["cpu"](host, "fp32", params, team)
    launch.run(3)
    right = kernel.reference("fp32", 3, **params)
    assert difference(launch.result(), right, cpu.NUMBA_EXP.tolerance) == ""
    audit = launch.audit(kernel.work("fp32", **params))
    assert audit.problem == ""
    assert "expf" in audit.instruction
    assert audit.note.startswith("Numba's exp calls ")
