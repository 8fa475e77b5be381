"""How long the rest of a run will take: what its remaining turns are expected to need.

Turns of one class take about as long as those that the run has had already; a class of which none
was seen takes what its stopping rule allows, by the factor that held for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from probes.harness.case import Case
from probes.harness.clocks.sampling import Rule
from probes.harness.plan import TWIN, is_point
from probes.harness.rounds import MORE_ROUNDS, MORE_TIME, Judge, Step, doubtful, turns
from probes.harness.task import Task
from probes.records.tag import LAYER

ENOUGH_TURNS = 3
"""Of a class, from which their mean tells what the next takes."""
PRIOR_SHARE = 0.1
"""Part of all that the rules allow, by which the first turns weigh less: they start the device."""
JUDGE_SECONDS = 3.0
"""Between two looks at what cannot be trusted."""
TURN_SECONDS = 0.02
"""Expected of every turn beside its samples, until some were seen: it allocates, and saves."""
FIRST_SECONDS = {"raw": 0.02, "cpu": 0.08, TWIN: 0.4}
"""Expected of a first turn besides, by backend: it checks and calibrates, and some compile."""
OTHER_FIRST_SECONDS = 0.1
"""The same of any other backend."""
KNOWN_FROM = 1 / 3
"""Part of the expected time of a run from which what is left is told in seconds: before it, too few
turns were seen.
"""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    round: int
    """The round in which the last turn was, from 1."""
    rounds: int
    """How many rounds there are; one above is for what could not be trusted."""
    left_seconds: float
    """What the remaining turns are expected to take."""
    sure: bool
    """True if enough of the run is over to tell that well."""


class Forecast:
    """Learns from each turn of a run, and says what the others will take."""

    def __init__(
        self,
        todo: Sequence[Task],
        rules: Callable[[Case], Rule],
        rounds: int,
        judge: Judge,
        now: float,
    ) -> None:
        """now: seconds, of the same origin as in ``after``."""
        self._todo = todo
        self._rounds = rounds
        self._judge = judge
        self._begin = now
        self._last = now
        self._round = 1
        self._again_since = math.inf
        """When what could not be trusted began to be asked again."""
        self._tasks = {id(task): _Expected(task, rules(task.case)) for task in todo}
        self._taken: dict[_Class, list[float]] = {}
        self._total_taken = 0.0
        all_allowed = sum(
            expected.first.allowed + (turns(expected.task, rounds) - 1) * expected.later.allowed
            for expected in self._tasks.values()
        )
        self._prior = PRIOR_SHARE * all_allowed
        self._allowed_of_taken = 0.0
        self._doubtful = set[int]()
        self._judged = now

    def after(self, step: Step, now: float) -> None:
        """A step of the run has ended just now."""
        seconds = now - self._last
        if step.round > self._rounds:
            self._again_since = min(self._again_since, self._last)
        is_new_round = step.round != self._round
        self._last = now
        self._round = step.round
        if is_new_round or now - self._judged >= JUDGE_SECONDS:
            self._judged = now
            self._doubtful = set(map(id, doubtful(self._todo, self._judge)))
        if not step.timed:
            return
        expected = self._tasks[id(step.task)]
        turn = expected.later if expected.turns_had else expected.first
        expected.turns_had += 1
        if self._is_again:
            expected.asked_again += 1
        self._taken.setdefault(turn.kind, []).append(seconds)
        self._total_taken += seconds
        self._allowed_of_taken += turn.allowed

    def skip_to(self, now: float) -> None:
        """What took until now was no turn."""
        self._begin += now - self._last
        self._last = now

    def progress(self) -> Progress:
        """Where the run stands now."""
        left = self._left()
        return Progress(
            round=self._round,
            rounds=self._rounds,
            left_seconds=left,
            sure=self._elapsed >= KNOWN_FROM * (self._elapsed + left),
        )

    @property
    def _is_again(self) -> bool:
        """True if all rounds are over, and what could not be trusted is asked again."""
        return self._round > self._rounds

    def _left(self) -> float:
        """What the remaining turns of all rounds, and those asked again, will take, in seconds."""
        means = {kind: fmean(seconds) for kind, seconds in self._taken.items()}
        planned = 0.0
        again = 0.0
        for expected in self._tasks.values():
            task = expected.task
            later = self._of(expected.later, expected.first, means)
            if task.open and not self._is_again:
                remaining = turns(task, self._rounds) - expected.turns_had
                if remaining > 0 and not expected.turns_had:
                    planned += self._of(expected.first, expected.later, means)
                    remaining -= 1
                planned += max(0, remaining) * later
            if id(task) in self._doubtful:
                again += (MORE_ROUNDS - expected.asked_again) * later
        if self._is_again:
            of_rounds = self._again_since - self._begin
            gone_again = self._last - self._again_since
            return max(0.0, min(again, MORE_TIME * of_rounds - gone_again))
        return planned + min(self._of_all(again), MORE_TIME * (self._elapsed + planned))

    @property
    def _elapsed(self) -> float:
        return self._last - self._begin

    def _of_all(self, again: float) -> float:
        """What asking again will take, from what it would take for the tasks seen so far."""
        seen = sum(bool(expected.turns_had) for expected in self._tasks.values())
        return again * len(self._tasks) / seen if seen else 0.0

    def _of(self, turn: _Turn, other: _Turn, means: Mapping[_Class, float]) -> float:
        """Seconds that a turn will take.

        other: a turn of the same task that is not first where this is, or the reverse. means: of
        the classes seen so far.
        """
        seen = len(self._taken.get(turn.kind, ()))
        if seen >= ENOUGH_TURNS:
            return means[turn.kind]
        factor = (self._total_taken + self._prior) / (self._allowed_of_taken + self._prior)
        allowed = factor * turn.allowed
        if seen:
            return (means[turn.kind] + allowed) / 2
        if other.kind in means:
            return means[other.kind] * turn.allowed / other.allowed
        return allowed


class _Class(NamedTuple):
    """Turns that take about equally long."""

    probe: str
    backend: str
    layer_type: str
    is_point: bool
    is_first: bool


class _Turn(NamedTuple):
    """What is known of a turn before it is had."""

    kind: _Class
    """Which others take as long."""
    allowed: float
    """Seconds that it is expected to take by its stopping rule and its backend."""


class _Expected:
    """What is expected of one task."""

    def __init__(self, task: Task, rule: Rule) -> None:
        self.task = task
        self.turns_had = 0
        self.asked_again = 0
        later = rule.warm_seconds + rule.budget_seconds + TURN_SECONDS
        first = later + FIRST_SECONDS.get(task.case.backend, OTHER_FIRST_SECONDS)
        self.first = _Turn(_class_of(task, is_first=True), first)
        self.later = _Turn(_class_of(task, is_first=False), later)


def _class_of(task: Task, is_first: bool) -> _Class:
    """The class of a turn of this task."""
    case = task.case
    layer_type = case.dtype if task.row.quantity == LAYER else ""
    return _Class(task.probe, case.backend, layer_type, is_point(case), is_first)
