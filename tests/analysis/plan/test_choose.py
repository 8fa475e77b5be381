"""The front, and the choice: within the loss on inputs that chose nothing, beyond intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from analysis.plan.choose import is_reached, rivals
from analysis.plan.front import NO_ERROR, Point, front
from analysis.plan.plan import decided
from probes.records.measurement import Measurement
from probes.records.paired import difference, wilson
from probes.records.precision import RANKING, TEST, ErrorRow, Plan, Recipe
from tests.analysis.plan import rows

MS = 1e-3


def plan_of(*names: str) -> Plan:
    """A plan with FP32, and recipes of these names; those with ``16`` in them are of floats."""
    recipes = [Recipe(name="fp32", precisions={})]
    for name in names:
        precision = "fp16" if "16" in name else "int8"
        recipes.append(Recipe(name=name, precisions={"conv": precision}))
    return Plan(
        network=rows.NETWORK,
        provider=rows.PROVIDER,
        loss_asked=0.01,
        loss_of="accuracy",
        method="entropy",
        recipes=recipes,
    )


def choice(
    plan: Plan, errors: Sequence[ErrorRow], times: Sequence[Measurement]
) -> tuple[str, int, bool]:
    """(chosen recipe, looks, whether calibration was enough)."""
    result = decided(plan, errors, times)
    points = front(result, errors, times)
    (chosen,) = (point for point in points if point.chosen)
    return result.chosen, result.looks, is_reached(chosen, points)


def point(points: Sequence[Point], name: str) -> Point:
    return next(one for one in points if one.name == name)


def test_the_fastest_within_the_loss_on_both_sets_is_chosen() -> None:
    plan = plan_of("int8", "plan 1", "plan 2")
    errors = [*rows.both("int8", 40, 40), *rows.both("plan 1", 1, 1), *rows.both("plan 2", 2, 3)]
    times = [
        rows.timed("fp32", 4 * MS),
        rows.timed("int8", 1 * MS),
        rows.timed("plan 1", 3 * MS),
        rows.timed("plan 2", 2 * MS),
    ]
    assert choice(plan, errors, times) == ("plan 2", 2, True)  # and int8, which is faster


def test_looks_at_the_test_inputs_are_counted() -> None:
    plan = plan_of("plan 1", "plan 2", "plan 3")
    errors = [*rows.both("plan 1", 0, 1), *rows.both("plan 2", 2, 9), *rows.both("plan 3", 3, 8)]
    times = [
        rows.timed("fp32", 4 * MS),
        rows.timed("plan 1", 3 * MS),
        rows.timed("plan 2", 2 * MS),
        rows.timed("plan 3", 1 * MS),
    ]
    assert choice(plan, errors, times) == ("plan 1", 3, True)


def test_where_all_integers_lose_too_much_it_is_fp32_and_calibration_was_not_enough() -> None:
    plan = plan_of("int8", "plan 1")
    errors = [*rows.both("int8", 40, 40), *rows.both("plan 1", 9, 9)]
    times = [rows.timed("fp32", 4 * MS), rows.timed("int8", 1 * MS), rows.timed("plan 1", 2 * MS)]
    assert choice(plan, errors, times) == ("fp32", 1, False)


def test_what_is_no_faster_beyond_the_intervals_is_not_chosen() -> None:
    plan = plan_of("int8")
    times = [rows.timed("fp32", 4 * MS), rows.timed("int8", 3.95 * MS)]
    chosen, _, reached = choice(plan, rows.both("int8", 0, 0), times)
    assert (chosen, reached) == ("fp32", True)


def test_floats_are_chosen_where_integers_are_no_faster_than_they() -> None:
    plan = plan_of("fp16", "int8")
    errors = [*rows.both("fp16", 0, 0), *rows.both("int8", 1, 1)]
    times = [rows.timed("fp32", 4 * MS), rows.timed("fp16", 2.01 * MS), rows.timed("int8", 2 * MS)]
    chosen, _, _ = choice(plan, errors, times)
    assert chosen == "fp16"


def test_a_recipe_of_ours_is_chosen_where_a_simple_one_is_no_faster() -> None:
    plan = plan_of("int8", "plan 1")
    errors = [*rows.both("int8", 1, 1), *rows.both("plan 1", 0, 1)]
    times = [rows.timed("fp32", 4 * MS), rows.timed("int8", 2 * MS)]
    as_fast = rows.timed("plan 1", 2.01 * MS)
    slower = rows.timed("plan 1", 2.1 * MS)
    assert choice(plan, errors, [*times, as_fast]) == ("plan 1", 2, True)
    assert choice(plan, errors, [*times, slower]) == ("int8", 1, True)


def test_a_recipe_of_ours_that_is_slower_by_its_median_is_not_chosen_for_wide_intervals() -> None:
    plan = plan_of("int8", "plan 1")
    errors = [*rows.both("int8", 1, 1), *rows.both("plan 1", 0, 1)]
    wide = {"seconds_low": 1.8 * MS, "seconds_high": 2.4 * MS}
    times = [rows.timed("fp32", 4 * MS), rows.timed("int8", 2 * MS, **wide)]
    assert choice(plan, errors, [*times, rows.timed("plan 1", 2.2 * MS, **wide)])[0] == "int8"


def test_a_recipe_that_was_timed_twice_has_its_later_time_unless_that_is_not_trusted() -> None:
    plan = plan_of("int8")
    first, again = rows.timed("int8", 2 * MS), rows.timed("int8", 1 * MS)
    doubtful = rows.timed("int8", 0.5 * MS, trusted=False, doubt="other load")
    points = {point.name: point for point in front(plan, [], [first, again, doubtful])}
    assert points["int8"].seconds == 1 * MS


def test_more_plans_are_timed_beside_fp32_and_the_fastest_within_the_loss() -> None:
    names = ["int8", *(f"plan {n}" for n in range(1, 6))]
    plan = plan_of(*names)
    errors = [*rows.both("int8", 40, 40)]
    times = [rows.timed("fp32", 9 * MS), rows.timed("int8", 1 * MS)]
    for n in range(1, 6):
        errors += rows.both(f"plan {n}", 0, 0)
        times.append(rows.timed(f"plan {n}", (9 - n) * MS))
    points = front(plan, errors, times)
    beside = [point.name for point in rivals(points, plan.loss_asked)]
    assert beside == ["fp32", "plan 5", "plan 4", "plan 3"]


def test_no_simple_recipe_within_the_loss_on_the_test_inputs_is_faster() -> None:
    plan = plan_of("int8", "plan 1")
    errors = [*rows.both("int8", 5, 2), *rows.both("plan 1", 0, 0)]
    times = [rows.timed("fp32", 4 * MS), rows.timed("int8", 1 * MS), rows.timed("plan 1", 2 * MS)]
    assert choice(plan, errors, times) == ("int8", 2, True)


def test_a_time_that_cannot_be_trusted_chooses_nothing() -> None:
    plan = plan_of("int8")
    doubted = rows.timed("int8", 1 * MS, trusted=False, doubt="disturbed")
    chosen, _, _ = choice(plan, rows.both("int8", 0, 0), [rows.timed("fp32", 4 * MS), doubted])
    assert chosen == "fp32"


def test_without_a_time_of_anything_it_is_fp32() -> None:
    assert choice(plan_of("int8"), [], []) == ("fp32", 0, True)


def test_the_loss_of_a_point_has_the_paired_interval() -> None:
    errors = [rows.recipe_error("int8", TEST, gained=2, lost=6)]
    found = point(front(plan_of("int8"), errors, []), "int8").test
    assert found is not None
    assert found.share == pytest.approx(0.01)
    assert (found.low, found.high) == difference(380, 2, 6, 400)
    assert found.answers == 400


def test_without_labels_the_loss_has_the_interval_of_a_share() -> None:
    labelled = rows.recipe_error("int8", TEST, lost=4)
    errors = [replace(labelled, labelled=0, right_in_fp32=None, gained=None, lost=None)]
    found = point(front(plan_of("int8"), errors, []), "int8").test
    assert found is not None
    assert (found.low, found.high) == wilson(4, 400)


def test_a_deviation_has_no_interval() -> None:
    row = rows.recipe_error("int8", TEST, sqnr_db=40.0)
    errors = [replace(row, labelled=0, answers=0, same=None)]
    found = point(front(plan_of("int8"), errors, []), "int8").test
    assert found is not None
    assert found.low == found.high == found.share == pytest.approx(0.01)


def test_fp32_loses_nothing_and_needs_no_row() -> None:
    fp32 = point(front(plan_of("int8"), [], []), "fp32")
    assert fp32.within and fp32.loss is not None and fp32.loss.share == 0


def test_a_recipe_that_did_not_run_says_why() -> None:
    skipped = front(plan_of("int8"), [], [rows.timed("int8", None)])
    assert point(skipped, "int8").reason == f"no kernel; {NO_ERROR}"


def test_the_front_holds_what_nothing_beats() -> None:
    plan = plan_of("int8", "plan 1", "plan 2")
    errors = [*rows.both("int8", 9, 9), *rows.both("plan 1", 1, 1), *rows.both("plan 2", 4, 4)]
    times = [
        rows.timed("fp32", 4 * MS),
        rows.timed("int8", 1 * MS),
        rows.timed("plan 1", 2 * MS),
        rows.timed("plan 2", 3 * MS),
    ]
    on_front = [point.name for point in front(plan, errors, times) if point.on_front]
    assert on_front == ["fp32", "int8", "plan 1"]


def test_errors_of_another_method_do_not_speak_where_those_of_the_plan_do() -> None:
    ours = rows.recipe_error("int8", RANKING, lost=2)
    others = rows.recipe_error("int8", RANKING, lost=50, method="minmax")
    found = point(front(plan_of("int8"), [ours, others], []), "int8").ranking
    assert found is not None and found.share == pytest.approx(2 / 400)
