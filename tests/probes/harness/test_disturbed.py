"""Whatever disturbs the machine, no wrong number becomes a roof.

Disturbance is planted on a made-up clock.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from analysis.analyse import model
from analysis.model.judge import judged
from kernels.base import Audit, Kernel, Work
from probes.harness.bench import LocalBench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule, Sample, calibrate, measure
from probes.harness.rounds import MORE_ROUNDS, take_turns
from probes.harness.task import tasks
from probes.records.measurement import OK, Measurement
from probes.records.run import COMPLETE, Run
from probes.records.tag import parse_tag
from tests.devices import CPU

HZ = 3e9
PER_CLOCK = 16.0
"""FP64 operations of a core and clock of the made-up device, by theory."""
UNDISTURBED_SECONDS = 1e-6
"""Of one repetition on a core that nothing disturbs."""
STARTED = "2030-01-02T03:04:05Z"
RULE = Rule(sample_seconds=0.010, budget_seconds=0.2, fewest=2, shortest_seconds=0.001)
ROUNDS = 3

Disturbance = tuple[float, float, bool, float | None]
"""Of a sample: times as long, extra seconds, whether it is clean, and the clock that is read."""
Disturb = Callable[[int, float], Disturbance]
"""What disturbs a sample, by its number and its length in seconds."""


class DisturbedClock:
    """The clock of a made-up machine whose core does ``PER_CLOCK`` operations a clock."""

    queue: Any = None

    def __init__(self, disturb: Disturb) -> None:
        self.time = 0.0
        self.number = 0
        """Of the latest sample."""
        self._disturb = disturb
        self.repeats: list[int] = []

    def sample(self, launch: Any, repeat: int) -> Sample:
        self.number += 1
        length = UNDISTURBED_SECONDS * repeat
        times, extra, clean, clock = self._disturb(self.number, length)
        took = length * times + extra
        self.time += took
        self.repeats.append(repeat)
        return Sample(took / repeat, clock, clean)

    def close(self) -> None: ...


class Launch:
    """A launch that does nothing, and answers rightly."""

    def run(self, repeat: int) -> None: ...

    def result(self) -> np.ndarray:
        return np.zeros(1)

    def clock_hz(self) -> float | None:
        return None

    def audit(self, work: Work) -> Audit:
        return Audit("vfmadd")

    def close(self) -> None: ...


def kernel_of(name: str, work: Work) -> Kernel:
    """A kernel that is said to do this work."""
    return Kernel(
        name,
        work=lambda dtype, **_: work,
        reference=lambda dtype, repeat, **_: np.zeros(1),
        backends={"cpu": lambda *_: Launch()},
    )


def compute(cores: int) -> Case:
    """Multiply-adds in registers, on so many cores."""
    work = Work(flops=PER_CLOCK * HZ * UNDISTURBED_SECONDS * cores)
    kernel = kernel_of("fma", work)
    tag = "compute/fp64" if cores > 1 else "compute/fp64/1core"
    return Case(kernel, "fp64", "cpu", parse_tag(tag), {"threads": cores}, steady=True)


def stream() -> Case:
    """A read of memory at 100 GB/s."""
    work = Work(bytes=1e11 * UNDISTURBED_SECONDS)
    kernel = kernel_of("read", work)
    return Case(kernel, "fp64", "cpu", parse_tag("bandwidth/dram/read"))


def rows_of(
    clock: DisturbedClock, *cases: Case, company: Callable[[], float] = lambda: 0.0
) -> list[Measurement]:
    """The rows of a run of these cases on this machine.

    ``company`` tells the share of the processors' time that others have.
    """
    todo = tasks([Probe("p", "?", lambda _: cases)], CPU, STARTED)
    judge = partial(judged, device=CPU)
    bench = LocalBench(CPU, clock)
    list(take_turns(todo, bench, lambda _: RULE, ROUNDS, judge, lambda: clock.time, company))
    return judge([task.row for task in todo])


def quiet(number: int, length: float) -> Disturbance:
    """Nothing disturbs the sample."""
    return 1.0, 0.0, True, HZ


def steal(number: int, length: float) -> Disturbance:
    """The hypervisor gives the core to others half of the time: samples double, unnoticed."""
    return (2.0 if number % 2 else 1.0), 0.0, True, HZ


def stopped(number: int, length: float) -> Disturbance:
    """The program is stopped for 1.5 s in every tenth sample."""
    return (1.0, 1.5, False, None) if number % 10 == 3 else quiet(number, length)


def busy(number: int, length: float) -> Disturbance:
    """Other processes take the core every 4 ms, for 12 ms: few samples come through, short ones."""
    interrupted = length > 0.004 or number % 3 == 0
    return (1.0, 0.012, False, None) if interrupted else quiet(number, length)


def always(number: int, length: float) -> Disturbance:
    """Nothing comes through."""
    return 3.0, 0.001, False, None


def low_clock(number: int, length: float) -> Disturbance:
    """Now and then a neighbour disturbs both readings of the clock: they are a quarter too low."""
    return 1.0, 0.0, True, 0.75 * HZ if number % 4 == 0 else HZ


def one_bad_round(number: int, length: float) -> Disturbance:
    """For a while both threads have one core between them."""
    return (2.0, 0.0, False, None) if 12 <= number < 60 else quiet(number, length)


@pytest.mark.parametrize("disturb", [quiet, steal, stopped, busy, always, low_clock, one_bad_round])
def test_no_disturbance_makes_a_wrong_roof(disturb: Any) -> None:
    rows = rows_of(DisturbedClock(disturb), compute(2), compute(1))
    for row in rows:
        assert row.status == OK, "a sound row never fails"
        true_rate = (row.flops or 0.0) / UNDISTURBED_SECONDS
        is_right = row.rate == pytest.approx(true_rate, rel=0.05)
        assert is_right or not row.trusted, row
    analysed = model(Run(CPU, STARTED, {}, {}, status=COMPLETE, measurements=rows))
    for roof in analysed.model.compute:
        assert roof.rate == pytest.approx(PER_CLOCK * HZ * 2, rel=0.05)


@pytest.mark.parametrize("disturb", [quiet, steal, stopped, low_clock, one_bad_round])
def test_what_was_disturbed_for_a_while_is_measured_all_the_same(disturb: Any) -> None:
    for row in rows_of(DisturbedClock(disturb), compute(2), compute(1)):
        assert row.trusted, row.doubt
        assert row.clock_hz == HZ


def test_an_untrusted_row_claims_no_interval() -> None:
    (row,) = rows_of(DisturbedClock(always), compute(1))
    assert (row.seconds_low, row.seconds_high, row.clock_hz) == (None, None, None)
    assert row.doubt.startswith("other load disturbed")


def test_calibration_believes_no_disturbed_sample() -> None:
    def first_three(number: int, length: float) -> Disturbance:
        return (1.0, 0.5, False, None) if number <= 3 else quiet(number, length)

    repeat = calibrate(Launch(), DisturbedClock(first_three), RULE)
    assert repeat * UNDISTURBED_SECONDS == pytest.approx(0.010, rel=0.3)


def test_samples_become_shorter_where_long_ones_never_come_through() -> None:
    clock = DisturbedClock(busy)
    repeat = calibrate(Launch(), clock, RULE)
    # No shorter than 0.7 of the rule's shortest, and over before others take the core.
    assert 0.0007 <= repeat * UNDISTURBED_SECONDS <= 0.004


def test_a_sample_is_never_shorter_than_the_rule_allows() -> None:
    def sample_seconds(rule: Rule) -> float:
        repeat = calibrate(Launch(), DisturbedClock(always), rule)
        times, extra, _, _ = always(1, repeat * UNDISTURBED_SECONDS)
        return repeat * UNDISTURBED_SECONDS * times + extra

    assert sample_seconds(RULE) >= 0.001
    without_shorter_ones = Rule(sample_seconds=0.010, budget_seconds=0.2)
    assert sample_seconds(without_shorter_ones) >= 0.007


def test_the_length_of_samples_is_looked_at_again_in_every_round() -> None:
    clock = DisturbedClock(quiet)
    repeat = 3  # calibrated at a bad moment: 3 µs
    samples = measure(Launch(), clock, RULE, repeat, lambda: clock.time)
    assert clock.repeats[0] == 3
    assert clock.repeats[-1] * UNDISTURBED_SECONDS == pytest.approx(0.010, rel=0.3)
    assert samples[0].seconds == pytest.approx(UNDISTURBED_SECONDS)


def test_what_cannot_be_trusted_gets_more_rounds_and_no_more_than_a_quarter_of_the_time() -> None:
    clock = DisturbedClock(always)
    bench = LocalBench(CPU, clock)
    judge = partial(judged, device=CPU)
    todo = tasks([Probe("p", "?", lambda _: [compute(2), compute(1)])], CPU, STARTED)
    turns = take_turns(todo, bench, lambda _: RULE, ROUNDS, judge, lambda: clock.time)
    ends = [clock.time for _ in turns]
    planned_turns = ROUNDS * len(todo)
    planned_seconds = ends[planned_turns - 1]
    longest_turn = max(end - begin for begin, end in itertools.pairwise(ends))
    assert planned_turns < len(ends) <= planned_turns + len(todo) * MORE_ROUNDS
    assert ends[-1] <= 1.25 * planned_seconds + longest_turn


def gone_after_the_last_round() -> Iterator[float]:
    """Others have most of the processors, until after the last round."""
    yield from [0.0, 0.9]
    yield from itertools.repeat(0.0)


def test_memory_beside_others_that_no_thread_sees_is_not_trusted_until_they_are_gone() -> None:
    (row,) = rows_of(DisturbedClock(quiet), stream(), company=lambda: 0.9)
    assert (row.trusted, row.seconds_high) == (False, None)
    assert (
        row.doubt == "others had 90% of the processors meanwhile, and share its caches and memory"
    )
    shares = gone_after_the_last_round()
    (row,) = rows_of(DisturbedClock(quiet), stream(), company=lambda: next(shares))
    assert row.trusted, row.doubt
    (row,) = rows_of(DisturbedClock(quiet), compute(1), company=lambda: 0.9)
    assert row.trusted, "work in registers is alone on its core between two interruptions"
