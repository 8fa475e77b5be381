"""Factors of the parts of a network, by what wholes took."""

from __future__ import annotations

import pytest

from analysis.plan.scales import BORDERS, FEWEST_RECIPES, TimedParts, factors

TRUE_FACTORS = {"fp32": 0.9, "int8": 0.4, BORDERS: 3.0}
PARTS = (
    {"fp32": 20.0, BORDERS: 0.0},
    {"fp32": 1.0, "int8": 12.0, BORDERS: 0.5},
    {"fp32": 8.0, "int8": 6.0, BORDERS: 2.0},
    {"fp32": 4.0, "int8": 9.0, BORDERS: 1.0},
    {"fp32": 15.0, "int8": 2.0, BORDERS: 1.5},
)


def whole(parts: dict[str, float]) -> TimedParts:
    """A recipe that takes its parts times the true factors."""
    seconds = sum(TRUE_FACTORS[name] * part for name, part in parts.items())
    return TimedParts(parts, seconds)


def test_true_factors_are_come_by_again() -> None:
    solution = factors([whole(parts) for parts in PARTS])
    assert solution == pytest.approx(TRUE_FACTORS, rel=0.1)


def test_too_few_recipes_have_no_factors() -> None:
    assert factors([whole(parts) for parts in PARTS[: FEWEST_RECIPES - 1]]) == {}


def test_a_part_that_no_recipe_has_keeps_its_time() -> None:
    recipes = [whole({**parts, BORDERS: 0.0}) for parts in PARTS]
    assert factors(recipes)[BORDERS] == pytest.approx(1.0)


def test_parts_that_always_come_together_share_the_blame() -> None:
    recipes = [TimedParts({"int8": 1.0 * n, BORDERS: 1.0 * n}, 4.0 * n) for n in range(1, 6)]
    solution = factors(recipes)
    assert solution["int8"] == pytest.approx(2.0, rel=0.05)
    assert solution[BORDERS] == pytest.approx(2.0, rel=0.05)


def test_no_factor_is_beyond_what_can_be() -> None:
    recipes = [TimedParts({"fp32": 1.0}, 1000.0) for _ in range(5)]
    assert factors(recipes)["fp32"] <= 5.0
