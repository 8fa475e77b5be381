"""What is left of a run: what turns like the remaining ones took, and more for what is doubted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kernels.base import Kernel, Work
from kernels.device import Device
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule
from probes.harness.forecast import (
    FIRST_SECONDS,
    KNOWN_FROM,
    TURN_SECONDS,
    TURNS_AGAIN,
    USUAL_SHARE,
    Forecast,
    typical,
)
from probes.harness.rounds import MORE_TIME, Step, scattered, spread_out
from probes.harness.task import Task, tasks
from probes.records.measurement import OK, Measurement
from probes.records.tag import Tag, parse_tag
from tests.devices import CPU

RULE = Rule(0.01, 0.5)
ROUNDS = 3
BEGIN = 100.0
"""When a run begins, in seconds of its clock."""


def kernel(name: str, backend: str = "cpu") -> Kernel:
    return Kernel(name, lambda d, **_: Work(1.0, 1.0), lambda d, r, **_: None, {backend: None}, {})  # type: ignore[arg-type,return-value,dict-item]


def probe(name: str, count: int, tag: str = "bandwidth/dram", backend: str = "cpu") -> Probe:
    """A probe of so many cases of one class."""

    def cases(device: Device) -> list[Case]:
        spoken = parse_tag(tag)
        x_of = {n: None if isinstance(spoken, Tag) else float(n + 1) for n in range(count)}
        made = kernel(name, backend)
        return [Case(made, "fp64", backend, spoken, {"n": n}, x=x_of[n]) for n in range(count)]

    return Probe(name, "?", cases)


def todo_of(*probes: Probe) -> list[Task]:
    return tasks(probes, CPU, "2030-01-02T03:04:05Z")


class Run:
    """A run whose turns take known times; it measures nothing."""

    def __init__(self, todo: Sequence[Task], doubted: Sequence[Task] = ()) -> None:
        self.todo = todo
        self.now = BEGIN
        self._doubted = doubted
        self.forecast = Forecast(
            todo, lambda _: RULE, ROUNDS, self._judge, self.now, afterwards=0.0
        )

    def _judge(self, rows: Sequence[Measurement]) -> list[Measurement]:
        bad = [task.row for task in self._doubted]
        return [replace(row, trusted=row not in bad) for row in rows]

    def turn(self, task: Task, number: int, seconds: float) -> None:
        """One turn of a task that takes so long."""
        self.now += seconds
        task.row = replace(task.row, status=OK, seconds_median=1.0, samples=9, trusted=True)
        self.forecast.after(Step(task, number, timed=True), self.now)

    def expected(self, planned: float, seen_again: float = 0.0) -> float:
        """These planned seconds, and what is expected of asking again, of which so much is seen."""
        most_again = MORE_TIME * (self.now - BEGIN + planned)
        return planned + (min(seen_again, most_again) + USUAL_SHARE * most_again) / 2

    @property
    def left(self) -> float:
        return self.forecast.progress().left_seconds


def test_what_is_left_is_the_sum_of_what_remaining_turns_took_before() -> None:
    run = Run(todo_of(probe("a", 10), probe("b", 5, "compute/fp64")))
    cost = {"a": (1.0, 0.5), "b": (4.0, 2.0)}
    for task in spread_out(run.todo):
        run.turn(task, 1, cost[task.probe][0])
    for task in run.todo[:3]:
        run.turn(task, 2, cost["a"][1])
    for task in run.todo[10:13]:
        run.turn(task, 2, cost["b"][1])
    of_a = 7 * 0.5 + 10 * 0.5
    of_b = 2 * 2.0 + 5 * 2.0
    assert run.left == pytest.approx(run.expected(of_a + of_b))


def test_before_any_turn_the_rules_say_what_is_left() -> None:
    run = Run(todo_of(probe("a", 4)))
    of_samples = RULE.warm_seconds + RULE.budget_seconds
    progress = run.forecast.progress()
    expected = 4 * (ROUNDS * (of_samples + TURN_SECONDS) + FIRST_SECONDS["cpu"])
    assert progress.left_seconds == pytest.approx(run.expected(expected))
    assert not progress.sure


def test_a_third_of_the_way_in_the_forecast_is_sure() -> None:
    run = Run(todo_of(probe("a", 12)))
    sure = []
    for task in run.todo:
        run.turn(task, 1, 0.6)  # as long as its rule allows, so that each is 1/36 of the run
        sure.append(run.forecast.progress().sure)
    assert not any(sure[: int(36 * KNOWN_FROM) - 2])
    assert sure[-1]


def test_a_point_of_a_sweep_has_one_turn() -> None:
    run = Run(todo_of(probe("a", 8, "sweep/bandwidth/stride/read")))
    for task in run.todo[:4]:
        run.turn(task, 1, 2.0)
    assert run.left == pytest.approx(run.expected(4 * 2.0))


def test_one_turn_that_was_held_up_says_nothing_of_the_others() -> None:
    assert typical([0.1, 0.1, 120.0, 0.1]) == pytest.approx(0.1)
    assert typical([1.0, 2.0, 3.0]) == pytest.approx(2.0)


def test_what_comes_after_all_turns_is_counted() -> None:
    todo = todo_of(probe("a", 4))
    forecasts = [
        Forecast(todo, lambda _: RULE, ROUNDS, list, 0.0, afterwards) for afterwards in (0.0, 60.0)
    ]
    short, long = (forecast.progress().left_seconds for forecast in forecasts)
    assert long == pytest.approx(short + 60.0)


def test_what_is_no_turn_counts_for_nothing() -> None:
    run = Run(todo_of(probe("a", 6)))
    for task in run.todo[:4]:
        run.turn(task, 1, 1.0)
    before = run.forecast.progress()
    run.now += 100.0
    run.forecast.skip_to(run.now)
    assert run.forecast.progress() == before


def later_turn() -> float:
    """What a later turn takes after first turns of a second each, none of which was another."""
    of_samples = RULE.warm_seconds + RULE.budget_seconds + TURN_SECONDS
    return of_samples / (of_samples + FIRST_SECONDS["cpu"])


def test_a_case_that_failed_takes_no_more_time() -> None:
    run = Run(todo_of(probe("a", 4)))
    for task in run.todo:
        run.turn(task, 1, 1.0)
    of_one = (ROUNDS - 1) * later_turn()
    assert run.left == pytest.approx(run.expected(4 * of_one))
    run.todo[0].row = replace(run.todo[0].row, status="failed", reason="wrong")
    assert run.left == pytest.approx(run.expected(3 * of_one))


def test_what_cannot_be_trusted_is_expected_to_be_asked_again_for_a_quarter_at_most() -> None:
    todo = todo_of(probe("a", 10))
    calm = Run(todo)
    one_doubted = Run(todo_of(probe("a", 10)))
    one_doubted._doubted = one_doubted.todo[:1]
    all_doubted = Run(todo_of(probe("a", 10)))
    all_doubted._doubted = all_doubted.todo
    for run in (calm, one_doubted, all_doubted):
        for number in (1, 2):
            for task in run.todo:
                run.turn(task, number, 1.0)
    assert calm.left == pytest.approx(calm.expected(10.0))
    assert one_doubted.left == pytest.approx(one_doubted.expected(10.0, TURNS_AGAIN[0] * 1.0))
    assert all_doubted.left == pytest.approx(all_doubted.expected(10.0, 30.0))
    for task in all_doubted.todo:
        all_doubted.turn(task, 3, 1.0)
    all_doubted.turn(all_doubted.todo[0], ROUNDS + 1, 1.0)
    assert all_doubted.left == pytest.approx(0.25 * 30.0 - 1.0)


def test_a_task_may_be_asked_again_more_often_than_usual() -> None:
    run = Run(todo_of(probe("a", 2)))
    run._doubted = run.todo
    for number in range(1, ROUNDS + 9):
        for task in run.todo:
            run.turn(task, number, 1.0)
        assert run.left >= 0


def test_the_tasks_of_all_probes_alternate_and_the_first_of_each_comes_first() -> None:
    todo = todo_of(probe("a", 9), probe("b", 3), probe("c", 3, backend="numba"))
    in_turn = spread_out(todo)
    assert sorted(map(id, in_turn)) == sorted(map(id, todo))
    assert [task.probe for task in in_turn[:3]] == ["a", "b", "c"]
    assert in_turn[0] is todo[0]
    for third in (in_turn[:5], in_turn[5:10], in_turn[10:]):
        assert [task.probe for task in third].count("a") == 3


def test_layers_keep_their_order() -> None:
    todo = todo_of(probe("a", 7, "layer/convolution"))
    assert spread_out(todo) == todo


def test_any_stretch_of_a_scattered_list_holds_some_of_every_part() -> None:
    todo = todo_of(probe("a", 32, "sweep/bandwidth/stride/read"))
    order = [todo.index(task) for task in scattered(todo)]
    assert order[0] == 0
    assert sorted(order) == list(range(32))
    for begin in range(0, 32, 8):
        quarters = {place // 8 for place in order[begin : begin + 8]}
        assert quarters == {0, 1, 2, 3}
