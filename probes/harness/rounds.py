"""Give each task its turns, round after round. Rows come out.

A wrong answer or a crash of a kernel becomes a failed row; what cannot run here becomes a skipped
one. What cannot be true, or not be trusted, after its last round is asked again, for a while.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from probes.harness.case import Case
from probes.harness.clocks.sampling import Rule
from probes.harness.plan import TWIN, is_point
from probes.harness.task import Round, Task, row_of
from probes.harness.turn import Turn
from probes.records.measurement import OK, SKIPPED, Measurement
from probes.records.tag import LAYER

Judge = Callable[[Sequence[Measurement]], list[Measurement]]
"""Returns the same rows in their order, each with a verdict.

What cannot be true is failed, what cannot be trusted is marked, each with why.
"""
Rules = Callable[[Case], Rule]
"""Returns when to stop sampling a case."""


class Bench(Protocol):
    """Where cases are built and timed: in this process, or in one of their own."""

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task. Raises nothing that is the case's fault."""


LOOK_SECONDS = 0.5
"""Between two looks at who else has the processors; the system counts their time in hundredths."""
GOLDEN = (math.sqrt(5) - 1) / 2
"""Multiples of it, without their whole part, fill the unit interval evenly (Weyl)."""
MORE_ROUNDS = 2
"""Of what cannot be trusted, after the last round of all."""
MORE_TIME = 0.25
"""How long these may take, over the time of all rounds before."""


@dataclass(frozen=True)
class Patience:
    """How long a run goes on."""

    more_rounds: int = MORE_ROUNDS
    """Rounds of what cannot be trusted, after the last round of all."""
    more_time: float = MORE_TIME
    """How long these may take, over the time of all rounds before."""
    limit_seconds: float = math.inf
    """After so long no task has another turn, unless it has had none."""


USUAL = Patience()


@dataclass(frozen=True)
class Step:
    """What a run has just done."""

    task: Task
    """The task whose turn it was, with its new row."""
    round: int
    """The round, from 1; one more than there are for what is asked again."""
    timed: bool
    """False of a task that only said why it cannot run."""


def take_turns(
    todo: Sequence[Task],
    bench: Bench,
    rules: Rules,
    rounds: int,
    judge: Judge,
    now: Callable[[], float] = time.perf_counter,
    company: Callable[[], float] = lambda: 0.0,
    patience: Patience = USUAL,
) -> Iterator[Step]:
    """Measure all tasks, round after round, so that each case sees the machine at several moments.

    Yields a step after each turn, for progress and for saving. Points of sweeps and layers take
    longer to build than to measure: they have one turn, in the first round. No row is judged here
    for good, since one reading of a clock may be wrong that others put right: ``judge`` only says
    what is worth another round. now: seconds, of any origin.
    company(): the share of the processors' time that others had since it was last asked.
    """
    others = _Company(company, now)
    begin = now()
    limit = begin + patience.limit_seconds
    for number in range(rounds):
        for task in todo:
            has_turn = task.open and number < turns(task, rounds)
            has_turn = has_turn and (number == 0 or now() < limit)
            if has_turn:
                task.row = _row_after_turn(task, bench, rules(task.case))
                others.after(task)
            if has_turn or number == 0:
                yield Step(task, number + 1, has_turn)
    others.look()
    deadline = min(limit, now() + patience.more_time * (now() - begin))
    for _ in range(patience.more_rounds):
        for task in doubtful(todo, judge):
            if now() >= deadline:
                return
            task.row = _row_after_turn(task, bench, rules(task.case))
            others.after(task)
            yield Step(task, rounds + 1, timed=True)
        others.look()


def spread_out(todo: Iterable[Task]) -> list[Task]:
    """The tasks in an order in which those of each probe are spread evenly over the whole.

    So no probe sees only one moment of the machine, and a part of a round tells how long the rest
    will take. It is no order for a GPU, whose clock stays lower for a while after a heavy load. The
    first of each probe come first. Those that compile for long are spread apart from
    the others of their probe, and the sizes of a sweep alternate. Layers keep their order: a model
    is kept from one to the next.
    """
    by_probe: dict[tuple[str, bool], list[Task]] = {}
    for task in todo:
        is_twin = task.case.backend == TWIN
        by_probe.setdefault((task.probe, is_twin), []).append(task)
    placed = []
    for order, tasks in enumerate(by_probe.values()):
        are_layers = any(task.row.quantity == LAYER for task in tasks)
        in_turn = tasks if are_layers else scattered(tasks)
        for place, task in enumerate(in_turn):
            placed.append((place / len(tasks), order, task))
    placed.sort(key=lambda entry: entry[:2])
    return [task for _, _, task in placed]


def scattered(tasks: Sequence[Task]) -> list[Task]:
    """The same tasks, the first first, so that any stretch of the list holds some of every part."""
    places = sorted(range(len(tasks)), key=lambda place: place * GOLDEN % 1)
    return [tasks[place] for place in places]


class _Company:
    """Tells the rounds of tasks who else had the processors meanwhile, some tasks at a time."""

    def __init__(self, share: Callable[[], float], now: Callable[[], float]) -> None:
        """share(): the share of the processors' time that others had since it was last asked."""
        self._share, self._now = share, now
        self._since: list[tuple[Task, Round]] = []
        self._looked = now()
        share()

    def after(self, task: Task) -> None:
        """A task has had a turn; look if the last look is long enough ago to tell anything."""
        if task.rounds and task.open:
            self._since.append((task, task.rounds[-1]))
        if self._now() - self._looked >= LOOK_SECONDS:
            self.look()

    def look(self) -> None:
        """Tell the tasks since the last look, and make their rows anew."""
        share = self._share()
        for task, part in self._since:
            part.company = share
            task.row = row_of(task)
        self._since.clear()
        self._looked = self._now()


def doubtful(todo: Sequence[Task], judge: Judge) -> list[Task]:
    """The tasks whose rows cannot be true, or not be trusted; those that roofs rest on go first."""
    timed = [task for task in todo if task.row.status == OK]
    marked = []
    for task, verdict in judged(timed, judge):
        if verdict.status != OK or not verdict.trusted:
            marked.append(task)
    return sorted(marked, key=lambda task: is_point(task.case))


def judged(todo: Sequence[Task], judge: Judge) -> list[tuple[Task, Measurement]]:
    """Each task with its row as it stands after judgement; the tasks stay as they are."""
    verdicts = judge([task.row for task in todo])
    return list(zip(todo, verdicts, strict=True))


def turns(task: Task, rounds: int) -> int:
    """How many turns a task has in so many rounds.

    A point has one, unless it is steady: a neighbour may share its core for a while.
    """
    is_built_once = is_point(task.case) and not task.case.steady
    if is_built_once or not task.open:
        return 1
    return rounds


def _row_after_turn(task: Task, bench: Bench, rule: Rule) -> Measurement:
    """The row of a task after one more turn; nobody has judged it yet."""
    turn = bench.turn(task, rule)
    if turn.status == SKIPPED and task.rounds:
        return task.row  # what was measured in time is kept
    if turn.status != OK:
        return replace(task.row, status=turn.status, reason=turn.reason)
    turn.add_to(task)
    return row_of(task)
