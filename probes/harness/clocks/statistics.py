"""What a set of timed samples says: a median, and how far it can be trusted.

Intervals come from order statistics: they assume nothing about the shape of the noise, and that of
timings is skewed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from statistics import median

CONFIDENCE = 0.95
"""Probability with which an interval covers the true median."""
NORMAL_QUANTILE = 1.96
"""Standard deviations on both sides of a normal distribution's mean that hold CONFIDENCE of it."""
FEWEST = 6
"""Fewest samples that have an interval: of five, even the smallest and the largest cover the median
with 1 - 2 / 2**5 = 94 % only.
"""
EXACT_UP_TO = 200
"""Samples; beyond, the normal approximation is exact enough, and free of huge integers."""


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the median of independent samples, or None below six.

    The ranks come from the binomial distribution: the true median lies between the k-th smallest
    and the k-th largest with probability 1 - 2 P(Binomial(n, 1/2) < k). (David and Nagaraja, Order
    Statistics, 7.1)
    """
    n = len(values)
    if n < FEWEST:
        return None
    ordered = sorted(values)
    k = _rank(n)
    return ordered[k - 1], ordered[n - k]


def _rank(n: int) -> int:
    """Largest k whose pair of order statistics still covers the median with 95 %.

    It is 1 or more: from FEWEST samples on, the outermost pair covers it.
    """
    if n > EXACT_UP_TO:
        return math.floor((n - NORMAL_QUANTILE * math.sqrt(n)) / 2)
    tail = 0.0  # P(Binomial(n, 1/2) <= k)
    k = 0
    while True:
        tail += math.comb(n, k) / 2.0**n
        if 2 * tail > 1 - CONFIDENCE:  # the pair k + 1 would not cover it
            return k
        k += 1


def rounds_interval(rounds: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Interval of the median of samples taken in rounds, or None below six samples.

    It is that of all samples together, widened until it holds the median of every round (of less
    than six). Where
    rounds differ no more than by chance, it covers the true median with 95 % (93 % where sampling
    stopped as soon as it was narrow). Where something shifts whole rounds, two or three are too few
    for 95 %: the true median lies between the medians of two in 1/2 of all runs, and between those
    of three in 3/4. So the interval tells what was seen in this run, no narrower than its rounds
    disagree. From six rounds on their medians have an interval of their own, which it holds: it
    covers the median of all rounds that there could be with 95 %, whatever shifts them.
    """
    interval = median_interval(list(chain.from_iterable(rounds)))
    if interval is None:
        return None
    low, high = interval
    medians = [median(values) for values in rounds if values]
    of_rounds = median_interval(medians) or (min(medians), max(medians))
    return min(low, of_rounds[0]), max(high, of_rounds[1])


def half_width(values: Sequence[float]) -> float:
    """Half-width of the median's interval, over the median; infinite below six values."""
    interval = median_interval(values)
    if interval is None:
        return math.inf
    low, high = interval
    return (high - low) / 2 / median(values)
