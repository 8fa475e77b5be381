"""How the nodes of one kind spread in one row, and which of them are beyond that.

The middle is the median of the logarithms of speed. The noise is the largest of three: 1.4826 times
the median absolute deviation (Rousseeuw and Croux 1993: the standard deviation of normal values,
which up to half of all nodes cannot move), what the upper tail tells of it (faults make nodes slow,
so the fast side shows how far healthy ones range), and what the nodes themselves saw within their
runs. How many times the noise chance alone reaches is measured over all rows of a make (``tail``):
a node is beyond the spread if it is further away than that, which happens without a fault in one of
a hundred fleets.

Rows of one memory or one format are looked at together, too: the median of a node's rows there is
far less noisy than each of them.

A row in which nodes are of two bins, such as two clocks, has two middles (``bins``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from math import exp, inf, log, sqrt
from statistics import median

from analysis.compare.facts import Reading, typical_reading
from analysis.compare.noise import quantile
from analysis.compare.recorded import machine_of, record_of
from analysis.compare.verdict import group_of
from analysis.fleet.bins import parts_of, slower_bins
from analysis.fleet.node import Node, NodeRow
from analysis.fleet.tail import reach
from analysis.naming import name_of
from probes.records.tag import Tag

MAD_TO_SIGMA = 1.4826
EFFICIENCY_OF_MAD = 0.37
"""So many values tell the standard deviation as well as one told by their deviations (normal)."""
MEDIAN_TO_MEAN = 1.2533
"""Standard error of a median over that of a mean (normal)."""
CLOSE_GROUP = 1.5
"""A median of few nodes may be so much further away than its power of their tail says."""
HALF_WIDTH = 1.96
"""Half-width of an interval of 95 %, in standard deviations."""
UPPER = ((0.95, 1.645), (0.90, 1.2816))
"""Parts of the nodes, and how many standard deviations normal values reach there."""
FALSE_ALARMS = 0.01
"""In how many fleets without a fault chance may name a node."""
FEWEST = 4
"""Nodes of a kind of which one can be told to be unlike the others."""
FEW = 20
"""With fewer, their spread says little: that of other rows and what was recorded elsewhere count,
too.
"""
ONE_SIDED = 40
"""From so many nodes on each side of the middle has a tail of its own."""
ENOUGH_DISTANCES = 200
"""Of nodes from the middle, in rows of one make; with fewer, all rows tell the tail."""
FEWEST_ROWS = 3
"""Rows of one memory or format that are looked at together."""
FEWEST_PAIRS = 5
"""Runs of one device in pairs that tell how it varies from run to run."""
LEAST = 0.02
"""A smaller share below the middle is no fault."""

Rows = Sequence[tuple[Node, NodeRow]]
"""One row of many nodes."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One row of all nodes of one kind."""

    tag: str
    """The row."""
    name: str
    """As people call it."""
    unit: str
    """Of its values."""
    typical: Reading
    """The middle of its nodes; where they are of two bins, of the faster."""
    values: tuple[float, ...]
    """Of trusted nodes, in order from the slowest to the fastest."""
    noise: float
    """Standard deviation of the logarithm of speed among healthy nodes."""
    within: float
    """The same within the run of a typical node."""
    distance: float = 0.0
    """Logarithm of speed below the middle from which a node of usual noise is beyond."""
    least: float
    """The same that is needed at least, whatever the noise."""
    nodes: int
    """How many nodes have a value of it that can be trusted."""
    slower: Reading | None = None
    """The middle of the slower bin; None where all are of one."""
    slower_nodes: frozenset[str] = frozenset()
    """Names of the nodes of the slower bin."""

    @property
    def tells(self) -> bool:
        """True if there are enough nodes to tell one that is unlike the others."""
        return self.nodes >= FEWEST

    @property
    def told_from(self) -> float:
        """The least share below the middle that would be told of a node; 1 if none would be."""
        return 1 - exp(-self.distance) if self.tells else 1.0

    def at(self, share: float) -> float:
        """The value that this share of the nodes is slower than."""
        return self.values[round(share * (len(self.values) - 1))]

    def typical_of(self, node: Node) -> Reading:
        """The middle of the bin that a node is of."""
        is_slower = node.name in self.slower_nodes
        return self.slower if is_slower and self.slower else self.typical

    def away(self, node: Node) -> float:
        """Logarithm of a node's speed over that of its middle: below zero of slow nodes."""
        return log(node.rows[self.tag].reading.speed / self.typical_of(node).speed)


@dataclass(frozen=True)
class Deviation:
    """A node that is beyond the spread of its kind in one row."""

    tag: str
    """The row."""
    name: str
    """As people call it."""
    ratio: float
    """Its speed over that of the middle."""
    noises: float
    """Distance from the middle, in standard deviations of the noise."""
    is_together: bool = False
    """True if it is beyond only together with other nodes of its group, or with other rows of the
    same memory or format.
    """

    @property
    def is_slower(self) -> bool:
        """True if the node is slower than the middle."""
        return self.ratio < 1


@dataclass(frozen=True)
class Spreads:
    """How the nodes of one kind spread in all rows."""

    by_tag: Mapping[str, Spread]
    """In each row that two of them have at least."""
    subjects: tuple[Subject, ...] = ()
    """In rows of one memory or format together."""
    tails: Mapping[str, float] = field(default_factory=dict)
    """How many times the noise chance alone reaches, by the make of rows."""

    def tail_of(self, tag: str) -> float:
        """How many times the noise chance alone reaches in this row."""
        return self.tails.get(group_of(tag), inf)


@dataclass(frozen=True)
class Subject:
    """Rows of one memory or one format together."""

    tags: tuple[str, ...]
    """The rows."""
    middle: float
    """Of the nodes' medians over these rows."""
    noise: float
    """Standard deviation of them among healthy nodes."""
    distance: float
    """Distance below the middle from which a node is beyond."""


def spreads(nodes: Sequence[Node], troubled: Collection[str] = ()) -> dict[str, Spread]:
    """How these nodes, of one kind, spread in each row that two of them have at least.

    troubled: names of nodes that something is known to hold down, so that they are of no bin of
    their own.
    """
    rows_by_tag: dict[str, list[tuple[Node, NodeRow]]] = {}
    for node in nodes:
        for tag, row in node.rows.items():
            if row.reading.trusted:
                rows_by_tag.setdefault(tag, []).append((node, row))
    several = {tag: rows for tag, rows in sorted(rows_by_tag.items()) if len(rows) > 1}
    places = {node.name: node.place for node in nodes}
    speeds_by_tag = {}
    parts_by_tag = {}
    for tag, rows in several.items():
        speeds = {node.name: row.reading.speed for node, row in rows}
        speeds_by_tag[tag] = speeds
        parts = parts_of(speeds, places, troubled)
        if parts:
            parts_by_tag[tag] = parts
    slower = slower_bins(speeds_by_tag, parts_by_tag)
    by_tag = {}
    for tag, rows in several.items():
        of_no_bin = {*troubled, *parts_by_tag[tag].rack} if tag in parts_by_tag else set()
        by_tag[tag] = _spread(tag, rows, slower.get(tag, frozenset()), of_no_bin)
    return _with_noise_of_others(by_tag) if len(nodes) < FEW else by_tag


def with_tails(
    by_tag: Mapping[str, Spread], nodes: Sequence[Node], left_out: Collection[str] = ()
) -> Spreads:
    """The same with the distance from which a node is beyond.

    left_out: names of nodes that are known to be slow, so that they say nothing of chance.
    """
    healthy = [node for node in nodes if node.name not in left_out]
    tails = _tails(healthy, by_tag)
    told = {}
    for tag, spread in by_tag.items():
        tail = tails.get(group_of(tag), inf)
        distance = tail * spread.noise if spread.noise else 0.0
        told[tag] = replace(spread, distance=max(distance, spread.least))
    return Spreads(told, tuple(_subjects(nodes, healthy, told)), tails)


def _spread(tag: str, rows: Rows, slower: frozenset[str], of_no_bin: Collection[str]) -> Spread:
    """How all nodes spread in one row, as far as this row tells it.

    slower: names of those of the slower of two bins. of_no_bin: of those that say nothing of the
    middle of a bin.
    """
    readings = [row.reading for _, row in rows]
    tell = [(node, row) for node, row in rows if node.name not in of_no_bin]
    of_slower = [row.reading for node, row in tell if node.name in slower]
    of_faster = [row.reading for node, row in tell if node.name not in slower]
    typical = typical_reading(of_faster or readings)
    assert typical is not None  # of two readings at least
    in_order = sorted(readings, key=lambda reading: reading.speed)
    least = -log(1 - LEAST)
    if len(rows) < FEW:
        record = record_of(tag, machine_of(rows[0][0].circumstances))
        least = max(least, log(1 + record.range) if record else 0.0)
    spread = Spread(
        tag=tag,
        name=name_of(Tag.parse(tag)),
        unit=typical.unit,
        typical=typical,
        values=tuple(reading.value for reading in in_order),
        noise=0.0,
        within=_within(rows),
        least=least,
        nodes=len(rows),
        slower=typical_reading(of_slower),
        slower_nodes=slower,
    )
    away = sorted(spread.away(node) for node, _ in rows)
    return replace(spread, noise=max(_among(away), spread.within, _run_to_run(tag, rows)))


def _with_noise_of_others(by_tag: Mapping[str, Spread]) -> dict[str, Spread]:
    """The same of few nodes: by luck their own spread may be far too small.

    The noise of a row is at least the middle of that in all rows of its make.
    """
    by_make: dict[str, list[float]] = {}
    for tag, spread in by_tag.items():
        by_make.setdefault(group_of(tag), []).append(spread.noise)
    usual = {make: median(noises) for make, noises in by_make.items()}
    return {
        tag: replace(spread, noise=max(spread.noise, usual[group_of(tag)]))
        for tag, spread in by_tag.items()
    }


def _tails(nodes: Sequence[Node], by_tag: Mapping[str, Spread]) -> dict[str, float]:
    """How many times the noise chance alone reaches, by the make of rows."""
    by_make: dict[str, list[list[float]]] = {}
    of_all = []
    for node in nodes:
        of_node: dict[str, list[float]] = {}
        for tag, row in node.rows.items():
            spread = by_tag.get(tag)
            if spread is None or not spread.noise or not row.reading.trusted:
                continue
            times = spread.away(node) / _noise_of(row, spread)
            of_node.setdefault(group_of(tag), []).append(times)
        for make, times_of_make in of_node.items():
            by_make.setdefault(make, []).append(times_of_make)
        of_all.append([times for times_of_make in of_node.values() for times in times_of_make])
    alarms = FALSE_ALARMS / max(1, len(by_make) + 1)  # and one for rows together
    tails = {}
    for make, by_node in by_make.items():
        is_enough = sum(map(len, by_node)) >= ENOUGH_DISTANCES
        tails[make] = _reach(by_node if is_enough else of_all, alarms)
    return tails


def _reach(by_node: Sequence[Sequence[float]], alarms: float) -> float:
    """How far chance reaches on that side of the middle where it reaches further."""
    slow = [[-times for times in node] for node in by_node]
    if len(by_node) < ONE_SIDED:
        return reach([list(map(abs, node)) for node in by_node], alarms)
    return max(reach(slow, alarms), reach(by_node, alarms))


def _among(away: Sequence[float]) -> float:
    """Standard deviation among healthy nodes. away: distances from the middle, in order."""
    middle = median(away)
    estimates = [MAD_TO_SIGMA * median(abs(value - middle) for value in away)]
    if len(away) >= FEW:
        # both must show it: a tenth of the nodes may be faster for a reason of their own
        upper = [(away[int(share * (len(away) - 1))] - middle) / sigmas for share, sigmas in UPPER]
        estimates.append(min(upper))
    return max(estimates)


def _within(rows: Rows) -> float:
    """Standard deviation within the run of a typical node, as its interval tells."""
    known = [row.spread / HALF_WIDTH for _, row in rows if row.spread is not None]
    return median(known) if known else 0.0


def _run_to_run(tag: str, rows: Rows) -> float:
    """Standard deviation between runs of one device; 0 where too few were measured twice."""
    by_device: dict[tuple[str, str], list[float]] = {}
    for node, row in rows:
        by_device.setdefault((node.host, node.unit), []).append(log(row.reading.speed))
    differences = []
    for logs in by_device.values():
        differences += [abs(one - other) for one, other in pairwise(logs)]
    if len(by_device) < FEWEST_PAIRS or len(differences) < FEWEST_PAIRS:
        return 0.0
    return MAD_TO_SIGMA * median(differences) / sqrt(2)


def _noise_of(row: NodeRow, spread: Spread) -> float:
    """The noise of one node's row: more than usual where its own run was noisier."""
    own = (row.spread or 0.0) / HALF_WIDTH
    more = max(0.0, own * own - spread.within * spread.within)
    return sqrt(spread.noise * spread.noise + more)


def deviation_of(node: Node, spread: Spread) -> Deviation | None:
    """How far a node is beyond the spread of its kind in a row; None if it is not.

    A node whose own run was noisier than usual must be further away.
    """
    row = node.rows.get(spread.tag)
    if row is None or not row.reading.trusted or not spread.tells:
        return None
    away = spread.away(node)
    noise = _noise_of(row, spread)
    widened = noise / spread.noise if spread.noise else 1.0
    if abs(away) <= spread.distance * widened:
        return None
    return Deviation(spread.tag, spread.name, exp(away), _noises(away, noise))


def _subjects(
    nodes: Sequence[Node], healthy: Sequence[Node], by_tag: Mapping[str, Spread]
) -> Iterator[Subject]:
    """Each memory or format of which there are several rows."""
    tags_by_subject: dict[str, list[str]] = {}
    for tag, spread in by_tag.items():
        if spread.tells:
            tags_by_subject.setdefault(str(Tag.parse(tag).whole), []).append(tag)
    drafts = []
    by_node: dict[str, list[float]] = {node.name: [] for node in healthy}
    for tags in tags_by_subject.values():
        if len(tags) < FEWEST_ROWS:
            continue
        away_by_name = {node.name: median_away(node, tags, by_tag) for node in nodes}
        known = {name: away for name, away in away_by_name.items() if away is not None}
        if len(known) < FEWEST:
            continue
        noise = _among(sorted(known.values()))
        middle = median(known.values())
        drafts.append(Subject(tuple(tags), middle, noise, 0.0))
        if not noise:
            continue
        for name, of_node in by_node.items():
            if name in known:
                of_node.append((known[name] - middle) / noise)
    reached = _reach(list(by_node.values()), FALSE_ALARMS)
    for draft in drafts:
        distance = reached * draft.noise if draft.noise else 0.0
        least = max(by_tag[tag].least for tag in draft.tags)
        yield replace(draft, distance=max(distance, least))


def median_away(node: Node, tags: Iterable[str], by_tag: Mapping[str, Spread]) -> float | None:
    """The median of a node's distances from the middle in these rows; None where it lacks most."""
    tags = list(tags)
    away = []
    for tag in tags:
        row = node.rows.get(tag)
        if row is not None and row.reading.trusted:
            away.append(by_tag[tag].away(node))
    return median(away) if len(away) >= FEWEST_ROWS and 2 * len(away) > len(tags) else None


def deviations_together(
    node: Node, subject: Subject, by_tag: Mapping[str, Spread]
) -> Iterator[Deviation]:
    """Rows of a subject in which a node is slow, if it is beyond the spread in all of it."""
    away = median_away(node, subject.tags, by_tag)
    if away is None or subject.middle - away <= subject.distance:
        return
    for tag in subject.tags:
        row, spread = node.rows.get(tag), by_tag[tag]
        if row is None or not row.reading.trusted:
            continue
        of_row = spread.away(node)
        if of_row < log(1 - LEAST):
            noises = _noises(of_row, spread.noise)
            yield Deviation(tag, spread.name, exp(of_row), noises, is_together=True)


def group_deviation(
    nodes: Sequence[Node], spread: Spread, tail: float, tests: int
) -> Deviation | None:
    """How far the middle of a group of nodes is beyond that of their kind; None if it is not.

    It finds what each node alone hides in its noise. tail: how many times the noise chance reaches
    in one node. tests: how many groups and rows are looked at.
    """
    having = [node for node in nodes if spread.tag in node.rows]
    known = [spread.away(node) for node in having if node.rows[spread.tag].reading.trusted]
    others = spread.nodes - len(known)
    if len(known) < 3 or others < FEWEST or len(known) > spread.nodes / 3:
        return None
    away = median(known)
    error = MEDIAN_TO_MEAN * spread.noise * sqrt(1 / len(known) + 1 / others)
    limit = _times(min(len(known) * 3, others), tests) * error
    # their median is far away only if half of them are
    of_half = CLOSE_GROUP * spread.noise * tail ** (2 / len(known))
    if abs(away) <= max(limit, of_half, -log(1 - LEAST)):
        return None
    return Deviation(spread.tag, spread.name, exp(away), _noises(away, error), is_together=True)


@cache
def _times(nodes: int, tests: int) -> float:
    """So many standard deviations of ``nodes`` values chance reaches too rarely to matter."""
    freedom = max(1.0, EFFICIENCY_OF_MAD * (nodes - 1))
    return quantile(1 - FALSE_ALARMS / max(1, tests), freedom)


def _noises(away: float, noise: float) -> float:
    return abs(away) / noise if noise else inf
