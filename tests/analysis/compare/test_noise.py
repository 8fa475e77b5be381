"""Student's t, priors and adjusted p-values, beside those of scipy."""

from __future__ import annotations

import random
from statistics import variance

import pytest

from analysis.compare.noise import (
    LEAST_SD,
    MOST_BORROWED,
    NOTHING_KNOWN,
    adjusted,
    digamma,
    pooled_variance,
    prior_of,
    quantile,
    trigamma,
    trigamma_inverse,
    two_sided_p,
)


@pytest.mark.parametrize("freedom", [1.0, 2.5, 4.0, 10.0, 200.0])
@pytest.mark.parametrize("t", [0.0, 0.3, 2.0, -5.0, 40.0])
def test_student_is_that_of_scipy(t: float, freedom: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    assert two_sided_p(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=1e-8)
    assert quantile(0.95, freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-6)


@pytest.mark.parametrize("x", [0.1, 0.7, 2.0, 30.0])
def test_digamma_and_trigamma_are_those_of_scipy(x: float) -> None:
    special = pytest.importorskip("scipy.special")
    assert digamma(x) == pytest.approx(float(special.digamma(x)), rel=1e-6)
    assert trigamma(x) == pytest.approx(float(special.polygamma(1, x)), rel=1e-6)
    assert trigamma_inverse(trigamma(x)) == pytest.approx(x, rel=1e-6)


def test_adjusted_is_that_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = [0.01, 0.04, 0.03, 0.2, 0.04]
    assert adjusted(values) == pytest.approx(list(stats.false_discovery_control(values)))
    assert adjusted([]) == []


def test_pooled_variance_is_within_sides_and_never_nothing() -> None:
    assert pooled_variance([[1.0, 2.0, 3.0], [11.0, 12.0, 13.0]]) == (pytest.approx(1.0), 4.0)
    assert pooled_variance([[1.0, 1.0, 1.0]]) == (LEAST_SD**2, 2.0)
    assert pooled_variance([[1.0], [2.0]]) == (0.0, 0.0)


def test_rows_of_one_make_lend_each_other_their_spread() -> None:
    chance = random.Random(1)
    samples = [variance([chance.gauss(0, 0.02) for _ in range(5)]) for _ in range(40)]
    prior = prior_of(samples, 4.0)
    assert prior.variance == pytest.approx(0.02**2, rel=0.3)
    assert prior.freedom == MOST_BORROWED
    lucky, freedom = prior.moderated(1e-8, 4.0)
    assert lucky > 0.5 * prior.variance
    assert freedom == 4.0 + MOST_BORROWED


def test_rows_that_differ_much_lend_little_and_few_lend_nothing() -> None:
    assert prior_of([1e-6, 1e-4, 1e-2, 1e-3, 1e-5, 1e-1], 4.0).freedom < 2
    assert prior_of([1e-4, 1e-4], 4.0) == NOTHING_KNOWN
