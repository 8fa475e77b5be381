"""Find the plateaus of a curve: stretches of one value, with points between them on none.

Plain arithmetic on numbers; knows nothing of caches or of measuring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median_low
from typing import NamedTuple

SAME_WITHIN = 1.15  # values closer than this factor cannot be told apart
DEVIATION = 0.06  # of a quiet point from its plateau that costs 1; its own uncertainty is added
# of that uncertainty at most: points that could lie anywhere are no evidence of a level
LARGEST_UNCERTAINTY = 0.1
LARGEST_COST = 2.5  # of one point, so that a single disturbed one splits no plateau
BETWEEN = 2.0  # cost of a point that belongs to no plateau
NAMED, UNNAMED = 4.0, 8.0  # cost of a plateau: as much as of two points that belong to none
MOST_POINTS = 200  # of a curve: to divide it takes as many steps as the third power of them
FEWEST_POINTS = 3  # of a plateau: two that happen to be alike are no evidence of a level

PlaceCost = Callable[[int, int, int], float]
"""(place, first, last) -> what it costs that points ``first`` to ``last`` are the plateau of that
place in the expected order; infinite if they cannot be."""


@dataclass(frozen=True)
class Plateau:
    """A stretch of points of about one value."""

    first: int
    """Index of its first point."""
    last: int
    """Index of its last point."""
    value: float
    """The median of its values."""
    place: int | None
    """Its place in the expected order; None if it has none."""


class _Stretch(NamedTuple):
    """Where a plateau lies in a division: the same without its value."""

    first: int
    last: int
    place: int | None


class _Division(NamedTuple):
    """A way to divide a curve into plateaus."""

    cost: float
    stretches: list[_Stretch]


def plateaus(
    values: Sequence[float],
    noise: Sequence[float],
    places: int,
    place_cost: PlaceCost,
    falling: bool = True,
) -> list[Plateau]:
    """The plateaus of positive ``values``, in order.

    Each is higher than all that follow (or lower, if not ``falling``). ``noise``: relative
    uncertainty of each value. At most ``places`` plateaus get a place, in order, and some places
    may stay empty; further plateaus have none. Optimal division by dynamic programming (Bellman,
    1961): the sum of all costs above is least. A plateau that a later one beats is no level (a loop
    too short to reach its rate, say): its points are left out. Of very many points, neighbours are
    taken together.
    """
    if len(values) > MOST_POINTS:
        return _plateaus_of_groups(values, noise, places, place_cost, falling)
    points = list(range(len(values)))  # indices of those that may belong to a plateau
    while True:
        logs = [math.log(values[point]) for point in points]
        errors = [noise[point] for point in points]
        stretches = _divide(logs, errors, places, partial(_cost_of_points, place_cost, points))
        candidates = []
        for first, last, place in stretches:
            candidates.append(_plateau(values, points[first], points[last], place))
        beaten = [
            plateau
            for number, plateau in enumerate(candidates, 1)
            if any(_beats(later, plateau, falling) for later in candidates[number:])
        ]
        if not beaten:
            return candidates
        for plateau in beaten:
            points = [point for point in points if not plateau.first <= point <= plateau.last]


def _plateaus_of_groups(
    values: Sequence[float],
    noise: Sequence[float],
    places: int,
    place_cost: PlaceCost,
    falling: bool,
) -> list[Plateau]:
    """The plateaus of more points than can be divided in every way.

    Groups of neighbours stand for their points, by their medians.
    """
    size = math.ceil(len(values) / MOST_POINTS)
    begins = range(0, len(values), size)
    lasts = [min(begin + size, len(values)) - 1 for begin in begins]
    middles = [median_low(values[begin : begin + size]) for begin in begins]
    errors = [median_low(noise[begin : begin + size]) for begin in begins]

    def cost_of_groups(place: int, first: int, last: int) -> float:
        return place_cost(place, begins[first], lasts[last])

    of_groups = plateaus(middles, errors, places, cost_of_groups, falling)
    return [
        replace(plateau, first=begins[plateau.first], last=lasts[plateau.last])
        for plateau in of_groups
    ]


def _plateau(values: Sequence[float], first: int, last: int, place: int | None) -> Plateau:
    return Plateau(first, last, median_low(values[first : last + 1]), place)


def _cost_of_points(
    place_cost: PlaceCost, points: Sequence[int], place: int, first: int, last: int
) -> float:
    """``place_cost`` where ``first`` and ``last`` count only ``points``."""
    return place_cost(place, points[first], points[last])


def _beats(one: Plateau, other: Plateau, falling: bool) -> bool:
    """True if one is better by more than SAME_WITHIN: higher, or lower if not falling."""
    times = one.value / other.value
    return (times if falling else 1 / times) > SAME_WITHIN


def _divide(
    logs: Sequence[float], noise: Sequence[float], places: int, place_cost: PlaceCost
) -> list[_Stretch]:
    """The cheapest division of points into plateaus.

    ``best[end][used]`` is the cheapest of the first ``end`` points, with the first ``used`` places
    gone.
    """
    best = [[_Division(0.0, [])] * (places + 1)]
    for end in range(1, len(logs) + 1):
        row = [_Division(cost + BETWEEN, stretches) for cost, stretches in best[end - 1]]
        for begin in range(end - FEWEST_POINTS + 1):
            last = end - 1
            spent = _cost(logs[begin:end], noise[begin:end])
            for used in range(places + 1):
                stretch = _Stretch(begin, last, None)
                row[used] = _cheaper(row[used], best[begin][used], spent + UNNAMED, stretch)
                if used:
                    place = used - 1
                    stretch = _Stretch(begin, last, place)
                    cost = spent + NAMED + place_cost(place, begin, last)
                    row[used] = _cheaper(row[used], best[begin][place], cost, stretch)
        for used in range(1, places + 1):  # a place may stay empty
            row[used] = min(row[used - 1 : used + 1], key=lambda division: division.cost)
        best.append(row)
    return best[-1][-1].stretches


def _cheaper(division: _Division, before: _Division, cost: float, stretch: _Stretch) -> _Division:
    """The cheaper of ``division``, and of ``before`` with a stretch of this cost after it."""
    total = before.cost + cost
    return _Division(total, [*before.stretches, stretch]) if total < division.cost else division


def _cost(logs: Sequence[float], noise: Sequence[float]) -> float:
    """What it costs that these points are one plateau: their deviations from its median."""
    middle = median_low(logs)
    total = 0.0
    for value, error in zip(logs, noise, strict=True):
        allowed = DEVIATION + min(error, LARGEST_UNCERTAINTY)
        total += min(LARGEST_COST, abs(value - middle) / allowed)
    return total
