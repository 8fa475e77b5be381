"""How far chance alone takes a node from the middle, as the nodes themselves show it.

Noise between nodes is rarely normal: its tail may be that of Laplace's distribution or of a power.
No table tells which, so the tail is measured: B. M. Hill's estimator ("A simple general approach to
inference about the tail of a distribution", 1975) on the largest distances, which is right for
powers and too careful for all lighter tails. Of few distances an exponential tail is fitted: from
so few it reaches as far as a power would. Slow nodes would make the tail look heavy and so hide
themselves. So the furthest nodes are left out if all of them are beyond what the tail of the others
reaches (as in S. Bhattacharya, M. Kallitsis and S. Stoev, "Data-adaptive trimming of the Hill
estimator", 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heappush, heapreplace
from math import exp, inf, log
from statistics import fmean, pstdev

TAIL = 30
"""So many of the largest distances tell the tail."""
LARGEST_PART = 8
"""They are at most one in so many of all: those nearer to the middle are no tail."""
FEWEST_IN_TAIL = 2
"""With fewer distances nothing is known of the tail."""
FEW_DISTANCES = 200
"""Of fewer an exponential tail is fitted."""
MOST_LEFT_OUT, MOST_LEFT_OUT_OF_FEW = 3, 4
"""At most one node in so many may be a fault that the tail is measured without; of few nodes."""
MANY_DISTANCES = 1500
"""Of so many a longer tail shows if it is no heavier than an exponential one."""
LONG_TAIL, PART_OF_MANY = 300, 10
"""So many of the largest distances are this tail; at most one in so many."""
LIGHT = 1.05
"""Standard deviation of excesses, over their mean, up to which a tail is exponential or lighter.
That of a power is larger.
"""
LARGEST_POWER = 300.0
"""No exponent is larger: the number would have no place in a float."""
FEW_NODES = 12
"""With fewer nodes, they are few."""


class _Largest:
    """The largest of all numbers that were added."""

    def __init__(self) -> None:
        self.heap: list[float] = []
        self.count = 0

    def add(self, numbers: Iterable[float]) -> None:
        """Add those of these that are above zero."""
        for number in numbers:
            if number <= 0:
                continue
            self.count += 1
            if len(self.heap) <= LONG_TAIL:
                heappush(self.heap, number)
            elif number > self.heap[0]:
                heapreplace(self.heap, number)

    def reach(self, alarms: float) -> float:
        """What the largest number reaches by chance in a share ``alarms`` of all cases.

        The largest, above the next one, are exponential with one mean, or their logarithms are.
        That this mean is estimated from few of them makes the reach longer.
        """
        in_order = sorted(self.heap, reverse=True)
        if self.count >= MANY_DISTANCES:
            used = min(LONG_TAIL, self.count // PART_OF_MANY)
            excesses = [number - in_order[used] for number in in_order[:used]]
            mean = fmean(excesses)
            if pstdev(excesses, mean) <= LIGHT * mean:
                return in_order[used] + _means(used, alarms) * mean
        used = min(TAIL, self.count // LARGEST_PART)
        if used < FEWEST_IN_TAIL:
            return inf
        *largest, next_one = in_order[: used + 1]
        if self.count < FEW_DISTANCES:
            return next_one + _means(used, alarms) * fmean(each - next_one for each in largest)
        index = fmean(log(number / next_one) for number in largest)
        return next_one * exp(min(_means(used, alarms) * index, LARGEST_POWER))


def _means(used: int, alarms: float) -> float:
    """How many times their mean, which so many tell, the largest of exponential values reaches."""
    return used * ((used / alarms) ** (1 / used) - 1)


def reach(by_node: Sequence[Sequence[float]], alarms: float) -> float:
    """The distance from the middle that chance gives any node at all only in ``alarms`` of fleets.

    by_node: of each node its distances in some rows, in one unit of noise. Those above zero count.
    Infinite where there are too few to tell.
    """
    in_order = sorted((node for node in by_node if node), key=max)
    part = MOST_LEFT_OUT if len(in_order) >= FEW_NODES else MOST_LEFT_OUT_OF_FEW
    kept = len(in_order) - len(in_order) // part
    largest = _Largest()
    for node in in_order[:kept]:
        largest.add(node)
    for node in in_order[kept:]:
        limit = largest.reach(alarms)
        if max(node) > limit:
            return limit
        largest.add(node)
    return largest.reach(alarms)
