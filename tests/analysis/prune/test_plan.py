"""Which pruned networks are run, and which is chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.plan.front import Point
from analysis.prune.plan import (
    AS_TRAINED,
    all_points,
    chosen_of,
    combined,
    proposed,
    with_loss_of,
    with_predictions,
    within,
    worth_a_run,
)
from analysis.prune.words import missing, on_pruning
from probes.records.measurement import RidgelineError
from probes.records.precision import RANKING, ErrorRow, Plan, Recipe
from probes.records.pruning import Pruning
from tests.analysis.sparsity.rows import DEPTHWISE, LARGE, NETWORK, ROWS, US, other, point, study

FREE = other(LARGE, "unstructured", 0.5)
MANY = other(LARGE, "unstructured", 0.9)
KNOWN = Pruning(patterns=[*ROWS, FREE, MANY])


def error(recipe: str, lost: int) -> ErrorRow:
    """What a network loses of 1000 labelled answers."""
    return ErrorRow(
        schema_version=1,
        network=NETWORK,
        recipe=recipe,
        inputs_of=RANKING,
        inputs=1000,
        answers=1000,
        same=1000 - lost,
        labelled=1000,
        right_in_fp32=1000,
        gained=0,
        lost=lost,
        sqnr_db=20.0,
    )


ERRORS = [error("2:4", 25), error("unstructured 50 %", 8), error("unstructured 90 %", 900)]


def plan() -> Plan:
    return with_loss_of(proposed(KNOWN, "cuda", 0.01), ERRORS)


def test_the_network_as_trained_and_each_pattern_that_fits_are_proposed() -> None:
    names = [recipe.name for recipe in plan().recipes]
    assert names == [AS_TRAINED, "2:4", "unstructured 50 %", "unstructured 90 %"]
    assert plan().loss_of == "accuracy"
    with pytest.raises(RidgelineError, match="no layer"):
        proposed(Pruning(patterns=[DEPTHWISE]), "cuda", 0.01)


def test_what_is_within_the_loss_and_what_shows_something_is_run() -> None:
    assert [recipe.name for recipe in within(plan(), ERRORS)] == ["unstructured 50 %"]
    run = [recipe.name for recipe in worth_a_run(plan(), ERRORS)]
    assert run == [AS_TRAINED, "2:4", "unstructured 50 %", "unstructured 90 %"]
    careless = [error("2:4", 25), error("unstructured 50 %", 80)]
    run = [recipe.name for recipe in worth_a_run(plan(), careless)]
    assert "unstructured 50 %" not in run


def test_pruned_networks_are_tried_in_the_precisions_of_the_other_plan() -> None:
    precision = replace(
        plan(),
        recipes=[
            Recipe(name="fp32", precisions={}),
            Recipe(name="int8", precisions={"large": "int8"}),
            Recipe(name="plan 1", precisions={"large": "fp16"}),
            Recipe(name="plan 2", precisions={"large": "fp16"}),
        ],
        chosen="plan 1",
    )
    both = combined(plan(), ERRORS, precision)
    assert [recipe.name for recipe in both] == [
        "int8",
        "plan 1",
        "2:4, int8",
        "2:4, plan 1",
        "unstructured 50 %, int8",
        "unstructured 50 %, plan 1",
    ]
    assert both[3].weights == "2:4" and both[3].precisions == {"large": "fp16"}


FP32 = point("fp32", 0.0, 100 * US)


def test_zeros_that_gain_nothing_are_left_out() -> None:
    as_fast = point("2:4", 0.0, 99.5 * US, weights="2:4")
    assert chosen_of([FP32, as_fast], 0.01) == "fp32"
    faster = point("2:4", 0.0, 90 * US, weights="2:4")
    assert chosen_of([FP32, faster], 0.01) == "2:4"
    int8 = point("int8", 0.0, 50 * US, precisions={"a": "int8"})
    assert chosen_of([FP32, faster, int8], 0.01) == "int8"


def test_what_loses_too_much_or_was_disturbed_is_not_chosen() -> None:
    lossy = point("2:4", 0.02, 50 * US, weights="2:4")
    loud = replace(point("unstructured 50 %", 0.0, 50 * US, weights="x"), trusted=False)
    assert chosen_of([FP32, lossy, loud], 0.01) == "fp32"
    assert chosen_of([], 0.01) == AS_TRAINED


def test_predictions_of_dense_kernels_are_those_of_all_weights_and_two_of_four_saves() -> None:
    dense_fp16 = point("fp16", 0.0, 80 * US, precisions={"large": "fp16"})
    points = [
        FP32,
        dense_fp16,
        point("unstructured 50 %", 0.0, weights="unstructured 50 %"),
        point("2:4, fp16", 0.0, weights="2:4", precisions={"large": "fp16"}),
    ]
    *_, free, sparse = with_predictions(points, study())
    assert free.recipe.predicted_seconds == 100 * US
    assert sparse.recipe.predicted_seconds is not None
    assert sparse.recipe.predicted_seconds == pytest.approx(80 * US - 11.3 * US, rel=0.01)


def test_both_plans_stand_on_one_front_and_each_name_once() -> None:
    quantized: list[Point] = [replace(FP32, chosen=True), point("int8", 0.005, 50 * US)]
    points = all_points(plan(), ERRORS, (), quantized)
    names = [each.name for each in points]
    assert names.count("fp32") == 1 and "int8" in names and "2:4" in names


def test_the_choice_is_told_first() -> None:
    known = replace(KNOWN, errors=ERRORS, plan=replace(plan(), chosen="2:4"))
    pruned = point("2:4", 0.008, 60 * US, weights="2:4")
    (first, *_) = on_pruning(known, study(), [FP32, pruned])
    assert first.startswith("Prune to 2:4: 60.0 µs instead of 100 µs; it loses 0.8 % of accuracy")
    known = replace(known, plan=replace(plan(), chosen="fp32"))
    (first, *_) = on_pruning(known, study(), [FP32, pruned])
    assert "not faster beyond both intervals (2:4 takes 60 % of the time)" in first
    loud = replace(pruned, trusted=False)
    (first, *_) = on_pruning(known, study(), [FP32, loud])
    assert first == "Prune nothing: no time of what loses no more than 1.0 % can be trusted."
    lossy = point("2:4", 0.5, 60 * US, weights="2:4")
    (first, *_) = on_pruning(known, study(), [FP32, lossy])
    assert first == "Prune nothing before training again: all 1 tries lose over 1.0 %."


def test_what_is_missing_is_named() -> None:
    assert len(missing(Pruning())) == 3
    assert missing(replace(KNOWN, errors=ERRORS, plan=replace(plan(), chosen="2:4"))) == []
