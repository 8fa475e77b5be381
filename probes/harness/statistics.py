"""What a set of timed samples says: a median, and how far it can be trusted.

Intervals come from order statistics, which assume nothing about the shape of the noise; timings are skewed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import median

CONFIDENCE = 0.95
FEWEST = 6  # below six samples no pair of order statistics covers the median with 95 %: 1 - 2 / 2**5 = 0.9375


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95 % interval of the median of independent samples, or None below six.

    The ranks come from the binomial distribution: the true median lies between the k-th smallest and the k-th
    largest with probability 1 - 2 P(Binomial(n, 1/2) < k). (David and Nagaraja, Order Statistics, 7.1)
    """
    n = len(values)
    if n < FEWEST:
        return None
    ordered = sorted(values)
    k = _rank(n)
    return ordered[k - 1], ordered[n - k]


def _rank(n: int) -> int:
    """Largest k whose pair of order statistics still covers the median with 95 %."""
    if n > 200:  # normal approximation of the binomial, exact enough from here on and free of huge integers
        return max(1, math.floor((n - 1.96 * math.sqrt(n)) / 2))
    tail, k = 0.0, 0
    while True:
        tail += math.comb(n, k) / 2.0**n
        if 2 * tail > 1 - CONFIDENCE:
            return max(1, k)
        k += 1


def rounds_interval(rounds: Sequence[Sequence[float]], draws: int = 400) -> tuple[float, float] | None:
    """95 % interval of the median of samples taken in rounds, or None below six samples.

    Samples of one round share a clock and a neighbour, so whole rounds are resampled (cluster bootstrap);
    one round alone falls back to order statistics. The draws are seeded: same rows, same interval.
    """
    filled = [list(r) for r in rounds if r]
    if len(filled) < 2 or sum(map(len, filled)) < FEWEST:
        return median_interval([v for r in filled for v in r])
    dice = random.Random(len(filled))
    medians = sorted(median([v for r in dice.choices(filled, k=len(filled)) for v in r]) for _ in range(draws))
    cut = round(draws * (1 - CONFIDENCE) / 2)
    return medians[cut], medians[-1 - cut]


def half_width(values: Sequence[float]) -> float:
    """Half-width of the median's interval over the median; infinite while there are too few samples."""
    interval = median_interval(values)
    return math.inf if interval is None else (interval[1] - interval[0]) / 2 / median(values)
