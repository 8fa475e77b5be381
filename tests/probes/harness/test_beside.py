"""What is timed in turn with a case: sample by sample, given back, and kept as rates in the case's
own row.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from kernels.base import Audit, Kernel, Work
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule, Sample
from probes.harness.plan import TURN, rules
from probes.harness.rounds import take_turns
from probes.harness.task import tasks
from probes.records.measurement import SKIPPED
from probes.records.tag import parse_tag
from tests.devices import CPU
from tests.probes.harness.test_rounds import RIGHT, STARTED, Launch


class Named(Launch):
    """A launch that knows whose it is."""

    def __init__(self, name: str) -> None:
        super().__init__(RIGHT, Audit(name))
        self.name = name


class Clock:
    """A second a repetition of the point; what is beside it slows down, and every other time it is
    disturbed.
    """

    queue: Any = None

    def __init__(self) -> None:
        self.order: list[str] = []

    def sample(self, launch: Any, repeat: int) -> Sample:
        self.order.append(launch.name)
        turn = self.order.count(launch.name)
        return Sample(
            1.0 if launch.name == "point" else 2.0 if turn % 2 else 50.0, 2e9, clean=turn % 2 == 1
        )

    def close(self) -> None: ...


def case(name: str, tag: str, **more: Any) -> Case:
    kernel = Kernel(
        name,
        lambda d, **_: Work(12.0, 8.0),
        lambda d, r, **_: RIGHT,
        {"cpu": lambda *_: Named(name)},
        footprint=lambda d, **p: p.get("size", 8.0),
    )
    return Case(kernel, "fp64", "cpu", parse_tag(tag), **more)


OTHERS = (case("flat", "compute/fp64"), case("slope", "bandwidth/dram/read"))
POINT = case("point", "sweep/compute/intensity/fp64", params={"n": 1}, beside=OTHERS)


def test_samples_alternate_and_the_row_keeps_the_rates_of_the_same_moments() -> None:
    clock, todo = Clock(), tasks([Probe("p", "?", lambda _: [POINT])], CPU, STARTED)
    list(take_turns(todo, LocalBench(CPU, clock), lambda _: Rule(1.0, 0.0), 1, list))
    assert Launch.open_launches == 0
    timed = "".join(name[0] for name in clock.order)
    assert timed.endswith(6 * "pfs"), timed
    row = todo[0].row
    assert row.beside == {"compute/fp64": 12.0 / 2, "bandwidth/dram/read": 8.0 / 2}
    assert json.loads(row.params)["n"] == 1
    assert (row.samples, row.seconds_median) == (3, 1.0), (
        "of its six samples, those that nothing disturbed"
    )


def test_a_case_with_nothing_beside_it_says_nothing_of_it() -> None:
    todo = tasks([Probe("p", "?", lambda _: [OTHERS[0]])], CPU, STARTED)
    list(take_turns(todo, LocalBench(CPU, Clock()), lambda _: Rule(1.0, 0.0), 1, list))
    assert todo[0].row.beside == {}
    assert todo[0].row.params == "{}"


def test_the_memory_of_all_of_them_must_be_free() -> None:
    half = 0.5 * (CPU.memory_free_bytes or 0)
    big = case(
        "point",
        "sweep/compute/intensity/fp64",
        params={"size": half},
        beside=(case("flat", "compute/fp64", params={"size": half}),),
    )
    (task,) = tasks([Probe("p", "?", lambda _: [big])], CPU, STARTED)
    assert task.row.status == SKIPPED
    assert "needs 4.29 GB of memory" in task.row.reason


def test_turns_of_others_have_time_of_their_own() -> None:
    rule = rules("cpu", [POINT], quick=False)
    alone = case("point", "sweep/compute/intensity/fp64", params={"n": 1})
    assert rule(POINT).budget_seconds == pytest.approx((1 + 2 * TURN) * rule(alone).budget_seconds)
    assert np.isclose(rule(POINT).sample_seconds, rule(alone).sample_seconds)
