"""Whatever disturbs the machine, no wrong number becomes a roof: planted disturbance on a made-up
clock.
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
PER_CLOCK = 16.0  # FP64 operations of a core and clock of the made-up device, by theory
ALONE = 1e-6  # seconds of one repetition on one undisturbed core
STARTED = "2030-01-02T03:04:05Z"
RULE = Rule(0.010, 0.2, fewest=2, shortest_seconds=0.001)


class Core:
    """A made-up machine whose core does ``PER_CLOCK`` operations a clock, and what disturbs it,
    sample by sample.

    disturb(number, length) gives (times as long, extra seconds, clean, clock that is read) of a
    sample.
    """

    queue: Any = None

    def __init__(
        self, disturb: Callable[[int, float], tuple[float, float, bool, float | None]]
    ) -> None:
        self.time, self.number, self._disturb = 0.0, 0, disturb
        self.repeats: list[int] = []

    def sample(self, launch: Any, repeat: int) -> Sample:
        self.number += 1
        length = ALONE * repeat
        times, extra, clean, clock = self._disturb(self.number, length)
        took = length * times + extra
        self.time += took
        self.repeats.append(repeat)
        return Sample(took / repeat, clock, clean)

    def close(self) -> None: ...


class Launch:
    """Does nothing, rightly."""

    def run(self, repeat: int) -> None: ...

    def result(self) -> np.ndarray:
        return np.zeros(1)

    def clock_hz(self) -> float | None:
        return None

    def audit(self, work: Work) -> Audit:
        return Audit("vfmadd")

    def close(self) -> None: ...


def compute(cores: int) -> Case:
    """Multiply-adds in registers, on so many cores."""
    work = Work(flops=PER_CLOCK * HZ * ALONE * cores)
    kernel = Kernel(
        "fma", lambda d, **_: work, lambda d, r, **_: np.zeros(1), {"cpu": lambda *_: Launch()}
    )
    tag = "compute/fp64" if cores > 1 else "compute/fp64/1core"
    return Case(kernel, "fp64", "cpu", parse_tag(tag), {"threads": cores}, steady=True)


def stream() -> Case:
    """A read of memory at 100 GB/s."""
    work = Work(bytes=1e11 * ALONE)
    kernel = Kernel(
        "read", lambda d, **_: work, lambda d, r, **_: np.zeros(1), {"cpu": lambda *_: Launch()}
    )
    return Case(kernel, "fp64", "cpu", parse_tag("bandwidth/dram/read"))


def rows_of(
    clock: Core, *cases: Case, company: Callable[[], float] = lambda: 0.0
) -> list[Measurement]:
    """What a run of these cases on this machine says."""
    todo = tasks([Probe("p", "?", lambda _: cases)], CPU, STARTED)
    judge = partial(judged, device=CPU)
    for _ in take_turns(
        todo, LocalBench(CPU, clock), lambda _: RULE, 3, judge, lambda: clock.time, company
    ):
        pass
    return judge([task.row for task in todo])


def quiet(number: int, length: float) -> tuple[float, float, bool, float | None]:
    return 1.0, 0.0, True, HZ


def steal(number: int, length: float) -> tuple[float, float, bool, float | None]:
    """The hypervisor gives the core to others for half of the time: no thread notices, but samples
    double.
    """
    return (2.0 if number % 2 else 1.0), 0.0, True, HZ


def stopped(number: int, length: float) -> tuple[float, float, bool, float | None]:
    """The program is stopped for 1.5 s in every tenth sample."""
    return (1.0, 1.5, False, None) if number % 10 == 3 else quiet(number, length)


def busy(number: int, length: float) -> tuple[float, float, bool, float | None]:
    """Other processes take the core every 4 ms, for 12 ms: only short samples come through, now and
    then.
    """
    interrupted = length > 0.004 or number % 3 == 0
    return (1.0, 0.012, False, None) if interrupted else quiet(number, length)


def always(number: int, length: float) -> tuple[float, float, bool, float | None]:
    """Nothing comes through."""
    return 3.0, 0.001, False, None


def low_clock(number: int, length: float) -> tuple[float, float, bool, float | None]:
    """The clock is read a quarter too low now and then, as where a neighbour disturbs both of its
    readings.
    """
    return 1.0, 0.0, True, 0.75 * HZ if number % 4 == 0 else HZ


def one_bad_round(number: int, length: float) -> tuple[float, float, bool, float | None]:
    """For a while both threads have one core between them."""
    return (2.0, 0.0, False, None) if 12 <= number < 60 else quiet(number, length)


@pytest.mark.parametrize("disturb", [quiet, steal, stopped, busy, always, low_clock, one_bad_round])
def test_no_disturbance_makes_a_wrong_roof(disturb: Any) -> None:
    rows = rows_of(Core(disturb), compute(2), compute(1))
    for row in rows:
        assert row.status == OK, "a sound row never fails"
        right = row.rate == pytest.approx((row.flops or 0.0) / ALONE, rel=0.05)
        assert right or not row.trusted, row
    found = model(Run(CPU, STARTED, {}, {}, status=COMPLETE, measurements=rows))
    for roof in found.model.compute:
        assert roof.rate == pytest.approx(PER_CLOCK * HZ * 2, rel=0.05)


@pytest.mark.parametrize("disturb", [quiet, steal, stopped, low_clock, one_bad_round])
def test_what_was_disturbed_for_a_while_is_measured_all_the_same(disturb: Any) -> None:
    for row in rows_of(Core(disturb), compute(2), compute(1)):
        assert row.trusted, row.doubt
        assert row.clock_hz == HZ


def test_an_untrusted_row_claims_no_interval() -> None:
    (row,) = rows_of(Core(always), compute(1))
    assert (row.seconds_low, row.seconds_high, row.clock_hz) == (None, None, None)
    assert row.doubt.startswith("other load disturbed")


def test_calibration_believes_no_disturbed_sample() -> None:
    first = Core(
        lambda number, length: (1.0, 0.5, False, None) if number <= 3 else quiet(number, length)
    )
    repeat = calibrate(Launch(), first, RULE)
    assert repeat * ALONE == pytest.approx(0.010, rel=0.3)


def test_samples_become_shorter_where_long_ones_never_come_through() -> None:
    core = Core(busy)
    repeat = calibrate(Launch(), core, RULE)
    assert 0.0007 <= repeat * ALONE <= 0.004


def test_a_sample_is_never_shorter_than_the_rule_allows() -> None:
    repeat = calibrate(Launch(), Core(always), RULE)
    assert repeat * ALONE * 3.0 + 0.001 >= 0.001
    assert calibrate(Launch(), Core(always), Rule(0.010, 0.2)) * ALONE * 3.0 + 0.001 >= 0.007


def test_the_length_of_samples_is_looked_at_again_in_every_round() -> None:
    core = Core(quiet)
    samples = measure(
        Launch(), core, RULE, 3, lambda: core.time
    )  # calibrated at a bad moment: 3 µs
    assert core.repeats[0] == 3
    assert core.repeats[-1] * ALONE == pytest.approx(0.010, rel=0.3)
    assert samples[0].seconds == pytest.approx(ALONE)


def test_what_cannot_be_trusted_gets_more_rounds_and_no_more_than_a_quarter_of_the_time() -> None:
    core, times = Core(always), list[float]()
    todo = tasks([Probe("p", "?", lambda _: [compute(2), compute(1)])], CPU, STARTED)
    for _ in take_turns(
        todo,
        LocalBench(CPU, core),
        lambda _: RULE,
        3,
        partial(judged, device=CPU),
        lambda: core.time,
    ):
        times.append(core.time)
    main, longest = times[5], max(b - a for a, b in itertools.pairwise(times))
    assert 6 < len(times) <= 6 + 2 * MORE_ROUNDS
    assert times[-1] <= 1.25 * main + longest


def turns() -> Iterator[float]:
    """Others have most of the processors, until after the last round."""
    yield from [0.0, 0.9]
    yield from itertools.repeat(0.0)


def test_memory_beside_others_that_no_thread_sees_is_not_trusted_until_they_are_gone() -> None:
    (row,) = rows_of(Core(quiet), stream(), company=lambda: 0.9)
    assert (row.trusted, row.seconds_high) == (False, None)
    assert (
        row.doubt == "others had 90% of the processors meanwhile, and share its caches and memory"
    )
    gone = turns()
    (row,) = rows_of(Core(quiet), stream(), company=lambda: next(gone))
    assert row.trusted, row.doubt
    (row,) = rows_of(Core(quiet), compute(1), company=lambda: 0.9)
    assert row.trusted, "work in registers is alone on its core between two interruptions"
