"""Which level of memory is each plateau of a sweep over working sets?

A virtual machine may report a cache it does not have; so the plateaus are found in the data first,
and the reported sizes only name them. Where the two disagree, that is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median_low

from analysis.model.judge import span_of
from analysis.model.plateaus import FEWEST_POINTS, SAME_WITHIN, Plateau, plateaus
from analysis.theory.limits import excess
from analysis.units import binary
from kernels.device import Device
from probes.records.measurement import OK, Measurement
from probes.records.tag import BANDWIDTH, LATENCY, MAIN_MEMORY, WORKING_SET, Sweep

FIRST_CACHE = "l1"

# Costs as those of ``plateaus``, where a point that belongs to no plateau costs 2.
OCTAVE_COST = 0.5  # of every octave between the end of a plateau and the size of its level
INSIDE_COST = 1.0  # of main memory's plateau, if it begins well inside the largest cache:
WELL_INSIDE = 2.0  # at a set this many times smaller

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
    """True for the first cache of a CPU core, from which every load takes equally long."""

    @property
    def speaker(self) -> Measurement:
        """The row that speaks for the level."""
        return fastest(self.rows) if self.steady else typical(self.rows)


@dataclass(frozen=True)
class Levels:
    """What all sweeps of a run say of the levels of memory."""

    rows: tuple[Measurement, ...] = ()
    """Rows under the tags of ceilings, one for each level of each sweep."""
    notes: tuple[str, ...] = ()
    """What is odd about the levels, a sentence each."""
    by_tag: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)
    """The levels by the tag of their sweep."""


def levels(rows: Sequence[Measurement], device: Device) -> Levels:
    """The plateaus of every sweep over working sets, and of each the row that speaks for its level.

    A tag that was measured directly keeps its own rows, and a sweep never speaks for the bandwidth
    of main memory.
    """
    points_by_tag: dict[str, list[Measurement]] = {}
    for row in rows:
        is_point = row.sweep is not None and row.sweep.over == WORKING_SET
        if is_point and row.value and row.x:
            points_by_tag.setdefault(row.ceiling, []).append(row)
    by_tag: dict[str, tuple[Level, ...]] = {}
    for tag in sorted(points_by_tag, key=_one_core_first):
        by_tag[tag] = tuple(_levels_of(tag, points_by_tag[tag], device))

    measured = {row.ceiling for row in rows if row.status == OK}
    speakers: list[Measurement] = []
    notes: dict[str, str] = {}
    for tag, levels_of_tag in by_tag.items():
        for level in levels_of_tag:
            speaker = _ceiling_row(tag, level, device)
            if speaker is not None and speaker.ceiling not in measured:
                speakers.append(speaker)
            if level.note:  # of the same level once, though each sweep sees it end elsewhere
                subject = level.name if level.ends_elsewhere else level.note
                notes.setdefault(subject, level.note)
    return Levels(tuple(speakers), tuple(notes.values()), by_tag)


def _one_core_first(tag: str) -> tuple[bool, str]:
    """Order of sweeps: one core has a cache to itself, so what it says of a size comes first."""
    return not Sweep.parse(tag).one_core, tag


def _levels_of(tag: str, points: Iterable[Measurement], device: Device) -> list[Level]:
    """The levels that one sweep shows.

    A plateau that is none of those reported has an empty name and a note.
    """
    sweep = Sweep.parse(tag)
    sizes = reported_sizes(tag, device)
    *sizes_inside, _ = sizes.values()  # the outermost level has no end
    has_sizes = all(sizes_inside)
    if sweep.per_sm and not has_sizes:
        return []  # without the L1's size, an L2 might pass for it
    rows = _trusted(sorted(points, key=lambda row: row.x or 0))
    ends = _Ends(
        places=[row.x or 0.0 for row in rows],
        sizes=list(sizes.values()) if has_sizes else [],
    )
    stretches = plateaus(
        values=[row.value or 0.0 for row in rows],
        noise=[row.spread or 0.0 for row in rows],
        places=len(sizes),
        place_cost=ends.cost,
        falling=sweep.quantity != LATENCY,
    )
    if has_sizes:
        named_sizes = list(sizes.items())
        shown = [_level(named_sizes, rows, plateau, ends) for plateau in stretches]
    else:
        placed = [plateau for plateau in stretches if plateau.place is not None]
        shown = _by_order(rows, placed, list(sizes))
    if sweep.per_sm:
        # Beyond the L1 such sets meet the L2 and memory in a mixture; another sweep tells of each.
        shown = [level for level in shown if level.name == FIRST_CACHE]
    is_cpu = device.kind == "cpu"
    return [replace(level, steady=is_cpu and level.name == FIRST_CACHE) for level in shown]


def _trusted(rows: list[Measurement]) -> list[Measurement]:
    """The points that can be trusted, if they are enough to show a level; else all."""
    good = [row for row in rows if row.trusted]
    return good if len(good) >= FEWEST_POINTS else rows


def _by_order(
    rows: Sequence[Measurement], stretches: Sequence[Plateau], usual: Sequence[str]
) -> list[Level]:
    """Levels without any size to go by.

    They have the usual names if there are just as many plateaus, else numbers.
    """
    if len(stretches) == len(usual):
        names = list(usual)
    else:
        names = [f"level-{number}" for number in range(1, len(stretches) + 1)]
    return [
        Level(name, _points(rows, plateau), _end(rows, plateau), BY_ORDER)
        for name, plateau in zip(names, stretches, strict=True)
    ]


def _points(rows: Sequence[Measurement], plateau: Plateau) -> tuple[Measurement, ...]:
    """The rows of a plateau."""
    return tuple(rows[plateau.first : plateau.last + 1])


def _end(rows: Sequence[Measurement], plateau: Plateau) -> float | None:
    """The last x of a plateau; None if the sweep ends with it."""
    is_last = plateau.last + 1 == len(rows)
    return None if is_last else rows[plateau.last].x


def _level(
    sizes: Sequence[tuple[str, float | None]],
    rows: Sequence[Measurement],
    plateau: Plateau,
    ends: _Ends,
) -> Level:
    """A plateau with its name and what is odd about it. ``sizes``: of ``reported_sizes``."""
    points = _points(rows, plateau)
    first = binary(points[0].x or 0.0)
    last = binary(points[-1].x or 0.0)
    end = _end(rows, plateau)
    if plateau.place is None:
        note = f"{first} to {last} is a plateau of no level that is reported"
        return Level("", points, end, note)
    name, size = sizes[plateau.place]
    nearer_sizes = [nearer for _, nearer in sizes[: plateau.place] if nearer is not None]
    points = _beyond(points, max(nearer_sizes, default=0.0))
    if size is None or ends.octaves(plateau.last, size) <= 1:
        return Level(name, points, end)
    by = " by latency" if rows[0].quantity == LATENCY else ""
    note = f"{name} ends near {last}{by}, the device reports {binary(size)}"
    return Level(name, points, end, note, ends_elsewhere=True)


def _beyond(rows: tuple[Measurement, ...], nearer: float) -> tuple[Measurement, ...]:
    """The points that no nearer level can hold, if they are enough to show a level; else all.

    Where two levels give one rate, the farther speaks for its own part only. ``nearer``: bytes of
    the largest nearer level.
    """
    beyond = tuple(row for row in rows if (row.x or 0.0) > nearer)
    return beyond if len(beyond) >= FEWEST_POINTS else rows


def reported_sizes(tag: str, device: Device) -> dict[str, float | None]:
    """The levels that a sweep can meet, nearest first, and the x at which each should end.

    None: unknown, or beyond all caches. On a CPU, x is the bytes of each core, which has its share
    of a cache; on a GPU the bytes that each SM reads, or all together.
    """
    sweep = Sweep.parse(tag)
    sizes: dict[str, float | None] = {}
    if device.kind == "cpu":
        threads = 1 if sweep.one_core or sweep.chases else device.units
        for cache in device.caches:
            sizes.setdefault(cache.level, cache.bytes / min(threads, cache.units))
        if not sizes:
            sizes = dict.fromkeys(("l1", "l2", "l3"))
        return {**sizes, MAIN_MEMORY: None}
    for cache in device.caches:
        sizes[cache.level] = cache.bytes
    if not sizes:
        sizes = dict.fromkeys(("l1", "l2"))
    if sweep.per_sm:
        return {"l1": sizes.get("l1"), "l2": None}
    if sweep.chases:
        return {**sizes, MAIN_MEMORY: None}
    return {"l2": sizes.get("l2"), MAIN_MEMORY: None}


@dataclass(frozen=True)
class _Ends:
    """How well the ends of plateaus agree with the reported sizes of levels."""

    places: Sequence[float]
    """x of each point, in bytes."""
    sizes: Sequence[float | None]
    """As reported, nearest level first; empty if none is known: then every end agrees."""

    def cost(self, level: int, first: int, last: int) -> float:
        """What it costs that points ``first`` to ``last`` are this level.

        OCTAVE_COST for each octave between where they end and where the level should. The
        outermost level must last to the end of the sweep.
        """
        if not self.sizes:
            return 0.0
        size = self.sizes[level]
        if size is not None:
            return OCTAVE_COST * self.octaves(last, size)
        if last + 1 < len(self.places):
            return math.inf
        largest_cache = self.sizes[level - 1] or 0.0
        begins_inside = self.places[first] < largest_cache / WELL_INSIDE
        return INSIDE_COST if begins_inside else 0.0

    def octaves(self, last: int, size: float) -> float:
        """Octaves between the end of a plateau and a size in bytes.

        The true end may be anywhere up to the next point, or anywhere beyond the last.
        """
        above = math.log2(self.places[last] / size)
        is_last = last + 1 == len(self.places)
        below = 0.0 if is_last else math.log2(size / self.places[last + 1])
        return max(0.0, above, below)


def typical(rows: Sequence[Measurement]) -> Measurement:
    """The row of the median value; of the trusted rows, where there are any."""
    trusted = [row for row in rows if row.trusted]
    candidates = trusted or rows
    middle = median_low(row.value or 0.0 for row in candidates)
    return next(row for row in candidates if row.value == middle)


def fastest(rows: Sequence[Measurement]) -> Measurement:
    """The row that is best at the bad end of its interval, if another is much the same.

    Else the typical one: one point alone may be luck. This row speaks for the first cache of a
    core. Every load from there takes equally long, so the points differ only by what disturbed
    them, such as a neighbour on the same core.
    """
    rows_by_worst: dict[float, Measurement] = {}
    for row in rows:
        span = span_of(row)
        if span and row.trusted:
            rows_by_worst[span.worst] = row
    is_time = rows[0].quantity == LATENCY
    best_first = sorted(rows_by_worst, reverse=not is_time)
    if len(best_first) < 2:
        return typical(rows)
    best, second = best_first[:2]
    are_alike = max(best, second) <= SAME_WITHIN * min(best, second)
    return rows_by_worst[best] if are_alike else typical(rows)


def _ceiling_row(tag: str, level: Level, device: Device) -> Measurement | None:
    """The row that speaks for a level, under the tag of the level's ceiling.

    None for main memory's bandwidth and for a level without a name. Rates above the physical limit
    do not count; where every rate is, the row is the first of them.
    """
    sweep = Sweep.parse(tag)
    if not level.name or (level.name == MAIN_MEMORY and sweep.quantity == BANDWIDTH):
        return None
    ceiling = str(sweep.at_level(level.name))
    rows = [replace(row, ceiling=ceiling) for row in level.rows]
    possible = [row for row in rows if not excess(row, device)]
    if not possible:
        return rows[0]  # it is judged as any other row, and its rate is above the limit
    speaker = replace(level, rows=tuple(possible)).speaker
    first = binary(possible[0].x or 0)
    last = binary(possible[-1].x or 0)
    remarks = (f"{len(possible)} points from {first} to {last}", level.note, speaker.reason)
    return replace(speaker, reason="; ".join(remark for remark in remarks if remark))
