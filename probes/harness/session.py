"""All that a run measures, its rows on disk after each step: whatever ends it, what was measured
before stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from probes.harness import interrupts, sustained
from probes.harness.bench import GuardedBench
from probes.harness.load import Watch
from probes.harness.plan import rules
from probes.harness.rounds import Judge, turns
from probes.harness.rounds import run as run_tasks
from probes.harness.task import Task
from probes.harness.turn import told
from probes.records.measurement import OK, Measurement, Moment
from probes.records.run import COMPLETE, CURVE_FILE, Run, csv_text, now, replace_file


class Console(Protocol):
    """Who is told of what happens meanwhile."""

    def note(self, text: str) -> None:
        """One line."""

    def progress(self, total: int) -> AbstractContextManager[Any]:
        """Something whose ``step(row)`` is called after each of so many steps."""


def measure_all(
    run: Run,
    todo: Sequence[Task],
    bench: GuardedBench,
    folder: Path,
    sustained_seconds: float | None,
    judge: Judge,
    console: Console,
    watch: Watch,
) -> None:
    """Every case of the run, then the fastest path for so long if asked. Without a clock, the run
    stays partial.

    What else ran on the machine meanwhile, as ``watch`` tells it, is kept as
    ``run.load["during"]``. Raises OSError where rows cannot be written.
    """
    given = run.measurements
    run.measurements = [*given, *_rows(todo)]
    try:
        run.save(folder)
        started = not todo or _started(bench, run, todo, folder)
        if todo and started:
            company = watch.company if run.device.kind == "cpu" else _nobody
            _time_all(run, given, todo, bench, folder, judge, console, company)
            if sustained_seconds:
                _sustain_fastest(
                    run, _fastest(todo, judge), bench, sustained_seconds, folder, console
                )
        if started:
            run.measurements = judge(run.measurements)
            run.ended, run.status = now(), COMPLETE
    finally:
        bench.close()
        if todo:
            run.load["during"] = watch.lap().as_json()
    run.save(folder)


def _started(bench: GuardedBench, run: Run, todo: Sequence[Task], folder: Path) -> bool:
    """Whether the device works, with all kernels compiled; if not, the run says why it stays
    partial.
    """
    bench.take(run.device, todo)
    try:
        bench.prepare()
    except Exception as error:  # a driver may raise anything; what is there already is still drawn
        run.warnings.append(f"nothing could be timed: {told(error)}")
        run.save(folder)
        return False
    return True


def _nobody() -> float:
    """The share of a GPU that other processes of the host have."""
    return 0.0


def _time_all(
    run: Run,
    given: list[Measurement],
    todo: Sequence[Task],
    bench: GuardedBench,
    folder: Path,
    judge: Judge,
    console: Console,
    company: Callable[[], float],
) -> None:
    """Time the cases, their rows beside those given, saved after each step."""
    device, quick = run.device, run.settings["quick"]
    visits, rule_of = (
        run.settings["rounds"],
        rules(device.kind, (task.case for task in todo), quick),
    )
    with console.progress(sum(turns(task, visits) for task in todo)) as progress:
        for task in run_tasks(todo, bench, rule_of, visits, judge, company=company):
            interrupts.check()  # before what it may have spoilt is kept
            run.measurements = [*given, *_rows(todo)]
            run.save_rows(folder)
            progress.step(task.row)


def _rows(todo: Sequence[Task]) -> list[Measurement]:
    """All rows of these tasks."""
    return [row for task in todo for row in task.rows]


def _fastest(todo: Sequence[Task], judge: Judge) -> Task | None:
    """The fastest path that can be trusted; if there is none, as on a busy machine, the fastest
    that can be true.
    """
    verdicts = judge([task.row for task in todo])
    possible = [
        (task, verdict)
        for task, verdict in zip(todo, verdicts, strict=True)
        if verdict.status == OK
    ]
    trusted = [task for task, verdict in possible if verdict.trusted]
    return sustained.fastest(trusted) or sustained.fastest([task for task, _ in possible])


def _sustain_fastest(
    run: Run, task: Task | None, bench: GuardedBench, seconds: float, folder: Path, console: Console
) -> None:
    """Load this path for ``seconds`` and keep its curve and its steady end."""
    if task is None:
        console.note("nothing to sustain: no compute path was measured")
        return
    console.note(f"  {task.row.ceiling} for {seconds:g} s")
    try:
        moments = bench.sustain(task, seconds)
    except (
        Exception
    ) as error:  # a driver may raise anything; what was measured before is still drawn
        interrupts.check()
        console.note(f"  {task.row.ceiling} could not be sustained: {told(error)}")
        run.measurements.append(sustained.failed(task, told(error)))
        return
    interrupts.check()
    run.measurements.append(sustained.measurement(task, moments))
    replace_file(folder / CURVE_FILE, csv_text(moments, Moment))
