"""The tables of a plan: ``plan.csv``, the stages on the page, and the recipes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.draw.plan.front import loss_in_words, name_of_recipe
from analysis.outcome import PlanOutcome
from analysis.plan.front import Point
from analysis.plan.verdict import LONGEST_NAME, StageVerdict
from analysis.tell.columns import PAGE, TERMINAL, Column, shown_in
from analysis.units import UNKNOWN, si
from probes.records.given import shortened
from probes.records.measurement import OK
from probes.records.precision import (
    MOST_DB,
    PLAN_SCHEMA,
    RANKING,
    ErrorRow,
    Precision,
    StageRow,
)

MOST_RECIPES = 10
"""Rows of the table on a terminal."""


@dataclass(frozen=True)
class StageOfPlan:
    """A row of ``plan.csv``: a verdict, and the network that its stage belongs to."""

    network: str
    """Name of the network."""
    verdict: StageVerdict
    """What was decided of the stage."""


def stages_of(plan: PlanOutcome) -> list[StageOfPlan]:
    """The rows of ``plan.csv``, in the network's order."""
    return [StageOfPlan(plan.network, verdict) for verdict in plan.verdicts]


def errors_alone(known: Precision) -> list[StageVerdict]:
    """What is known of each stage before there is a plan: its error, of the first narrow precision.

    Empty without errors.
    """
    errors: dict[str, ErrorRow] = {}
    for row in known.errors:
        is_of_stage = bool(row.stage) and row.inputs_of == RANKING and row.status == OK
        if is_of_stage and row.sqnr_db is not None:
            errors.setdefault(row.stage, row)
    if not errors:
        return []
    return [_error_alone(stage, errors.get(stage.stage)) for stage in known.stages]


def _error_alone(stage: StageRow, error: ErrorRow | None) -> StageVerdict:
    """A stage and its error; all else is not known yet."""
    name = shortened(stage.stage, LONGEST_NAME)
    if error is None:
        unknown = f"{name}: error not found yet"
        return StageVerdict(
            stage=stage.stage, title=name, op=stage.op, precision="", sentence=unknown
        )
    narrow = error.precision
    return StageVerdict(
        stage=stage.stage,
        title=name,
        op=stage.op,
        precision="",
        narrow=narrow,
        sqnr_db=error.sqnr_db,
        own_sqnr_db=error.own_sqnr_db,
        sentence=f"{name}: {decibels(error.sqnr_db)} in {narrow.upper()}",
    )


def decibels(ratio: float | None) -> str:
    """``31.4 dB``; ``no error`` where no number differs; a dash for None."""
    if ratio is None:
        return UNKNOWN
    return "no error" if ratio >= MOST_DB else f"{ratio:.1f} dB"


def precision_in_words(precision: str) -> str:
    """``INT8``; a dash where none is decided."""
    return precision.upper() or UNKNOWN


def _json(numbers: Mapping[str, float | None]) -> str:
    """Numbers by name as a JSON object; an empty text for none."""
    return json.dumps(dict(numbers)) if numbers else ""


def _fact(stored: str, **column: Any) -> Column[StageOfPlan]:
    """A column with the field of a verdict that has its name in the file."""
    return Column(stored=stored, computed=_of_verdict(stored), **column)


def _of_verdict(field: str) -> Callable[[StageOfPlan], Any]:
    """What takes this field of a row's verdict."""
    return lambda row: getattr(row.verdict, field)


def _seconds(stored: str, name: str) -> Column[StageOfPlan]:
    """A column of times on the page."""
    value = _of_verdict(stored)

    def in_words(row: StageOfPlan) -> str:
        seconds = value(row)
        return "0" if seconds == 0 else si(seconds, "s")

    return _fact(stored, name=name, text=in_words, unit=lambda row: "s", number=True, shown=(PAGE,))


def _precision(stored: str, name: str) -> Column[StageOfPlan]:
    """A column of precisions on the page."""
    value = _of_verdict(stored)
    return _fact(stored, name=name, text=lambda row: precision_in_words(value(row)), shown=(PAGE,))


def _decibels(stored: str, name: str) -> Column[StageOfPlan]:
    """A column of signal-to-noise ratios on the page."""
    value = _of_verdict(stored)
    return _fact(
        stored, name=name, text=lambda row: decibels(value(row)), number=True, shown=(PAGE,)
    )


def _why_in_words(row: StageOfPlan) -> str:
    """The sentence on a stage without its title, which stands beside it."""
    return row.verdict.sentence.removeprefix(f"{row.verdict.title}: ")


STAGE_COLUMNS: tuple[Column[StageOfPlan], ...] = (
    Column(stored="schema_version", computed=lambda row: PLAN_SCHEMA),
    Column(stored="network"),
    _fact("stage"),
    Column(name="stage", computed=lambda row: row.verdict.title, shown=(PAGE,)),
    _fact("op", name="op", shown=(PAGE,)),
    _precision("precision", "precision"),
    _precision("narrow", "looked at"),
    _decibels("sqnr_db", "SQNR of the answer"),
    _decibels("own_sqnr_db", "its own SQNR"),
    _seconds("gain_seconds", "gain"),
    _seconds("float_seconds", "time in floats"),
    _seconds("saved_seconds", "saved"),
    _seconds("border_seconds", "borders"),
    _fact("measured"),
    _fact("has_kernel"),
    Column(stored="seconds", computed=lambda row: _json(row.verdict.seconds)),
    Column(stored="floor_seconds", computed=lambda row: _json(row.verdict.floor_seconds)),
    _fact("why"),
    _fact("reason"),
    _fact("sentence", name="why", text=_why_in_words, shown=(PAGE,), least=30),
)
"""A column of a table of stages is one entry here, in the order of the file."""

FIRST_COLUMNS = ("stage", "precision", "why")
"""What people ask first of a stage; the other columns follow in the order of the file."""


def _first_ones_first(columns: Sequence[Column[StageOfPlan]]) -> list[Column[StageOfPlan]]:
    """The columns in the order of the page."""
    by_name = {column.name: column for column in columns}
    first = [by_name.pop(name) for name in FIRST_COLUMNS]
    return [*first, *by_name.values()]


STAGES_ON_PAGE = _first_ones_first(shown_in(PAGE, STAGE_COLUMNS))


def loss_cell(share: float | None) -> str:
    """A loss in a table, as a share; a dash where it is unknown."""
    return UNKNOWN if share is None else loss_in_words(share)


def _loss(point: Point) -> float | None:
    return point.loss.share if point.loss else None


def _interval_in_words(point: Point) -> str:
    """``-0.68 % to 1.4 %``; a dash where the loss has no interval."""
    loss = point.loss
    if loss is None or loss.low == loss.high:
        return UNKNOWN
    return f"{loss_in_words(loss.low)} to {loss_in_words(loss.high)}"


def _within_in_words(point: Point) -> str:
    """Whether it is within the loss asked; a dash where its loss is not known."""
    if point.loss is None:
        return UNKNOWN
    return "yes" if point.within else "no"


RECIPE_COLUMNS: tuple[Column[Point], ...] = (
    Column(
        name="recipe",
        computed=lambda point: point.name,
        text=lambda point: name_of_recipe(point.name),
        shown=(TERMINAL, PAGE),
        least=14,
    ),
    Column(
        name="time",
        computed=lambda point: point.seconds,
        unit=lambda point: "s",
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="predicted",
        computed=lambda point: point.recipe.predicted_seconds,
        unit=lambda point: "s",
        number=True,
        shown=(PAGE,),
    ),
    Column(
        name="loss",
        computed=_loss,
        text=lambda point: loss_cell(_loss(point)),
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="interval",
        computed=lambda point: point.loss.high if point.loss else None,
        text=_interval_in_words,
        number=True,
        shown=(TERMINAL, PAGE),
        may_go=1,
    ),
    Column(
        name="SQNR of the answer",
        computed=lambda point: point.loss.sqnr_db if point.loss else None,
        text=lambda point: decibels(point.loss.sqnr_db if point.loss else None),
        number=True,
        shown=(PAGE,),
    ),
    Column(
        name="within",
        computed=lambda point: point.within,
        text=_within_in_words,
        shown=(TERMINAL, PAGE),
        may_go=2,
    ),
    Column(
        name="on the front",
        computed=lambda point: point.on_front,
        text=lambda point: "yes" if point.on_front else "no",
        shown=(PAGE,),
    ),
    Column(
        name="chosen",
        computed=lambda point: point.chosen,
        text=lambda point: "chosen" if point.chosen else "",
        shown=(TERMINAL, PAGE),
        may_go=3,
    ),
    Column(name="remark", computed=lambda point: point.reason, shown=(PAGE,), least=20),
)
"""A column of the table of recipes is one entry here."""

RECIPES_ON_TERMINAL = shown_in(TERMINAL, RECIPE_COLUMNS)
RECIPES_ON_PAGE = shown_in(PAGE, RECIPE_COLUMNS)


def recipes_in_brief(points: Sequence[Point], most: int = MOST_RECIPES) -> list[Point]:
    """As many recipes as a terminal shows, the fastest first.

    The chosen one stays first, then those on the front, then those with a time.
    """

    def merit(point: Point) -> tuple[bool, bool, bool]:
        return not point.chosen, not point.on_front, point.seconds is None

    return fastest_first(sorted(points, key=merit)[:most])


def fastest_first(points: Sequence[Point]) -> list[Point]:
    """The recipes by their time; those without one come last, in their order."""
    return sorted(points, key=lambda point: (point.seconds is None, point.seconds or 0.0))
