"""What a set of timed samples says: a median, and how far it can be trusted.

Intervals come from order statistics, which assume nothing about the shape of the noise; timings are
skewed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from statistics import median

CONFIDENCE = 0.95
FEWEST = 6
"""Samples of an interval: with five, the widest pair of order statistics covers the median with
1 - 2 / 2**5 = 94 % only.
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
    """Largest k whose pair of order statistics still covers the median with 95 %."""
    if n > EXACT_UP_TO:
        return max(1, math.floor((n - 1.96 * math.sqrt(n)) / 2))
    tail = 0.0
    k = 0
    while True:
        tail += math.comb(n, k) / 2.0**n
        if 2 * tail > 1 - CONFIDENCE:
            return max(1, k)
        k += 1


def rounds_interval(rounds: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Interval of the median of samples taken in rounds, or None below six samples.

    That of all samples together, widened to the medians of all rounds. Where rounds differ no more
    than chance makes them, it covers the median with 95 % (93 % where sampling stopped as soon as
    it was narrow). What moves whole rounds, two or three of them cannot tell with 95 %: the medians
    of two span the lasting one in 1/2 of all runs, those of three in 3/4. So it is an interval of
    what was seen in this run, and no narrower than its rounds disagree.
    """
    interval = median_interval(list(chain.from_iterable(rounds)))
    if interval is None:
        return None
    low, high = interval
    medians = [median(values) for values in rounds if values]
    return min(low, *medians), max(high, *medians)


def half_width(values: Sequence[float]) -> float:
    """Half-width of the median's interval over the median; infinite if there are too few values."""
    interval = median_interval(values)
    if interval is None:
        return math.inf
    low, high = interval
    return (high - low) / 2 / median(values)
