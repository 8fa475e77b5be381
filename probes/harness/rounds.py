"""Give each task its turns, round after round. Rows come out.

A wrong answer or a crash of a kernel becomes a failed row; what cannot run here becomes a skipped
one. What cannot be true, or not be trusted, after its last round is asked again, for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from probes.harness.case import Case
from probes.harness.clocks.sampling import Rule
from probes.harness.plan import is_point
from probes.harness.task import Round, Task, row_of
from probes.harness.turn import Turn
from probes.records.measurement import OK, SKIPPED, Measurement

Judge = Callable[[Sequence[Measurement]], list[Measurement]]
"""Returns the same rows in their order, each with a verdict.

What cannot be true is failed, what cannot be trusted is marked, each with why.
"""
Rules = Callable[[Case], Rule]


class Bench(Protocol):
    """Where cases are built and timed: in this process, or in one of their own."""

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task. Raises nothing that is the case's fault."""


LOOK_SECONDS = 0.5
"""Between two looks at who else has the processors; the system counts their time in hundredths."""
MORE_ROUNDS = 2
"""Of what cannot be trusted, after the last round of all."""
MORE_TIME = 0.25
"""How long these may take, over the time of all rounds before."""


def take_turns(
    todo: Sequence[Task],
    bench: Bench,
    rules: Rules,
    rounds: int,
    judge: Judge,
    now: Callable[[], float] = time.perf_counter,
    company: Callable[[], float] = lambda: 0.0,
) -> Iterator[Task]:
    """Measure all tasks, round after round, so that each case sees the machine at several moments.

    Yields each task after its turn, with its new row, for progress and for saving. Points of sweeps
    and layers take longer to build than to measure: they have one turn, in the first round. No row
    is judged here for good, since one reading of a clock may be wrong that others put right:
    ``judge`` only says what is worth another round. now: seconds, of any origin. company(): the
    share of the processors' time that others had since it was last asked.
    """
    others = _Company(company, now)
    begin = now()
    for number in range(rounds):
        for task in todo:
            has_turn = task.open and number < turns(task, rounds)
            if has_turn:
                task.row = _row_after_turn(task, bench, rules(task.case))
                others.after(task)
            if has_turn or number == 0:
                yield task
    others.look()
    deadline = now() + MORE_TIME * (now() - begin)
    for _ in range(MORE_ROUNDS):
        for task in doubtful(todo, judge):
            if now() >= deadline:
                return
            task.row = _row_after_turn(task, bench, rules(task.case))
            others.after(task)
            yield task
        others.look()


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
    once = is_point(task.case) and not task.case.steady
    return 1 if once or not task.open else rounds


def _row_after_turn(task: Task, bench: Bench, rule: Rule) -> Measurement:
    """The row of a task after one more turn; nobody has judged it yet."""
    turn = bench.turn(task, rule)
    if turn.status == SKIPPED and task.rounds:
        return task.row  # what was measured in time is kept
    if turn.status != OK:
        return replace(task.row, status=turn.status, reason=turn.reason)
    turn.add_to(task)
    return row_of(task)
