"""What each stage alone in lower precision does to answers, and how ranges lost least."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from analysis.plan.borders import FP32
from probes.records.measurement import OK
from probes.records.precision import CHANNEL, RANKING, TEST, ErrorRow, StageRow, least_noisy

FIRST_METHOD = "minmax"
"""How ranges are calibrated where no error says which method loses least."""


def best_method(errors: Iterable[ErrorRow]) -> tuple[str, str]:
    """(method, granularity) by which all in INT8 has least noise; see ``least_noisy``.

    Where none could be run so they are those of most stages.
    """
    usable = [row for row in errors if row.status == OK and row.method]
    best = least_noisy(usable)
    if best is not None:
        return best.method, best.granularity or CHANNEL
    of_stages = Counter((row.method, row.granularity or CHANNEL) for row in usable if row.stage)
    if of_stages:
        (most, _), *_ = of_stages.most_common(1)
        return most
    return FIRST_METHOD, CHANNEL


def errors_of_stages(
    errors: Iterable[ErrorRow], method: str, granularity: str
) -> dict[tuple[str, str], ErrorRow]:
    """The error of each stage alone on the ranking inputs, by (stage, precision).

    Rows of the method and granularity asked speak before those of others.
    """
    by_stage: dict[tuple[str, str], ErrorRow] = {}
    for row in errors:
        is_of_stage = bool(row.stage) and not row.recipe and row.inputs_of == RANKING
        if not is_of_stage or row.status != OK or row.noise is None:
            continue
        key = row.stage, row.precision
        fits = row.method in ("", method) and (not row.method or row.granularity == granularity)
        if fits or key not in by_stage:
            by_stage[key] = row
    return by_stage


def noise_of(
    stage: StageRow, precision: str, errors: Mapping[tuple[str, str], ErrorRow]
) -> float | None:
    """The noise that a stage adds in a precision; None where that was not found."""
    if stage.passes or precision == FP32:
        return 0.0
    row = errors.get((stage.stage, precision))
    return row.noise if row else None


def recipe_errors(
    errors: Sequence[ErrorRow], recipe: str, method: str, granularity: str = CHANNEL
) -> dict[str, ErrorRow]:
    """The errors of a recipe by the inputs that they were found on: ``ranking`` or ``test``.

    Those of the plan's method speak before those of others; the later row before the earlier.
    """
    by_inputs: dict[str, ErrorRow] = {}
    for row in errors:
        if row.recipe != recipe or row.stage or row.inputs_of not in (RANKING, TEST):
            continue
        fits = row.method in ("", method) and (not row.method or row.granularity == granularity)
        if fits or row.inputs_of not in by_inputs:
            by_inputs[row.inputs_of] = row
    return by_inputs
