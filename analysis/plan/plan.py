"""From what was measured to a plan: recipes to run, then the chosen one, and what it says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from analysis.layers.placement import Placement
from analysis.plan.borders import FP32
from analysis.plan.choose import decide, rivals
from analysis.plan.costs import Timings, costs
from analysis.plan.front import front
from analysis.plan.recipes import Model, recipes, refined
from analysis.plan.scales import TimedParts, factors
from analysis.plan.sensitivity import best_method, errors_of_stages
from analysis.plan.study import Study
from analysis.plan.verdict import StageVerdict, verdict
from analysis.plan.words import on_stage
from probes.records.measurement import OK, Measurement, RidgelineError
from probes.records.precision import (
    ACCURACY,
    DEVIATION,
    TOP1,
    ErrorRow,
    Plan,
    Precision,
    RangeRow,
    Recipe,
)

ASYMMETRIC_PROVIDERS = ("cpu",)
"""Providers whose activations have a zero point (u8s8)."""


def propose(known: Precision, timings: Timings, loss_asked: float) -> Plan:
    """The recipes that are worth a run, with all that their making needs.

    Raises RidgelineError if there is no stage, or scipy is missing.
    """
    if not known.stages:
        raise RidgelineError("no plan: the network has no stage that can change its precision")
    method, granularity = best_method(known.errors)
    counted = loss_of(known.errors)
    model = _model(known, timings, method, granularity)
    return Plan(
        network=known.stages[0].network,
        provider=timings.provider,
        loss_asked=loss_asked,
        loss_of=counted,
        method=method,
        granularity=granularity,
        ranges=_ranges(known.ranges, method, timings.provider not in ASYMMETRIC_PROVIDERS),
        recipes=recipes(model, loss_asked, counted),
    )


def refine(plan: Plan, known: Precision, timings: Timings) -> Plan:
    """The same plan with more recipes of ours, by what those so far took and lost as wholes.

    Recipes that are not expected to be faster than the fastest within the loss are left out. Raises
    RidgelineError if scipy is missing.
    """
    alone = _model(known, timings, plan.method, plan.granularity)
    points = front(plan, known.errors, timings.rows)
    timed = []
    for point in points:
        parts = alone.parts(point.recipe.precisions)
        if point.timed and parts is not None:
            timed.append(TimedParts(parts, point.seconds or 0.0))
    of_whole = factors(timed)
    if not of_whole:
        return plan
    model = replace(alone, costs=alone.costs.in_a_whole(of_whole))
    losses = {point.name: point.ranking.share for point in points if point.ranking}
    times_within_loss = [
        point.seconds or math.inf
        for point in points
        if point.timed and losses.get(point.name, math.inf) <= plan.loss_asked
    ]
    fastest = min(times_within_loss, default=math.inf)
    added = refined(model, plan.recipes, losses, plan.loss_asked, fastest)
    return replace(plan, recipes=[*plan.recipes, *added], factors=of_whole)


def contenders(plan: Plan, errors: Sequence[ErrorRow], rows: Sequence[Measurement]) -> list[Recipe]:
    """The recipes that more plans are to be timed beside: FP32, and the best so far."""
    points = front(plan, errors, rows)
    return [point.recipe for point in rivals(points, plan.loss_asked)]


def decided(plan: Plan, errors: Sequence[ErrorRow], rows: Sequence[Measurement]) -> Plan:
    """The same plan with the recipe that is chosen, once they were run."""
    decision = decide(front(plan, errors, rows), plan.loss_asked)
    return replace(plan, chosen=decision.chosen, looks=decision.looks)


def study(known: Precision, timings: Timings) -> Study:
    """All that is known of a plan. Raises RidgelineError if there is none yet."""
    plan = known.plan
    if plan is None:
        raise RidgelineError("there is no plan yet")
    return Study(
        plan=plan,
        model=_model(known, timings, plan.method, plan.granularity, plan.factors),
        points=front(plan, known.errors, timings.rows),
        placements=_placements_in_fp32(known, timings),
    )


def verdicts(known: Study) -> list[StageVerdict]:
    """What the best recipe of a study decides of each stage, in the network's order."""
    every = [verdict(known, stage) for stage in known.model.stages]
    return [replace(decided_stage, sentence=on_stage(decided_stage)) for decided_stage in every]


def _model(
    known: Precision,
    timings: Timings,
    method: str,
    granularity: str,
    of_whole: Mapping[str, float] = MappingProxyType({}),
) -> Model:
    """Stages with their errors and their costs, alone or with the factors of a whole."""
    errors = errors_of_stages(known.errors, method, granularity)
    return Model(known.stages, costs(known.stages, timings).in_a_whole(of_whole), errors)


def loss_of(errors: Sequence[ErrorRow]) -> str:
    """What a loss counts, as far as errors show: labels, else classes, else deviation."""
    kinds_of_loss = {row.loss_of for row in errors if row.status == OK}
    for counted in (ACCURACY, TOP1):
        if counted in kinds_of_loss:
            return counted
    return DEVIATION


def _ranges(
    rows: Sequence[RangeRow], method: str, symmetric: bool
) -> dict[str, tuple[float, float]]:
    """The range of each activation by one method, from the row of most inputs that fits best."""
    best: dict[str, RangeRow] = {}
    for row in rows:
        if method not in row.threshold_of:
            continue
        known = best.get(row.tensor)
        if known is None or _fitness(row, symmetric) > _fitness(known, symmetric):
            best[row.tensor] = row
    return {tensor: row.threshold_of[method] for tensor, row in best.items()}


def _fitness(row: RangeRow, symmetric: bool) -> tuple[bool, bool, int]:
    """Of two rows of an activation the larger gives its range."""
    return row.symmetric == symmetric, bool(row.histogram), row.inputs


def _placements_in_fp32(known: Precision, timings: Timings) -> list[Placement]:
    """The main nodes of all stages in FP32 on the roofs, in the network's order."""
    placed = {
        placement.layer: placement
        for placement in timings.placements
        if placement.network == known.stages[0].network
        and placement.provider == timings.provider
        and placement.facts.precision == FP32
    }
    return [placed[stage.stage] for stage in known.stages if stage.stage in placed]
