"""Intervals and tests of shares, and of two shares found on the same inputs. Standard library only.

``gained`` and ``lost`` are the inputs that only the second, and only the first, got right.
"""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95
"""Of an interval: how often it holds the true share."""


def mcnemar_p(gained: int, lost: int) -> float:
    """How often chance alone makes a difference like this one or a larger: exact, two-sided.

    McNemar's test (Psychometrika 12, 1947): where nothing changed, each of the inputs that differ
    is gained or lost like a coin falls.
    """
    differing = gained + lost
    if gained == lost:
        return 1.0
    # from the term of the fewest on: choose(n, k) / 2**n, in logarithms, for any n
    fewest = min(gained, lost)
    logs = [
        math.lgamma(differing + 1)
        - math.lgamma(count + 1)
        - math.lgamma(differing - count + 1)
        - differing * math.log(2)
        for count in range(fewest + 1)
    ]
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))


def wilson(count: int, of: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of a share, ``count`` of ``of`` (E. B. Wilson, JASA 22, 1927).

    It lies within 0..1, and is 0..1 where nothing was counted.
    """
    if not of:
        return 0.0, 1.0
    z = _z(confidence)
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == of else min(1.0, middle + half)
    return low, high


def difference(
    right_before: int, gained: int, lost: int, of: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The interval of the loss of accuracy, share right before minus share right after.

    Method 10 of R. G. Newcombe, "Improved confidence intervals for the difference between binomial
    proportions based on paired data", Statistics in Medicine 17, 1998: Wilson's intervals of both
    shares, put together with the correlation of the pairs. It is -1..1 where nothing was counted.
    """
    if not of:
        return -1.0, 1.0
    right_after = right_before + gained - lost
    low_before, high_before = wilson(right_before, of, confidence)
    low_after, high_after = wilson(right_after, of, confidence)
    before, after = right_before / of, right_after / of
    loss = (lost - gained) / of
    correlation = _correlation(right_before - lost, lost, gained, of)
    half_down = _joined(before - low_before, high_after - after, correlation)
    half_up = _joined(high_before - before, after - low_after, correlation)
    return max(-1.0, loss - half_down), min(1.0, loss + half_up)


def _correlation(both: int, lost: int, gained: int, of: int) -> float:
    """Of being right before and being right after, with Newcombe's correction for few inputs."""
    neither = of - both - lost - gained
    sums = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if not sums:
        return 0.0
    excess: float = both * neither - lost * gained
    if excess > 0:
        excess = max(excess - of / 2, 0)
    return excess / math.sqrt(sums)


def _joined(first: float, second: float, correlation: float) -> float:
    """Length of a difference of two vectors of these lengths at this cosine."""
    squares = first * first - 2 * correlation * first * second + second * second
    return math.sqrt(max(squares, 0.0))


def _z(confidence: float) -> float:
    """Standard deviations of the normal distribution on each side of its middle."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)
