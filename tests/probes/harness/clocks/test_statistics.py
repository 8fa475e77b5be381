"""Intervals that are too narrow make noise look like knowledge."""

from __future__ import annotations

import math
import random
from itertools import chain
from statistics import median

import pytest

from probes.harness.clocks.statistics import half_width, median_interval, rounds_interval


def test_fewer_than_six_samples_have_no_interval() -> None:
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert rounds_interval([[1, 2], [3, 4, 5]]) is None
    assert half_width([1, 2, 3]) == math.inf


# Ranks of the 95 % interval of a median, from published tables of the binomial distribution.
@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(6, 1, 6), (8, 1, 8), (9, 2, 8), (12, 3, 10), (20, 6, 15), (25, 8, 18)],
)
def test_ranks_are_those_of_the_tables(count: int, low: int, high: int) -> None:
    ranks_from_last_to_first = list(range(count, 0, -1))
    assert median_interval(ranks_from_last_to_first) == (low, high)


def test_ranks_continue_smoothly_into_the_approximation() -> None:
    for count in (200, 201, 1000):
        low, high = median_interval(range(count)) or (0, 0)
        # 1.96 standard deviations of the normal distribution to both sides are 95 %; the one of a
        # median's rank is half the root of the count.
        assert high - low == pytest.approx(1.96 * math.sqrt(count), abs=3)


def test_an_interval_covers_the_true_median_as_often_as_it_says() -> None:
    dice = random.Random(1)
    true_median = math.log(2)  # of the exponential distribution of rate 1
    runs = 400
    hits = 0
    for _ in range(runs):
        low, high = median_interval([dice.expovariate(1) for _ in range(15)]) or (0, 0)
        hits += low <= true_median <= high
    assert hits >= 0.93 * runs  # of 95 %: some fewer by chance


def test_rounds_that_disagree_widen_the_interval() -> None:
    rounds = [[1.0, 1.01, 1.02, 1.01], [2.0, 2.01, 2.02, 2.0], [1.5, 1.51, 1.5, 1.52]]
    low, high = rounds_interval(rounds) or (0, 0)
    assert low <= 1.02
    assert high >= 2.0
    assert low < median(chain.from_iterable(rounds)) < high


def test_the_interval_of_a_single_round_is_that_of_its_samples() -> None:
    values = [float(value) for value in range(12)]
    assert rounds_interval([values, []]) == median_interval(values)


def coverage(rounds: int, samples: int, within: float, between: float) -> float:
    """Share of made-up runs whose interval holds the true median.

    A run has so many rounds of so many samples. ``within``: the standard deviation of the samples
    of a round; ``between``: that of the rounds.
    """
    dice = random.Random(rounds * 100 + samples)
    true_median = 10
    runs = 1000

    def made_up_round() -> list[float]:
        middle = dice.gauss(true_median, between)
        return [dice.gauss(middle, within) for _ in range(samples)]

    hits = 0
    for _ in range(runs):
        low, high = rounds_interval([made_up_round() for _ in range(rounds)]) or (0, 0)
        hits += low <= true_median <= high
    return hits / runs


@pytest.mark.parametrize("samples", [3, 6, 12, 20])
@pytest.mark.parametrize("rounds", [2, 3])
def test_rounds_that_differ_by_chance_are_covered_with_95_percent(
    rounds: int, samples: int
) -> None:
    assert coverage(rounds, samples, within=1, between=0) >= 0.94


@pytest.mark.parametrize(("rounds", "least"), [(2, 0.5), (3, 0.75), (6, 0.95), (9, 0.95)])
@pytest.mark.parametrize("within", [0.0, 0.5, 1.0])
def test_what_moves_whole_rounds_is_covered_as_often_as_the_docstring_says(
    rounds: int, least: float, within: float
) -> None:
    assert coverage(rounds, 6, within, between=1) >= least - 0.03


def test_one_round_of_nine_that_strays_does_not_widen_the_interval() -> None:
    rounds = [[1.0, 1.01, 1.02] for _ in range(8)]
    assert rounds_interval([*rounds, [5.0, 5.1, 5.2]]) == rounds_interval([*rounds, rounds[0]])
    two_of_nine = rounds_interval([*rounds[:7], [5.0] * 3, [5.0] * 3])
    assert two_of_nine is not None and two_of_nine[1] == 5.0


def test_rounds_that_agree_by_chance_hide_no_noise() -> None:
    assert rounds_interval([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]) == (1.0, 3.0)


def test_a_round_of_few_samples_widens_the_interval_to_its_median() -> None:
    assert rounds_interval([[1.0] * 50, [2.0] * 3]) == (1.0, 2.0)
