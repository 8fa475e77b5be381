"""Warm up until the clock is settled, where a governor raises it only under load.

A Jetson idles at a quarter of its clock, and takes some tenths of a second to raise that of its GPU
and of its memory; the latter no user can read, so the time of the work itself tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from kernels.base import Launch
from probes.harness.clocks.sampling import Clock

MOST_SECONDS = 3.0
"""How long to warm up at most: a clock that has not settled by then, heat or power moves."""
WINDOW_SECONDS = 0.25
"""How long the work must take the same time; a governor looks at the load some ten times a
second."""
WINDOW_AT_CAP_SECONDS = 0.06
"""The same while the clock is as high as it may be: only the memory's may still rise."""
AT_CAP = 0.98
"""Share of its cap from which on a clock cannot rise."""
SAME_TIME = 0.02
"""Share by which two halves of the window may differ."""
FEWEST = 4
"""Samples of a window."""

Frequency = Callable[[], tuple["float | None", "float | None"]]
"""Returns a clock as it is and the highest that it may take, in Hz; None is unknown."""


@dataclass(frozen=True)
class Warm:
    """How a warm-up went."""

    seconds: float
    """How long it took."""
    first_hz: float | None
    """The clock before it; None if unknown."""
    last_hz: float | None
    """The clock at its end."""
    settled: bool
    """False if the clock still moved when time was up."""


def settle(
    launch: Launch,
    clock: Clock,
    repeat: int,
    frequency: Frequency,
    now: Callable[[], float] = time.perf_counter,
) -> Warm:
    """Run samples of so many repetitions until their clock is settled, or time is up."""
    first_hz, _ = frequency()
    begin = now()
    times: list[tuple[float, float]] = []  # end and seconds of each sample
    while True:
        sample = clock.sample(launch, repeat)
        end = now()
        times.append((end, sample.seconds))
        last_hz, cap_hz = frequency()
        is_at_cap = bool(last_hz and cap_hz and last_hz >= AT_CAP * cap_hz)
        window = WINDOW_AT_CAP_SECONDS if is_at_cap else WINDOW_SECONDS
        recent = [seconds for at, seconds in times if at > end - window]
        is_steady = end - begin >= window and _is_steady(recent)
        if is_steady or end - begin >= MOST_SECONDS:
            return Warm(end - begin, first_hz, last_hz, is_steady)


def _is_steady(seconds: Sequence[float]) -> bool:
    """True if the later half of these times is as long as the earlier one."""
    if len(seconds) < FEWEST:
        return False
    half = len(seconds) // 2
    earlier, later = median(seconds[:half]), median(seconds[half:])
    return abs(later - earlier) <= SAME_TIME * earlier


def in_short(warm_ups: Sequence[Warm]) -> dict[str, Any]:
    """What a run's file holds of its warm-ups: how many, the longest, and how many settled."""
    if not warm_ups:
        return {}
    longest = max(warm_ups, key=lambda warm: warm.seconds)
    firsts = [warm.first_hz for warm in warm_ups if warm.first_hz]
    lasts = [warm.last_hz for warm in warm_ups if warm.last_hz]
    facts = {
        "count": len(warm_ups),
        "settled": sum(warm.settled for warm in warm_ups),
        "longest_seconds": longest.seconds,
        "total_seconds": sum(warm.seconds for warm in warm_ups),
        "lowest_first_hz": min(firsts, default=None),
        "highest_last_hz": max(lasts, default=None),
    }
    return {name: value for name, value in facts.items() if value is not None}
