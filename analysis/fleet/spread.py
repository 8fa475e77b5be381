"""How the nodes of one kind spread in one row, and which of them are beyond that.

The middle is the median of the logarithms of speed. The noise is the largest of three: 1.4826 times
the median absolute deviation (Rousseeuw and Croux 1993: the standard deviation of normal values,
which up to half of all nodes cannot move), what the upper tail tells of it (faults make nodes slow,
so the fast side shows how far healthy ones range), and what the nodes themselves saw within their
runs. A node is beyond it if its distance from the middle is more than chance makes in one of a
hundred fleets, over all nodes and rows together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import exp, log, sqrt
from statistics import median

from analysis.compare.facts import Reading, typical_reading
from analysis.compare.noise import quantile
from analysis.compare.recorded import machine_of, record_of
from analysis.fleet.node import Node, NodeRow
from analysis.naming import name_of
from probes.records.tag import Tag

MAD_TO_SIGMA = 1.4826
EFFICIENCY_OF_MAD = 0.37
"""So many values tell the standard deviation as well as one told by their deviations (normal)."""
MEDIAN_TO_MEAN = 1.2533
"""Standard error of a median over that of a mean (normal)."""
HALF_WIDTH = 1.96
"""Half-width of an interval of 95 %, in standard deviations."""
UPPER = ((0.95, 1.645), (0.90, 1.2816))
"""Parts of the nodes, and how many standard deviations normal values reach there."""
FALSE_ALARMS = 0.01
"""In how many fleets without a fault chance may name a node."""
FEWEST = 5
"""Nodes of a kind of which one can be told to be unlike the others."""
FEW = 20
"""With fewer, their spread says little: what was recorded elsewhere counts, too."""
TIMES_OF_FEW = 6.0
"""So many times the noise of few nodes suffice beyond what was recorded of single runs."""
TIMES_OF_FASTEST = 1.25
"""A slow node must be so much further from the middle than the fastest nodes are."""
FASTEST_LEFT_OUT = 2
"""So many of the fastest nodes do not count there: those may be fast for a reason of their own."""
FEWEST_PAIRS = 5
"""Runs of one device in pairs that tell how it varies from run to run."""
LEAST = 0.02
"""A smaller share below the middle is no fault."""


@dataclass(frozen=True)
class Spread:
    """One row of all nodes of one kind."""

    tag: str
    """The row."""
    name: str
    """As people call it."""
    unit: str
    """Of its values."""
    typical: Reading
    """The middle of its nodes."""
    values: tuple[float, ...]
    """Of trusted nodes, in order from the slowest to the fastest."""
    noise: float
    """Standard deviation of the logarithm of speed among healthy nodes."""
    within: float
    """The same within the run of a typical node."""
    distance: float
    """Logarithm of speed below the middle from which a node of usual noise is beyond."""
    nodes: int
    """How many nodes have a value of it that can be trusted."""
    tells: bool
    """True if there are enough nodes to tell one that is unlike the others."""

    def at(self, share: float) -> float:
        """The value that this share of the nodes is slower than."""
        return self.values[round(share * (len(self.values) - 1))]


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
    of_group: bool = False
    """True if only the group of its nodes is beyond the spread, not each alone."""

    @property
    def is_slower(self) -> bool:
        """True if the node is slower than the middle."""
        return self.ratio < 1


def spreads(nodes: Sequence[Node]) -> dict[str, Spread]:
    """How these nodes, of one kind, spread in each row that two of them have at least."""
    by_tag: dict[str, list[tuple[Node, NodeRow]]] = {}
    for node in nodes:
        for tag, row in node.rows.items():
            if row.reading.trusted:
                by_tag.setdefault(tag, []).append((node, row))
    tests = sum(map(len, by_tag.values()))
    several = {tag: rows for tag, rows in sorted(by_tag.items()) if len(rows) > 1}
    least_times = TIMES_OF_FASTEST * _fastest(several)
    return {tag: _spread(tag, rows, tests, least_times) for tag, rows in several.items()}


def _fastest(rows_by_tag: Mapping[str, Sequence[tuple[Node, NodeRow]]]) -> float:
    """How many times the noise the fastest nodes are above the middle; 0 of few nodes.

    Faults make nodes slow: what healthy ones reach by chance is seen on the fast side. A few nodes
    may be faster for a reason of their own, and do not count.
    """
    most: dict[str, float] = {}
    for tag, rows in rows_by_tag.items():
        if len(rows) < FEW:
            continue
        logs = sorted(log(row.reading.speed) for _, row in rows)
        middle = median(logs)
        noise = max(_among(logs), _within(rows), _run_to_run(tag, rows))
        if not noise:
            continue
        for node, row in rows:
            times = (log(row.reading.speed) - middle) / noise
            most[node.name] = max(most.get(node.name, 0.0), times)
    in_order = sorted(most.values(), reverse=True)
    return in_order[FASTEST_LEFT_OUT] if len(in_order) > FEW else 0.0


def _spread(
    tag: str, rows: Sequence[tuple[Node, NodeRow]], tests: int, least_times: float
) -> Spread:
    """How all nodes spread in one row.

    tests: how many nodes and rows are looked at. least_times: a distance of so many times the noise
    is no fault, whatever chance alone says.
    """
    readings = [row.reading for _, row in rows]
    typical = typical_reading(readings)
    assert typical is not None  # of two readings at least
    in_order = sorted(readings, key=lambda reading: reading.speed)
    logs = [log(reading.speed) for reading in in_order]
    within = _within(rows)
    noise = max(_among(logs), within, _run_to_run(tag, rows))
    times = max(_times(len(logs), tests), least_times)
    least = -log(1 - LEAST)
    if len(logs) < FEW:
        machine = machine_of(rows[0][0].circumstances)
        record = record_of(tag, machine)
        if record:
            times = min(times, TIMES_OF_FEW)
            least = max(least, log(1 + record.range))
    distance = max(times * noise, least)
    return Spread(
        tag=tag,
        name=name_of(Tag.parse(tag)),
        unit=typical.unit,
        typical=typical,
        values=tuple(reading.value for reading in in_order),
        noise=noise,
        within=within,
        distance=distance,
        nodes=len(logs),
        tells=len(logs) >= FEWEST,
    )


def _among(logs: Sequence[float]) -> float:
    """Standard deviation among healthy nodes. logs: in order."""
    middle = median(logs)
    estimates = [MAD_TO_SIGMA * median(abs(value - middle) for value in logs)]
    if len(logs) >= FEW:
        # both must show it: a tenth of the nodes may be faster for a reason of their own
        upper = [(logs[int(share * (len(logs) - 1))] - middle) / sigmas for share, sigmas in UPPER]
        estimates.append(min(upper))
    return max(estimates)


def _within(rows: Sequence[tuple[Node, NodeRow]]) -> float:
    """Standard deviation within the run of a typical node, as its interval tells."""
    known = [row.spread / HALF_WIDTH for _, row in rows if row.spread is not None]
    return median(known) if known else 0.0


def _run_to_run(tag: str, rows: Sequence[tuple[Node, NodeRow]]) -> float:
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


@cache
def _times(nodes: int, tests: int) -> float:
    """So many standard deviations of ``nodes`` values chance reaches too rarely to matter."""
    freedom = max(1.0, EFFICIENCY_OF_MAD * (nodes - 1))
    return quantile(1 - FALSE_ALARMS / max(1, tests), freedom)


def deviation_of(node: Node, spread: Spread) -> Deviation | None:
    """How far a node is beyond the spread of its kind in a row; None if it is not.

    A node whose own run was noisier than usual must be further away.
    """
    row = node.rows.get(spread.tag)
    if row is None or not row.reading.trusted or not spread.tells:
        return None
    away = log(row.reading.speed / spread.typical.speed)
    own = (row.spread or 0.0) / HALF_WIDTH
    more_noise = max(0.0, own * own - spread.within * spread.within)
    widened = sqrt(1 + more_noise / (spread.noise * spread.noise)) if spread.noise else 1.0
    if abs(away) <= spread.distance * widened:
        return None
    return Deviation(spread.tag, spread.name, exp(away), _noises(away, spread.noise * widened))


def group_deviation(nodes: Sequence[Node], spread: Spread, tests: int) -> Deviation | None:
    """How far the middle of a group of nodes is beyond that of their kind; None if it is not.

    It finds what each node alone hides in its noise. tests: how many groups and rows are looked at.
    """
    readings = [node.rows[spread.tag].reading for node in nodes if spread.tag in node.rows]
    logs = [log(reading.speed) for reading in readings if reading.trusted]
    others = spread.nodes - len(logs)
    if len(logs) < 3 or others < FEWEST or len(logs) > spread.nodes / 3:
        return None
    away = median(logs) - log(spread.typical.speed)
    error = MEDIAN_TO_MEAN * spread.noise * sqrt(1 / len(logs) + 1 / others)
    limit = _times(min(len(logs) * 3, others), tests) * error
    if abs(away) <= max(limit, -log(1 - LEAST)):
        return None
    return Deviation(spread.tag, spread.name, exp(away), _noises(away, error), of_group=True)


def _noises(away: float, noise: float) -> float:
    return abs(away) / noise if noise else float("inf")


def by_tag(nodes: Sequence[Node], spread_by_tag: Mapping[str, Spread]) -> dict[str, list[str]]:
    """Names of the nodes that lack each row which most others have."""
    missing: dict[str, list[str]] = {}
    for tag, spread in spread_by_tag.items():
        lacking = [node.name for node in nodes if tag not in node.rows]
        if lacking and spread.nodes > len(nodes) / 2:
            missing[tag] = lacking
    return missing
