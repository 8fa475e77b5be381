"""Time against loss: every recipe where it was measured and predicted, and what is chosen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from analysis.analyse import INCHES, model
from analysis.draw.plan.front import drawable, figure, loss_in_words, subtitle
from analysis.plan.front import Loss, Point
from analysis.plan.study import Study
from probes.records.precision import DEVIATION, Plan, Recipe
from tests.analysis.draw.plan.seeing import faults, lines, texts
from tests.analysis.plan_rows import SQNR_OF_PLANS, Made


@cache
def study(count: int, plans: int = len(SQNR_OF_PLANS), deviation: bool = False) -> Study:
    network = Made(count, plans)
    plan = model(network.run(), network.known(deviation)).plan
    assert plan and plan.study
    return plan.study


def drawn(plan: Plan, points: Sequence[Point]) -> Any:
    picture = figure(plan, points, "Made-up GPU", INCHES)
    picture.canvas.draw()
    return picture


def point(name: str, seconds: float, share: float, **known: Any) -> Point:
    recipe = Recipe(name=name, precisions={}, predicted_seconds=1.1 * seconds)
    loss = Loss(share=share, low=share - 0.002, high=share + 0.002, answers=100)
    return Point(recipe=recipe, seconds=seconds, test=loss, **known)


def plan_of(asked: float = 0.01, loss_of: str = "accuracy") -> Plan:
    return Plan(network="net", provider="cpu", loss_asked=asked, loss_of=loss_of, method="mse")


@pytest.mark.parametrize(
    ("count", "plans", "deviation"), [(54, 4, False), (54, 4, True), (4, 0, False)]
)
def test_each_recipe_stands_where_it_was_measured_and_no_word_covers_another(
    count: int, plans: int, deviation: bool
) -> None:
    known = study(count, plans, deviation)
    picture = drawn(known.plan, known.points)
    assert not faults(picture)
    for recipe in known.points:
        assert recipe.loss
        (measured,) = lines(picture, f"{recipe.name}/measured")
        assert measured.get_xydata().tolist() == [[recipe.seconds, recipe.loss.share]]
        (predicted,) = lines(picture, f"{recipe.name}/predicted")
        assert predicted.get_xdata()[0] == recipe.recipe.predicted_seconds
    named = set(texts(picture, "recipe"))
    assert {"FP32", "INT8", "FP16", "first and last in floats"} <= named
    assert len(named) == len(known.points)


def test_the_chosen_one_is_larger_than_all_others() -> None:
    known = study(54)
    picture = drawn(known.plan, known.points)
    sizes = {
        recipe.name: lines(picture, f"{recipe.name}/measured")[0].get_markersize()
        for recipe in known.points
    }
    assert max(sizes, key=lambda name: sizes[name]) == known.plan.chosen
    assert sorted(sizes.values())[-1] > sorted(sizes.values())[-2]


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.004, 0.3), (-0.02, 0.005), (0.0, 0.9)])
def test_zero_and_the_loss_asked_are_always_in_sight(shares: tuple[float, float]) -> None:
    first, second = shares
    picture = drawn(plan_of(), [point("fp32", 2e-3, first), point("int8", 1e-3, second)])
    low, high = picture.axes[0].get_ylim()
    assert low < 0 < 0.01 < high
    assert low < min(shares) and max(shares) < high
    (asked,) = lines(picture, "asked")
    assert set(asked.get_ydata()) == {0.01}
    assert "0 %" in [label.get_text() for label in picture.axes[0].get_yticklabels()]


def test_what_lies_beyond_the_loss_asked_is_shaded_and_named() -> None:
    picture = drawn(plan_of(), [point("fp32", 2e-3, 0.0), point("int8", 1e-3, 0.03)])
    (shade,) = [patch for patch in picture.axes[0].patches if patch.get_gid() == "beyond"]
    assert shade.get_extents().y0 == pytest.approx(
        picture.axes[0].transData.transform((0, 0.01))[1], abs=1
    )
    assert texts(picture, "beyond in words") == ["beyond the loss asked, 1 %"]


def test_the_front_is_a_stair_from_recipe_to_recipe() -> None:
    points = [
        point("plan 1", 1e-3, 0.02, on_front=True),
        point("plan 2", 2e-3, 0.01, on_front=True),
        point("int8", 1.5e-3, 0.03),
        point("fp32", 3e-3, 0.0, on_front=True),
    ]
    (stair,) = lines(drawn(plan_of(), points), "front")
    corners = stair.get_xydata().tolist()[:-1]
    assert corners == [[1e-3, 0.02], [2e-3, 0.02], [2e-3, 0.01], [3e-3, 0.01], [3e-3, 0.0]]


def test_a_deviation_is_predicted_too() -> None:
    recipe = Recipe(name="int8", precisions={}, predicted_seconds=1e-3, predicted_noise=4e-4)
    loss = Loss(share=0.03, low=0.03, high=0.03, answers=16)
    known = Point(recipe=recipe, seconds=1.2e-3, test=loss)
    (predicted,) = lines(drawn(plan_of(loss_of=DEVIATION), [known]), "int8/predicted")
    assert predicted.get_xydata()[0].tolist() == pytest.approx([1e-3, 0.02])


def test_what_was_not_run_is_hollow_or_named_below() -> None:
    untimed = dataclasses.replace(point("plan 1", 1e-3, 0.002), seconds=None)
    unknown = dataclasses.replace(point("int8", 1e-3, 0.0), test=None, reason="no kernel")
    points = [point("fp32", 2e-3, 0.0), untimed, unknown]
    picture = drawn(plan_of(), points)
    assert lines(picture, "plan 1/predicted") and not lines(picture, "plan 1/measured")
    assert "Not drawn: INT8 (no kernel)." in texts(picture, "note")


def test_a_prediction_that_is_no_time_is_not_drawn() -> None:
    for seconds in (math.nan, math.inf, -1.0, 0.0):
        recipe = Recipe(name="fp32", precisions={}, predicted_seconds=seconds)
        loss = Loss(share=0.0, low=0.0, high=0.0, answers=1)
        assert not drawable([Point(recipe=recipe, test=loss)])
        assert drawn(plan_of(), [Point(recipe=recipe, seconds=1e-3, test=loss)])


def test_the_line_under_the_title_says_what_is_chosen() -> None:
    chosen = point("plan 3", 1.5e-3, 0.0033, chosen=True)
    said = subtitle(plan_of(), [chosen])
    assert said == "Chosen: plan 3, 1.50 ms, loses 0.33 % (0.13 % to 0.53 %); asked: at most 1 %"
    assert "No recipe is chosen yet" in subtitle(plan_of(), [point("plan 3", 1e-3, 0.0)])


def test_losses_have_two_digits() -> None:
    said = {
        0.0: "0 %",
        0.00333: "0.33 %",
        -0.0068: "-0.68 %",
        0.0142: "1.4 %",
        0.163: "16 %",
        1.0: "100 %",
        0.00004: "0.004 %",
    }
    assert {share: loss_in_words(share) for share in said} == said


def test_every_recipe_is_named_though_intervals_of_few_answers_cross_the_picture() -> None:
    points = []
    for place in range(10):
        loss = Loss(share=0.0, low=-0.1, high=0.1, answers=40)
        recipe = Recipe(name=f"first and last in floats {place}", precisions={})
        seconds = 3e-3 * 1.05**place
        points.append(Point(recipe=recipe, seconds=seconds, test=loss, chosen=not place))
    picture = drawn(plan_of(), points)
    assert len(texts(picture, "recipe")) == len(points)
    assert not faults(picture)
