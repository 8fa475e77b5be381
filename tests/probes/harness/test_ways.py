"""The fastest of several ways is found by the clock, checked, and what the row speaks of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kernels.base import Audit, Kernel, KernelError, Unavailable, Work
from kernels.device import Device
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule, Sample
from probes.harness.rounds import take_turns
from probes.harness.task import tasks
from probes.harness.ways import Choice, Search
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.tag import parse_tag
from tests.devices import CPU

OPERATIONS = 1e9
"""Of a repetition of size 1."""
RULE = Rule(sample_seconds=1.0, budget_seconds=0.0)
SLOWEST, REFUSED, WRONG = 1.0, -1.0, -2.0
"""Rates, over OPERATIONS, that stand for what a way does instead of being fast."""


class Launch:
    """A made-up launch of one size, whose ways are named algorithms."""

    open_launches = 0

    def __init__(self, params: Mapping[str, Any], rates: Mapping[str, float]) -> None:
        self.size: int = params["size"]
        self.rates = rates
        self.name = params.get("name", next(iter(rates)))
        Launch.open_launches += 1

    def ways(self) -> list[dict[str, str]]:
        return [{"name": name} for name in self.rates]

    def take(self, way: Mapping[str, Any]) -> None:
        self.name = way["name"]

    @property
    def seconds(self) -> float:
        """Of one repetition."""
        return self.size / abs(self.rates[self.name])

    def run(self, repeat: int) -> None:
        if self.rates[self.name] == REFUSED:
            raise KernelError("answers 15")

    def result(self) -> np.ndarray:
        return np.array([0.0 if self.rates[self.name] == WRONG else 1.0])

    def clock_hz(self) -> float | None:
        return None

    def audit(self, work: Work) -> Audit:
        return Audit(self.name, note="not audited", facts={"algorithm": self.name})

    def close(self) -> None:
        Launch.open_launches -= 1


class Clock:
    """A clock that keeps what it timed."""

    queue: Any = None

    def __init__(self) -> None:
        self.timed: list[tuple[int, str]] = []
        """Size and name of each sample."""

    def sample(self, launch: Launch, repeat: int) -> Sample:
        launch.run(repeat)
        self.timed.append((launch.size, launch.name))
        return Sample(launch.seconds)

    def close(self) -> None: ...


def case(rates: Mapping[int, Mapping[str, float]], **changed: Any) -> Case:
    """A case whose sizes have these algorithms; a size without any cannot run here."""

    def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Any) -> Launch:
        if not rates[params["size"]]:
            raise Unavailable(f"no algorithm for size {params['size']}")
        return Launch(params, rates[params["size"]])

    kernel = Kernel(
        "made",
        work=lambda dtype, size, **_: Work(OPERATIONS * size, 8.0 * size),
        reference=lambda dtype, repeat, **_: np.array([1.0]),
        backends={"cpu": build},
    )
    ways = tuple({"size": size} for size in rates)
    return Case(kernel, "fp64", "cpu", parse_tag("compute/fp64/gemm"), ways[0], ways=ways)


@contextmanager
def built(asked: Case, device: Device, clock: Any) -> Iterator[Any]:
    launch = asked.kernel.backends[asked.backend](device, asked.dtype, asked.params, None)
    try:
        yield launch
    finally:
        launch.close()


def search_of(
    rates: Mapping[int, Mapping[str, float]], clock: Clock | None = None, **changed: Any
) -> tuple[list[Mapping[str, Any]], int]:
    """What a search by such a rule answers on a made-up clock, and how many ways it tried."""
    made_up: Any = clock or Clock()
    search = Search(case(rates), CPU, made_up, built, replace(RULE, **changed))
    return search.fastest_first(), search.tried


def name_of_fastest(
    rates: Mapping[int, Mapping[str, float]], clock: Clock | None = None, **changed: Any
) -> str:
    """The algorithm that such a search finds fastest."""
    ranked, _ = search_of(rates, clock, **changed)
    return str(ranked[0]["name"])


def row_of(rates: Mapping[int, Mapping[str, float]]) -> tuple[Measurement, Clock]:
    """The row of such a case after two turns, and the clock that timed it."""
    clock = Clock()
    probe = Probe("made", "How fast?", lambda device: [case(rates)])
    todo = tasks([probe], CPU, "now")
    bench = LocalBench(CPU, clock)  # type: ignore[arg-type]
    for _ in take_turns(todo, bench, lambda _: RULE, 2, list):
        pass
    assert Launch.open_launches == 0
    return todo[0].row, clock


def test_the_fastest_of_all_sizes_and_algorithms_comes_first() -> None:
    ranked, tried = search_of({1: {"a": 1, "b": 2}, 4: {"c": 5, "d": 3}, 2: {"e": 4}})
    assert ranked[:2] == [{"size": 4, "name": "c"}, {"size": 2, "name": "e"}]
    assert tried == 5


def test_rates_count_and_not_seconds() -> None:
    assert name_of_fastest({1: {"a": 2}, 8: {"b": 3}}) == "b"


def test_the_best_are_timed_again_in_turn() -> None:
    clock = Clock()
    search_of({1: {"a": 100, "b": 95, "c": 50, "d": 90, "e": 98}}, clock)
    names = [name for _, name in clock.timed]
    assert names == [*"abcde", *"ae", *"ae"]


def test_the_mean_of_the_timings_in_turn_decides() -> None:
    """The first timing of a way may have met a higher clock than those of the others."""

    class Falling(Clock):
        def sample(self, launch: Launch, repeat: int) -> Sample:
            sample = super().sample(launch, repeat)
            return Sample(sample.seconds * (0.9 if len(self.timed) == 1 else 1.0))

    assert name_of_fastest({1: {"a": 1.0, "b": 1.05}}, Falling()) == "b"


def test_an_algorithm_that_does_not_run_is_passed_over() -> None:
    ranked, tried = search_of({1: {"a": REFUSED, "b": 1}})
    assert [params["name"] for params in ranked] == ["b"]
    assert tried == 1


def test_a_size_that_cannot_run_here_is_passed_over() -> None:
    assert name_of_fastest({1: {}, 2: {"a": 1}}) == "a"
    with pytest.raises(Unavailable, match="no algorithm for size 1"):
        search_of({1: {}, 2: {}})
    with pytest.raises(KernelError, match="no way of made can run here"):
        search_of({1: {"a": REFUSED}})
    assert Launch.open_launches == 0


def test_so_many_ways_are_tried_as_the_rule_says() -> None:
    rates = {1: {"a": 1.0}, 2: {"b": 2.0}, 4: {"c": 3.0}}
    assert name_of_fastest(rates) == "c"
    assert name_of_fastest(rates, most_ways=2) == "b"


def test_the_search_ends_with_its_time_and_the_first_way_is_always_timed() -> None:
    ranked, tried = search_of({1: {"a": 0.1, "b": 9.0}, 2: {"c": 9.0}}, search_seconds=1.0)
    assert ranked == [{"size": 1, "name": "a"}], "its one repetition took 10 s"
    assert tried == 1
    note = Choice(ranked[0], tried).told_in(Audit(note="slow")).note
    assert note == "one way tried: slow"
    _, tried = search_of({1: {"a": 1.0, "b": 1.1}, 2: {"c": 9.0}}, search_seconds=2.5)
    assert tried == 2, "time for one size, and none for the next"


def test_wrong_numbers_are_passed_over_and_told() -> None:
    row, _ = row_of({1: {"a": WRONG, "b": SLOWEST}, 2: {"c": 1.5}})
    assert row.status == OK
    assert json.loads(row.params)["name"] == "c"
    assert row.reason == "fastest of 3 ways (1 faster, but wrong): not audited"
    assert json.loads(row.params)["wrong_ways"] == 1


def test_the_row_speaks_of_the_fastest_way_and_its_second_turn_searches_no_more() -> None:
    row, clock = row_of({1: {"a": 1, "b": 2}, 4: {"c": 5}})
    assert row.status == OK
    assert row.flops == 4 * OPERATIONS
    assert row.bytes == 32
    assert row.rate == pytest.approx(5 * OPERATIONS)
    assert row.reason == "fastest of 3 ways: not audited"
    assert row.instruction == "c"
    params = json.loads(row.params)
    assert params == {"size": 4, "name": "c", "algorithm": "c", "ways": 3, "wrong_ways": 0}
    assert clock.timed.index((4, "c")) > max(clock.timed.index((1, name)) for name in "ab")
    assert set(clock.timed[-6:]) == {(4, "c")}


def test_a_case_without_a_way_is_skipped_or_failed() -> None:
    row, _ = row_of({1: {}})
    assert (row.status, row.reason) == (SKIPPED, "no algorithm for size 1")
    row, _ = row_of({1: {"a": WRONG}})
    assert row.status == FAILED
    assert "out[0] is 0, should be 1" in row.reason


def test_the_largest_way_must_have_room() -> None:
    wide = case({1: {"a": 1}, 1 << 40: {"b": 1}})
    assert wide.memory_bytes == 8 * (1 << 40)
    (task,) = tasks([Probe("made", "How fast?", lambda device: [wide])], CPU, "now")
    assert "of memory" in task.row.reason
