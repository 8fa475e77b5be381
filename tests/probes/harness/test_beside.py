"""Cases timed in turn with one: sample by sample, closed, and kept as rates in its row."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kernels.base import Audit, Kernel, Work
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule, Sample
from probes.harness.plan import BESIDE_SHARE, rules
from probes.harness.rounds import take_turns
from probes.harness.task import tasks
from probes.records.measurement import SKIPPED
from probes.records.tag import parse_tag
from tests.devices import CPU
from tests.probes.harness.test_rounds import RIGHT, STARTED, Launch


class NamedLaunch(Launch):
    """A launch that knows whose it is."""

    def __init__(self, name: str) -> None:
        super().__init__(RIGHT, Audit(name))
        self.name = name


class Clock:
    """A made-up clock that disturbs every other sample of a launch.

    A repetition of the point takes a second; what is beside it takes 2 s, or 50 s if disturbed.
    """

    queue: Any = None

    def __init__(self) -> None:
        self.order: list[str] = []
        """Name of the launch of each sample."""

    def sample(self, launch: Any, repeat: int) -> Sample:
        self.order.append(launch.name)
        clean = self.order.count(launch.name) % 2 == 1
        if launch.name == "point":
            return Sample(1.0, 2e9, clean)
        return Sample(2.0 if clean else 50.0, 2e9, clean)

    def close(self) -> None: ...


def case(name: str, tag: str, **more: Any) -> Case:
    """A case of twelve operations and eight bytes, which takes the memory that its params say."""
    kernel = Kernel(
        name,
        work=lambda dtype, **_: Work(12.0, 8.0),
        reference=lambda dtype, repeat, **_: RIGHT,
        backends={"cpu": lambda *_: NamedLaunch(name)},
        footprint=lambda dtype, **params: params.get("size", 8.0),
    )
    return Case(kernel, "fp64", "cpu", parse_tag(tag), **more)


OTHERS = (case("flat", "compute/fp64"), case("slope", "bandwidth/dram/read"))
POINT = case("point", "sweep/compute/intensity/fp64", params={"n": 1}, beside=OTHERS)
RULE = Rule(sample_seconds=1.0, budget_seconds=0.0)


def test_samples_alternate_and_the_row_keeps_the_rates_of_the_same_moments() -> None:
    clock = Clock()
    todo = tasks([Probe("p", "?", lambda _: [POINT])], CPU, STARTED)
    list(take_turns(todo, LocalBench(CPU, clock), lambda _: RULE, 1, list))
    assert Launch.open_launches == 0
    initials = "".join(name[0] for name in clock.order)
    assert initials.endswith(6 * "pfs"), "point, flat and slope, for the six samples of a turn"
    row = todo[0].row
    assert row.beside == {"compute/fp64": 12.0 / 2, "bandwidth/dram/read": 8.0 / 2}
    assert json.loads(row.params)["n"] == 1
    assert (row.samples, row.seconds_median) == (3, 1.0), (
        "of its six samples, those that nothing disturbed"
    )


def test_a_case_with_nothing_beside_it_says_nothing_of_it() -> None:
    todo = tasks([Probe("p", "?", lambda _: [OTHERS[0]])], CPU, STARTED)
    list(take_turns(todo, LocalBench(CPU, Clock()), lambda _: RULE, 1, list))
    assert todo[0].row.beside == {}
    assert todo[0].row.params == "{}"


def test_the_memory_of_all_of_them_must_be_free() -> None:
    half = 0.5 * (CPU.memory_free_bytes or 0)
    flat = case("flat", "compute/fp64", params={"size": half})
    point = case("point", "sweep/compute/intensity/fp64", params={"size": half}, beside=(flat,))
    (task,) = tasks([Probe("p", "?", lambda _: [point])], CPU, STARTED)
    assert task.row.status == SKIPPED
    assert "needs 4.29 GB of memory" in task.row.reason


def test_turns_of_others_have_time_of_their_own() -> None:
    rule = rules("cpu", [POINT], quick=False)
    lone_point = case("point", "sweep/compute/intensity/fp64", params={"n": 1})
    lone_seconds = rule(lone_point).budget_seconds
    seconds = (1 + len(OTHERS) * BESIDE_SHARE) * lone_seconds
    assert rule(POINT).budget_seconds == pytest.approx(seconds)
    assert np.isclose(rule(POINT).sample_seconds, rule(lone_point).sample_seconds)
