"""All that is found of a network in lower precision. It is on disk after each step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from kernels.base import Unavailable
from probes.accuracy.ahead import made_ahead
from probes.accuracy.stage_errors import expected_seconds, stage_errors
from probes.accuracy.study import Runnable, Study
from probes.harness import interrupts
from probes.records.precision import (
    ERRORS_FILE,
    RANGES_FILE,
    RANKING,
    STAGES_FILE,
    TEST,
    ErrorRow,
    Plan,
    Precision,
    RangeRow,
    Recipe,
    StageRow,
)
from probes.records.run import csv_text, replace_file


class Console(Protocol):
    """Who is told of what happens meanwhile."""

    def note(self, text: str) -> None:
        """Print one line."""

    def counting(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """Show how many equal steps of ``what`` are done: call what it gives with (done, total)."""


def measure_stages(
    study: Study, precisions: Iterable[str], folder: Path, console: Console
) -> Precision:
    """Find ranges, the best calibration method, and the error of each stage alone.

    Raises OSError where files cannot be written.
    """
    known = Precision(stages=study.stage_rows())
    _save(folder / STAGES_FILE, known.stages, StageRow)
    for fact in study.split.facts:
        console.note(f"  {fact}")
    with console.counting("ranges of activations") as count:
        known.ranges = study.range_rows(steps(count))
    _save(folder / RANGES_FILE, known.ranges, RangeRow)
    with console.counting("INT8 by each way to calibrate") as count:
        for row in study.method_rows(known.ranges, steps(count)):
            known.errors.append(row)
            _save(folder / ERRORS_FILE, known.errors, ErrorRow)
    asked = [precision for precision in precisions if _is_there(study, precision)]
    seconds = expected_seconds(study, asked)
    inputs = len(study.split.stages) * study.inputs.rows_each
    console.note(f"  errors of each stage alone, on {inputs} inputs: about {seconds:.0f} s")
    method, ranges = study.best(known.errors, known.ranges)
    with console.counting("errors of stages") as count:
        for row in stage_errors(study, asked, method, ranges, on_step=steps(count)):
            known.errors.append(row)
            _save(folder / ERRORS_FILE, known.errors, ErrorRow)
    return known


def _is_there(study: Study, precision: str) -> bool:
    """True if some stage can have this precision."""
    return any(precision in stage.precisions for stage in study.stages)


def steps(count: Callable[[int, int], None]) -> Callable[[int, int, str], None]:
    """Takes the steps of a study, and lets an interrupt in between them."""

    def step(done: int, total: int, what: str) -> None:
        interrupts.check()
        count(done, total)

    return step


def measure_recipes(
    study: Study,
    known: Precision,
    plan: Plan,
    recipes: Sequence[Recipe],
    model_of: Callable[[Recipe], Any],
    folder: Path,
    console: Console,
) -> None:
    """Find the error of these recipes, on the inputs that rank and on those that test.

    model_of: makes the ModelProto of a recipe, or raises Unavailable. Raises OSError.
    """
    whichs = RANKING, TEST
    with console.counting("errors of recipes, by input") as count:
        for row in recipe_rows(
            study, plan, recipes, whichs, model_of, lambda _: plan.method, count
        ):
            known.errors.append(row)
            _save(folder / ERRORS_FILE, known.errors, ErrorRow)


def recipe_rows(
    study: Study,
    plan: Plan,
    recipes: Sequence[Recipe],
    whichs: Sequence[str],
    model_of: Callable[[Recipe], Any],
    method_of: Callable[[Recipe], str],
    count: Callable[[int, int], None],
) -> Iterator[ErrorRow]:
    """A row of each recipe on each of these sets of inputs; an interrupt comes between two inputs.

    whichs: ``ranking``, ``test``. model_of: makes the ModelProto of a recipe, or raises
    Unavailable. method_of: how its ranges were calibrated. count: told how many inputs are done, of
    how many.
    """
    inputs_of = {which: len(study.split.of(which)) for which in whichs}
    total = len(recipes) * sum(inputs_of.values())
    finished = 0

    def step(done: int, _: int, __: str) -> None:
        interrupts.check()
        count(finished + done, total)

    def runnable(recipe: Recipe) -> Runnable:
        return study.runnable(model_of(recipe))

    for recipe, made in made_ahead(runnable, recipes):
        reason = ""
        network = None
        try:
            network = made()
        except Unavailable as error:
            reason = str(error)
        method = method_of(recipe)
        for which, inputs in inputs_of.items():
            yield study.recipe_row(
                recipe.name, network, which, method, plan.granularity, step, reason
            )
            finished += inputs
            step(0, total, "")


def _save(path: Path, rows: Sequence[Any], row_type: type) -> None:
    """Write the rows so far, if there are any. Raises OSError."""
    if rows:
        replace_file(path, csv_text(rows, row_type))
