"""Sampling must stop when quiet, stop when the budget is spent, and never end with no number."""

from __future__ import annotations

import itertools
import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from probes.harness.clocks.record import (
    CPU_END,
    CPU_START,
    FIELDS,
    PROBE_AFTER,
    PROBE_BEFORE,
    PROBE_CYCLES,
    WALL_END,
    WALL_START,
)
from probes.harness.clocks.sampling import (
    CudaClock,
    HostClock,
    Rule,
    Sample,
    calibrate,
    measure,
    undisturbed,
    usual_cycles,
)
from probes.harness.plan import rounds, rule_for
from tests.devices import GPU


class FakeClock:
    """A clock that keeps its own time; each repetition takes the next of ``seconds``."""

    queue: Any = None

    def __init__(self, *seconds: float, clean: bool = True, overhead: float = 0.0) -> None:
        self._seconds = itertools.cycle(seconds)
        self._clean = clean
        self._overhead = overhead
        self.time = 0.0
        self.repeats: list[int] = []

    def sample(self, launch: Any, repeat: int) -> Sample:
        took = next(self._seconds) * repeat + self._overhead
        self.time += took
        self.repeats.append(repeat)
        return Sample(took / repeat, None, self._clean)

    def close(self) -> None: ...


class Device:
    """A made-up CUDA device.

    Launches take their time one after another; events keep the time when they are reached.
    """

    def __init__(self) -> None:
        self.ms = 0.0
        self.asked = list[tuple[str, int]]()

    def launch(self, name: str, seconds: float) -> Any:
        def run(repeat: int) -> None:
            self.asked.append((name, repeat))
            self.ms += 1e3 * seconds * repeat

        return SimpleNamespace(run=run, clock_hz=lambda: None)

    def event(self) -> Any:
        made = SimpleNamespace(synchronize=lambda: None)
        made.record = lambda queue: setattr(made, "at", self.ms)
        return made


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    made = Device()
    parts = {
        "Device": lambda index: SimpleNamespace(use=lambda: None),
        "Stream": lambda non_blocking: SimpleNamespace(synchronize=lambda: None),
        "Event": made.event,
        "get_elapsed_time": lambda begin, end: end.at - begin.at,
    }
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(**parts)))
    return made


def test_every_sample_of_a_fast_kernel_has_a_lead_in(device: Device) -> None:
    clock, fast = CudaClock(GPU), device.launch("fast", 1e-5)
    for repeat in (1, 64, 64):
        assert clock.sample(fast, repeat).seconds == pytest.approx(1e-5)
    assert device.asked == [("fast", n) for n in (1, 1, 2, 64, 2, 64)]


def test_a_slow_kernel_has_a_lead_in_once_and_again_after_another(device: Device) -> None:
    clock, slow, fast = CudaClock(GPU), device.launch("slow", 0.05), device.launch("fast", 1e-5)
    for launch in (slow, slow, slow, fast, slow):
        clock.sample(launch, 1)
    assert device.asked == [("slow", 1)] * 4 + [("fast", 1)] * 2 + [("slow", 1)] * 2


def sampled(clock: FakeClock, rule: Rule, repeat: int = 1) -> list[Sample]:
    return measure(None, clock, rule, repeat, lambda: clock.time)  # type: ignore[arg-type]


def calibrated(clock: Any, shortest: float = math.inf) -> int:
    """Repetitions of a sample that should last 10 ms."""
    return calibrate(None, clock, Rule(0.010, 0.0, shortest_seconds=shortest))  # type: ignore[arg-type]


def test_a_quiet_case_stops_at_the_fewest_samples() -> None:
    assert len(sampled(FakeClock(0.01), Rule(0.01, budget_seconds=100))) == 6


def test_a_noisy_case_stops_when_its_budget_is_spent() -> None:
    clock = FakeClock(0.01, 0.02)
    samples = sampled(clock, Rule(0.01, budget_seconds=1.0))
    assert 1.0 <= clock.time < 1.1
    assert len(samples) > 50


def test_a_case_slower_than_its_budget_still_gets_an_interval() -> None:
    assert len(sampled(FakeClock(3.0, 4.0), Rule(0.01, budget_seconds=1.0))) == 6


def test_preempted_samples_do_not_count_as_quiet() -> None:
    clock = FakeClock(0.01, clean=False)
    assert len(sampled(clock, Rule(0.01, budget_seconds=1.0))) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("seconds", [1e-9, 3e-6, 0.004, 2.0])
def test_calibration_reaches_the_sample_time(seconds: float) -> None:
    repeat = calibrated(FakeClock(seconds))
    assert repeat * seconds >= 0.007
    assert repeat * seconds <= 0.0103 + seconds


def test_calibration_is_not_fooled_by_launch_overhead() -> None:
    repeat = calibrated(FakeClock(1e-6, overhead=20e-6))
    assert 0.007 <= repeat * 1e-6 + 20e-6 <= 0.0103


def test_calibration_ends_on_work_that_was_removed() -> None:
    assert calibrated(FakeClock(0.0)) >= 1 << 40


def test_cases_share_one_budget() -> None:
    assert rule_for("cpu", 80, quick=False).budget_seconds == pytest.approx(0.1)
    assert rule_for("cpu", 1, quick=False).budget_seconds <= 1.0
    assert rule_for("cuda", 10**6, quick=False).budget_seconds > 0
    assert (
        rule_for("cpu", 20, quick=True).budget_seconds
        < rule_for("cpu", 20, quick=False).budget_seconds
    )


@pytest.mark.parametrize("quick", [True, False])
def test_all_rounds_together_give_enough_samples_for_an_interval(quick: bool) -> None:
    assert rule_for("cuda", 10**6, quick).fewest * rounds("cuda", quick) >= 6


class Recorded:
    """A launch whose team recorded these rows, in nanoseconds."""

    def __init__(self, *rows: dict[int, int]) -> None:
        self._record = np.zeros((len(rows), FIELDS), np.int64)
        for row, fields in zip(self._record, rows, strict=True):
            row[list(fields)] = list(fields.values())

    def run(self, repeat: int) -> np.ndarray:
        return self._record


def thread(
    begin: int, end: int, cpu: int, before: int = 50_000, after: int = 50_000
) -> dict[int, int]:
    return {
        WALL_START: begin,
        WALL_END: end,
        CPU_START: 7,
        CPU_END: 7 + cpu,
        PROBE_BEFORE: before,
        PROBE_AFTER: after,
    }


def host_sample(*threads: dict[int, int]) -> Sample:
    clock = HostClock.__new__(HostClock)
    return clock.sample(Recorded(*threads), 10)  # type: ignore[arg-type]


def test_a_sample_lasts_from_the_first_start_to_the_last_end() -> None:
    sample = host_sample(thread(0, 10_000_000, 10_000_000), thread(500_000, 11_000_000, 10_500_000))
    assert sample.seconds == pytest.approx(1.1e-3)
    assert sample.clean


def test_a_preempted_thread_spoils_the_sample() -> None:
    assert not host_sample(
        thread(0, 10_000_000, 10_000_000), thread(0, 10_000_000, 9_000_000)
    ).clean


def test_threads_that_did_not_run_together_spoil_the_sample() -> None:
    assert not host_sample(
        thread(0, 10_000_000, 10_000_000), thread(6_000_000, 16_000_000, 10_000_000)
    ).clean


def test_the_clock_is_that_of_the_probe_that_nothing_interrupted() -> None:
    slow, fast = PROBE_CYCLES // 2, PROBE_CYCLES // 4  # nanoseconds at 2 and 4 GHz
    one = thread(0, 10_000_000, 10_000_000, slow, slow + slow // 64)
    two = thread(0, 10_000_000, 10_000_000, fast, fast + fast // 64)
    assert host_sample(one, two).clock_hz == pytest.approx(3e9)


def test_a_clock_that_was_not_read_twice_the_same_is_unknown() -> None:
    reading = PROBE_CYCLES // 2
    sample = host_sample(thread(0, 10_000_000, 10_000_000, reading, reading + reading // 16))
    assert sample.clock_hz is None
    assert sample.clean, "the work itself was not disturbed"


def test_a_shared_core_shows_in_cycles_not_in_time() -> None:
    alone = [Sample(1.0, 3e9), Sample(1.5, 2e9), Sample(1.01, 3e9)]
    shared = [Sample(1.9, 3e9), Sample(1.0, 3e9, clean=False)]
    limit = usual_cycles(alone * 4 + shared)
    assert [s.cycles <= limit for s in [*alone, shared[0]]] == [True, True, True, False]
    assert usual_cycles([]) == math.inf
    assert usual_cycles([Sample(1.0)]) >= Sample(2.0).cycles, "an unknown clock judges no one"


def test_steady_work_keeps_its_fastest_samples_though_a_neighbour_was_there_most_of_the_time() -> (
    None
):
    samples = [Sample(2.0, 3e9)] * 300 + [Sample(1.0, 3e9)] * 6
    assert undisturbed([samples], steady=True) == [[Sample(1.0, 3e9)] * 6]
    assert len(undisturbed([samples], steady=False)[0]) == 306


def test_a_clock_that_was_read_too_low_makes_no_sample_look_fast() -> None:
    true, misread = Sample(1.0, 3.0e9), Sample(1.0, 2.8e9)
    assert undisturbed([[true] * 20 + [misread] * 8], steady=True) == [[true] * 20]


def test_a_round_whose_clock_was_misread_throughout_is_found_by_the_others() -> None:
    true, misread, throttled = Sample(1.0, 3.0e9), Sample(1.0, 2.8e9), Sample(1.5, 2.0e9)
    kept = undisturbed([[misread] * 20, [true] * 9, [throttled] * 7], steady=True)
    assert kept == [[], [true] * 9, [throttled] * 7], (
        "a lower clock that makes the work slower is true"
    )
