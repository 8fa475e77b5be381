"""Ask the hardware: check each case's numbers and machine code, then time it in rounds. Rows come out.

A wrong answer, a crash of a kernel or a rate above the physical limit becomes a failed row; what cannot run here
becomes a skipped one. Nothing is timed before its numbers were checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

from kernels.base import KernelError, Launch, Unavailable, one_line
from kernels.nvrtc import processors
from probes.harness.beside import beside
from probes.harness.case import Case
from probes.harness.check import SOUND, Failure, audited, check
from probes.harness.plan import is_point
from probes.harness.records import FAILED, SKIPPED, Device, Measurement
from probes.harness.task import Task, no_room, row_of
from probes.harness.timing import Clock, Rule, calibrate, measure

Judge = Callable[[Measurement], str]
"""Says why a measurement cannot be true (``above the physical limit ...``), or nothing."""
Rules = Callable[[Case], Rule]
THREADS_EACH = 8  # of a processor, that prepare kernels: most wait for the disassembler, which reads for many at once


def run(todo: Sequence[Task], device: Device, clock: Clock, rules: Rules, rounds: int, judge: Judge) -> Iterator[Task]:
    """Measure all tasks, round after round, so that each case sees the machine at several moments.

    Points of sweeps and layers, which take longer to build than to measure, have their turn in the first round. Yields
    each task after its turn, its row up to date, for progress and for saving.
    """
    prepare(todo, device)
    for number in range(rounds):
        for task in todo:
            if task.open and number < turns(task, rounds):
                task.row = _step(task, device, clock, rules(task.case), judge)
                yield task
            elif not number:
                yield task


def turns(task: Task, rounds: int) -> int:
    """How often a task has its turn."""
    return 1 if is_point(task.case) or not task.open else rounds


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
    row = row_of(task)
    wrong = judge(row)
    return replace(row, status=FAILED, reason=wrong) if wrong else row


def told(error: Exception) -> str:
    """An error of a case in one line."""
    if isinstance(error, (Failure, KernelError, MemoryError)):
        return str(error) or "out of memory"
    return f"{type(error).__name__}: {one_line(error)}"


def _measure(task: Task, device: Device, clock: Clock, rule: Rule) -> None:
    case, first = task.case, not task.repeat
    verdict = SOUND
    if first and case.kernel.check_params:
        with _built(case, device, clock, case.kernel.check_params) as launch:
            verdict = check(case, launch)
    with _built(case, device, clock) as launch:
        if first:
            if not case.kernel.check_params:
                verdict = check(case, launch)
            task.audit = audited(launch, case, verdict)
            task.repeat = calibrate(launch, clock, rule.sample_seconds)
        with beside(case, device, clock, rule.sample_seconds, _built) as others:
            task.rounds.append(measure(launch, clock, rule, task.repeat, between=others.sample))
            task.beside = others.facts()


@contextmanager
def _built(case: Case, device: Device, clock: Clock, changed: Mapping[str, Any] | None = None) -> Iterator[Launch]:
    """The case's launch with some params changed; its buffers are given back whatever happens."""
    params = {**case.params, **(changed or {})}
    launch = case.kernel.backends[case.backend](device, case.dtype, params, clock.queue)
    try:
        yield launch
    finally:
        launch.close()
