"""In which of several ways is a case fastest: which size, layout, or algorithm of a library?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from kernels.base import Audit, KernelError, Launch, Selective, Unavailable
from kernels.device import Device
from probes.harness.case import Case
from probes.harness.check import Failure, check
from probes.harness.clocks.sampling import Clock

SHORT_SECONDS = 0.002
"""How long each way is timed that may be the fastest."""
FINAL_SECONDS = 0.008
"""How long the best of them are timed again."""
FINALISTS = 3
"""How many of the ways that share their memory are timed again."""
MUCH_SLOWER = 1.15
"""Times the shortest: a way whose first timing is longer is not timed again."""

Built = Callable[[Case, Device, Clock], AbstractContextManager[Launch]]
"""``built(case, device, clock)``: a context that builds a case's launch, and closes it."""


@dataclass(frozen=True)
class Choice:
    """The fastest way of a case."""

    params: Mapping[str, Any]
    """All params of the case in that way."""
    tried: int
    """How many ways were timed."""
    wrong: int = 0
    """How many would have been faster, but compute wrong numbers."""

    def told_in(self, audit: Audit) -> Audit:
        """The audit of that way, with what it was chosen from: ``fastest of 24 ways: …``."""
        note = f"fastest of {self.tried} ways"
        if self.wrong:
            note += f" ({self.wrong} faster, but wrong)"
        facts = {**audit.facts, "ways": self.tried, "wrong_ways": self.wrong}
        return replace(audit, note=f"{note}: {audit.note}", facts=facts)


@dataclass(frozen=True)
class _Trial:
    """One way that was timed."""

    way: Mapping[str, Any]
    """What its launch was told."""
    seconds: float
    """Of one repetition."""


@dataclass(frozen=True)
class _Best:
    """The fastest way of those that share their memory."""

    case: Case
    """As it is asked in this way."""
    rate: float
    """Work in a second."""


class Search:
    """The search for the fastest way of one case."""

    def __init__(
        self,
        case: Case,
        device: Device,
        clock: Clock,
        built: Built,
        seconds: float,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """seconds: how long it may take; the first way is timed however long that takes."""
        self._case, self._device, self._clock, self._built = case, device, clock, built
        self._seconds = seconds
        self._now = now
        self._tried = 0
        self._wrong = 0

    def choice(self) -> Choice:
        """The fastest way whose numbers are right.

        Raises what the first way answers if there is none: Unavailable, KernelError or Failure.
        """
        begin = self._now()
        best: _Best | None = None
        problem: Exception | None = None
        for number, changes in enumerate(self._case.ways, start=1):
            if best and self._now() - begin >= self._seconds:
                break
            deadline = begin + self._seconds * number / len(self._case.ways)
            asked = replace(self._case, params={**self._case.params, **changes}, ways=())
            try:
                rival = self._best_of(asked, deadline)
            except (Unavailable, KernelError, Failure) as error:
                problem = problem or error
                continue
            if best is None or rival.rate > best.rate:
                best = rival
        if best is None:
            raise problem or Unavailable("there is no way to ask it")
        return Choice(best.case.params, self._tried, self._wrong)

    def _best_of(self, case: Case, deadline: float) -> _Best:
        """The fastest of the ways that one launch offers.

        Each is timed shortly, the best again for longer. The numbers of the fastest are checked,
        and if they are wrong those of the next.
        """
        with self._built(case, self._device, self._clock) as launch:
            trials = list(self._short_trials(launch, deadline))
            finalists = sorted(trials, key=_seconds)[:FINALISTS]
            if len(finalists) > 1:
                finalists = [self._again(launch, trial) for trial in finalists]
            failure: Failure | None = None
            for trial in sorted(finalists, key=_seconds):
                _take(launch, trial.way)
                asked = replace(case, params={**case.params, **trial.way})
                try:
                    check(asked, launch)
                except Failure as wrong:
                    self._wrong += 1
                    failure = wrong
                    continue
                return _Best(asked, _work(asked) / trial.seconds)
            raise failure or KernelError(f"no way of {case.kernel.name} can run here")

    def _short_trials(self, launch: Launch, deadline: float) -> Iterator[_Trial]:
        """Each way that runs, with a short timing; those after the deadline are left out."""
        shortest = 0.0
        for way in launch.ways() if isinstance(launch, Selective) else [{}]:
            if shortest and self._now() >= deadline:
                return
            try:
                _take(launch, way)
                seconds = self._clock.sample(launch, 1).seconds
            except KernelError:  # a library may name an algorithm that it then refuses to run
                continue
            if not shortest or seconds <= MUCH_SLOWER * shortest:
                seconds = self._timed(launch, seconds, SHORT_SECONDS)
            shortest = min(shortest or seconds, seconds)
            self._tried += 1
            yield _Trial(way, seconds)

    def _again(self, launch: Launch, trial: _Trial) -> _Trial:
        _take(launch, trial.way)
        return replace(trial, seconds=self._timed(launch, trial.seconds, FINAL_SECONDS))

    def _timed(self, launch: Launch, seconds_of_one: float, seconds: float) -> float:
        """Seconds of one repetition, from so many seconds of them."""
        repeat = max(1, round(seconds / seconds_of_one))
        return self._clock.sample(launch, repeat).seconds


def _take(launch: Launch, way: Mapping[str, Any]) -> None:
    """Let a launch work this way, if it has any."""
    if isinstance(launch, Selective):
        launch.take(way)


def _seconds(trial: _Trial) -> float:
    return trial.seconds


def _work(case: Case) -> float:
    """What the rate of a case counts, of one repetition; 1 where its row is a time."""
    work = case.kernel.work(case.dtype, **case.params)
    return float(getattr(work, case.tag.counts)) if case.tag.counts else 1.0
