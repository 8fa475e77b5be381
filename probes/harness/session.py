"""All that a run measures. Its rows are on disk after each turn: whatever ends it, they stay."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any, Protocol

from probes.harness import energy, interrupts, sustained
from probes.harness.bench import GuardedBench
from probes.harness.board import BoardWatch
from probes.harness.clocks import settling
from probes.harness.forecast import FINISH_SECONDS, Forecast, Progress
from probes.harness.load import Watch
from probes.harness.plan import rules
from probes.harness.rounds import USUAL, Judge, Patience, judged, spread_out, take_turns
from probes.harness.task import Task
from probes.harness.turn import in_one_line
from probes.records.measurement import OK, Measurement, Moment
from probes.records.run import COMPLETE, CURVE_FILE, Run, csv_text, now, replace_file


class Console(Protocol):
    """Who is told of what happens meanwhile."""

    def note(self, text: str) -> None:
        """Print one line."""

    def state(self, state: Mapping[str, Any]) -> None:
        """Print the state of a Jetson before the measurement."""

    def working(self, what: str) -> AbstractContextManager[None]:
        """Show that something goes on that has no steps, for as long as the context lasts."""

    def progress(self, expected: Progress) -> AbstractContextManager[Steps]:
        """Show the steps of a run; ``expected`` is where it stands before the first."""


class Steps(Protocol):
    """Takes each step of a run."""

    def step(self, row: Measurement, progress: Progress) -> None:
        """Show that a case has had a turn, and where the run stands now."""

    def waiting(self, what: str) -> None:
        """Show what goes on until the next step."""


MOST_COMPANY = 0.1
"""Share of the processors' time that others may have while their power is read."""


def measure(
    run: Run,
    todo: Sequence[Task],
    bench: GuardedBench,
    folder: Path,
    sustained_seconds: float | None,
    judge: Judge,
    console: Console,
    watch: Watch,
    rounds: int | None = None,
    patience: Patience = USUAL,
) -> None:
    """Measure every task of the run; then load its fastest path for so long, if asked.

    Where the device does not start, the run stays partial. What else ran on the machine meanwhile,
    as ``watch`` tells it, is kept as ``run.load["during"]``. rounds: turns of each task; None: as
    many as the run's settings say, and then the power of some is read, too. patience: how long
    turns may go on. Raises OSError where rows cannot be written.
    """
    imported = run.measurements
    run.measurements = [*imported, *_rows(todo)]
    board = BoardWatch(run.device)
    if todo:
        before = board.read()
        if before and "before" not in run.state:
            run.state["before"] = before
            console.state(before)
    try:
        run.save(folder)
        started = not todo or _started(bench, run, todo, folder, console)
        if todo and started:
            company = watch.company if run.device.kind == "cpu" else _nobody
            load_seconds = sustained_seconds or 0.0
            turns = rounds or run.settings["rounds"]
            telling = _sense(run, bench) if rounds is None else energy.Telling()
            if telling.source:
                load_seconds += energy.budget(run.settings["quick"])
            _time_and_save(
                run,
                imported,
                todo,
                turns,
                bench,
                folder,
                judge,
                console,
                company,
                load_seconds,
                board,
                patience,
            )
            if telling.source:
                _weigh(run, telling, imported, todo, bench, folder, judge, console, company, board)
            if sustained_seconds:
                fastest = _fastest(todo, judge)
                _sustain(run, fastest, bench, sustained_seconds, folder, console)
        if started:
            run.measurements = judge(run.measurements)
            run.ended, run.status = now(), COMPLETE
    finally:
        bench.close()
        if todo:
            run.load["during"] = watch.lap().as_json()
            _note_state(run, board, bench)
    run.save(folder)


def _started(
    bench: GuardedBench, run: Run, todo: Sequence[Task], folder: Path, console: Console
) -> bool:
    """True if the device works; else the run is told why not."""
    bench.take(run.device, todo)
    try:
        with console.working("starting the device"):
            bench.start()
    except Exception as error:  # a driver may raise anything; what is there is still drawn
        run.warnings.append(f"nothing could be timed: {in_one_line(error)}")
        run.save(folder)
        return False
    return True


def _nobody() -> float:
    """The share of a GPU that other processes of the host have, as far as can be told."""
    return 0.0


def _time_and_save(
    run: Run,
    imported: list[Measurement],
    todo: Sequence[Task],
    rounds: int,
    bench: GuardedBench,
    folder: Path,
    judge: Judge,
    console: Console,
    company: Callable[[], float],
    sustained_seconds: float,
    board: BoardWatch,
    patience: Patience,
) -> None:
    """Let all tasks take their turns, and save their rows beside those imported after each.

    The first result is shown before all kernels are compiled, which may take long. rounds: turns of
    each task.
    """
    cases = [task.case for task in todo]
    settings = run.settings
    rule_of = rules(run.device.kind, cases, settings["quick"], rounds, settings["full"])
    in_turn = spread_out(todo) if run.device.kind == "cpu" else todo
    is_prepared = run.device.kind == "cpu"
    forecast = Forecast(
        todo, rule_of, rounds, judge, time.perf_counter(), FINISH_SECONDS + sustained_seconds
    )
    with console.progress(forecast.progress()) as steps:
        steps_of_run = take_turns(
            in_turn, bench, rule_of, rounds, judge, company=company, patience=patience
        )
        for step in steps_of_run:
            interrupts.check()  # before what an interrupt may have spoilt is kept
            board.look()
            run.measurements = [*imported, *_rows(todo)]
            run.save_rows(folder)
            forecast.after(step, time.perf_counter())
            steps.step(step.task.row, forecast.progress())
            if step.timed and not is_prepared:
                is_prepared = True
                steps.waiting("compiling the other kernels")
                bench.prepare()
                forecast.skip_to(time.perf_counter())


def _sense(run: Run, bench: GuardedBench) -> energy.Telling:
    """What tells the power of the device; a run that has nothing such says why."""
    try:
        telling = bench.sense()
    except Exception as error:  # a driver may raise anything; what is there is still measured
        interrupts.check()
        telling = energy.Telling(why_unknown=in_one_line(error))
    run.power = telling.as_json()
    return telling


def _weigh(
    run: Run,
    telling: energy.Telling,
    imported: list[Measurement],
    todo: Sequence[Task],
    bench: GuardedBench,
    folder: Path,
    judge: Judge,
    console: Console,
    company: Callable[[], float],
    board: BoardWatch,
) -> None:
    """Read what the device draws under the loads worth most, for as long as a run gives them.

    A load that ends in an error has no power; its row, whose samples are good, stays as it is.
    """
    with suppress(Exception):  # it is then unknown
        run.power["idle_w"] = bench.idle()
    interrupts.check()
    trusted = [task for task, verdict in judged(todo, judge) if _is_good(verdict)]
    seconds = energy.budget(run.settings["quick"])
    chosen = energy.loads(trusted, seconds, telling.load_seconds)
    unknown = []
    with console.working(f"reading the power of {len(chosen)} loads"):
        for task in chosen:
            company()
            try:
                drawn = bench.load(task, telling.load_seconds)
            except Exception as error:
                drawn = energy.Energy(why_unknown=in_one_line(error))
            interrupts.check()
            board.look()
            share = company()
            if share > MOST_COMPANY:
                drawn = energy.Energy(why_unknown=f"others had {share:.0%} of the processors")
            task.row = drawn.of(task.row)
            if drawn.watts is None:
                unknown.append(f"{task.row.ceiling}: {drawn.why_unknown}")
            run.measurements = [*imported, *_rows(todo)]
            run.save_rows(folder)
    if unknown:
        run.power["unknown"] = unknown


def _is_good(verdict: Measurement) -> bool:
    """True if a row is ok and can be trusted."""
    return verdict.status == OK and verdict.trusted


def _note_state(run: Run, board: BoardWatch, bench: GuardedBench) -> None:
    """Keep what a Jetson's state was meanwhile, and what it is now."""
    facts = {
        "warm_up": settling.in_short(bench.warm_ups),
        "during": board.during(),
        "after": board.read(),
    }
    run.state.update({name: value for name, value in facts.items() if value})


def _rows(todo: Sequence[Task]) -> list[Measurement]:
    """All rows of these tasks."""
    return [row for task in todo for row in task.rows]


def _fastest(todo: Sequence[Task], judge: Judge) -> Task | None:
    """The fastest path that can be trusted.

    If there is none, as on a busy machine, it is the fastest that can be true.
    """
    possible = []
    trusted = []
    for task, verdict in judged(todo, judge):
        if verdict.status == OK:
            possible.append(task)
            if verdict.trusted:
                trusted.append(task)
    return sustained.fastest(trusted) or sustained.fastest(possible)


def _sustain(
    run: Run, task: Task | None, bench: GuardedBench, seconds: float, folder: Path, console: Console
) -> None:
    """Load this path for ``seconds`` and keep its curve and its steady end."""
    if task is None:
        console.note("nothing to sustain: no compute path was measured")
        return
    console.note(f"  {task.row.ceiling} for {seconds:g} s")
    try:
        moments = bench.sustain(task, seconds)
    except Exception as error:  # a driver may raise anything; what is there is still drawn
        interrupts.check()
        console.note(f"  {task.row.ceiling} could not be sustained: {in_one_line(error)}")
        run.measurements.append(sustained.failed(task, in_one_line(error)))
        return
    interrupts.check()
    run.measurements.append(sustained.measurement(task, moments))
    replace_file(folder / CURVE_FILE, csv_text(moments, Moment))
