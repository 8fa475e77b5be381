"""Find the plateaus of a curve and say which is which: stretches of one value, with points between
them on none.

Plain arithmetic on numbers; knows nothing of caches or of measuring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import median_low

SAME = 1.15  # values closer than this cannot be told apart
DEVIATION = 0.06  # of a quiet point from its plateau that costs 1; its own uncertainty is added
# of that uncertainty at most: points that could lie anywhere are no evidence of a level
UNSURE = 0.1
MOST = 2.5  # that one point may cost, so that a single disturbed one splits no plateau
BETWEEN = 2.0  # cost of a point that belongs to no plateau
NAMED, UNNAMED = 4.0, 8.0  # cost of a plateau: as much as of two points that belong to none
MOST_POINTS = 200  # of a curve: to divide it takes as many steps as the third power of them
FEWEST = 3  # points: two that happen to be alike are no evidence of a level

Place = Callable[[int, int, int], float]
"""(place, first, last) -> cost of that plateau standing at that place of the expected order;
infinite if it cannot.
"""


@dataclass(frozen=True)
class Plateau:
    """Points ``first`` to ``last`` (indices, both included) of about one value; ``place`` in the
    expected order.
    """

    first: int
    last: int
    value: float
    place: int | None


def plateaus(
    values: Sequence[float], noise: Sequence[float], places: int, place: Place, falling: bool = True
) -> list[Plateau]:
    """The plateaus of positive ``values``, in order, each higher than all that follow (or lower, if
    not ``falling``).

    ``noise``: relative uncertainty of each value. At most ``places`` plateaus get a place, in
    order, and some places may stay empty; further plateaus have none. Optimal division by dynamic
    programming (Bellman, 1961): the sum of all costs above is least. A plateau that a later one
    beats is no level (a loop too short to reach its rate, say): its points are left out. Of very
    many points, neighbours are taken together.
    """
    if len(values) > MOST_POINTS:
        return _together(values, noise, places, place, falling)
    kept = list(range(len(values)))
    while True:
        logs, errors = [math.log(values[i]) for i in kept], [noise[i] for i in kept]
        divided = _divide(logs, errors, places, partial(_placed, place, kept))
        found = [_plateau(values, kept[first], kept[last], where) for first, last, where in divided]
        bad = [p for i, p in enumerate(found) if any(_beats(q, p, falling) for q in found[i + 1 :])]
        if not bad:
            return found
        kept = [i for i in kept if not any(p.first <= i <= p.last for p in bad)]


def _together(
    values: Sequence[float], noise: Sequence[float], places: int, place: Place, falling: bool
) -> list[Plateau]:
    """The same of more points than can be divided in every way: groups of neighbours stand for
    their points.
    """
    size = math.ceil(len(values) / MOST_POINTS)
    begins = range(0, len(values), size)
    ends = [min(begin + size, len(values)) - 1 for begin in begins]
    middles = [median_low(values[begin : end + 1]) for begin, end in zip(begins, ends, strict=True)]
    unsure = [median_low(noise[begin : end + 1]) for begin, end in zip(begins, ends, strict=True)]

    def of_groups(at: int, first: int, last: int) -> float:
        return place(at, begins[first], ends[last])

    found = plateaus(middles, unsure, places, of_groups, falling)
    return [replace(each, first=begins[each.first], last=ends[each.last]) for each in found]


def _plateau(values: Sequence[float], first: int, last: int, place: int | None) -> Plateau:
    return Plateau(first, last, median_low(values[first : last + 1]), place)


def _placed(place: Place, kept: Sequence[int], at: int, first: int, last: int) -> float:
    return place(at, kept[first], kept[last])


def _beats(one: Plateau, other: Plateau, falling: bool) -> bool:
    return (one.value / other.value) ** (1 if falling else -1) > SAME


_Division = tuple[float, list[tuple[int, int, "int | None"]]]


def _divide(
    logs: Sequence[float], noise: Sequence[float], places: int, place: Place
) -> list[tuple[int, int, int | None]]:
    """The cheapest division; ``best[end][used]``: of the first ``end`` points, with the first
    ``used`` places gone.
    """
    best: list[list[_Division]] = [[(0.0, [])] * (places + 1)]
    for end in range(1, len(logs) + 1):
        row: list[_Division] = [(cost + BETWEEN, found) for cost, found in best[end - 1]]
        for begin in range(end - FEWEST + 1):
            spent = _cost(logs[begin:end], noise[begin:end])
            for used in range(places + 1):
                row[used] = _cheaper(
                    row[used], best[begin][used], spent + UNNAMED, (begin, end - 1, None)
                )
                if used:
                    cost = spent + NAMED + place(used - 1, begin, end - 1)
                    row[used] = _cheaper(
                        row[used], best[begin][used - 1], cost, (begin, end - 1, used - 1)
                    )
        for used in range(1, places + 1):  # a place may stay empty
            row[used] = min(row[used - 1 : used + 1], key=lambda division: division[0])
        best.append(row)
    return best[-1][-1][1]


def _cheaper(
    now: _Division, before: _Division, cost: float, plateau: tuple[int, int, int | None]
) -> _Division:
    """``now``, or ``before`` and this plateau after it."""
    return (before[0] + cost, [*before[1], plateau]) if before[0] + cost < now[0] else now


def _cost(logs: Sequence[float], noise: Sequence[float]) -> float:
    middle = median_low(logs)
    return sum(
        min(MOST, abs(v - middle) / (DEVIATION + min(n, UNSURE)))
        for v, n in zip(logs, noise, strict=True)
    )
