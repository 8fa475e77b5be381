"""Intervals that are too narrow make noise look like knowledge."""

from __future__ import annotations

import math
import random
from statistics import median

import pytest

from probes.harness.clocks.statistics import half_width, median_interval, rounds_interval


def test_no_interval_below_six_samples() -> None:
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert rounds_interval([[1, 2], [3, 4, 5]]) is None
    assert half_width([1, 2, 3]) == math.inf


# Ranks of the 95 % interval of a median, from published tables of the binomial distribution.
@pytest.mark.parametrize(
    ("n", "low", "high"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (12, 3, 10), (20, 6, 15), (25, 8, 18)]
)
def test_ranks_are_those_of_the_tables(n: int, low: int, high: int) -> None:
    assert median_interval(list(range(1, n + 1))[::-1]) == (low, high)


def test_ranks_continue_smoothly_into_the_approximation() -> None:
    for n in (200, 201, 1000):
        low, high = median_interval(range(n)) or (0, 0)
        assert high - low == pytest.approx(1.96 * math.sqrt(n), abs=3)


def test_interval_covers_the_true_median_as_often_as_it_says() -> None:
    dice = random.Random(1)
    hits = 0
    for _ in range(400):
        low, high = median_interval([dice.expovariate(1) for _ in range(15)]) or (0, 0)
        hits += low <= math.log(2) <= high
    assert hits >= 0.93 * 400


def test_rounds_that_disagree_widen_the_interval() -> None:
    rounds = [[1.0, 1.01, 1.02, 1.01], [2.0, 2.01, 2.02, 2.0], [1.5, 1.51, 1.5, 1.52]]
    everything = [v for r in rounds for v in r]
    low, high = rounds_interval(rounds) or (0, 0)
    assert low <= 1.02
    assert high >= 2.0
    assert low < median(everything) < high


def test_one_round_alone_uses_order_statistics() -> None:
    values = [float(v) for v in range(12)]
    assert rounds_interval([values, []]) == median_interval(values)


def covered(rounds: int, each: int, within: float, between: float, runs: int = 1000) -> float:
    """Share of made-up runs whose interval holds the true median, 10; deviations within and between
    rounds.
    """
    dice = random.Random(rounds * 100 + each)

    def one_round() -> list[float]:
        middle = dice.gauss(10, between)
        return [dice.gauss(middle, within) for _ in range(each)]

    found = [rounds_interval([one_round() for _ in range(rounds)]) or (0, 0) for _ in range(runs)]
    return sum(low <= 10 <= high for low, high in found) / runs


@pytest.mark.parametrize("each", [3, 6, 12, 20])
@pytest.mark.parametrize("rounds", [2, 3])
def test_rounds_that_differ_by_chance_are_covered_with_95_percent(rounds: int, each: int) -> None:
    assert covered(rounds, each, within=1, between=0) >= 0.94


@pytest.mark.parametrize(("rounds", "least"), [(2, 0.5), (3, 0.75)])
@pytest.mark.parametrize("within", [0.0, 0.5, 1.0])
def test_what_moves_whole_rounds_is_covered_as_often_as_the_docstring_says(
    rounds: int, least: float, within: float
) -> None:
    assert covered(rounds, 6, within, between=1) >= least - 0.03


def test_rounds_that_agree_by_chance_hide_no_noise() -> None:
    assert rounds_interval([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]) == (1.0, 3.0)


def test_a_round_of_few_samples_widens_the_interval_to_its_median() -> None:
    assert rounds_interval([[1.0] * 50, [2.0] * 3]) == (1.0, 2.0)
