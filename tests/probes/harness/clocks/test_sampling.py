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

FEWEST_SAMPLES = 6
"""That give a median its interval."""
SAMPLE_SECONDS = 0.010
"""How long a calibrated sample should last."""
SHORTEST, LONGEST = 0.007, 0.0103
"""How short and how long it may be: calibration ends at 0.7 of the target, and aims 2 % above."""
MANY_CASES = 10**6
"""So many that each gets the least time that a case may have."""
MS = 1_000_000
"""Nanoseconds in a millisecond."""


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


class FakeGpu:
    """A made-up CUDA device.

    Launches take their time one after another; events keep the time when they are reached.
    """

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.runs = list[tuple[str, int]]()
        """Name and repetitions of each run, in their order."""

    def launch(self, name: str, seconds: float) -> Any:
        """A launch of which each repetition takes so long."""

        def run(repeat: int) -> None:
            self.runs.append((name, repeat))
            self.now_ms += 1e3 * seconds * repeat

        return SimpleNamespace(run=run, clock_hz=lambda: None)

    def event(self) -> Any:
        """An event that keeps the time at which it is recorded."""
        event = SimpleNamespace(synchronize=lambda: None)
        event.record = lambda queue: setattr(event, "at_ms", self.now_ms)
        return event


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    """A made-up GPU that CuPy stands for."""
    fake = FakeGpu()
    parts = {
        "Device": lambda index: SimpleNamespace(use=lambda: None),
        "Stream": lambda non_blocking: SimpleNamespace(synchronize=lambda: None),
        "Event": fake.event,
        "get_elapsed_time": lambda begin, end: end.at_ms - begin.at_ms,
    }
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(**parts)))
    return fake


def test_every_sample_of_a_fast_kernel_has_a_lead_in(gpu: FakeGpu) -> None:
    clock = CudaClock(GPU)
    fast = gpu.launch("fast", 1e-5)
    for repeat in (1, 64, 64):
        assert clock.sample(fast, repeat).seconds == pytest.approx(1e-5)
    # A lead-in and the sample, three times.
    assert gpu.runs == [("fast", repeat) for repeat in (1, 1, 2, 64, 2, 64)]


def test_a_slow_kernel_has_a_lead_in_once_and_again_after_another(gpu: FakeGpu) -> None:
    clock = CudaClock(GPU)
    slow = gpu.launch("slow", 0.05)
    fast = gpu.launch("fast", 1e-5)
    for launch in (slow, slow, slow, fast, slow):
        clock.sample(launch, 1)
    assert gpu.runs == [("slow", 1)] * 4 + [("fast", 1)] * 2 + [("slow", 1)] * 2


def samples_of(clock: FakeClock, rule: Rule) -> list[Sample]:
    """What is sampled by this rule in the time that the clock keeps, at one repetition a sample."""
    return measure(None, clock, rule, 1, lambda: clock.time)  # type: ignore[arg-type]


def calibrated_repeat(clock: FakeClock) -> int:
    """The repetitions of a sample that should last ``SAMPLE_SECONDS``."""
    return calibrate(None, clock, Rule(SAMPLE_SECONDS, budget_seconds=0.0))  # type: ignore[arg-type]


def test_a_quiet_case_stops_at_the_fewest_samples() -> None:
    samples = samples_of(FakeClock(0.01), Rule(0.01, budget_seconds=100))
    assert len(samples) == FEWEST_SAMPLES


def test_a_noisy_case_stops_when_its_budget_is_spent() -> None:
    clock = FakeClock(0.01, 0.02)
    samples = samples_of(clock, Rule(0.01, budget_seconds=1.0))
    assert 1.0 <= clock.time < 1.1
    assert len(samples) > 50  # of 15 ms on average


def test_a_case_slower_than_its_budget_still_gets_an_interval() -> None:
    samples = samples_of(FakeClock(3.0, 4.0), Rule(0.01, budget_seconds=1.0))
    assert len(samples) == FEWEST_SAMPLES


def test_preempted_samples_do_not_count_as_quiet() -> None:
    samples = samples_of(FakeClock(0.01, clean=False), Rule(0.01, budget_seconds=1.0))
    assert len(samples) == pytest.approx(1.0 / 0.01, abs=1), "the whole budget is spent"


@pytest.mark.parametrize("seconds", [1e-9, 3e-6, 0.004, 2.0])
def test_calibration_reaches_the_sample_time(seconds: float) -> None:
    repeat = calibrated_repeat(FakeClock(seconds))
    assert repeat * seconds >= SHORTEST
    assert repeat * seconds <= LONGEST + seconds


def test_calibration_is_not_fooled_by_launch_overhead() -> None:
    repeat = calibrated_repeat(FakeClock(1e-6, overhead=20e-6))
    assert SHORTEST <= repeat * 1e-6 + 20e-6 <= LONGEST


def test_calibration_ends_on_work_that_was_removed() -> None:
    assert calibrated_repeat(FakeClock(0.0)) >= 1 << 40


def test_cases_share_one_budget() -> None:
    share = 24.0 / (80 * 3)  # of a run's sampling time, in seconds: 80 cases in three rounds
    assert rule_for("cpu", 80, quick=False).budget_seconds == pytest.approx(share)
    assert rule_for("cpu", 1, quick=False).budget_seconds <= 1.0
    assert rule_for("cuda", MANY_CASES, quick=False).budget_seconds > 0
    assert (
        rule_for("cpu", 20, quick=True).budget_seconds
        < rule_for("cpu", 20, quick=False).budget_seconds
    )


@pytest.mark.parametrize("quick", [True, False])
def test_all_rounds_together_give_enough_samples_for_an_interval(quick: bool) -> None:
    assert rule_for("cuda", MANY_CASES, quick).fewest * rounds("cuda", quick) >= FEWEST_SAMPLES


class Recorded:
    """A launch whose team recorded these fields of each thread, in nanoseconds."""

    def __init__(self, *threads: dict[int, int]) -> None:
        self._record = np.zeros((len(threads), FIELDS), np.int64)
        for row, fields in zip(self._record, threads, strict=True):
            row[list(fields)] = list(fields.values())

    def run(self, repeat: int) -> np.ndarray:
        return self._record


def thread(
    begin: int, end: int, cpu_time: int, before: int = 50_000, after: int = 50_000
) -> dict[int, int]:
    """What a thread records that had its processor for ``cpu_time`` between begin and end.

    ``before`` and ``after``: how long the clock probe took, in nanoseconds as all the others.
    """
    return {
        WALL_START: begin,
        WALL_END: end,
        CPU_START: 7,  # the count starts anywhere
        CPU_END: 7 + cpu_time,
        PROBE_BEFORE: before,
        PROBE_AFTER: after,
    }


def host_sample(*threads: dict[int, int]) -> Sample:
    """The sample of ten repetitions of which the threads recorded this."""
    clock = HostClock.__new__(HostClock)
    return clock.sample(Recorded(*threads), 10)  # type: ignore[arg-type]


def test_a_sample_lasts_from_the_first_start_to_the_last_end() -> None:
    sample = host_sample(thread(0, 10 * MS, 10 * MS), thread(MS // 2, 11 * MS, 21 * MS // 2))
    assert sample.seconds == pytest.approx(1.1e-3)
    assert sample.clean


def test_a_preempted_thread_spoils_the_sample() -> None:
    undisturbed_thread = thread(0, 10 * MS, 10 * MS)
    preempted_thread = thread(0, 10 * MS, 9 * MS)
    assert not host_sample(undisturbed_thread, preempted_thread).clean


def test_threads_that_did_not_run_together_spoil_the_sample() -> None:
    early_thread = thread(0, 10 * MS, 10 * MS)
    late_thread = thread(6 * MS, 16 * MS, 10 * MS)
    assert not host_sample(early_thread, late_thread).clean


def test_the_clock_is_that_of_the_probe_that_nothing_interrupted() -> None:
    ns_at_2_ghz = PROBE_CYCLES // 2
    ns_at_4_ghz = PROBE_CYCLES // 4
    slow_thread = thread(0, 10 * MS, 10 * MS, ns_at_2_ghz, ns_at_2_ghz + ns_at_2_ghz // 64)
    fast_thread = thread(0, 10 * MS, 10 * MS, ns_at_4_ghz, ns_at_4_ghz + ns_at_4_ghz // 64)
    sample = host_sample(slow_thread, fast_thread)
    assert sample.clock_hz == pytest.approx(3e9), "the mean of both cores"


def test_a_clock_that_was_not_read_twice_the_same_is_unknown() -> None:
    reading = PROBE_CYCLES // 2
    sample = host_sample(thread(0, 10 * MS, 10 * MS, reading, reading + reading // 16))
    assert sample.clock_hz is None
    assert sample.clean, "the work itself was not disturbed"


def test_a_shared_core_shows_in_cycles_not_in_time() -> None:
    usual = [Sample(1.0, 3e9), Sample(1.5, 2e9), Sample(1.01, 3e9)]
    shared = Sample(1.9, 3e9)
    interrupted = Sample(1.0, 3e9, clean=False)
    limit = usual_cycles([*usual * 4, shared, interrupted])
    assert all(sample.cycles <= limit for sample in usual)
    assert shared.cycles > limit
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
