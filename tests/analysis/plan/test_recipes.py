"""Which recipes are worth a run."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from analysis.plan.plan import propose, refine
from probes.records.measurement import RidgelineError
from probes.records.precision import Plan, Precision
from tests.analysis.plan import rows
from tests.analysis.plan.rows import US
from tests.devices import measurement

FP8_ROOF = measurement("compute/fp8/mma-fp32", 8e12)
EVERYTHING = dict.fromkeys(("conv", "pool", "depthwise", "fc"), "int8")


def proposed() -> Plan:
    timings = rows.timings([*rows.layers(), *rows.CONVERSIONS])
    return propose(rows.known(), timings, 0.01)


def test_the_simple_recipes_are_there_and_ours_from_the_most_careful_on() -> None:
    plan = proposed()
    names = [recipe.name for recipe in plan.recipes]
    assert names[:3] == ["fp32", "int8", "first and last in floats"]
    assert plan.recipe("fp32").precisions == {}
    assert plan.recipe("int8").precisions == EVERYTHING
    assert plan.recipe("first and last in floats").precisions == {
        "pool": "int8",
        "depthwise": "int8",
    }
    ours = [recipe for recipe in plan.recipes if recipe.name.startswith("plan ")]
    assert [recipe.name for recipe in ours] == [f"plan {n}" for n in range(1, len(ours) + 1)]
    noises = [recipe.predicted_noise or 0.0 for recipe in ours]
    assert ours and noises == sorted(noises)


def test_the_most_sensitive_stage_stays_in_floats_in_the_recipe_of_that_name() -> None:
    assert "depthwise" not in proposed().recipe("sensitive in floats").precisions


def test_the_time_of_a_recipe_is_that_of_stages_and_borders() -> None:
    plan = proposed()
    assert plan.recipe("fp32").predicted_seconds == pytest.approx((52 + 5 + 20 + 40) * US)
    # a Q of the input (2 µs at 1000 elements) and a DQ of the output (1 µs)
    stages = (21 + 2 + 20 + 10) * US
    assert plan.recipe("int8").predicted_seconds == pytest.approx(stages + 2 * US + 1 * US)
    noise = sum(10 ** (-decibels / 10) for decibels in rows.DECIBELS.values())
    assert plan.recipe("int8").predicted_noise == pytest.approx(noise)


def test_no_two_recipes_are_the_same() -> None:
    recipes = proposed().recipes
    assert len({json.dumps(recipe.precisions, sort_keys=True) for recipe in recipes}) == len(
        recipes
    )
    assert len({recipe.slug for recipe in recipes}) == len(recipes)


def test_a_plan_is_the_same_when_it_is_made_again() -> None:
    assert proposed() == proposed()


def test_ranges_are_those_of_most_inputs_in_the_form_of_the_provider() -> None:
    plan = proposed()
    assert (plan.method, plan.granularity) == ("entropy", "channel")
    assert plan.ranges == {"a": (0.0, 6.0)}


def test_the_method_of_least_noise_calibrates() -> None:
    worse = rows.recipe_error("int8", "ranking", lost=2, method="entropy", sqnr_db=20.0)
    better = rows.recipe_error("int8", "ranking", lost=4, method="minmax", sqnr_db=25.0)
    coarse = replace(better, granularity="tensor", method="mse", sqnr_db=26.0)
    known = rows.known([*rows.ERRORS, worse, better, coarse])
    plan = propose(known, rows.timings(rows.layers()), 0.01)
    assert plan.method == "minmax"
    assert plan.ranges == {"a": (0.0, 9.0)}
    assert plan.loss_of == "accuracy"


def test_a_stage_without_a_known_error_is_in_no_plan_of_ours() -> None:
    errors = [row for row in rows.ERRORS if row.stage != "fc"]
    plan = propose(rows.known(errors), rows.timings(rows.layers()), 0.01)
    ours = [recipe for recipe in plan.recipes if recipe.name.startswith("plan ")]
    assert ours and all("fc" not in recipe.precisions for recipe in ours)
    assert plan.recipe("int8").predicted_noise is None


def test_where_nothing_gains_nothing_is_ours() -> None:
    same = {name: dict.fromkeys(times, 10 * US) for name, times in rows.SECONDS.items()}
    plan = propose(rows.known(), rows.timings([*rows.layers(same), *rows.CONVERSIONS]), 0.01)
    assert not [recipe.name for recipe in plan.recipes if recipe.name.startswith("plan ")]


def test_a_precision_that_the_provider_never_ran_is_in_no_recipe() -> None:
    known = rows.known([*rows.ERRORS, rows.stage_error("fc", 60.0, "fp8")])
    known.stages = [replace(row, precisions='["fp32", "int8", "fp8"]') for row in known.stages]
    plan = propose(known, rows.timings([*rows.layers(), *rows.CONVERSIONS, FP8_ROOF]), 0.01)
    assert all("fp8" not in recipe.precisions.values() for recipe in plan.recipes)


def test_where_no_narrow_precision_was_timed_predictions_propose() -> None:
    known = rows.known([*rows.ERRORS, rows.stage_error("fc", 60.0, "fp8")])
    known.stages = [replace(row, precisions='["fp32", "int8", "fp8"]') for row in known.stages]
    in_fp32 = {name: {"fp32": times["fp32"]} for name, times in rows.SECONDS.items()}
    plan = propose(known, rows.timings([*rows.layers(in_fp32), FP8_ROOF]), 0.01)
    assert plan.recipe("fp8").precisions["fc"] == "fp8"


def test_a_plan_that_spares_too_little_to_be_timed_is_not_run() -> None:
    little = {name: {"fp32": 100 * US, "int8": 97.9 * US} for name in rows.SECONDS}
    little["conv"] = {"fp32": 100 * US, "int8": 20 * US}
    plan = propose(rows.known(), rows.timings([*rows.layers(little), *rows.CONVERSIONS]), 0.01)
    ours = [recipe for recipe in plan.recipes if recipe.name.startswith("plan ")]
    times = [recipe.predicted_seconds or 0.0 for recipe in (plan.recipe("fp32"), *ours)]
    assert ours and all(after <= 0.99 * before for before, after in itertools.pairwise(times))


def test_a_network_without_stages_has_no_plan() -> None:
    with pytest.raises(RidgelineError, match="no stage"):
        propose(Precision(), rows.timings([]), 0.01)


def refined(int8_lost: int, int8_seconds: float = 50 * US) -> Plan:
    """The plan after a first turn in which INT8 lost so many of 400 answers."""
    plan = proposed()
    errors = [*rows.ERRORS]
    times = []
    for recipe in plan.recipes:
        lost = int8_lost if recipe.name == "int8" else 0
        errors += rows.both(recipe.name, lost, lost)
        seconds = int8_seconds if recipe.name == "int8" else recipe.predicted_seconds
        times.append(rows.timed(recipe.name, seconds))
    timings = rows.timings([*rows.layers(), *rows.CONVERSIONS, *times])
    return refine(plan, rows.known(errors, plan), timings)


def test_a_second_turn_has_new_recipes_only_and_numbers_them_on() -> None:
    first = proposed()
    second = refined(int8_lost=0, int8_seconds=30 * US)
    assert second.recipes[: len(first.recipes)] == first.recipes
    added = second.recipes[len(first.recipes) :]
    last = sum(recipe.name.startswith("plan ") for recipe in first.recipes)
    assert [recipe.name for recipe in added] == [
        f"plan {last + n}" for n in range(1, len(added) + 1)
    ]
    tried = [recipe.precisions for recipe in first.recipes]
    assert all(recipe.precisions not in tried for recipe in added)


def test_the_factors_of_a_second_turn_bring_the_sum_of_parts_near_to_the_whole() -> None:
    plan = refined(int8_lost=0, int8_seconds=30 * US)
    assert plan.factors["fp32"] == pytest.approx(1.0, abs=0.1)
    assert plan.factors["int8"] < 0.8


def test_with_too_few_recipes_timed_nothing_follows() -> None:
    plan = proposed()
    timings = rows.timings([*rows.layers(), *rows.CONVERSIONS, rows.timed("fp32", 1e-4)])
    assert refine(plan, rows.known(plan=plan), timings) == plan


def test_more_noise_than_a_recipe_that_loses_too_much_is_not_tried() -> None:
    plan = refined(int8_lost=40)
    added = [recipe for recipe in plan.recipes if recipe not in proposed().recipes]
    worst = plan.recipe("int8").predicted_noise or 0.0
    assert all((recipe.predicted_noise or 0.0) < worst for recipe in added)
