"""All that a run measures, its rows on disk after each step: whatever ends it, what was measured before stays."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

from probes.harness import interrupts, sustained
from probes.harness.devices import nvml
from probes.harness.files import COMPLETE, CURVE_FILE, Run, csv_text, now, replace_file
from probes.harness.plan import rules
from probes.harness.records import Measurement, Moment
from probes.harness.run import Judge, told, turns
from probes.harness.run import run as run_tasks
from probes.harness.task import Task
from probes.harness.timing import Clock, clock_for


class Console(Protocol):
    """Who is told of what happens meanwhile."""

    def note(self, text: str) -> None:
        """One line."""

    def progress(self, total: int) -> AbstractContextManager[Any]:
        """Something whose ``step(row)`` is called after each of so many steps."""


def measure_all(
    run: Run, todo: Sequence[Task], folder: Path, sustained_seconds: float | None, judge: Judge, console: Console
) -> None:
    """Every case of the run, then the fastest path for so long if asked. Without a clock, the run stays partial.

    Raises OSError where rows cannot be written.
    """
    given = run.measurements
    run.measurements = [*given, *_rows(todo)]
    run.save(folder)
    if todo:
        try:
            clock = clock_for(run.device)
        except Exception as error:  # a driver may raise anything; what is there already is still drawn
            run.warnings.append(f"nothing could be timed: {told(error)}")
            run.save(folder)
            return
        _time_all(run, given, todo, clock, folder, judge, console)
        if sustained_seconds:
            _sustain_fastest(run, todo, clock, sustained_seconds, folder, console)
        with suppress(Exception):  # a kernel that broke the device broke its clock too, and has a row that says so
            clock.close()
    run.ended, run.status = now(), COMPLETE
    run.save(folder)


def _time_all(
    run: Run, given: list[Measurement], todo: Sequence[Task], clock: Clock, folder: Path, judge: Judge, console: Console
) -> None:
    """Time the cases, their rows beside those given, saved after each step."""
    device, quick = run.device, run.settings["quick"]
    visits, rule_of = run.settings["rounds"], rules(device.kind, (task.case for task in todo), quick)
    with console.progress(sum(turns(task, visits) for task in todo)) as progress:
        for task in run_tasks(todo, device, clock, rule_of, visits, judge):
            interrupts.check()  # before what it may have spoilt is kept
            run.measurements = [*given, *_rows(todo)]
            run.save_rows(folder)
            progress.step(task.row)


def _rows(todo: Sequence[Task]) -> list[Measurement]:
    """All rows of these tasks."""
    return [row for task in todo for row in task.rows]


def _sustain_fastest(
    run: Run, todo: Sequence[Task], clock: Clock, seconds: float, folder: Path, console: Console
) -> None:
    """Load the fastest dense compute path for ``seconds`` and keep its curve and its steady end."""
    task = sustained.fastest(todo)
    if task is None:
        console.note("nothing to sustain: no compute path was measured")
        return
    console.note(f"  {task.row.ceiling} for {seconds:g} s")
    try:
        moments = sustained.sustain(task, run.device, clock, seconds, nvml.Watch(run.device).read)
    except Exception as error:  # a driver may raise anything; what was measured before is still drawn
        interrupts.check()
        console.note(f"  {task.row.ceiling} could not be sustained: {told(error)}")
        run.measurements.append(sustained.failed(task, told(error)))
        return
    interrupts.check()
    run.measurements.append(sustained.measurement(task, moments))
    replace_file(folder / CURVE_FILE, csv_text(moments, Moment))
