"""How long a launch takes: the clocks, the queue work is launched on, and when to stop asking.

The harness owns every clock. CUDA work is timed by events on the one stream that CuPy and Numba
share; CPU work by the thread team's own record, so that neither counts the interpreter.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np

from kernels.base import Launch
from kernels.device import Device
from probes.harness.clocks import team, waiting
from probes.harness.clocks.record import (
    CPU_END,
    CPU_START,
    PROBE_AFTER,
    PROBE_BEFORE,
    PROBE_CYCLES,
    WALL_END,
    WALL_START,
)
from probes.harness.clocks.statistics import FEWEST, half_width

UNPREEMPTED = 0.98
"""Share of the wall time that a thread must have had its processor."""
SHARED_CORE = 1.02
"""Times the usual cycles: beyond what the clock probe's own error explains."""
OVERLAP = 0.80
"""Share of the sample in which all threads ran together."""
SAME_CLOCK = 1.03
"""Times, between the two readings of a core's clock about one sample: apart by more, one was
disturbed.
"""
LOW_CLOCK = 1.02
"""Times: a reading of the clock that is lower than the high ones by more was disturbed."""
HARDLY_FASTER = 1.10
"""Times, between the seconds of two samples of the same work."""
TRIES = 5
"""Samples of one length while calibrating: if most are disturbed, it meets too much other load."""
MUCH_OFF = 2.0
"""Times too long or too short: a sample that is off by more is calibrated again."""
MOST_REPEATS = 1 << 40
SLOW_SECONDS = 0.020
"""Of a repetition, beside which a launch is nothing: 0.01 ms, of a whole runtime 0.1 ms."""


@dataclass(frozen=True)
class Sample:
    """One timing."""

    seconds: float
    """Of one repetition."""
    clock_hz: float | None = None
    """The observed clock of the units; None if unknown, or if it was not read twice the same."""
    clean: bool = True
    """No thread lost its processor, and all ran together."""
    moved: float = 0.0
    """Bytes that the host's CPU moved during one repetition, and that count as well."""

    @property
    def cycles(self) -> float:
        """Cycles of one repetition at the observed clock; 0 if the clock is unknown."""
        return self.seconds * (self.clock_hz or 0.0)


@dataclass(frozen=True)
class Rule:
    """When to stop: a median known to within ``width`` of itself, or the budget spent."""

    sample_seconds: float
    """How long one sample should last."""
    budget_seconds: float
    """How long to sample, after calibration."""
    warm_seconds: float = 0.0
    """How long to run before the first sample, until the clock has settled under this load."""
    width: float = 0.01
    """Half-width of the median's interval, over the median, at which to stop."""
    fewest: int = FEWEST
    """Samples of one round, at least."""
    shortest_seconds: float = math.inf
    """A sample may become as short as this where longer ones are mostly disturbed.

    By default it becomes no shorter than ``sample_seconds``.
    """
    most_ways: int | None = None
    """How many of the ways that a case names are tried; None: all."""
    search_seconds: float = math.inf
    """Of samples, after which no other way is tried. The first one is, however long it takes."""


class Clock(Protocol):
    """Times launches."""

    queue: Any
    """What launches are built for: a team of threads, or a stream."""

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """Run ``repeat`` repetitions; returns what one took."""

    def close(self) -> None:
        """Give threads and events back."""


class HostClock:
    """Times CPU kernels on one pinned thread per physical core.

    What runs on threads of its own, as a runtime does, is timed from outside.
    """

    def __init__(self, device: Device) -> None:
        self.queue = team.Team(device.facts.get("cpus") or list(range(device.units)))

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """From the first thread's start to the last one's end.

        Its clock is the mean over the threads, each read twice.
        """
        waited_before_ns = waiting.of_process()
        begin_ns = time.perf_counter_ns()
        begin_cpu_ns = time.thread_time_ns()
        record = launch.run(repeat)
        if record is not None:
            return _sample_of_team(record, repeat)
        took_ns = time.perf_counter_ns() - begin_ns
        idle_ns = took_ns - (time.thread_time_ns() - begin_cpu_ns)
        waited_ns = waiting.of_process() - waited_before_ns
        lost_ns = max(idle_ns, waited_ns)
        return Sample(took_ns * 1e-9 / repeat, clean=lost_ns < (1 - UNPREEMPTED) * took_ns)

    def close(self) -> None:
        """End the team's threads."""
        self.queue.close()


def _sample_of_team(record: np.ndarray, repeat: int) -> Sample:
    """The sample of a team's record, int64 [threads, FIELDS]."""
    begin = record[:, WALL_START]
    end = record[:, WALL_END]
    whole_ns = end.max() - begin.min()
    busy_shares = (record[:, CPU_END] - record[:, CPU_START]) / (end - begin)
    together = (end.min() - begin.max()) / whole_ns > OVERLAP
    clean = bool((busy_shares > UNPREEMPTED).all() and together)
    # What interrupts a probe only ever lengthens it, so of the two the shorter tells the clock.
    probes = record[:, [PROBE_BEFORE, PROBE_AFTER]]
    shorter_ns = probes.min(axis=1)
    longer_ns = probes.max(axis=1)
    clock_hz = None
    if (longer_ns <= SAME_CLOCK * shorter_ns).all():
        clock_hz = float((PROBE_CYCLES / shorter_ns).mean() * 1e9)
    return Sample(float(whole_ns) * 1e-9 / repeat, clock_hz, clean)


class CudaClock:
    """Times CUDA kernels by two events on one stream; ``queue`` is that stream, of CuPy's type."""

    def __init__(self, device: Device) -> None:
        import cupy

        cupy.cuda.Device(device.index).use()
        self.queue = cupy.cuda.Stream(non_blocking=True)
        self._begin = cupy.cuda.Event()
        self._end = cupy.cuda.Event()
        self._elapsed_ms = cupy.cuda.get_elapsed_time
        self._slow: Launch | None = None

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """From one event on the stream to the other, with no launch latency.

        A short lead-in keeps the stream busy while the host queues the rest. None is needed where
        each repetition is so long that the latency is nothing. A sample is not clean if this thread
        waited for a processor: the stream may have run dry meanwhile.
        """
        if launch is not self._slow:
            launch.run(max(1, repeat // 32))
        waited_before_ns = waiting.of_thread()
        self._begin.record(self.queue)
        launch.run(repeat)
        self._end.record(self.queue)
        lost = (waiting.of_thread() - waited_before_ns) * 1e-9
        self._end.synchronize()
        took = self._elapsed_ms(self._begin, self._end) * 1e-3
        self._slow = launch if took / repeat > SLOW_SECONDS else None
        return Sample(took / repeat, launch.clock_hz(), clean=lost <= (1 - UNPREEMPTED) * took)

    def close(self) -> None:
        """Wait for what is still queued. Raises what the device answers if its context is lost."""
        self.queue.synchronize()


def usual_cycles(samples: Sequence[Sample]) -> float:
    """Cycles above which a sample of work that always takes as many was disturbed.

    They are infinite if no clock is known.

    A core may be shared with another hardware thread, of another virtual machine even, which no
    clock of this one shows: the work then takes up to twice the cycles. A neighbour that comes and
    goes may have disturbed most samples, so the usual count is that of the fastest ones, of as many
    as an interval needs.
    """
    cycles = sorted(s.cycles for s in samples if s.clean and s.clock_hz)
    if not cycles:
        return math.inf
    usual = cycles[min(FEWEST, len(cycles)) - 1]
    return SHARED_CORE * usual


def well_clocked(samples: Sequence[Sample]) -> list[Sample]:
    """The clean samples of one round whose clock can be believed.

    Where no clock is known, these are all clean ones.

    What disturbs the reading of a clock only ever makes it too low, and within a round a clock
    hardly changes: so a reading far below the highest ones is of no use.
    """
    clean = [s for s in samples if s.clean]
    clocks = sorted(s.clock_hz for s in clean if s.clock_hz)
    if not clocks:
        return clean
    high = clocks[len(clocks) * 9 // 10]
    return [s for s in clean if s.clock_hz and s.clock_hz * LOW_CLOCK >= high]


def misread(samples: Sequence[Sample]) -> set[Sample]:
    """The samples of ``steady`` work whose clock others prove to have been read too low.

    They may come from any rounds.
    Work that always takes as many cycles cannot be as fast at a clock that is lower: so a sample
    that claims fewer cycles than one that was hardly faster, if at all, has misread its clock.
    """
    clocked = sorted((s for s in samples if s.clock_hz), key=lambda s: s.seconds)
    seconds = [s.seconds for s in clocked]
    proven: set[Sample] = set()
    for sample in clocked:
        begin = bisect_left(seconds, sample.seconds / HARDLY_FASTER)
        end = bisect_right(seconds, sample.seconds)
        most_cycles = max(s.cycles for s in clocked[begin:end])
        if most_cycles > LOW_CLOCK * sample.cycles:
            proven.add(sample)
    return proven


def undisturbed(rounds: Sequence[Sequence[Sample]], steady: bool) -> list[list[Sample]]:
    """The clean samples of each round that no neighbour slowed, as far as their cycles can tell.

    Only the cycles of ``steady`` work can tell, which always takes as many.
    """
    clean = believed(rounds, steady)
    return _on_unshared_core(clean) if steady else clean


def _on_unshared_core(rounds: Sequence[Sequence[Sample]]) -> list[list[Sample]]:
    """Of each round of steady work, the samples that took no more than the usual cycles."""
    limit = usual_cycles(list(chain.from_iterable(rounds)))
    return [[s for s in part if s.cycles <= limit] for part in rounds]


def believed(rounds: Sequence[Sequence[Sample]], steady: bool) -> list[list[Sample]]:
    """The clean samples of each round; of ``steady`` work, those whose clock can be believed."""
    if not steady:
        return [[s for s in part if s.clean] for part in rounds]
    clocked = [well_clocked(part) for part in rounds]
    wrong = misread(list(chain.from_iterable(clocked)))
    return [[s for s in part if s not in wrong] for part in clocked]


def clock_for(device: Device) -> Clock:
    """The clock of this kind of device."""
    return CudaClock(device) if device.kind == "cuda" else HostClock(device)


def calibrate(launch: Launch, clock: Clock, rule: Rule) -> int:
    """How many repetitions make a sample last about ``rule.sample_seconds``.

    Finding it is the warm-up, too. Only clean samples are believed. Where most samples of that
    length are disturbed, as beside other load, a shorter one may fall between two interruptions: it
    is halved, down to ``rule.shortest_seconds``.
    """
    target = rule.sample_seconds
    repeat = 1
    while True:
        took, disturbed = _attempt(launch, clock, repeat)
        if took < 0.7 * target and repeat < MOST_REPEATS:
            # An unreliable, very short timing must not overshoot: at most a hundredfold a step.
            factor = min(100.0, 1.02 * target / max(took, 1e-9))
            repeat = max(repeat + 1, math.ceil(repeat * factor))
        elif disturbed and repeat > 1 and target / 2 >= rule.shortest_seconds:
            target /= 2
            repeat = max(1, round(repeat * min(1.0, target / took)))
        else:
            return repeat


def _attempt(launch: Launch, clock: Clock, repeat: int) -> tuple[float, bool]:
    """Seconds of a sample of so many repetitions, and whether most such samples are disturbed.

    The first sample decides if it is clean. Else there are some more, and the shortest is the
    nearest to the truth, since other load only ever lengthens one.
    """
    samples = [clock.sample(launch, repeat)]
    while not samples[0].clean and len(samples) < TRIES:
        samples.append(clock.sample(launch, repeat))
    clean = [s for s in samples if s.clean]
    shortest = min(s.seconds for s in clean or samples)
    mostly_disturbed = 2 * len(clean) < len(samples)
    return shortest * repeat, mostly_disturbed


def measure(
    launch: Launch,
    clock: Clock,
    rule: Rule,
    repeat: int,
    now: Callable[[], float] = time.perf_counter,
    between: Callable[[], None] = lambda: None,
    steady: bool = False,
) -> list[Sample]:
    """The samples of one round.

    It ends when the median of the undisturbed ones is known to ``rule.width``, or time is up. The
    machine may have changed since ``repeat`` was calibrated: if the first sample is much too long
    or too short, ``repeat`` is calibrated again. between: called after every sample. steady: the
    work always takes as many cycles.
    """
    begin = now()
    while now() - begin < rule.warm_seconds:
        clock.sample(launch, repeat)
    first = clock.sample(launch, repeat)
    if _is_much_off(first.seconds * repeat, repeat, rule):
        repeat = calibrate(launch, clock, rule)
        first = clock.sample(launch, repeat)
    samples = [first]
    begin = now()
    while True:
        between()
        seconds = _undisturbed_seconds(samples, steady)
        if half_width(seconds) <= rule.width and len(seconds) >= rule.fewest:
            return samples
        if now() - begin >= rule.budget_seconds and len(samples) >= rule.fewest:
            return samples
        samples.append(clock.sample(launch, repeat))


def _undisturbed_seconds(samples: Sequence[Sample], steady: bool) -> list[float]:
    """Seconds of those samples of a round that seem undisturbed so far.

    It is asked after each sample, so it must be quick: it looks for no misread clocks.
    """
    if not steady:
        return [s.seconds for s in samples if s.clean]
    (unshared,) = _on_unshared_core([well_clocked(samples)])
    return [s.seconds for s in unshared]


def _is_much_off(took: float, repeat: int, rule: Rule) -> bool:
    """True if a sample of so many repetitions is too long or too short to be of use."""
    too_long = repeat > 1 and took > MUCH_OFF * rule.sample_seconds
    too_short = repeat < MOST_REPEATS and took < rule.sample_seconds / MUCH_OFF
    return too_long or too_short
