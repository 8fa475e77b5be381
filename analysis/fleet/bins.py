"""Two bins of nodes in one kind: chips of two clocks, or memory of two makers.

Neither is a fault of a node, and together they are no noise. So a row in which the nodes fall into
two clear parts has two middles, each for its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import median

FEWEST_NODES = 20
"""With fewer nodes two bins cannot be told from chance."""
LEAST_SHARE, LEAST_NODES = 0.05, 5
"""Of the nodes, in the smaller part: fewer may have a fault in common."""
APART = 5.0
"""So many times the deviation within the parts the middles of two bins are apart at least. The
halves of one bell, of Laplace's, or of a flat distribution are 3 to 4 times apart.
"""
SHARE_OF_ONE_PLACE = 0.8
"""Part of the slower nodes from which on these are one rack."""
SAME_NODES = 0.8
"""Part of the slower nodes of two rows from which on both rows show the same two bins."""
MAD_TO_SIGMA = 1.4826


SpeedsByTag = Mapping[str, Mapping[str, float]]
"""Speed of each node by its name, in each row by its tag."""
Names = dict[str, frozenset[str]]
"""Names of nodes, by the tag of a row."""


@dataclass(frozen=True)
class Parts:
    """One row in which the nodes fall into two clear parts."""

    nodes: frozenset[str]
    """Names of all nodes that have the row."""
    slow: frozenset[str]
    """Those of the slower part."""
    rack: frozenset[str] = frozenset()
    """Those of one slow rack, which are of neither part."""

    def is_like(self, other: Parts) -> bool:
        """True if another row shows the same two bins, as far as nodes have both rows."""
        common = self.nodes & other.nodes
        both = self.slow & other.slow & common
        either = (self.slow | other.slow) & common
        return len(both) >= SAME_NODES * len(either)


def parts_of(
    speeds: Mapping[str, float], places: Mapping[str, str], left_out: Collection[str]
) -> Parts | None:
    """The two parts of the nodes in one row; None where they are of one bin.

    speeds, places: of each node, by its name; the rack is empty where it is not known. left_out:
    names of nodes that do not tell a bin. One slow rack is no bin: the others may be of two.
    """
    rest = {name: speed for name, speed in speeds.items() if name not in left_out}
    while True:
        border = border_of(list(rest.values()))
        if border is None:
            return None
        slow = [name for name, speed in rest.items() if speed < border]
        others = [name for name, speed in rest.items() if speed >= border]
        if not is_one_place([places[name] for name in slow], [places[name] for name in others]):
            below = frozenset(name for name, speed in speeds.items() if speed < border)
            rack = frozenset(speeds.keys() - rest.keys() - set(left_out))
            return Parts(frozenset(speeds), below, rack)
        rest = {name: rest[name] for name in others}


def slower_bins(speeds_by_tag: SpeedsByTag, parts_by_tag: Mapping[str, Parts]) -> Names:
    """Names of the nodes of the slower bin, by the rows that show it.

    Rows that show the same two bins vote: a node with a fault in few of them is of the bin that
    its other rows tell. So do those speak in which too few nodes have the row to tell.
    """
    alike: list[list[str]] = []
    for tag, parts in parts_by_tag.items():
        for tags in alike:
            if parts.is_like(parts_by_tag[tags[0]]):
                tags.append(tag)
                break
        else:
            alike.append([tag])
    slower: dict[str, frozenset[str]] = {}
    for tags in sorted(alike, key=len, reverse=True):
        slow_rows = Counter(name for tag in tags for name in parts_by_tag[tag].slow)
        rows = Counter(name for tag in tags for name in parts_by_tag[tag].nodes)
        names = frozenset(name for name, count in slow_rows.items() if 2 * count > rows[name])
        slower.update(dict.fromkeys(tags, names))
        for tag, speeds in speeds_by_tag.items():
            if tag not in parts_by_tag and tag not in slower and _shows(speeds, names):
                slower[tag] = names
    return slower


def _shows(speeds: Mapping[str, float], slower: Collection[str]) -> bool:
    """True if these nodes, known to be of a slower bin, are clearly slower in this row, too."""
    low = [log(speed) for name, speed in speeds.items() if name in slower]
    high = [log(speed) for name, speed in speeds.items() if name not in slower]
    if not low or not high:
        return False
    return median(high) - median(low) > APART * _deviation(high)


def border_of(speeds: Sequence[float]) -> float | None:
    """The speed between two bins of nodes; None where they are of one.

    The parts are those of least variance within them (N. Otsu, 1979).
    """
    if len(speeds) < FEWEST_NODES:
        return None
    logs = sorted(map(log, speeds))
    fewest = max(LEAST_NODES, round(LEAST_SHARE * len(logs)))
    total = sum(logs)
    below = sum(logs[: fewest - 1])
    best, at = 0.0, 0
    for count in range(fewest, len(logs) - fewest + 1):
        below += logs[count - 1]
        apart = (total - below) / (len(logs) - count) - below / count
        between = count * (len(logs) - count) * apart * apart
        if between > best:
            best, at = between, count
    if not at:
        return None
    parts = logs[:at], logs[at:]
    low, high = map(median, parts)
    within = max(_deviation(part) for part in parts)
    if high - low <= APART * within:
        return None
    return exp((logs[at - 1] + logs[at]) / 2)


def is_one_place(slow: Sequence[str], others: Sequence[str]) -> bool:
    """True if most of the slow nodes are one rack of several.

    slow, others: the rack of each node; empty where it is not known.
    """
    counts = Counter(place for place in slow if place)
    if not counts or len(counts.keys() | {*others}) < 2:
        return False
    return counts.most_common(1)[0][1] >= SHARE_OF_ONE_PLACE * len(slow)


def _deviation(values: Sequence[float]) -> float:
    middle = median(values)
    return MAD_TO_SIGMA * median(abs(value - middle) for value in values)
