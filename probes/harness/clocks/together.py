"""Time a GPU's work while the host's CPU works, too, and count what each does in the same window.

The CPU's threads go on without an end and write down when each of their passes ended. A window
begins after all have ended one and ends before any stops: so both work during the whole of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Protocol

import numpy as np

from kernels.base import Launch
from probes.harness.clocks import native
from probes.harness.clocks.sampling import Clock, Sample
from probes.harness.clocks.team import Team

MOST_PASSES = 1 << 14
"""Passes of a thread that are written down."""
FIRST_PASS_SECONDS = 10.0
"""How long the threads may take until each has ended its first pass."""
LOOK_SECONDS = 0.0002
"""Between two looks at what they have written."""
FEWEST_PASSES = 2.0
"""Passes of a thread within a window, below which its part is not known well."""


class Host(Protocol):
    """The host's CPU at work."""

    def bytes_within(self, begin_ns: int, end_ns: int) -> float | None:
        """Bytes that it moved from one moment of the monotonic clock to another.

        None if some thread did not work during the whole of it, or ended too few passes to tell.
        """

    def at_work(self) -> Any:
        """A context in which all its threads work from its begin to its end."""


class Streams:
    """A native kernel that threads of a team call again and again."""

    def __init__(self, team: Team, address: int, arguments: np.ndarray, bytes_: float) -> None:
        """bytes_: that all threads together move in a pass."""
        self._team = team
        self._address = address
        self._arguments = arguments
        self._bytes = bytes_ / len(arguments)
        self._until = native.run_until()
        self._ends_ns = np.zeros((len(arguments), MOST_PASSES), np.int64)
        self._stop = np.zeros(1, np.int64)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All threads work within it. Raises RuntimeError if one does not get to work."""
        self._stop[:] = 0
        self._ends_ns[:] = 0
        jobs = []
        for pool, row, ends in zip(self._team.pools, self._arguments, self._ends_ns, strict=False):
            places = row.ctypes.data, self._stop.ctypes.data, ends.ctypes.data
            jobs.append(pool.submit(self._until, self._address, *places, MOST_PASSES))
        try:
            self._wait_for(lambda: bool(self._ends_ns[:, 0].all()))
            yield
        finally:
            self._stop[:] = 1
            for job in jobs:
                job.result()

    def _wait_for(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + FIRST_PASS_SECONDS
        while not done():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"a thread ended no pass within {FIRST_PASS_SECONDS:.0f} s: the machine is "
                    "overloaded"
                )
            time.sleep(LOOK_SECONDS)

    def bytes_within(self, begin_ns: int, end_ns: int) -> float | None:
        """See ``Host``; it waits until each thread has ended a pass after the window."""
        self._wait_for(lambda: bool((self._ends_ns.max(axis=1) >= end_ns).all()))
        passes = [passes_within(ends, begin_ns, end_ns) for ends in self._ends_ns]
        known = [count for count in passes if count is not None]
        if len(known) < len(passes):
            return None
        return self._bytes * sum(known)


def passes_within(ends_ns: np.ndarray, begin_ns: int, end_ns: int) -> float | None:
    """Passes, whole and parts, that a thread made from one moment to another.

    ends_ns: when each ended, then zeros. None if its first ended later than the window began, its
    last sooner than the window ended, or there are too few.
    """
    ends = ends_ns[ends_ns > 0]
    if not ends.size or ends[0] > begin_ns or ends[-1] < end_ns:
        return None
    numbers = np.arange(ends.size)
    first, last = np.interp([begin_ns, end_ns], ends, numbers)
    passes = float(last - first)
    return passes if passes >= FEWEST_PASSES else None


class TogetherClock:
    """Times launches of a GPU while the host works, and each of the two alone, in turn."""

    def __init__(
        self,
        clock: Clock,
        host: Host,
        alone_seconds: float,
        now_ns: Callable[[], int] = time.monotonic_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """alone_seconds: how long the host is watched alone."""
        self.queue = clock.queue
        self._clock = clock
        self._host = host
        self._alone_seconds = alone_seconds
        self._now_ns = now_ns
        self._sleep = sleep
        self._gpu_alone: list[float] = []
        self._gpu: list[float] = []
        self._host_alone: list[float] = []
        self._host_with_gpu: list[float] = []
        self._taken = 0

    def sample(self, launch: Launch, repeat: int) -> Sample:
        """The GPU alone, the host alone, then both: the sample is of both."""
        self._taken += 1
        alone = self._clock.sample(launch, repeat)
        with self._host.at_work():
            begin_ns = self._now_ns()
            self._sleep(self._alone_seconds)
            host_alone = self._rate_since(begin_ns)
            begin_ns = self._now_ns()
            both = self._clock.sample(launch, repeat)
            host_with_gpu = self._rate_since(begin_ns)
        if host_alone is None or host_with_gpu is None:
            return Sample(both.seconds, clean=False)
        self._gpu_alone.append(alone.seconds)
        self._gpu.append(both.seconds)
        self._host_alone.append(host_alone)
        self._host_with_gpu.append(host_with_gpu)
        return Sample(both.seconds, clean=both.clean, moved=host_with_gpu * both.seconds)

    def _rate_since(self, begin_ns: int) -> float | None:
        """B/s of the host from that moment to now; None if unknown."""
        end_ns = self._now_ns()
        moved = self._host.bytes_within(begin_ns, end_ns)
        return None if moved is None else moved / (end_ns - begin_ns) * 1e9

    def rates(self, gpu_bytes: float) -> dict[str, float]:
        """Median B/s of each, together with the other and alone. gpu_bytes: of a repetition."""
        if not self._gpu:
            return {}
        return {
            "gpu": gpu_bytes / median(self._gpu),
            "cpu": median(self._host_with_gpu),
            "gpu_alone": gpu_bytes / median(self._gpu_alone),
            "cpu_alone": median(self._host_alone),
        }

    @property
    def doubt(self) -> str:
        """Why its samples cannot be trusted; empty if they can."""
        together = len(self._gpu)
        if 2 * together > self._taken:
            return ""
        return f"CPU and GPU worked together during {together} of {self._taken} samples only"

    def close(self) -> None:
        """Nothing: the clock and the host are others'."""
