"""How far runs of one row differ by chance: spreads of several rows together, and Student's t.

With three runs a side, the spread of a row is known to 4 degrees of freedom only: by luck it is
often far too small, and then a row alarms falsely. So rows of the same make lend each other their
spread (G. K. Smyth, "Linear models and empirical Bayes methods", 2004, section 6.2: the prior is
fitted to the logarithms of all variances). Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, isinf, lgamma, log, log1p, sqrt
from statistics import fmean, variance

LEAST_SD = 0.002
"""Logarithms of speeds are never known better than this from run to run: the clock alone is read to
about so much."""
MOST_BORROWED = 6.0
"""Degrees of freedom that a row takes from others at most: tails of real runs are heavier than the
model's, and a row that is restless itself must not be called quiet by its neighbours."""
OUTLIERS = 0.1
"""Share of the rows, one at least, whose spread is taken for no larger than that of the others."""
HALVINGS = 50
"""Of an interval, until a number in it is known as exactly as is of use."""
FEWEST_ROWS = 4
"""Rows from which a prior can be fitted."""


@dataclass(frozen=True)
class Prior:
    """What the spreads of other rows say of one that is not known yet."""

    variance: float
    """Of the logarithm of a speed, from run to run."""
    freedom: float
    """Degrees of freedom that this is worth; 0: nothing is known."""

    def moderated(self, own: float, freedom: float) -> tuple[float, float]:
        """(variance, degrees of freedom) of a row whose own are given."""
        total = self.freedom + freedom
        return (self.freedom * self.variance + freedom * own) / total, total


NOTHING_KNOWN = Prior(LEAST_SD**2, 0.0)


def prior_of(variances: Sequence[float], freedom: float) -> Prior:
    """The prior that these variances of rows, each of so many degrees of freedom, come from."""
    if len(variances) < FEWEST_ROWS or freedom <= 0:
        return NOTHING_KNOWN
    logs = _without_outliers([log(max(value, LEAST_SD**2)) for value in variances])
    shift = digamma(freedom / 2) - log(freedom / 2)
    centre = fmean(logs) - shift
    excess = variance(logs) - trigamma(freedom / 2)
    if excess <= 0:  # no more scattered than chance alone makes them
        return Prior(exp(centre), MOST_BORROWED)
    own = 2 * trigamma_inverse(excess)
    level = exp(centre + digamma(own / 2) - log(own / 2))
    return Prior(level, min(own, MOST_BORROWED))


def _without_outliers(logs: Sequence[float]) -> list[float]:
    """The values, the largest of them no larger than the next: one wild row speaks for itself."""
    if len(logs) <= FEWEST_ROWS:
        return list(logs)
    clipped = max(1, round(OUTLIERS * len(logs)))
    most = sorted(logs)[-clipped - 1]
    return [min(value, most) for value in logs]


def pooled_variance(sides: Sequence[Sequence[float]]) -> tuple[float, float]:
    """(variance within the sides, its degrees of freedom)."""
    freedom = sum(len(side) - 1 for side in sides)
    if freedom <= 0:
        return 0.0, 0.0
    squares = 0.0
    for side in sides:
        middle = fmean(side)
        squares += sum((value - middle) ** 2 for value in side)
    return max(squares / freedom, LEAST_SD**2), float(freedom)


def digamma(x: float) -> float:
    """The derivative of log gamma, of a positive number, by its asymptotic series."""
    total = 0.0
    while x < 6:
        total -= 1 / x
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 12 - square * (1 / 120 - square / 252))
    return total + log(x) - 0.5 / x - series


def trigamma(x: float) -> float:
    """The derivative of digamma, of a positive number."""
    total = 0.0
    while x < 6:
        total += 1 / (x * x)
        x += 1
    square = 1 / (x * x)
    series = square * (1 / 6 - square * (1 / 30 - square / 42))
    return total + 1 / x + square / 2 + series / x


def trigamma_inverse(value: float) -> float:
    """The number whose trigamma is ``value``, which is positive (by bisection: it falls)."""
    low, high = 1e-6, 1e6
    for _ in range(HALVINGS):
        middle = sqrt(low * high)
        if trigamma(middle) > value:
            low = middle
        else:
            high = middle
    return sqrt(low * high)


def two_sided_p(t: float, freedom: float) -> float:
    """How often chance alone makes a value of Student's t at least so large, either way."""
    if isinf(freedom) or isinf(t):
        return 0.0
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


@lru_cache(maxsize=4096)
def quantile(confidence: float, freedom: float) -> float:
    """The t that is exceeded, either way, in a share of 1 - ``confidence`` of all cases."""
    low, high = 0.0, 1.0
    while two_sided_p(high, freedom) > 1 - confidence:
        high *= 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if two_sided_p(middle, freedom) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function (its continued fraction, by Lentz's method)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(b, a, 1 - x) / b
    return front * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function."""
    tiny = 1e-300
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1), tiny)
    result = d
    for m in range(1, 300):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _away_from_zero(1 + term * d, tiny)
            c = _away_from_zero(1 + term / c, tiny)
            result *= c * d
        if abs(c * d - 1) < 1e-12:
            break
    return result


def _away_from_zero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny


def adjusted(values: Sequence[float]) -> list[float]:
    """p-values that account for there being many (Benjamini and Hochberg, 1995), in their order.

    Calling all below 0.05 different makes at most 1 in 20 of these calls wrong.
    """
    order = sorted(range(len(values)), key=lambda place: values[place], reverse=True)
    result = [1.0] * len(values)
    smallest = 1.0
    for above, place in enumerate(order):
        rank = len(values) - above
        smallest = min(smallest, values[place] * len(values) / rank)
        result[place] = smallest
    return result
