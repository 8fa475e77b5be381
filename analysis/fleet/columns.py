"""The tables of a fleet: nodes, how each ceiling spreads, and what each node reached."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import NamedTuple

from analysis.compare.facts import typical_reading
from analysis.fleet.fleet import Fleet, Group, KindOfNodes, Look
from analysis.fleet.node import Lost, Node
from analysis.fleet.spread import Spread
from analysis.fleet.words import cause_in_words, folded, told_from_in_words
from analysis.tell.columns import Column
from analysis.units import percent, si

NODES_FILE, SPREAD_FILE, VALUES_FILE = "nodes.csv", "spread.csv", "values.csv"
WITHOUT_RUN = "no run"
"""Verdict on a node of which there is none."""


class NodeLine(NamedTuple):
    """One node: a line of ``nodes.csv``."""

    look: Look | None
    lost: Lost | None = None

    @property
    def node(self) -> Node | None:
        """Its run; None where there is none."""
        return self.look.node if self.look else None


class ValueLine(NamedTuple):
    """One ceiling of one node: a line of ``values.csv``."""

    look: Look
    spread: Spread

    @property
    def ratio(self) -> float:
        """Its speed over that of the middle of its bin."""
        return exp(self.spread.away(self.look.node))

    @property
    def is_beyond(self) -> bool:
        """True if it is beyond the spread of its kind."""
        return any(each.tag == self.spread.tag for each in self.look.deviations)


class SpreadLine(NamedTuple):
    """One ceiling of one kind of nodes: a line of ``spread.csv``."""

    kind: KindOfNodes
    spread: Spread

    @property
    def slow(self) -> int:
        """How many nodes are slow in it."""
        return sum(
            each.tag == self.spread.tag and each.is_slower
            for look in self.kind.looks
            for each in look.deviations
        )


def node_lines(fleet: Fleet) -> Iterator[NodeLine]:
    """Every node, those without a run at the end."""
    for look in fleet.looks:
        yield NodeLine(look)
    for lost in fleet.lost:
        yield NodeLine(None, lost)


def spread_lines(fleet: Fleet) -> Iterator[SpreadLine]:
    """Every ceiling of every kind."""
    for kind in fleet.kinds:
        for spread in kind.spreads.values():
            yield SpreadLine(kind, spread)


def value_lines(fleet: Fleet) -> Iterator[ValueLine]:
    """Every ceiling of every node."""
    for kind in fleet.kinds:
        for look in kind.looks:
            for tag in look.node.rows:
                if tag in kind.spreads:
                    yield ValueLine(look, kind.spreads[tag])


def _why_lost(line: NodeLine) -> str:
    """Why there is no run, or the evidence of a verdict."""
    if line.lost:
        return line.lost.why
    difference = line.look.difference if line.look else None
    return difference.sentence if difference else ""


NODE_COLUMNS: tuple[Column[NodeLine], ...] = (
    Column(
        stored="node",
        computed=lambda line: line.node.name if line.node else line.lost and line.lost.name,
    ),
    Column(stored="host", computed=lambda line: line.node and line.node.host),
    Column(stored="rack", computed=lambda line: line.node and line.node.place),
    Column(stored="gpu", computed=lambda line: line.node and line.node.index),
    Column(stored="device", computed=lambda line: line.node and line.node.kind.device),
    Column(stored="started", computed=lambda line: line.node and line.node.started),
    Column(
        stored="run",
        computed=lambda line: str((line.node or line.lost).folder) if line.node else "",  # type: ignore[union-attr]
    ),
    Column(stored="complete", computed=lambda line: line.node and int(line.node.is_complete)),
    Column(stored="verdict", computed=lambda line: line.look.verdict if line.look else WITHOUT_RUN),
    Column(stored="cause", computed=lambda line: line.look and line.look.cause),
    Column(
        stored="worst_tag",
        computed=lambda line: line.look.worst.tag if line.look and line.look.worst else None,
    ),
    Column(
        stored="worst_ratio",
        computed=lambda line: line.look.worst.ratio if line.look and line.look.worst else None,
    ),
    Column(
        stored="slow_rows",
        computed=lambda line: (
            sum(each.is_slower for each in line.look.deviations) if line.look else None
        ),
    ),
    Column(stored="missing", computed=lambda line: line.look and len(line.look.missing)),
    Column(stored="untrusted", computed=lambda line: line.look and line.look.doubts),
    Column(stored="driver", computed=lambda line: line.node and line.node.circumstances.driver),
    Column(
        stored="power_limit_w",
        computed=lambda line: line.node and line.node.circumstances.power_limit_w,
    ),
    Column(stored="why", computed=_why_lost),
)
"""The columns of ``nodes.csv``."""

SPREAD_COLUMNS: tuple[Column[SpreadLine], ...] = (
    Column(stored="device", computed=lambda line: line.kind.kind.device),
    Column(stored="tag", computed=lambda line: line.spread.tag),
    Column(name="ceiling", computed=lambda line: line.spread.name),
    Column(
        stored="nodes", name="nodes", computed=lambda line: line.spread.nodes, number=True, may_go=1
    ),
    Column(
        stored="median",
        name="median",
        computed=lambda line: line.spread.typical.value,
        unit=lambda line: line.spread.unit,
        number=True,
    ),
    Column(stored="unit", computed=lambda line: line.spread.unit),
    Column(
        stored="slowest",
        name="slowest",
        computed=lambda line: line.spread.at(0),
        unit=lambda line: line.spread.unit,
        number=True,
    ),
    Column(stored="p05", computed=lambda line: line.spread.at(0.05)),
    Column(stored="p95", computed=lambda line: line.spread.at(0.95)),
    Column(
        stored="fastest",
        name="fastest",
        computed=lambda line: line.spread.at(1),
        unit=lambda line: line.spread.unit,
        number=True,
        may_go=2,
    ),
    Column(
        stored="noise",
        name="noise",
        computed=lambda line: line.spread.noise,
        text=lambda line: percent(line.spread.noise),
        number=True,
        may_go=3,
    ),
    Column(stored="noise_within", computed=lambda line: line.spread.within),
    Column(stored="distance", computed=lambda line: line.spread.distance),
    Column(stored="slow", name="slow", computed=lambda line: line.slow, number=True),
    Column(
        stored="told_from",
        name="told from",
        computed=lambda line: line.spread.told_from if line.spread.told_from < 1 else None,
        text=lambda line: told_from_in_words(line.spread),
        number=True,
        may_go=4,
    ),
)
"""The columns of ``spread.csv``; those with a name are seen on terminal and page, too."""
SPREAD_SHOWN = tuple(column for column in SPREAD_COLUMNS if column.name)

VALUE_COLUMNS: tuple[Column[ValueLine], ...] = (
    Column(stored="node", computed=lambda line: line.look.node.name),
    Column(stored="tag", computed=lambda line: line.spread.tag),
    Column(
        stored="value",
        computed=lambda line: line.look.node.rows[line.spread.tag].reading.value,
    ),
    Column(stored="unit", computed=lambda line: line.spread.unit),
    Column(stored="ratio", computed=lambda line: line.ratio),
    Column(
        stored="clock_hz",
        computed=lambda line: line.look.node.rows[line.spread.tag].reading.clock_hz,
    ),
    Column(
        stored="trusted",
        computed=lambda line: int(line.look.node.rows[line.spread.tag].reading.trusted),
    ),
    Column(stored="beyond", computed=lambda line: int(line.is_beyond)),
    Column(
        stored="slower_bin",
        computed=lambda line: int(line.look.node.name in line.spread.slower_nodes),
    ),
)
"""The columns of ``values.csv``."""


def _worst_in_words(group: Group) -> str:
    worst = group.worst.worst
    return "" if worst is None else f"{worst.name} −{percent(1 - worst.ratio)}"


def _clock(group: Group) -> str:
    """The clock of the slowest row."""
    worst = group.worst.worst
    if worst is None:
        return ""
    reading = typical_reading([group.worst.node.rows[worst.tag].reading])
    return si(reading.clock_hz if reading else None, "Hz")


GROUP_COLUMNS: tuple[Column[Group], ...] = (
    Column(
        name="slow",
        computed=lambda group: group.place or folded([each.node.name for each in group.looks]),
    ),
    Column(name="nodes", computed=lambda group: len(group.looks), number=True),
    Column(name="cause", computed=lambda group: cause_in_words(group.cause)),
    Column(name="slowest row", computed=_worst_in_words),
    Column(name="its clock", computed=_clock, number=True, may_go=1),
)
"""What people see of slow nodes."""
