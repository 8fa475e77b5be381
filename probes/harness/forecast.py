"""How long the rest of a run will take: what its remaining turns are expected to need.

Turns fall into classes. A turn takes about as long as the turns of its class that the run has had
already. Of a class that has had none, a turn takes the time that its stopping rule allows, times a
factor: that of the task's first turn for a later one and the reverse, else that of all turns so
far, seconds over the seconds that their rules allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import NamedTuple

from probes.harness.case import Case
from probes.harness.clocks.sampling import Rule
from probes.harness.plan import TWIN, is_point
from probes.harness.rounds import MORE_TIME, Judge, Step, doubtful, turns
from probes.harness.task import Task
from probes.records.tag import LAYER

ENOUGH_TURNS = 3
"""So many turns of a class tell by their mean what the next takes; fewer only help to guess it."""
PRIOR_SHARE = 0.1
"""This part of all that the rules allow is taken to have run already, exactly as long as allowed.

So the first turns, which start the device and take longer, hardly move the factor for the others.
"""
JUDGE_SECONDS = 3.0
"""Time between two judgements of which tasks cannot be trusted: judging all rows costs time."""
OUTLIER = 5.0
"""Times the median, from which a turn was held up and says nothing of others."""
FINISH_SECONDS = 2.0
"""What judging, drawing and writing take at the end of a run."""
USUAL_SHARE = 0.5
"""Part of the time for asking again that runs usually take."""
TURNS_AGAIN = (1.25, 0.5, 0.0)
"""Turns that a doubtful task is still expected to have, by how often it was asked again: the first
settles most of them. The last stands for more often, too.
"""
TURN_SECONDS = 0.02
"""What every turn takes beside its samples, until some were seen: it allocates, and saves."""
FIRST_SECONDS = {"raw": 0.02, "cpu": 0.08, TWIN: 0.4}
"""What a task's first turn takes on top, by backend: it checks and calibrates, and some compile."""
OTHER_FIRST_SECONDS = 0.1
"""The same for any other backend."""
KNOWN_FROM = 1 / 3
"""Part of the expected time of a run from which the forecast is sure: before it, too few turns were
seen.
"""


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    round: int
    """The round in which the last turn was, from 1."""
    rounds: int
    """How many rounds there are; ``round`` is one more while what is doubtful is asked again."""
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
        afterwards: float = FINISH_SECONDS,
    ) -> None:
        """now: seconds, of the same origin as in ``after``. afterwards: seconds after all turns."""
        self._afterwards = afterwards
        self._todo = todo
        self._rounds = rounds
        self._judge = judge
        self._begin = now
        """When the run began, moved on by what was no turn."""
        self._last = now
        """When the last step ended."""
        self._round = 1
        self._again_since = math.inf
        """When the rounds were over, and asking again began."""
        self._tasks = {id(task): _Expected(task, rules(task.case)) for task in todo}
        """What is expected of each task, by its id: a task has no hash."""
        self._taken: dict[_TurnClass, list[float]] = {}
        """Seconds of each turn so far, by class."""
        self._means: dict[_TurnClass, float] = {}
        """What is typical of them."""
        self._total_taken = 0.0
        """Seconds of all turns so far."""
        self._allowed_of_taken = 0.0
        """Seconds that were allowed for the same turns."""
        allowed_by_task = []
        for expected in self._tasks.values():
            later_turns = turns(expected.task, rounds) - 1
            allowed_by_task.append(expected.first.allowed + later_turns * expected.later.allowed)
        self._prior = PRIOR_SHARE * sum(allowed_by_task)
        """Seconds by which both sums start higher in the factor, as PRIOR_SHARE says."""
        self._doubtful = set[int]()
        """Ids of the tasks that could not be trusted when they were last judged."""
        self._judged = now
        """When that was."""

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
        is_first = expected.turns_had == 0
        turn = expected.first if is_first else expected.later
        expected.turns_had += 1
        if self._is_again:
            expected.asked_again += 1
        taken = self._taken.setdefault(turn.turn_class, [])
        taken.append(seconds)
        self._means[turn.turn_class] = typical(taken)
        self._total_taken += seconds
        self._allowed_of_taken += turn.allowed

    def skip_to(self, now: float) -> None:
        """Leave out the time since the last step: it was no turn, and no later turn will take it.

        The beginning moves on as well, so that the run does not look further on than it is.
        """
        self._begin += now - self._last
        self._last = now

    def progress(self) -> Progress:
        """Where the run stands now."""
        left = self._left() + self._afterwards
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
        planned = 0.0
        again = 0.0
        for expected in self._tasks.values():
            task = expected.task
            later = self._seconds_of(expected.later, expected.first)
            if task.open and not self._is_again:
                remaining = turns(task, self._rounds) - expected.turns_had
                if remaining > 0 and not expected.turns_had:
                    planned += self._seconds_of(expected.first, expected.later)
                    remaining -= 1
                planned += max(0, remaining) * later
            if id(task) in self._doubtful:
                turns_so_far = min(expected.asked_again, len(TURNS_AGAIN) - 1)
                again += TURNS_AGAIN[turns_so_far] * later
        # take_turns gives asking again no more than MORE_TIME of what the rounds took
        if self._is_again:
            seconds_of_rounds = self._again_since - self._begin
            seconds_again = self._last - self._again_since
            return max(0.0, min(again, MORE_TIME * seconds_of_rounds - seconds_again))
        most_again = MORE_TIME * (self._elapsed + planned)
        # What is doubtful now may be settled by later rounds, and what is not may become so: until
        # then half of what is seen and half of what is usual are expected.
        seen_so_far = min(self._scaled_to_all_tasks(again), most_again)
        usual = USUAL_SHARE * most_again
        return planned + (seen_so_far + usual) / 2

    @property
    def _elapsed(self) -> float:
        """Seconds of the run so far, without what was no turn."""
        return self._last - self._begin

    def _scaled_to_all_tasks(self, again: float) -> float:
        """Seconds of asking again, if all tasks prove as doubtful as those seen.

        again: seconds of asking again the tasks that are doubtful now; only those seen can be.
        """
        seen = sum(bool(expected.turns_had) for expected in self._tasks.values())
        return again * len(self._tasks) / seen if seen else 0.0

    def _seconds_of(self, turn: _Turn, other: _Turn) -> float:
        """Seconds that a turn will take.

        other: the later turn of the same task if ``turn`` is its first, else its first.
        """
        means = self._means
        seen = len(self._taken.get(turn.turn_class, ()))
        if seen >= ENOUGH_TURNS:
            return means[turn.turn_class]
        factor = (self._total_taken + self._prior) / (self._allowed_of_taken + self._prior)
        guess = factor * turn.allowed
        if seen:
            return (means[turn.turn_class] + guess) / 2
        if other.turn_class in means:
            return means[other.turn_class] * turn.allowed / other.allowed
        return guess


def typical(seconds: Sequence[float]) -> float:
    """The mean of these times without those that something held up for long."""
    longest = OUTLIER * median(seconds)
    return fmean(taken for taken in seconds if taken <= longest)


class _TurnClass(NamedTuple):
    """Turns that take about equally long."""

    probe: str
    backend: str
    layer_type: str
    """Type of a layer; empty of all that is no layer."""
    is_point: bool
    """True of a point of a sweep and of a layer."""
    is_first: bool
    """True of the first turn of a task."""


class _Turn(NamedTuple):
    """What is known of a turn before it is had."""

    turn_class: _TurnClass
    """Which others take as long."""
    allowed: float
    """Seconds that it is expected to take by its stopping rule and its backend."""


class _Expected:
    """What is expected of one task, and what it has had."""

    def __init__(self, task: Task, rule: Rule) -> None:
        self.task = task
        self.turns_had = 0
        """How many turns it has had, those among them when it was asked again."""
        self.asked_again = 0
        """How many turns it has had since the rounds were over."""
        later_seconds = rule.warm_seconds + rule.budget_seconds + TURN_SECONDS
        extra_seconds = FIRST_SECONDS.get(task.case.backend, OTHER_FIRST_SECONDS)
        self.first = _Turn(_class_of(task, is_first=True), later_seconds + extra_seconds)
        """Its first turn."""
        self.later = _Turn(_class_of(task, is_first=False), later_seconds)
        """Any other of its turns."""


def _class_of(task: Task, is_first: bool) -> _TurnClass:
    """The class of a turn of this task."""
    case = task.case
    layer_type = case.dtype if task.row.quantity == LAYER else ""
    return _TurnClass(task.probe, case.backend, layer_type, is_point(case), is_first)
