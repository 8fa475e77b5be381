"""The sentences on a fleet: the answer first."""

from __future__ import annotations

import re
from collections.abc import Sequence

from analysis.compare import why as causes
from analysis.compare.why import change_in_words
from analysis.fleet.fleet import (
    EMPTY,
    FAST,
    LOADED,
    SLOW,
    UNTRUSTED,
    Bin,
    Fleet,
    Group,
    KindOfNodes,
    Look,
)
from analysis.fleet.spread import FEWEST, Spread
from analysis.naming import few, name_of
from analysis.units import percent, si
from probes.records.tag import Tag

PAGE = "fleet.html"
MOST_NAMES = 4
"""Nodes, or runs of nodes, that a sentence names."""
MOST_ROWS = 3
"""Rows that a sentence names."""
MOST_ROOFS = 12
"""Ceilings on a terminal, where not everything is asked for."""
MOST_GROUPS = 12
"""Groups of slow nodes with a sentence each, where not everything is asked for."""
NAMES_OF_CAUSES = {
    causes.POWER: "power cap",
    causes.HEAT: "heat",
    causes.CLOCK_LIMIT: "limit on the clock",
    causes.CLOCK: "lower clock",
    causes.THEORY: "less hardware",
    causes.MEMORY_CLOCK: "lower memory clock",
    causes.ECC: "ECC",
    causes.MODE: "power mode",
    causes.LOAD: "other load",
    causes.OTHER_PROCESSES: "other processes on the GPU",
    causes.DRIVER: "another driver",
    causes.TOOLKIT: "another toolkit",
    "": "cause unknown",
}
"""What people read of each cause."""


def cause_in_words(cause: str) -> str:
    """``power cap``."""
    return NAMES_OF_CAUSES.get(cause, cause)


def answer(fleet: Fleet) -> str:
    """The first sentence: how many nodes there are, and how many are unlike the others."""
    slow = sum(len(kind.with_verdict(SLOW)) for kind in fleet.kinds)
    total = fleet.nodes + len(fleet.lost)
    parts = []
    if slow:
        parts.append(f"{slow} slow")
    if fleet.lost:
        parts.append(f"{len(fleet.lost)} without a run")
    tells = any(kind.tells for kind in fleet.kinds)
    nodes = _counted(total, "node")
    if not parts:
        if not tells:
            return f"{nodes}: too few of a kind to tell one that is slow ({FEWEST} at least)."
        return f"{nodes}: none is slower than the others beyond their noise."
    return f"{nodes}: {', '.join(parts)}."


def sentences(fleet: Fleet, everything: bool = False) -> list[str]:
    """All that is said of a fleet after the answer."""
    told = []
    for kind in fleet.kinds:
        told += _of_kind(fleet, kind, everything)
    told += [f"{one.name}: {one.why}." for one in _first(fleet.lost, everything)]
    told += _more(fleet.lost, everything)
    if fleet.namesakes:
        told.append(
            f"{few(fleet.namesakes, MOST_NAMES)}: several runs of one device, or several nodes of "
            "one name; each run is a node of its own here."
        )
    return told


def _of_kind(fleet: Fleet, kind: KindOfNodes, everything: bool) -> list[str]:
    told = []
    several = len(fleet.kinds) > 1
    head = f"{kind.kind}, {_counted(len(kind.looks), 'node')}"
    if several:
        too_few = "" if kind.tells else f": too few to tell one that is slow ({FEWEST} at least)"
        told.append(f"{head}{too_few}.")
    told += [group_sentence(group) for group in _first(kind.groups, everything)]
    told += _more(kind.groups, everything)
    loaded = kind.with_verdict(LOADED)
    if loaded:
        told.append(
            f"{folded([look.node.name for look in loaded])}: measured while something else ran, "
            "which says nothing of the hardware; measure again."
        )
    untrusted = kind.with_verdict(UNTRUSTED)
    if untrusted:
        names = folded([look.node.name for look in untrusted])
        told.append(f"{names}: most rows cannot be trusted; measure again.")
    for look in _first(kind.with_verdict(EMPTY), everything):
        if look.node.is_complete:
            told.append(f"{look.node.name}: nothing was measured{_first_reason(look)}.")
        else:
            told.append(f"{look.node.name}: its run ended before anything was measured.")
    told += _incomplete(kind, everything)
    fast = kind.with_verdict(FAST)
    if fast:
        names = folded([look.node.name for look in fast])
        told.append(f"Faster than the others beyond their noise: {names}.")
    told += [bin_sentence(each) for each in kind.bins]
    for minority in kind.minorities:
        told.append(
            f"{minority.fact} is {minority.value} on {_counted(len(minority.nodes), 'node')} "
            f"({folded(minority.nodes)}), {minority.usual} on the others."
        )
    if kind.tells:
        told += limits(kind)
    return told


def bin_sentence(slower: Bin) -> str:
    """What is said of nodes that are slower without a fault."""
    spread = slower.spread
    more = len(slower.tags) - 1
    rows = spread.name + (f" and {_counted(more, 'more row')}" if more else "")
    clocks = [reading.clock_hz for reading in (spread.slower, spread.typical) if reading]
    at_clocks = ""
    if len(clocks) == 2 and None not in clocks:
        at_clocks = f", at {si(clocks[0], 'Hz')} where the others have {si(clocks[1], 'Hz')}"
    return (
        f"{_counted(len(slower.nodes), 'node')} ({folded(slower.nodes)}) are of a slower bin: "
        f"{percent(1 - slower.ratio)} slower in {rows}{at_clocks}. Each node is held against its "
        "own bin."
    )


def limits(kind: KindOfNodes) -> list[str]:
    """How slow a node must be to be told, in the ceilings that a terminal shows."""
    spreads = [kind.spreads[tag] for tag in tags_in_brief(kind, everything=False)]
    told = sorted((spread for spread in spreads if spread.told_from < 1), key=_by_limit)
    untold = [spread.name for spread in spreads if spread.told_from >= 1]
    lines = []
    if told:
        first, last = told[0], told[-1]
        span = f"{told_from_in_words(first)} slower in {first.name}"
        if told_from_in_words(last) != told_from_in_words(first):
            span += f", {told_from_in_words(last)} in {last.name}"
        lines.append(f"A slow node is told from noise if it is {span} or more.")
    if untold:
        lines.append(f"Noise hides any slow node in {few(untold, MOST_ROWS)}.")
    return lines


def _by_limit(spread: Spread) -> float:
    return spread.told_from


def told_from_in_words(spread: Spread) -> str:
    """``3.1 %``: how much slower a node must be to be told; a dash where none would be."""
    return percent(spread.told_from) if spread.told_from < 1 else "–"


def _incomplete(kind: KindOfNodes, everything: bool) -> list[str]:
    """Nodes that were not measured whole, or of whose files a part is lost."""
    told = []
    looks = [look for look in kind.looks if look.verdict != EMPTY]
    odd = [look for look in looks if look.missing or look.node.damage or not look.node.is_complete]
    for look in _first(odd, everything):
        reasons = [] if look.node.is_complete else ["its run is partial"]
        if look.missing:
            names = [name_of(Tag.parse(tag)) for tag in look.missing]
            reasons.append(f"it lacks {few(names, MOST_ROWS)}{_first_reason(look)}")
        reasons += look.node.damage[:1]
        told.append(f"{look.node.name}: {'; '.join(reasons)}.")
    return told + _more(odd, everything)


def _first_reason(look: Look) -> str:
    """Why the first row that is missing has no value; empty if nothing is known."""
    for tag in look.missing or look.node.missed:
        missed = look.node.missed.get(tag)
        if missed and missed.reason:
            return f" ({missed.status}: {missed.reason})"
    return ""


def group_sentence(group: Group) -> str:
    """``Rack r7, 32 of 32 nodes: power cap; …`` of a group, or of one node."""
    look = group.worst
    names = folded([each.node.name for each in group.looks])
    if group.place:
        head = f"{group.place}, {len(group.looks)} of its {group.of_place} nodes ({names})"
    elif len(group.looks) > 1:
        head = f"{len(group.looks)} nodes ({names})"
    else:
        head = names
    return f"{head}: {cause_in_words(group.cause)}. {_slowest(group, look)}{_why(look)}."


def _slowest(group: Group, look: Look) -> str:
    """Which rows are how much slower."""
    worst = look.worst
    if worst is None:
        return ""
    rows = [f"{each.name} −{percent(1 - each.ratio)}" for each in look.deviations[:MOST_ROWS]]
    more = len(look.deviations) - len(rows)
    listed = ", ".join(rows) + (f" and {more} more rows" if more > 0 else "")
    of_worst = f"At worst ({look.node.name}) " if len(group.looks) > 1 else ""
    subjects = {subject_of(each.tag) for each in look.deviations}
    only = f"Only {subjects.pop()}: " if len(subjects) == 1 and len(look.deviations) > 1 else ""
    return f"{only}{of_worst}{listed}"


def subject_of(tag: str) -> str:
    """``DRAM`` or ``FP16``: what all rows of one memory or one format have in common."""
    parsed = Tag.parse(tag)
    return name_of(Tag(parsed.quantity, parsed.subject))


def _why(look: Look) -> str:
    """What is known of why, as far as it is."""
    if look.difference is None:
        return ""
    said = [cause.sentence for cause in look.difference.causes if cause.sentence]
    if not said:
        return "; nothing that its run tells explains it"
    ratio = look.difference.at_equal_clock
    clocks_differ = any(cause.name == causes.CLOCK for cause in look.difference.causes)
    if ratio is not None and clocks_differ:
        said.append(f"at equal clock {change_in_words(ratio)}")
    return f": {'; '.join(said)}"


def folded(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """``node[0007-0019], node0044``: names that count on are one."""
    runs: list[list[str]] = []
    for name in names:
        if runs and _is_next(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return few([_run_in_words(run) for run in runs], most)


LAST_NUMBER = re.compile(r"^(.*?)(\d+)(\D*)$", re.DOTALL)


def _is_next(before: str, name: str) -> bool:
    first, second = LAST_NUMBER.match(before), LAST_NUMBER.match(name)
    if not first or not second:
        return False
    same = first[1] == second[1] and first[3] == second[3]
    return same and int(second[2]) == int(first[2]) + 1


def _run_in_words(run: Sequence[str]) -> str:
    first, last = LAST_NUMBER.match(run[0]), LAST_NUMBER.match(run[-1])
    if len(run) < 3 or not first or not last:
        return ", ".join(run)
    return f"{first[1]}[{first[2]}-{last[2]}]{first[3]}"


def tags_in_brief(kind: KindOfNodes, everything: bool) -> list[str]:
    """Tags of the ceilings that a terminal shows: whole roofs, unless everything is asked for."""
    tags = list(kind.spreads)
    roofs = [tag for tag in tags if Tag.parse(tag).draws_roof and Tag.parse(tag).path == ""]
    return tags if everything else (roofs or tags)[:MOST_ROOFS]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _first(items: Sequence, everything: bool) -> Sequence:  # type: ignore[type-arg]
    return items if everything else items[:MOST_GROUPS]


def _more(items: Sequence, everything: bool) -> list[str]:  # type: ignore[type-arg]
    more = 0 if everything else len(items) - MOST_GROUPS
    return [f"… and {more} more; --all names them."] if more > 0 else []
