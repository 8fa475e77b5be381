"""How long a launch takes: the clocks, the queue work is launched on, and when to stop asking.

The harness owns every clock. CUDA work is timed by events on the one stream that CuPy and Numba share; CPU work
by the thread team's own record, so that neither counts the interpreter.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kernels.base import Launch
from probes.harness import team
from probes.harness.records import Device
from probes.harness.statistics import FEWEST, half_width

UNPREEMPTED = 0.98  # share of the wall time a thread must have had its processor
SHARED_CORE = 1.03  # times the usual cycles: beyond what the clock probe's own error explains
OVERLAP = 0.80  # share of the sample in which all threads ran together
MOST_REPEATS = 1 << 40
SLOW_SECONDS = 0.020  # of a repetition, beside which a launch is nothing: 0.01 ms, of a whole runtime 0.1 ms


@dataclass(frozen=True)
class Sample:
    """One timing: seconds of one repetition, the observed clock (Hz, None if unknown), and whether it is clean:
    no thread preempted, all of them together."""

    seconds: float
    clock_hz: float | None = None
    clean: bool = True

    @property
    def cycles(self) -> float:
        """Cycles of one repetition at the observed clock; 0 if the clock is unknown."""
        return self.seconds * (self.clock_hz or 0.0)


@dataclass(frozen=True)
class Rule:
    """When to stop: a median known to within ``width`` of itself, or the budget spent.

    sample_seconds: how long one sample should last; budget_seconds: how long to sample, after calibration;
    warm_seconds: how long to run before the first sample, until the clock has settled under this load.
    """

    sample_seconds: float
    budget_seconds: float
    warm_seconds: float = 0.0
    width: float = 0.01
    fewest: int = FEWEST


class Clock(Protocol):
    """Times launches; ``queue`` is what they are built for."""

    queue: Any

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """Run ``repeat`` repetitions and say what one took."""

    def close(self) -> None:
        """Give threads and events back."""


class HostClock:
    """Times CPU kernels on one pinned thread per physical core; what runs on threads of its own, from outside."""

    def __init__(self, device: Device) -> None:
        self.queue = team.Team(device.facts.get("cpus") or list(range(device.units)))

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """From the first thread's start to the last one's end; clock: mean over the threads."""
        begin_ns, begin_own = time.perf_counter_ns(), time.thread_time_ns()
        record = launch.run(repeat)
        if record is None:
            took = time.perf_counter_ns() - begin_ns
            own = time.thread_time_ns() - begin_own
            return Sample(took * 1e-9 / repeat, clean=own > UNPREEMPTED * took)
        begin, end = record[:, team.WALL_START], record[:, team.WALL_END]
        whole, own = end.max() - begin.min(), end - begin
        busy = (record[:, team.CPU_END] - record[:, team.CPU_START]) / own
        probes = record[:, [team.PROBE_BEFORE, team.PROBE_AFTER]]
        # What interrupts a probe only ever lengthens it, so of the two the shorter tells the clock.
        clock = float((team.PROBE_CYCLES / probes.min(axis=1)).mean() * 1e9)
        together = (end.min() - begin.max()) / whole > OVERLAP
        clean = bool((busy > UNPREEMPTED).all() and together)
        return Sample(float(whole) * 1e-9 / repeat, clock, clean)

    def close(self) -> None:
        """End the team's threads."""
        self.queue.close()


class CudaClock:
    """Times CUDA kernels by two events on one stream; ``queue`` is that stream, of CuPy's type."""

    def __init__(self, device: Device) -> None:
        import cupy

        cupy.cuda.Device(device.index).use()
        self.queue = cupy.cuda.Stream(non_blocking=True)
        self._begin, self._end = cupy.cuda.Event(), cupy.cuda.Event()
        self._elapsed_ms = cupy.cuda.get_elapsed_time
        self._slow: Launch | None = None

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """A short lead-in keeps the stream busy while the host queues the rest, so no launch latency counts.

        None is needed where each repetition is so long that the latency is nothing.
        """
        if launch is not self._slow:
            launch.run(max(1, repeat // 32))
        self._begin.record(self.queue)
        launch.run(repeat)
        self._end.record(self.queue)
        self._end.synchronize()
        seconds = self._elapsed_ms(self._begin, self._end) * 1e-3 / repeat
        self._slow = launch if seconds > SLOW_SECONDS else None
        return Sample(seconds, launch.clock_hz())

    def close(self) -> None:
        """Wait for what is still queued."""
        self.queue.synchronize()


def usual_cycles(samples: Sequence[Sample]) -> float:
    """Cycles above which a sample of a kernel that touches no memory was disturbed: such a kernel always takes as many.

    A core may be shared with another hardware thread, of another virtual machine even, which no clock of this one
    shows: the work then takes up to twice the cycles. The usual count is that of the lowest fifth of clean samples.
    """
    cycles = sorted(s.cycles for s in samples if s.clean)
    return SHARED_CORE * cycles[len(cycles) // 5] if cycles else math.inf


def clock_for(device: Device) -> Clock:
    """The clock of this kind of device."""
    return CudaClock(device) if device.kind == "cuda" else HostClock(device)


def calibrate(launch: Launch, clock: Clock, sample_seconds: float) -> int:
    """How many repetitions make a sample last about ``sample_seconds``; this is the warm-up too."""
    repeat = 1
    while True:
        took = clock.sample(launch, repeat).seconds * repeat
        if took >= 0.7 * sample_seconds or repeat >= MOST_REPEATS:
            return repeat
        # An unreliable, very short timing must not overshoot: at most a hundredfold a step.
        factor = min(100.0, 1.02 * sample_seconds / max(took, 1e-9))
        repeat = max(repeat + 1, math.ceil(repeat * factor))


def measure(
    launch: Launch,
    clock: Clock,
    rule: Rule,
    repeat: int,
    now: Callable[[], float] = time.perf_counter,
    between: Callable[[], None] = lambda: None,
) -> list[Sample]:
    """Samples of one round: until the median of the clean ones is known to ``rule.width``, or time is up.

    between: called after every sample.
    """
    samples: list[Sample] = []
    begin = now()
    while now() - begin < rule.warm_seconds:
        clock.sample(launch, repeat)
    begin = now()
    while True:
        samples.append(clock.sample(launch, repeat))
        between()
        clean = [s.seconds for s in samples if s.clean]
        if half_width(clean) <= rule.width and len(clean) >= rule.fewest:
            return samples
        if now() - begin >= rule.budget_seconds and len(samples) >= rule.fewest:
            return samples
