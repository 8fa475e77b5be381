"""Ask the hardware: check each case's numbers and machine code, then time it in rounds. Rows come out.

A wrong answer, a crash of a kernel or a rate above the physical limit becomes a failed row; what cannot run here
becomes a skipped one. Nothing is timed before its numbers were checked. What cannot be trusted after its last round is
asked again, for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from kernels.base import KernelError, Launch, Unavailable, one_line
from kernels.nvrtc import processors
from probes.harness.beside import beside
from probes.harness.case import Case
from probes.harness.check import Failure, audited, check
from probes.harness.plan import is_point
from probes.harness.records import FAILED, OK, SKIPPED, Device, Measurement
from probes.harness.task import Round, Task, no_room, row_of
from probes.harness.timing import Clock, Rule, calibrate, measure

Judge = Callable[[Sequence[Measurement]], list[Measurement]]
"""The same rows, in their order: what cannot be true is failed, what cannot be trusted is marked, each with why."""
Rules = Callable[[Case], Rule]
LOOK_EVERY = 0.5  # seconds between two looks at who else has the processors: they are counted in hundredths
MORE_ROUNDS = 2  # of what cannot be trusted, after the last round of all
MORE_TIME = 0.25  # of the time of all rounds before, that these may take
THREADS_EACH = 8  # of a processor, that prepare kernels: most wait for the disassembler, which reads for many at once


def run(
    todo: Sequence[Task],
    device: Device,
    clock: Clock,
    rules: Rules,
    rounds: int,
    judge: Judge,
    now: Callable[[], float] = time.perf_counter,
    company: Callable[[], float] = lambda: 0.0,
) -> Iterator[Task]:
    """Measure all tasks, round after round, so that each case sees the machine at several moments.

    Points of sweeps and layers, which take longer to build than to measure, have one turn, in the first round. Yields
    each task after its turn, its row up to date, for progress and for saving. now: seconds, of any origin. company():
    the share of the processors' time that others had since it was last asked.
    """
    prepare(todo, device)
    others = _Company(company, judge, now)
    begin = now()
    for number in range(rounds):
        for task in todo:
            if task.open and number < turns(task, rounds):
                task.row = _step(task, device, clock, rules(task.case), judge)
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
            task.row = _step(task, device, clock, rules(task.case), judge)
            others.after(task)
            yield task
        others.look()


class _Company:
    """Tells the rounds of tasks who else had the processors meanwhile, some tasks at a time."""

    def __init__(self, share: Callable[[], float], judge: Judge, now: Callable[[], float]) -> None:
        """share(): the share of the processors' time that others had since it was last asked."""
        self._share, self._judge, self._now = share, judge, now
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
            (task.row,) = self._judge([row_of(task)])
        self._since.clear()
        self._looked = self._now()


def doubtful(todo: Sequence[Task], judge: Judge) -> list[Task]:
    """The tasks whose rows cannot be trusted, or that others contradict; those that roofs rest on come first."""
    verdicts = judge([task.row for task in todo])
    marked = [task for task, row in zip(todo, verdicts, strict=True) if row.status == OK and not row.trusted]
    return sorted(marked, key=lambda task: is_point(task.case))


def turns(task: Task, rounds: int) -> int:
    """How often a task has its turn. Steady points have as many as others: a neighbour may share a core for a while."""
    once = is_point(task.case) and not task.case.steady
    return 1 if once or not task.open else rounds


def prepare(todo: Iterable[Task], device: Device) -> None:
    """Compile what will run, on all processors at once. What fails here fails again, with its reason, in its turn.

    The first goes alone: what all share, such as the compilers of this machine, is found once, not by every thread.
    Then the last ones: kernels of tensor cores take longest, and nothing else would be left to do beside them.
    """

    asked = (task.case for task in todo if task.open and task.case.backend == "raw")
    ready = [(case, make) for case in asked if (make := case.kernel.prepare)]

    def one(pair: tuple[Case, Callable[..., None]]) -> None:
        case, make = pair
        with suppress(Exception):
            make(device, case.dtype, case.params)

    for first in ready[:1]:
        one(first)
    with ThreadPoolExecutor(THREADS_EACH * processors()) as pool:
        list(pool.map(one, ready[:0:-1]))


def _step(task: Task, device: Device, clock: Clock, rule: Rule, judge: Judge) -> Measurement:
    """One round of one task. Any error of the case is its row's reason, never the end of the run."""
    if reason := no_room(task, device):
        return task.row if task.rounds else replace(task.row, status=SKIPPED, reason=reason)
    try:
        _measure(task, device, clock, rule)
    except Unavailable as reason:
        return replace(task.row, status=SKIPPED, reason=str(reason))
    except Exception as error:  # a driver or compiler may raise anything; the other cases must still run
        return replace(task.row, status=FAILED, reason=told(error))
    (row,) = judge([row_of(task)])
    return row


def told(error: Exception) -> str:
    """An error of a case in one line."""
    if isinstance(error, (Failure, KernelError, MemoryError)):
        return str(error) or "out of memory"
    return f"{type(error).__name__}: {one_line(error)}"


def _measure(task: Task, device: Device, clock: Clock, rule: Rule) -> None:
    case, first = task.case, not task.repeat
    if first and case.kernel.check_params:
        with _built(case, device, clock, case.kernel.check_params) as launch:
            check(case, launch)
    with _built(case, device, clock) as launch:
        if first:
            if not case.kernel.check_params:
                check(case, launch)
            task.audit = audited(launch, case)
            task.repeat = calibrate(launch, clock, rule)
        with beside(case, device, clock, rule, _built) as others:
            samples = measure(launch, clock, rule, task.repeat, between=others.sample, steady=case.steady)
            # What is held against others beside it is held against their moments, not against those of another turn.
            earlier = [] if case.beside else task.rounds
            task.rounds = [*earlier, Round(samples)]
            task.beside, task.beside_doubt = others.facts(), others.doubt


@contextmanager
def _built(case: Case, device: Device, clock: Clock, changed: Mapping[str, Any] | None = None) -> Iterator[Launch]:
    """The case's launch with some params changed; its buffers are given back whatever happens."""
    params = {**case.params, **(changed or {})}
    launch = case.kernel.backends[case.backend](device, case.dtype, params, clock.queue)
    try:
        yield launch
    finally:
        launch.close()
