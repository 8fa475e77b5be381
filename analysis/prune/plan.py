"""From what pruning costs to a plan: networks to run, then the chosen one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from analysis.plan.borders import FP32
from analysis.plan.front import Point, front, is_as_trained, with_front
from analysis.plan.plan import loss_of
from analysis.sparsity.study import SparsityStudy
from probes.records.measurement import OK, Measurement, RidgelineError
from probes.records.patterns import TWO_OF_FOUR
from probes.records.precision import CHANNEL, ErrorRow, Plan, Recipe
from probes.records.pruning import Pruning

AS_TRAINED = FP32
"""Name of the recipe that changes nothing; the same as in a plan of precisions."""
MANY_ZEROS = "unstructured 90 %"
"""The pattern of most zeros: if dense kernels skipped any, they would skip these."""
TIMED = (TWO_OF_FOUR, MANY_ZEROS)
"""Patterns that are timed whatever they lose: they show what dense kernels make of zeros."""
NARROW = ("int8", "fp16")
"""The recipes of a plan that have every stage in one lower precision that can have it."""
MOST_WITHIN = 4
"""Patterns within the loss that are timed: no dense kernel tells them apart."""
MOST_COMBINED = 3
"""Pruned networks that are tried in lower precision, too."""


def proposed(
    known: Pruning,
    provider: str,
    loss_asked: float,
    of: Plan | None = None,
    smaller: Sequence[Recipe] = (),
) -> Plan:
    """The network as it was trained, with each pattern that some layer has, and with fewer
    channels.

    of: the plan of its precisions, if there is one: what these need is kept. smaller: recipes of
    fewer channels. Raises RidgelineError where nothing can be pruned.
    """
    names = dict.fromkeys(row.trial for row in known.patterns if row.status == OK)
    if not names and not smaller:
        raise RidgelineError(
            "nothing to prune: no layer has weights that a pattern of zeros fits, or channels that "
            "can be cut out"
        )
    recipes = [Recipe(name=AS_TRAINED, precisions={})]
    recipes += [Recipe(name=name, precisions={}, weights=name) for name in names]
    recipes += smaller
    return Plan(
        network=known.network,
        provider=provider,
        loss_asked=loss_asked,
        loss_of=of.loss_of if of else "",
        method=of.method if of else "",
        granularity=of.granularity if of else CHANNEL,
        ranges=of.ranges if of else {},
        recipes=recipes,
    )


def with_loss_of(plan: Plan, errors: Sequence[ErrorRow]) -> Plan:
    """The same plan that knows what a loss counts, as its errors show."""
    return replace(plan, loss_of=plan.loss_of or loss_of(errors))


def within(plan: Plan, errors: Sequence[ErrorRow]) -> list[Recipe]:
    """The pruned recipes that are within the loss on the ranking inputs."""
    points = front(plan, errors, ())
    return [
        point.recipe
        for point in points
        if point.recipe.weights and point.ranking and point.ranking.share <= plan.loss_asked
    ]


def worth_a_run(plan: Plan, errors: Sequence[ErrorRow]) -> list[Recipe]:
    """The recipes that are timed: as trained, those of TIMED, those of fewer channels, and some
    within the loss.

    Of these the last ones: patterns are listed from free to coarse, and with more zeros.
    """
    names = {AS_TRAINED, *TIMED}
    zeros = [recipe.name for recipe in within(plan, errors) if not recipe.channels]
    names.update(zeros[-MOST_WITHIN:])
    names.update(recipe.name for recipe in plan.recipes if recipe.channels)
    return [recipe for recipe in plan.recipes if recipe.name in names]


def worth_a_test(recipes: Sequence[Recipe], plan: Plan, errors: Sequence[ErrorRow]) -> list[Recipe]:
    """Of the recipes that are timed, those that are tested: fewer channels within the loss only."""
    able = {recipe.name for recipe in within(plan, errors)}
    return [recipe for recipe in recipes if not recipe.channels or recipe.name in able]


def combined(plan: Plan, errors: Sequence[ErrorRow], precision: Plan) -> list[Recipe]:
    """Recipes in lower precision, alone and of pruned networks: of 2:4, and of those within the
    loss.

    precision: the plan of precisions, once it has chosen.
    """
    narrow = [recipe for recipe in precision.recipes if _is_worth_combining(recipe, precision)]
    pruned = [recipe for recipe in plan.recipes if recipe.name == TWO_OF_FOUR]
    able = [recipe for recipe in within(plan, errors) if recipe not in pruned]
    able.sort(key=lambda recipe: not recipe.channels)  # fewer channels gain on any hardware
    pruned += able
    both = list(narrow)
    for weights in pruned[:MOST_COMBINED]:
        for recipe in narrow:
            name = f"{weights.name}, {recipe.name}"
            recipe_of_both = replace(
                weights,
                name=name,
                precisions=recipe.precisions,
                operations=None,
                predicted_seconds=None,
                predicted_noise=None,
            )
            both.append(recipe_of_both)
    return both


def _is_worth_combining(recipe: Recipe, precision: Plan) -> bool:
    """True for all in INT8 or FP16, and for the chosen recipe if it is in any lower precision."""
    return recipe.name in (*NARROW, precision.chosen) and not is_as_trained(recipe)


def all_points(
    plan: Plan, errors: Sequence[ErrorRow], rows: Sequence[Measurement], quantized: Iterable[Point]
) -> list[Point]:
    """Pruned networks and those in lower precision on one front; each name once.

    errors: of both. quantized: the recipes of the plan of precisions, none without it.
    """
    pruned = front(plan, errors, rows)
    names = {point.name for point in pruned}
    others = [replace(point, chosen=False) for point in quantized if point.name not in names]
    return with_front([*pruned, *others])


def with_predictions(points: Sequence[Point], study: SparsityStudy) -> list[Point]:
    """The same points with the time that is expected of pruned networks.

    Dense kernels multiply by zeros: they take as long as for all weights. Those of 2:4 would save
    what the roofs allow in layers where 2:4 pays.
    """
    unpruned = {
        _choices(point.recipe): point.seconds for point in points if not point.recipe.weights
    }
    predicted = []
    for point in points:
        seconds = unpruned.get(_choices(point.recipe))
        if not point.recipe.weights or point.recipe.channels or seconds is None:
            predicted.append(point)
            continue
        if point.recipe.weights == TWO_OF_FOUR:
            seconds = max(0.0, seconds - saved_seconds(study, point.recipe))
        recipe = replace(point.recipe, predicted_seconds=seconds)
        predicted.append(replace(point, recipe=recipe))
    return predicted


def _choices(recipe: Recipe) -> frozenset[tuple[str, str]]:
    """The stages that are not in FP32, each with its precision."""
    return frozenset(
        (stage, precision) for stage, precision in recipe.precisions.items() if precision != FP32
    )


def saved_seconds(study: SparsityStudy, recipe: Recipe) -> float:
    """What 2:4 could save in the layers where it pays, each in its precision by this recipe."""
    return sum(
        verdict.saved_seconds
        for verdict in study.verdicts
        if verdict.precision == recipe.precisions.get(verdict.row.layer, FP32)
    )


def chosen_of(points: Sequence[Point], loss_asked: float) -> str:
    """Name of the fastest network within the loss on both kinds of inputs.

    One whose weights were pruned must be faster than all others within the loss, beyond both
    intervals: zeros that gain nothing are left out.
    """
    able = [point for point in points if point.timed and _is_within(point, loss_asked)]
    whole = [point for point in able if not point.recipe.weights]
    fastest = min(whole, key=_seconds, default=None)
    for point in sorted(able, key=_seconds):
        if not point.recipe.weights:
            break
        if fastest is None or point.is_faster(fastest):
            return point.name
    return fastest.name if fastest else AS_TRAINED


def _seconds(point: Point) -> float:
    return point.seconds or 0.0


def _is_within(point: Point, loss_asked: float) -> bool:
    losses = [loss for loss in (point.ranking, point.test) if loss is not None]
    return bool(losses) and all(loss.share <= loss_asked for loss in losses)
