"""Intervals that are too narrow make noise look like knowledge."""

from __future__ import annotations

import math
import random
from statistics import median

import pytest

from probes.harness.statistics import half_width, median_interval, rounds_interval


def test_no_interval_below_six_samples() -> None:
    assert median_interval([1, 2, 3, 4, 5]) is None
    assert rounds_interval([[1, 2], [3, 4, 5]]) is None
    assert half_width([1, 2, 3]) == math.inf


# Ranks of the 95 % interval of a median, from published tables of the binomial distribution.
@pytest.mark.parametrize(("n", "low", "high"), [(6, 1, 6), (8, 1, 8), (9, 2, 8), (12, 3, 10), (20, 6, 15), (25, 8, 18)])
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


def test_same_samples_give_the_same_interval() -> None:
    rounds = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    assert rounds_interval(rounds) == rounds_interval(rounds)
