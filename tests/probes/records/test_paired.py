"""Intervals hold what they claim to, and the exact test is exact."""

from __future__ import annotations

import math
from itertools import product

import pytest

from probes.records.paired import difference, mcnemar_p, wilson


def by_counting(gained: int, lost: int) -> float:
    """McNemar's p by all ways in which the coins can fall."""
    differing = gained + lost
    far = abs(gained - lost)
    ways = [sum(coins) for coins in product((0, 1), repeat=differing)]
    as_far = [heads for heads in ways if abs(2 * heads - differing) >= far]
    return len(as_far) / len(ways)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (0, 1), (1, 5), (5, 1), (3, 3), (0, 9)])
def test_p_is_that_of_all_ways_coins_can_fall(gained: int, lost: int) -> None:
    assert mcnemar_p(gained, lost) == pytest.approx(by_counting(gained, lost))


def test_p_of_many_answers_is_that_of_the_normal_distribution() -> None:
    z = (10_500 - 9_500 - 1) / math.sqrt(20_000)
    assert mcnemar_p(9_500, 10_500) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-3)


def test_wilson_gives_the_published_interval() -> None:
    # R. G. Newcombe, Statistics in Medicine 17, 1998, p. 857: 81 of 263
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


def test_nothing_counted_tells_nothing() -> None:
    assert wilson(0, 0) == (0, 1)
    assert difference(0, 0, 0, 0) == (-1, 1)


def test_an_interval_turns_round_with_the_sign() -> None:
    low, high = difference(80, 3, 11, 100)
    # what was lost is gained when after and before change places
    turned_low, turned_high = difference(80 + 3 - 11, 11, 3, 100)
    assert (turned_low, turned_high) == pytest.approx((-high, -low))


def test_an_interval_narrows_with_more_answers_and_holds_the_loss() -> None:
    few = difference(90, 2, 4, 100)
    many = difference(9_000, 200, 400, 10_000)
    assert few[0] < many[0] < 0.02 < many[1] < few[1]


def multinomial(counts: tuple[int, ...], chances: tuple[float, ...]) -> float:
    """How often these counts come."""
    log = math.lgamma(sum(counts) + 1)
    for count, chance in zip(counts, chances, strict=True):
        log += count * math.log(chance) - math.lgamma(count + 1)
    return math.exp(log)


@pytest.mark.parametrize(("lost", "gained"), [(0.02, 0.02), (0.10, 0.05), (0.08, 0.01)])
def test_the_interval_of_a_loss_holds_it_about_as_often_as_it_says(
    lost: float, gained: float
) -> None:
    """Exactly, over all outcomes of 40 answers of which 90 % are right before."""
    of = 40
    chances = (0.90 - lost, lost, gained, 1 - 0.90 - gained)
    covered = 0.0
    for both in range(of + 1):
        for now_lost in range(of - both + 1):
            for now_gained in range(of - both - now_lost + 1):
                counts = (both, now_lost, now_gained, of - both - now_lost - now_gained)
                low, high = difference(both + now_lost, now_gained, now_lost, of)
                if low <= lost - gained <= high:
                    covered += multinomial(counts, chances)
    assert 0.93 < covered <= 1
