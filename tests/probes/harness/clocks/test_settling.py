"""A warm-up lasts until the work takes the same time, and no longer than it may."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from probes.harness.clocks.sampling import Sample
from probes.harness.clocks.settling import (
    MOST_SECONDS,
    WINDOW_AT_CAP_SECONDS,
    WINDOW_SECONDS,
    Warm,
    in_short,
    settle,
)

LAUNCH: Any = SimpleNamespace()
SAMPLE_SECONDS = 0.01


class Governor:
    """A GPU whose clock rises step by step under load, and the time on its wall."""

    queue = None

    def __init__(self, steps_hz: list[float], seconds_of_step: float) -> None:
        self.steps_hz = steps_hz
        self.seconds_of_step = seconds_of_step
        self.time = 0.0

    def hz(self) -> float:
        """The clock at this moment."""
        step = int(self.time / self.seconds_of_step)
        return self.steps_hz[min(step, len(self.steps_hz) - 1)]

    def sample(self, launch: Any, repeat: int) -> Sample:
        """A sample that takes as long as the clock makes it."""
        took = SAMPLE_SECONDS * max(self.steps_hz) / self.hz()
        self.time += took
        return Sample(took)

    def close(self) -> None:
        """Nothing to give back."""


def warm_up(governor: Governor, cap_hz: float | None) -> Warm:
    """A warm-up of this GPU, which says its clock and this cap."""
    return settle(LAUNCH, governor, 1, lambda: (governor.hz(), cap_hz), lambda: governor.time)


def test_a_clock_that_rises_in_steps_is_waited_for() -> None:
    steps = [306e6, 510e6, 714e6, 918e6, 1020e6]
    warm = warm_up(Governor(steps, 0.1), 1020e6)
    assert warm.settled
    assert (warm.first_hz, warm.last_hz) == (306e6, 1020e6)
    assert 0.4 <= warm.seconds <= 0.4 + 2 * WINDOW_SECONDS


def test_a_clock_at_its_cap_takes_a_moment() -> None:
    warm = warm_up(Governor([1020e6], 1.0), 1020e6)
    assert warm.settled
    assert warm.seconds <= WINDOW_AT_CAP_SECONDS + 2 * SAMPLE_SECONDS


def test_a_clock_that_no_one_can_read_is_known_by_the_time_of_the_work() -> None:
    governor = Governor([306e6, 714e6, 1020e6], 0.1)
    warm = settle(LAUNCH, governor, 1, lambda: (None, None), lambda: governor.time)
    assert warm.settled
    assert governor.hz() == 1020e6
    assert (warm.first_hz, warm.last_hz) == (None, None)


def test_a_clock_that_never_rests_ends_the_wait() -> None:
    steps = [1000e6 * 0.97**k for k in range(200)]
    warm = warm_up(Governor(steps, 0.02), 2000e6)
    assert not warm.settled
    assert MOST_SECONDS <= warm.seconds <= MOST_SECONDS + 5.0


@pytest.mark.parametrize(
    "warm_ups", [[], [Warm(0.5, 306e6, 1020e6, True), Warm(3.0, None, None, False)]]
)
def test_a_run_keeps_what_matters_of_its_warm_ups(warm_ups: list[Warm]) -> None:
    facts = in_short(warm_ups)
    if not warm_ups:
        assert facts == {}
        return
    assert (facts["count"], facts["settled"], facts["longest_seconds"]) == (2, 1, 3.0)
    assert (facts["lowest_first_hz"], facts["highest_last_hz"]) == (306e6, 1020e6)
