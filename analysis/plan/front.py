"""Time against loss: each recipe as predicted and as measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.plan.borders import FP32
from analysis.plan.recipes import is_simple
from analysis.plan.sensitivity import recipe_errors
from probes.records.layer import read_params
from probes.records.measurement import OK, Measurement
from probes.records.paired import difference, wilson
from probes.records.precision import ACCURACY, RANKING, TEST, TOP1, ErrorRow, Plan, Recipe
from probes.records.tag import RECIPE

NAME = "recipe"
"""In the params of a recipe's row: its name."""
NOT_TIMED = "it was not timed"
NO_ERROR = "its error was not found"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a recipe loses on some inputs, against FP32."""

    share: float
    """The loss: 0.01 is 1 %."""
    low: float
    """Lower end of its interval."""
    high: float
    """Upper end of its interval; a deviation has none, and both ends are the loss."""
    answers: int
    """Answers that it was counted on; inputs, where the network names no class."""
    sqnr_db: float | None = None
    """Signal-to-noise ratio at the network's outputs."""


NOTHING = Loss(share=0.0, low=0.0, high=0.0, answers=0)
"""What FP32 loses against itself."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One recipe: where it stands in time and in loss."""

    recipe: Recipe
    """Its precisions and predictions."""
    seconds: float | None = None
    """Measured time of one run; None where it was not timed."""
    low: float | None = None
    """Lower end of the time's interval."""
    high: float | None = None
    """Upper end of the time's interval."""
    trusted: bool = True
    """False where the time cannot be trusted."""
    ranking: Loss | None = None
    """On the inputs that rank; None where it was not found."""
    test: Loss | None = None
    """On the inputs that judge; None where it was not found."""
    on_front: bool = False
    """True if no other recipe is both faster and loses less."""
    within: bool = False
    """True if it is within the loss asked on the test inputs, or on the ranking ones where there
    is no test."""
    chosen: bool = False
    """True for the recipe that the plan chose."""
    reason: str = ""
    """Why it was not run, or cannot be judged."""

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.recipe.name

    @property
    def simple(self) -> bool:
        """True for a recipe that needs no solver."""
        return is_simple(self.name)

    @property
    def loss(self) -> Loss | None:
        """On the test inputs, else on the ranking ones."""
        return self.test or self.ranking

    @property
    def timed(self) -> bool:
        """True if it has a time that can be trusted."""
        return self.seconds is not None and self.trusted

    def is_faster(self, other: Point) -> bool:
        """True if it is faster than another beyond the intervals of both."""
        if not self.timed or not other.timed:
            return False
        longest = self.high if self.high is not None else self.seconds
        shortest = other.low if other.low is not None else other.seconds
        return longest is not None and shortest is not None and longest < shortest


def front(plan: Plan, errors: Sequence[ErrorRow], rows: Sequence[Measurement]) -> list[Point]:
    """All recipes of a plan, in its order, with what a run measured of them."""
    timed = _rows_by_recipe(plan, rows)
    points = []
    for recipe in plan.recipes:
        found = recipe_errors(errors, recipe.name, plan.method, plan.granularity)
        points.append(_point(plan, recipe, timed.get(recipe.name), found))
    return with_front(points)


def with_front(points: Sequence[Point]) -> list[Point]:
    """The same points, each told whether no other is both faster and loses less."""
    return [replace(point, on_front=_is_on_front(point, points)) for point in points]


def _rows_by_recipe(plan: Plan, rows: Sequence[Measurement]) -> dict[str, Measurement]:
    """The row of each recipe by its name: one that is ok and trusted before others.

    Of two such the later one speaks: it was timed beside all that it is held against.
    """
    by_name: dict[str, Measurement] = {}
    for row in rows:
        if row.sweep is not None or row.quantity != RECIPE:
            continue
        facts = row.facts
        if facts.provider != plan.provider or facts.network not in ("", plan.network):
            continue
        name = str(read_params(row.params).get(NAME) or "")
        known = by_name.get(name)
        if known is None or (row.status == OK, row.trusted) >= (known.status == OK, known.trusted):
            by_name[name] = row
    return by_name


def _point(
    plan: Plan, recipe: Recipe, row: Measurement | None, errors: Mapping[str, ErrorRow]
) -> Point:
    """One recipe with its time and its losses."""
    ranking = _loss(recipe, errors.get(RANKING))
    test = _loss(recipe, errors.get(TEST))
    judged = test or ranking
    point = Point(
        recipe=recipe,
        ranking=ranking,
        test=test,
        within=judged is not None and judged.share <= plan.loss_asked,
        chosen=recipe.name == plan.chosen,
        reason=_reason(row, judged, errors),
    )
    if row is None or row.status != OK or not row.seconds_median:
        return point
    return replace(
        point,
        seconds=row.seconds_median,
        low=row.seconds_low,
        high=row.seconds_high,
        trusted=row.trusted,
    )


def _reason(row: Measurement | None, judged: Loss | None, errors: Mapping[str, ErrorRow]) -> str:
    """Why a recipe has no time or no loss, or no time that can be trusted; empty if it has both."""
    reasons = []
    if row is None:
        reasons.append(NOT_TIMED)
    elif row.status != OK or not row.seconds_median:
        reasons.append(row.reason or NOT_TIMED)
    elif not row.trusted:
        reasons.append(row.doubt)
    if judged is None:
        unknown = [error.reason for error in errors.values() if error.reason]
        reasons.append(unknown[0] if unknown else NO_ERROR)
    return "; ".join(dict.fromkeys(reasons))


def is_as_trained(recipe: Recipe) -> bool:
    """True for the network as it was trained: all in FP32, with all of its weights."""
    return not recipe.weights and all(precision == FP32 for precision in recipe.precisions.values())


def _loss(recipe: Recipe, row: ErrorRow | None) -> Loss | None:
    """What a row says is lost, with its interval; nothing of the network as it was trained."""
    if is_as_trained(recipe):
        return replace(NOTHING, answers=_answers(row)) if row else NOTHING
    if row is None or row.loss is None:
        return None
    if row.loss_of == ACCURACY:
        gained, lost = row.gained or 0, row.lost or 0
        low, high = difference(row.right_in_fp32 or 0, gained, lost, row.labelled)
    elif row.loss_of == TOP1:
        low, high = wilson(row.answers - (row.same or 0), row.answers)
    else:
        low = high = row.loss
    return Loss(share=row.loss, low=low, high=high, answers=_answers(row), sqnr_db=row.sqnr_db)


def _answers(row: ErrorRow) -> int:
    """How many answers, or inputs, the loss is counted on."""
    return row.labelled or row.answers or row.inputs


def _is_on_front(point: Point, points: Sequence[Point]) -> bool:
    """True if no other timed recipe is as good in both and better in one."""
    if not point.timed or point.loss is None:
        return False
    ours = point.seconds or 0.0, point.loss.share
    for other in points:
        if not other.timed or other.loss is None:
            continue
        theirs = other.seconds or 0.0, other.loss.share
        is_as_good = theirs[0] <= ours[0] and theirs[1] <= ours[1]
        if is_as_good and theirs != ours:
            return False
    return True
