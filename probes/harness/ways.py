"""In which of several ways is a case fastest: which size, layout, or algorithm of a library?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from kernels.base import Audit, KernelError, Launch, Selective, Unavailable
from kernels.device import Device
from probes.harness.case import Case
from probes.harness.clocks.sampling import Clock, Rule

FINALISTS = 2
"""How many of the ways that share their memory are timed again."""
FINAL_ROUNDS = 2
"""How often, in turn with each other: a GPU under load lowers its clock within milliseconds."""
FINAL_SECONDS = 0.002
"""How long each of these timings lasts."""
MUCH_SLOWER = 1.2
"""Times the shortest: a way whose first timing is longer is not timed again."""

Built = Callable[[Case, Device, Clock], AbstractContextManager[Launch]]
"""``built(case, device, clock)``: a context that builds a case's launch, and closes it."""


@dataclass(frozen=True)
class Choice:
    """The fastest way of a case whose numbers are right."""

    params: Mapping[str, Any]
    """All params of the case in that way."""
    tried: int
    """How many ways were timed."""
    wrong: int = 0
    """How many seemed faster, but compute wrong numbers."""

    def told_in(self, audit: Audit) -> Audit:
        """The audit of that way, with what it was chosen from: ``fastest of 24 ways: …``."""
        note = "one way tried" if self.tried == 1 else f"fastest of {self.tried} ways"
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
class _Rival:
    """A way that was fast among those that share its memory."""

    params: Mapping[str, Any]
    """All params of the case in that way."""
    rate: float
    """Work in a second."""


class Search:
    """The search for the fastest way of one case.

    Its timings only rank the ways, and are kept nowhere: the fastest is checked, and then measured,
    as any other case.
    """

    def __init__(self, case: Case, device: Device, clock: Clock, built: Built, rule: Rule) -> None:
        self._case, self._device, self._clock, self._built = case, device, clock, built
        self._ways = case.ways[: rule.most_ways]
        self._seconds_left = rule.search_seconds
        self.tried = 0
        """How many ways were timed."""

    def fastest_first(self) -> list[Mapping[str, Any]]:
        """All params of the case in its fastest ways.

        Raises what the first way answers if there is none: Unavailable or KernelError.
        """
        rivals: list[_Rival] = []
        problem: Exception | None = None
        for changes in self._ways:
            if rivals and self._seconds_left <= 0:
                break
            asked = replace(self._case, params={**self._case.params, **changes}, ways=())
            try:
                rivals += self._best_of(asked)
            except (Unavailable, KernelError) as error:
                problem = problem or error
        if not rivals:
            raise problem or Unavailable("there is no way to ask it")
        rivals.sort(key=attrgetter("rate"), reverse=True)
        return [rival.params for rival in rivals]

    def _best_of(self, case: Case) -> list[_Rival]:
        """The fastest of the ways that one launch offers: each is timed, the best again in turn."""
        with self._built(case, self._device, self._clock) as launch:
            trials = sorted(self._first_trials(launch), key=attrgetter("seconds"))
            if not trials:
                raise KernelError(f"no way of {case.kernel.name} can run here")
            longest = MUCH_SLOWER * trials[0].seconds
            close = [trial for trial in trials if trial.seconds <= longest]
            finalists = self._finals(launch, close[:FINALISTS])
        work = _work(case)
        return [_Rival({**case.params, **trial.way}, work / trial.seconds) for trial in finalists]

    def _first_trials(self, launch: Launch) -> Iterator[_Trial]:
        """Each way that runs, timed once; those for which no time is left are left out."""
        is_first = True
        for way in launch.ways() if isinstance(launch, Selective) else [{}]:
            if not is_first and self._seconds_left <= 0:
                return
            try:
                _take(launch, way)
                seconds = self._timed(launch, 1)
            except KernelError:  # a library may name an algorithm that it then refuses to run
                continue
            is_first = False
            self.tried += 1
            yield _Trial(way, seconds)

    def _finals(self, launch: Launch, finalists: Sequence[_Trial]) -> list[_Trial]:
        """The same with the mean of several timings, which were taken in turn."""
        if len(finalists) == 1:
            return list(finalists)
        totals = [0.0] * len(finalists)
        for _ in range(FINAL_ROUNDS):
            for place, trial in enumerate(finalists):
                _take(launch, trial.way)
                totals[place] += self._timed(launch, round(FINAL_SECONDS / trial.seconds))
        return [
            replace(trial, seconds=total / FINAL_ROUNDS)
            for trial, total in zip(finalists, totals, strict=True)
        ]

    def _timed(self, launch: Launch, repeat: int) -> float:
        """Seconds of one repetition, in a sample of so many, or of one."""
        repeat = max(1, repeat)
        seconds = self._clock.sample(launch, repeat).seconds
        self._seconds_left -= seconds * repeat
        return seconds


def _take(launch: Launch, way: Mapping[str, Any]) -> None:
    """Let a launch work this way, if it has any."""
    if isinstance(launch, Selective):
        launch.take(way)


def _work(case: Case) -> float:
    """What the rate of a case counts, of one repetition; 1 where its row is a time."""
    work = case.kernel.work(case.dtype, **case.params)
    return float(getattr(work, case.tag.counts)) if case.tag.counts else 1.0
