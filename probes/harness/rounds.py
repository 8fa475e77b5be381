"""Ask the hardware: give each case its turns, round after round. Rows come out.

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
"""The same rows, in their order: what cannot be true is failed, what cannot be trusted is marked,
each with why.
"""
Rules = Callable[[Case], Rule]


class Bench(Protocol):
    """Where cases are built and timed: in this process, or in one of their own."""

    def turn(self, task: Task, rule: Rule) -> Turn:
        """One turn of a task. Raises nothing that is the case's fault."""


# seconds between two looks at who else has the processors: they are counted in hundredths
LOOK_EVERY = 0.5
MORE_ROUNDS = 2  # of what cannot be trusted, after the last round of all
MORE_TIME = 0.25  # of the time of all rounds before, that these may take


def run(
    todo: Sequence[Task],
    bench: Bench,
    rules: Rules,
    rounds: int,
    judge: Judge,
    now: Callable[[], float] = time.perf_counter,
    company: Callable[[], float] = lambda: 0.0,
) -> Iterator[Task]:
    """Measure all tasks, round after round, so that each case sees the machine at several moments.

    Points of sweeps and layers, which take longer to build than to measure, have one turn, in the
    first round. Yields each task after its turn, its row up to date, for progress and for saving.
    No row is judged here for good, since one reading of a clock may be wrong that others put right:
    ``judge`` says what is worth another round. now: seconds, of any origin. company(): the share of
    the processors' time that others had since it was last asked.
    """
    others = _Company(company, now)
    begin = now()
    for number in range(rounds):
        for task in todo:
            if task.open and number < turns(task, rounds):
                task.row = _step(task, bench, rules(task.case))
                others.after(task)
                yield task
            elif not number:
                yield task
    others.look()
    deadline = now() + MORE_TIME * (now() - begin)
    for _ in range(MORE_ROUNDS):
        for task in doubtful(todo, judge):
            if now() >= deadline:
                return
            task.row = _step(task, bench, rules(task.case))
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
        if self._now() - self._looked >= LOOK_EVERY:
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
    """The tasks whose rows cannot be true, or not be trusted; those that roofs rest on come
    first.
    """
    timed = [task for task in todo if task.row.status == OK]
    verdicts = judge([task.row for task in timed])
    pairs = zip(timed, verdicts, strict=True)
    marked = [task for task, verdict in pairs if verdict.status != OK or not verdict.trusted]
    return sorted(marked, key=lambda task: is_point(task.case))


def turns(task: Task, rounds: int) -> int:
    """How often a task has its turn. Steady points have as many as others: a neighbour may share a
    core for a while.
    """
    once = is_point(task.case) and not task.case.steady
    return 1 if once or not task.open else rounds


def _step(task: Task, bench: Bench, rule: Rule) -> Measurement:
    """One turn of one task: its row after it, which nobody has judged yet."""
    turn = bench.turn(task, rule)
    if turn.status == SKIPPED and task.rounds:
        return task.row  # what was measured in time is kept
    if turn.status != OK:
        return replace(task.row, status=turn.status, reason=turn.reason)
    turn.note(task)
    return row_of(task)
