"""A fleet: its nodes by kind, what each is like, and those that are unlike the others, with why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path
from statistics import median

from analysis.compare import why as causes
from analysis.compare.facts import Circumstances, typical_circumstances
from analysis.compare.why import Difference, has_more_load, why
from analysis.fleet.node import Kind, Lost, Node
from analysis.fleet.read import Nodes, read_nodes
from analysis.fleet.spread import (
    FEWEST,
    Deviation,
    Spread,
    Spreads,
    deviation_of,
    deviations_together,
    group_deviation,
    spreads,
    with_tails,
)
from probes.records.tag import Tag

SLOW, LOADED, FAST, USUAL = "slow", "measured under load", "fast", "as the others"
UNTRUSTED, EMPTY, FEW_NODES = "cannot tell", "nothing measured", "too few of its kind"
"""What is said of a node."""
UNCERTAIN = (causes.DRIVER, causes.TOOLKIT)
"""Causes that speak only where most nodes that have them are slow."""
OF_LOAD = (causes.LOAD, causes.OTHER_PROCESSES)
"""Causes that say nothing of the machine itself."""
NO_CAUSES = ("", causes.SHARE)
"""What is no cause: a lower share of theory says no more than that it is slow."""
FEWEST_IN_GROUP = 3
MOST_TROUBLED = 1 / 3
"""Part of the nodes up to which what differs in them is trouble, and not usual."""
FEWEST_ROWS_OF_BIN = 3
"""Rows in which a slower bin shows, of which people are told."""
SHARE_OF_PLACE = 0.5
"""Part of the nodes of a rack from which on it is the rack that is slow."""


@dataclass(frozen=True)
class Look:
    """What is said of one node."""

    node: Node
    """The node."""
    verdict: str
    """One of the words above."""
    deviations: tuple[Deviation, ...] = ()
    """Rows in which it is beyond the spread of its kind, roofs first, the slowest first."""
    cause: str = ""
    """Name of the cause; empty where nothing is known that explains it."""
    difference: Difference | None = None
    """Of the row that tells most: why it differs from the middle of its kind."""
    missing: tuple[str, ...] = ()
    """Tags that most nodes of its kind have and this one has no value of."""
    doubts: int = 0
    """How many of its rows cannot be trusted, of those that most nodes' can."""

    @property
    def worst(self) -> Deviation | None:
        """The row that is furthest from the others."""
        return self.deviations[0] if self.deviations else None


@dataclass(frozen=True)
class Group:
    """Nodes that are slow for one cause, told of together; or one alone."""

    looks: tuple[Look, ...]
    """By name."""
    cause: str
    """Name of the cause; empty if unknown."""
    place: str
    """The rack that most of its nodes are; empty if they are no rack."""
    of_place: int = 0
    """How many nodes that rack has."""

    @property
    def worst(self) -> Look:
        """The node that is furthest from the others."""
        return min(self.looks, key=lambda look: look.worst.ratio if look.worst else 1.0)


@dataclass(frozen=True)
class Minority:
    """Nodes in which one fact differs from most of their kind."""

    fact: str
    """What: ``driver``."""
    usual: str
    """What most have."""
    value: str
    """What these have."""
    nodes: tuple[str, ...]
    """Their names."""


@dataclass(frozen=True)
class Bin:
    """Nodes that are slower than the others of their kind without a fault, such as a bin."""

    nodes: tuple[str, ...]
    """Their names."""
    tags: tuple[str, ...]
    """The rows in which they are slower."""
    ratio: float
    """Their speed over that of the others, the middle of these rows."""
    spread: Spread
    """One of these rows, a roof if there is one."""


@dataclass(frozen=True)
class KindOfNodes:
    """All nodes of one kind."""

    kind: Kind
    """What they have in common."""
    looks: tuple[Look, ...]
    """What is said of each, by name."""
    spreads: Mapping[str, Spread]
    """How they spread in each row, by tag."""
    groups: tuple[Group, ...]
    """Those that are slow, the largest group first."""
    minorities: tuple[Minority, ...]
    """What differs in a few of them."""
    bins: tuple[Bin, ...] = ()
    """Nodes of a slower bin, the one that shows in most rows first."""

    def with_verdict(self, verdict: str) -> list[Look]:
        """Those of whom this is said."""
        return [look for look in self.looks if look.verdict == verdict]

    @property
    def tells(self) -> bool:
        """True if there are enough nodes to tell one that is unlike the others."""
        return len(self.looks) >= FEWEST


@dataclass(frozen=True)
class Fleet:
    """All that was read of a fleet, and what is said of it."""

    top: Path
    """The folder of its runs."""
    kinds: tuple[KindOfNodes, ...]
    """The kind with most nodes first."""
    lost: tuple[Lost, ...]
    """Nodes with no run that can be read."""
    namesakes: tuple[str, ...]
    """Hosts of several runs of what seems to be one device."""

    @property
    def nodes(self) -> int:
        """How many runs were read."""
        return sum(len(kind.looks) for kind in self.kinds)

    @property
    def looks(self) -> list[Look]:
        """What is said of each node, of all kinds."""
        return [look for kind in self.kinds for look in kind.looks]


def fleet_of(top: Path, progress: Callable[[int, int], None] | None = None) -> Fleet:
    """Read and judge all runs below ``top``. Raises RidgelineError where there are none."""
    return judge(top, read_nodes(top, progress))


def judge(top: Path, read: Nodes) -> Fleet:
    """What is said of these nodes."""
    by_kind: dict[Kind, list[Node]] = {}
    for node in read.nodes:
        by_kind.setdefault(node.kind, []).append(node)
    in_order = sorted(by_kind.items(), key=lambda item: (-len(item[1]), str(item[0])))
    kinds = tuple(_kind(kind, nodes) for kind, nodes in in_order)
    return Fleet(top, kinds, read.lost, read.namesakes)


def _kind(kind: Kind, nodes: Sequence[Node]) -> KindOfNodes:
    """All that is said of the nodes of one kind."""
    typical = typical_circumstances([node.circumstances for node in nodes])
    watched = sum(node.circumstances.busy is not None for node in nodes)
    if 2 * watched < len(nodes):
        typical = replace(typical, others=None, steal=None)  # of so few it would be their own
    minorities = tuple(_minorities(nodes, typical))
    without_tails = spreads(nodes, _troubled(nodes, typical))
    spread = with_tails(without_tails, nodes)
    of_groups = list(_of_groups(nodes, spread, minorities))
    if of_groups:
        names = {node.name for node, _ in of_groups}
        spread = with_tails(without_tails, nodes, left_out=names)
        of_groups = list(_of_groups(nodes, spread, minorities))
    spread_by_tag = spread.by_tag
    by_name = {node.name: list(_deviations(node, spread)) for node in nodes}
    for node, deviation in of_groups:
        if all(other.tag != deviation.tag for other in by_name[node.name]):
            by_name[node.name].append(deviation)
    slow_rows = _slow_rows(by_name)
    kept = _uncertain_causes(minorities, slow_rows, by_name)
    usual = [
        tag for tag, spread in spread_by_tag.items() if 2 * spread.nodes > len(nodes) >= FEWEST
    ]
    looks = [_look(node, by_name[node.name], spread_by_tag, typical, usual, kept) for node in nodes]
    return KindOfNodes(
        kind=kind,
        looks=tuple(looks),
        spreads=spread_by_tag,
        groups=tuple(_groups(looks)),
        minorities=minorities,
        bins=tuple(_bins(spread_by_tag, looks)),
    )


def _deviations(node: Node, spreads_of_kind: Spreads) -> Iterator[Deviation]:
    """Rows in which a node alone is beyond the spread, then those where only several together."""
    tags = set()
    for spread in spreads_of_kind.by_tag.values():
        deviation = deviation_of(node, spread)
        if deviation:
            tags.add(deviation.tag)
            yield deviation
    for subject in spreads_of_kind.subjects:
        for deviation in deviations_together(node, subject, spreads_of_kind.by_tag):
            if deviation.tag not in tags:
                yield deviation


def _troubled(nodes: Sequence[Node], typical: Circumstances) -> set[str]:
    """Names of the few nodes that something is known to hold down; empty where they are many."""
    names = {node.name for node in nodes if _is_troubled(node.circumstances, typical)}
    return names if len(names) <= MOST_TROUBLED * len(nodes) else set()


def _is_troubled(run: Circumstances, typical: Circumstances) -> bool:
    """True if something that may be mended is other than usual in a run."""
    reasons = (run.held_down | run.clock_limits) - typical.held_down - typical.clock_limits
    limits = run.power_limit_w, typical.power_limit_w
    has_less_power = limits[0] is not None and limits[1] is not None and limits[0] < limits[1]
    has_other_mode = run.mode != typical.mode or run.ecc != typical.ecc
    has_other_software = run.driver != typical.driver or run.versions != typical.versions
    is_set_otherwise = has_less_power or has_other_mode or has_other_software
    return bool(reasons) or is_set_otherwise or has_more_load(run, typical)


def _bins(spread_by_tag: Mapping[str, Spread], looks: Sequence[Look]) -> Iterator[Bin]:
    """The nodes of a slower bin that have no fault, and all rows that show it."""
    tags_by_names: dict[frozenset[str], list[str]] = {}
    for tag, spread in spread_by_tag.items():
        if spread.slower is not None:
            tags_by_names.setdefault(spread.slower_nodes, []).append(tag)
    in_order = sorted(tags_by_names.items(), key=lambda item: -len(item[1]))
    for names, tags in in_order:
        if len(tags) < FEWEST_ROWS_OF_BIN and not any(map(_is_whole_roof, tags)):
            continue  # one path may have two ways of its own
        ratios = [_ratio_of_bins(spread_by_tag[tag]) for tag in tags]
        tag = max(tags, key=lambda tag: Tag.parse(tag).draws_roof)
        usual = [look.node.name for look in looks if look.verdict != SLOW]
        names_in_order = tuple(name for name in usual if name in names)
        if names_in_order:
            yield Bin(names_in_order, tuple(tags), median(ratios), spread_by_tag[tag])


def _is_whole_roof(tag: str) -> bool:
    """True for main memory, or the vector units of a format."""
    parsed = Tag.parse(tag)
    return parsed.draws_roof and not parsed.path


def _ratio_of_bins(spread: Spread) -> float:
    """Speed of the slower bin over that of the faster."""
    assert spread.slower is not None
    return spread.slower.speed / spread.typical.speed


def _of_groups(
    nodes: Sequence[Node], spreads_of_kind: Spreads, minorities: Sequence[Minority]
) -> Iterator[tuple[Node, Deviation]]:
    """Nodes that are slow only as a group: a rack, or those in which one fact differs.

    Of a node that is itself not below the middle nothing is said.
    """
    groups = list(_by_place(nodes).values())
    by_name = {node.name: node for node in nodes}
    groups += [[by_name[name] for name in minority.nodes] for minority in minorities]
    groups = [group for group in groups if len(group) >= FEWEST_IN_GROUP]
    tests = len(groups) * max(1, len(spreads_of_kind.by_tag))
    for group in groups:
        for spread in spreads_of_kind.by_tag.values():
            tail = spreads_of_kind.tail_of(spread.tag)
            deviation = group_deviation(group, spread, tail, tests)
            if deviation is None or not deviation.is_slower:
                continue
            for node in group:
                row = node.rows.get(spread.tag)
                if row is None or not row.reading.trusted:
                    continue
                ratio = exp(spread.away(node))
                if ratio < 1:
                    yield node, replace(deviation, ratio=ratio)


def _by_place(nodes: Sequence[Node]) -> dict[str, list[Node]]:
    """Nodes by rack, where racks are known."""
    by_place: dict[str, list[Node]] = {}
    for node in nodes:
        if node.place:
            by_place.setdefault(node.place, []).append(node)
    return by_place


def _slow_rows(by_name: Mapping[str, Sequence[Deviation]]) -> dict[str, set[str]]:
    """Names of the nodes that are slow in each row."""
    slow: dict[str, set[str]] = {}
    for name, deviations in by_name.items():
        for deviation in deviations:
            if deviation.is_slower:
                slow.setdefault(deviation.tag, set()).add(name)
    return slow


def _uncertain_causes(
    minorities: Sequence[Minority],
    slow_rows: Mapping[str, set[str]],
    by_name: Mapping[str, Sequence[Deviation]],
) -> dict[tuple[str, str], set[str]]:
    """For a node and an uncertain cause, the rows in which it may be the cause.

    It may where at least half of the nodes in which the same differs are slow in that row.
    """
    kept: dict[tuple[str, str], set[str]] = {}
    for minority in minorities:
        cause = causes.DRIVER if minority.fact == causes.DRIVER else causes.TOOLKIT
        for tag, slow in slow_rows.items():
            if 2 * len(slow & set(minority.nodes)) < len(minority.nodes):
                continue
            for name in minority.nodes:
                if name in by_name:
                    kept.setdefault((name, cause), set()).add(tag)
    return kept


def _look(
    node: Node,
    deviations: Sequence[Deviation],
    spread_by_tag: Mapping[str, Spread],
    typical: Circumstances,
    usual: Sequence[str],
    kept: Mapping[tuple[str, str], set[str]],
) -> Look:
    """What is said of one node. usual: tags that most of its kind have."""
    missing = tuple(tag for tag in usual if tag not in node.rows)
    doubts = sum(tag in node.rows and not node.rows[tag].reading.trusted for tag in usual)
    if not node.is_measured:
        return Look(node, EMPTY, missing=missing)
    slow = sorted((each for each in deviations if each.is_slower), key=_roofs_then_slowest)
    if slow:
        cause, difference = _cause(node, slow, spread_by_tag, typical, kept)
        if not cause and has_more_load(node.circumstances, typical):
            cause = causes.LOAD  # a busy host is no proof, but leaves none against the node either
        verdict = LOADED if cause in OF_LOAD else SLOW
        return Look(node, verdict, tuple(slow), cause, difference, missing, doubts)
    if doubts and 2 * doubts >= len(usual) - len(missing):
        loaded = has_more_load(node.circumstances, typical)
        return Look(node, LOADED if loaded else UNTRUSTED, missing=missing, doubts=doubts)
    if not usual:
        return Look(node, FEW_NODES, missing=missing, doubts=doubts)
    fast = sorted(deviations, key=lambda each: -each.ratio)
    verdict = FAST if fast else USUAL
    return Look(node, verdict, tuple(fast), missing=missing, doubts=doubts)


def _roofs_then_slowest(deviation: Deviation) -> tuple[bool, float]:
    """A key that sorts rows that draw roofs before others, and these by how slow they are."""
    return not Tag.parse(deviation.tag).draws_roof, deviation.ratio


def _cause(
    node: Node,
    slow: Sequence[Deviation],
    spread_by_tag: Mapping[str, Spread],
    typical: Circumstances,
    kept: Mapping[tuple[str, str], set[str]],
) -> tuple[str, Difference]:
    """The cause that explains most of a node's slow rows, and the slowest row that it explains.

    An empty name where none is known.
    """
    differences = []
    for deviation in slow:
        difference = why(
            deviation.tag,
            spread_by_tag[deviation.tag].typical_of(node),
            node.rows[deviation.tag].reading,
            typical,
            node.circumstances,
        )
        likely = tuple(
            cause
            for cause in difference.causes
            if cause.name not in UNCERTAIN or deviation.tag in kept.get((node.name, cause.name), ())
        )
        differences.append(replace(difference, causes=likely))
    counts = Counter(name for name in map(_name_of_cause, differences) if name not in NO_CAUSES)
    if not counts:
        return "", differences[0]
    name = counts.most_common(1)[0][0]
    return name, next(each for each in differences if _name_of_cause(each) == name)


def _name_of_cause(difference: Difference) -> str:
    """Name of the first cause that is one; of a share of theory alone, what else differs."""
    if difference.cause not in NO_CAUSES:
        return difference.cause
    names = [cause.name for cause in difference.causes if cause.name not in NO_CAUSES]
    return names[0] if names else ""


def _minorities(nodes: Sequence[Node], typical: Circumstances) -> Iterator[Minority]:
    """Facts in which fewer than half of these nodes differ from the others."""
    for fact, value_of in FACTS.items():
        usual = value_of(typical)
        if usual is None:
            continue
        by_value: dict[str, list[str]] = {}
        for node in nodes:
            value = value_of(node.circumstances)
            if value is not None and value != usual:
                by_value.setdefault(value, []).append(node.name)
        for value, names in sorted(by_value.items()):
            if 2 * len(names) < len(nodes):
                yield Minority(fact, usual, value, tuple(names))
    for name, usual in typical.versions.items():
        by_version: dict[str, list[str]] = {}
        for node in nodes:
            version = node.circumstances.versions.get(name)
            if version is not None and version != usual:
                by_version.setdefault(version, []).append(node.name)
        for version, names in sorted(by_version.items()):
            if 2 * len(names) < len(nodes):
                yield Minority(name, usual, version, tuple(names))


def _watts(run: Circumstances) -> str | None:
    return None if run.power_limit_w is None else f"{run.power_limit_w:g} W"


def _ecc(run: Circumstances) -> str | None:
    return None if run.ecc is None else ("on" if run.ecc else "off")


FACTS: Mapping[str, Callable[[Circumstances], str | None]] = {
    causes.DRIVER: lambda run: run.driver,
    "power limit": _watts,
    "ECC": _ecc,
    causes.MODE: lambda run: run.mode,
    "SMs or cores": lambda run: None if run.units is None else str(run.units),
    "rated clock": lambda run: None if run.rated_clock_hz is None else f"{run.rated_clock_hz:g} Hz",
}
"""Facts that all nodes of a kind should have in common, by name."""


def _groups(looks: Sequence[Look]) -> list[Group]:
    """Slow nodes by cause: whole racks first, then others of one cause, then each alone."""
    by_place = Counter(look.node.place for look in looks if look.node.place)
    rest = [look for look in looks if look.verdict == SLOW]
    groups = []
    for place, total in sorted(by_place.items()):
        there = [look for look in rest if look.node.place == place]
        names = Counter(look.cause for look in there)
        for cause, count in names.most_common(1):
            if count >= FEWEST_IN_GROUP and count >= SHARE_OF_PLACE * total:
                members = tuple(look for look in there if look.cause == cause)
                groups.append(Group(members, cause, place, total))
                rest = [look for look in rest if look not in members]
    by_cause: dict[tuple[str, str], list[Look]] = {}
    for look in rest:
        by_cause.setdefault((look.cause, _state(look)), []).append(look)
    for (cause, _), members_of_cause in by_cause.items():
        if cause and len(members_of_cause) >= FEWEST_IN_GROUP:
            groups.append(Group(tuple(members_of_cause), cause, ""))
        else:
            groups += [Group((look,), cause, "") for look in members_of_cause]
    return sorted(groups, key=lambda group: (-len(group.looks), group.looks[0].node.name))


def _state(look: Look) -> str:
    """How the cause is in this node, as people read it: nodes of one driver are one group."""
    if look.difference is None or look.cause not in UNCERTAIN:
        return ""
    return next((each.after for each in look.difference.causes if each.name == look.cause), "")
