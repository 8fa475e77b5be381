"""Which level of memory is each plateau of a sweep of working sets? Found from the data, not from
what is reported.

A virtual machine may report a cache it does not have; so the plateaus come first, and the reported
sizes only name them. Where the two disagree, that is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from analysis.model.judge import span_of
from analysis.model.plateaus import FEWEST, SAME, Plateau, plateaus
from analysis.theory.limits import excess
from analysis.units import binary
from kernels.device import Device
from probes.records.measurement import OK, Measurement
from probes.records.tag import BANDWIDTH, LATENCY, MAIN_MEMORY, WORKING_SET, Sweep

FIRST = "l1"
OCTAVE = 0.5  # cost of every octave between the end of a plateau and the size of its level
FAR = 2.0  # ends that differ by more than this factor are worth a word

BY_ORDER = "levels are named by their order: the device does not report the sizes of its caches"


@dataclass(frozen=True)
class Level:
    """A plateau of a sweep over working sets, with the name of the memory that it shows."""

    name: str
    """``l1``, ``l2``, ``dram``; empty for a plateau of no level that the device reports."""
    rows: tuple[Measurement, ...]
    """Its points, by x."""
    end: float | None
    """The last size of it in bytes; None if the sweep ends with it."""
    note: str = ""
    """What is odd about it, in words."""
    ends_elsewhere: bool = False
    """True if it ends far from the size that the device reports."""
    steady: bool = False
    """True for the first cache of a CPU core, from which all loads take as many cycles."""

    @property
    def speaker(self) -> Measurement:
        """The row that speaks for the level."""
        return fastest(self.rows) if self.steady else typical(self.rows)


@dataclass(frozen=True)
class Levels:
    """What all sweeps of a run say: rows under the tags of ceilings, notes, and the levels by the
    sweep's tag.
    """

    rows: tuple[Measurement, ...] = ()
    notes: tuple[str, ...] = ()
    by_tag: Mapping[str, tuple[Level, ...]] = ()  # type: ignore[assignment]


def levels(rows: Sequence[Measurement], device: Device) -> Levels:
    """Plateaus of every sweep over working sets in ``rows``, and of each the median row under its
    level's tag.

    A tag that was measured directly keeps its own rows, and a sweep never speaks for the bandwidth
    of main memory.
    """
    sweeps: dict[str, list[Measurement]] = {}
    for row in rows:
        is_point = row.sweep is not None and row.sweep.over == WORKING_SET
        if is_point and row.value and row.x:
            sweeps.setdefault(row.ceiling, []).append(row)
    ordered = sorted(sweeps.items(), key=_one_core_first)
    found = {
        tag: tuple(_with_steady(level, device) for level in named(tag, points, device))
        for tag, points in ordered
    }
    direct = {row.ceiling for row in rows if row.status == OK}
    made: list[Measurement] = []
    notes: dict[str, str] = {}
    for tag, each in found.items():
        for level in each:
            made += [row for row in _ceiling_row(tag, level, device) if row.ceiling not in direct]
            if level.note:  # of the same level once, though each sweep sees it end elsewhere
                subject = level.name if level.ends_elsewhere else level.note
                notes.setdefault(subject, level.note)
    return Levels(tuple(made), tuple(notes.values()), found)


def _with_steady(level: Level, device: Device) -> Level:
    """The level, marked if it is the first cache of a CPU core."""
    return replace(level, steady=device.kind == "cpu" and level.name == FIRST)


def _one_core_first(item: tuple[str, list[Measurement]]) -> tuple[bool, str]:
    """One core has a cache to itself, so what it says of a size comes first."""
    tag, _ = item
    return not Sweep.parse(tag).one_core, tag


def named(tag: str, points: Iterable[Measurement], device: Device) -> list[Level]:
    """The levels that one sweep shows; a plateau that is none of those reported has an empty name
    and a note.
    """
    sweep = Sweep.parse(tag)
    rows = _trusted(sorted(points, key=lambda row: row.x or 0))
    sizes = reported(tag, device)
    known = all(list(sizes.values())[:-1])
    ends = _Ends([row.x or 0.0 for row in rows], list(sizes.values()) if known else [])
    found = plateaus(
        [row.value or 0.0 for row in rows],
        [row.spread or 0.0 for row in rows],
        len(sizes),
        ends.cost,
        falling=sweep.quantity != LATENCY,
    )
    if sweep.per_sm and not known:
        return []  # without the L1's size, an L2 might pass for it
    if not known:
        return list(_by_order(rows, [p for p in found if p.place is not None], list(sizes)))
    every = [_level(list(sizes.items()), rows, p, ends) for p in found]
    # Beyond the L1 such sets meet the L2 and memory in a mixture; another sweep tells each of them.
    return [level for level in every if level.name == FIRST] if sweep.per_sm else every


def _trusted(rows: list[Measurement]) -> list[Measurement]:
    """The points that can be trusted, if they are enough to show a level; else all."""
    good = [row for row in rows if row.trusted]
    return good if len(good) >= FEWEST else rows


def _by_order(
    rows: Sequence[Measurement], found: Sequence[Plateau], expected: Sequence[str]
) -> Iterator[Level]:
    """Names without any size to go by: the usual ones if there are just as many plateaus, else
    numbers.
    """
    whole = len(found) == len(expected)
    for i, p in enumerate(found):
        end = rows[p.last].x if p.last + 1 < len(rows) else None
        yield Level(
            expected[i] if whole else f"level-{i + 1}",
            tuple(rows[p.first : p.last + 1]),
            end,
            BY_ORDER,
        )


def _level(
    sizes: Sequence[tuple[str, float | None]],
    rows: Sequence[Measurement],
    plateau: Plateau,
    ends: _Ends,
) -> Level:
    first, last = rows[plateau.first].x or 0.0, rows[plateau.last].x or 0.0
    mine = tuple(rows[plateau.first : plateau.last + 1])
    end = last if plateau.last + 1 < len(rows) else None
    if plateau.place is None:
        return Level(
            "",
            mine,
            end,
            f"{binary(first)} to {binary(last)} is a plateau of no level that is reported",
        )
    name, size = sizes[plateau.place]
    mine = _beyond(mine, sizes[: plateau.place])
    far = size is not None and ends.octaves(plateau.last, size) > 1
    by = " by latency" if rows[0].quantity == LATENCY else ""
    note = (
        f"{name} ends near {binary(last)}{by}, the device reports {binary(size or 0)}"
        if far
        else ""
    )
    return Level(name, mine, end, note, ends_elsewhere=far)


def _beyond(
    rows: tuple[Measurement, ...], nearer: Sequence[tuple[str, float | None]]
) -> tuple[Measurement, ...]:
    """The points that no nearer level can hold: where two give one rate, the farther speaks for its
    own part only.
    """
    end = max((size or 0.0 for _, size in nearer), default=0.0)
    own = tuple(row for row in rows if (row.x or 0.0) > end)
    return own if len(own) >= FEWEST else rows


def reported(tag: str, device: Device) -> dict[str, float | None]:
    """Levels that a sweep can meet, nearest first, and the x at which each should end; None:
    unknown, or beyond it.

    CPU: x is bytes of each core, which has its share of a cache. GPU: bytes that each SM reads, or
    all together.
    """
    sweep = Sweep.parse(tag)
    if device.kind == "cpu":
        threads = 1 if sweep.one_core or sweep.chases else device.units
        sizes: dict[str, float | None] = {}
        for cache in device.caches:
            sizes.setdefault(cache.level, cache.bytes / min(threads, cache.units))
        return (sizes or dict.fromkeys(("l1", "l2", "l3"))) | {MAIN_MEMORY: None}
    known: dict[str, float | None] = {c.level: c.bytes for c in device.caches} or {
        "l1": None,
        "l2": None,
    }
    if sweep.per_sm:
        return {"l1": known.get("l1"), "l2": None}
    return (known if sweep.chases else {"l2": known.get("l2")}) | {MAIN_MEMORY: None}


@dataclass(frozen=True)
class _Ends:
    """How well plateaus of points at ``places`` agree with the reported ``sizes``: none known, then
    all agree.
    """

    places: Sequence[float]
    sizes: Sequence[float | None]

    def cost(self, level: int, first: int, last: int) -> float:
        """What the octaves between a plateau's end and its level's size cost; the outermost must
        last to the end.
        """
        if not self.sizes:
            return 0.0
        size = self.sizes[level]
        if size is not None:
            return OCTAVE * self.octaves(last, size)
        inside = self.places[first] < (self.sizes[level - 1] or 0.0) / FAR
        return math.inf if last + 1 < len(self.places) else float(inside)

    def octaves(self, last: int, size: float) -> float:
        """Distance; the true end may be anywhere up to the next point, or anywhere beyond the
        last.
        """
        after = self.places[last + 1] if last + 1 < len(self.places) else math.inf
        return max(
            0.0,
            math.log2(self.places[last] / size),
            math.log2(size / after) if after < math.inf else 0.0,
        )


def typical(rows: Sequence[Measurement]) -> Measurement:
    """The row of the median value, which speaks for its level; of trusted rows, where there are
    any.
    """
    rows = [row for row in rows if row.trusted] or rows
    middle = median_low(row.value or 0.0 for row in rows)
    return next(row for row in rows if row.value == middle)


def fastest(rows: Sequence[Measurement]) -> Measurement:
    """The row that is best at the bad end of its interval, if another is much the same; else the
    typical one.

    It speaks for the first cache of a core. Loads from there always take as many cycles, so its
    points differ only by what disturbed them, such as a neighbour on the same core; but one point
    alone may be luck.
    """
    spans = {span.worst: row for row in rows if row.trusted and (span := span_of(row))}
    slower = rows[0].quantity == LATENCY
    best, *others = sorted(spans, reverse=not slower) or [0.0]
    if others and max(best, others[0]) <= SAME * min(best, others[0]):
        return spans[best]
    return typical(rows)


def _ceiling_row(tag: str, level: Level, device: Device) -> list[Measurement]:
    """The median row of a level under the tag of its ceiling; none for main memory's bandwidth or
    without a name.

    Rates above the physical limit do not count; where every rate is, the row is a failed one.
    """
    sweep = Sweep.parse(tag)
    if not level.name or (level.name == MAIN_MEMORY and sweep.quantity == BANDWIDTH):
        return []
    own = str(sweep.at_level(level.name))
    every = [replace(row, ceiling=own) for row in level.rows]
    rows = [row for row in every if not excess(row, device)]
    if not rows:
        return [every[0]]  # it is judged as any other row, and its rate is above the limit
    row = replace(level, rows=tuple(rows)).speaker
    places = f"{len(rows)} points from {binary(rows[0].x or 0)} to {binary(rows[-1].x or 0)}"
    return [replace(row, reason="; ".join(filter(None, (places, level.note, row.reason))))]
