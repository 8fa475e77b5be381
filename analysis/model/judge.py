"""Which rows cannot be true, and which cannot be trusted: the same rules for a live run and for one
read from files.

A row *fails* where its rate exceeds a physical limit that was read clean. A row is *not trusted*
where other load made its samples what they are, where its median is hardly known, or where another
row contradicts it. Such a row keeps its numbers and says why, but draws no roof, gives no ridge
point and carries no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.theory.limits import excess
from analysis.units import plus_minus, si, unit_of
from kernels.device import Device
from probes.records.measurement import FAILED, OK, WIDEST, Measurement
from probes.records.tag import (
    BANDWIDTH,
    LATENCY,
    MAIN_MEMORY,
    ONE_CORE,
    READ,
    WORKING_SET,
    Sweep,
    Tag,
)

SHARED_CORE = 1.25
"""Times as fast as a point, from which larger sets say that it was disturbed: small sets cost a
little more.
"""
# of what one core has alone in a cycle, that each of all must have: they start and end together
MOST_ALIKE = 0.9
FEW = 2  # larger sets that must say so
ALIKE_IN_MEMORY = READ
"""The one operation whose rates of caches and of main memory compare: stores to memory may bypass
the caches.
"""


def judged(rows: Iterable[Measurement], device: Device) -> list[Measurement]:
    """The same rows, in their order, with what cannot be true failed and what cannot be trusted
    marked.

    Rows that are marked already stay so, so that judging twice changes nothing.
    """
    every = list(rows)
    fastest = max((row.clock_hz for row in every if row.clock_hz), default=None)
    alone = [_alone(row, device, fastest) for row in every]
    best = _best_by_tag(alone)
    among = [_among(row, best, device) for row in alone]
    beside = _beside_one_core(among, device)
    return _among_points(beside, device)


def _alone(row: Measurement, device: Device, fastest: float | None) -> Measurement:
    """A row judged by nothing but itself and theory. fastest: the highest clock that any row of the
    run has.
    """
    if row.status != OK:
        return row
    if found := excess(row, device):
        if found.peak.per_clock is not None and _clock_is_doubtful(row, device, fastest):
            reached, limit = si(found.rate, found.peak.unit), si(found.peak.limit, found.peak.unit)
            return _doubted(row, f"cannot judge {reached} of {limit}: the clock was disturbed")
        return replace(row, status=FAILED, reason=found.sentence)
    if row.trusted and row.spread is not None and row.spread > WIDEST:
        return replace(
            row, trusted=False, doubt=f"its median is known only to {plus_minus(row.spread)}"
        )
    return row


def _clock_is_doubtful(row: Measurement, device: Device, fastest: float | None) -> bool:
    """True if the limit may be exceeded only because this row's clock was read too low.

    A CPU's clock is read beside every sample, and dropped if the readings disagree. Whatever
    disturbs a reading makes it too low, and may last: so the limit is that of the highest clock of
    the run.
    """
    if not row.trusted:
        return True
    if device.kind != "cpu":
        return False
    return row.clock_hz is None or excess(replace(row, clock_hz=fastest), device) is None


def _doubted(row: Measurement, doubt: str) -> Measurement:
    """The row, not trusted. Its interval says how much samples agree, not how far they are off, so
    it goes.
    """
    first = row.doubt if not row.trusted else doubt
    return replace(row, trusted=False, doubt=first, seconds_low=None, seconds_high=None)


def _among_points(rows: Sequence[Measurement], device: Device) -> list[Measurement]:
    """The same rows, with the points of sweeps over working sets judged by the larger sets of their
    sweep.

    No cache is faster with more in it: where two larger sets, so that none decides by luck, are
    much faster than a point, that point was disturbed. A GPU is left out: sets that many
    multiprocessors read in step may be faster.
    """
    found = list(rows)
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        is_point = row.sweep is not None and row.sweep.over == WORKING_SET
        if is_point and device.kind == "cpu" and row.trusted and row.x is not None and span_of(row):
            places.setdefault(row.ceiling, []).append(place)
    for points in places.values():
        larger: list[Span] = []
        for place in sorted(points, key=lambda at: rows[at].x or 0.0, reverse=True):
            row = rows[place]
            span = span_of(row)
            if span is None:
                continue
            second = larger[FEW - 1] if len(larger) == FEW else None
            if second and span.is_beaten_by(second) and span.times_worse(second) > SHARED_CORE:
                worse = f"a larger set is {span.times_worse(second):.2f} times as fast"
                found[place] = _doubted(row, f"{worse}: something shared its core or cache")
                continue
            larger = _best_few([*larger, span])
    return found


def _best_few(spans: Sequence[Span]) -> list[Span]:
    """The best of these at the bad ends of their intervals, best first."""
    slower = spans[0].less_is_better
    return sorted(spans, key=lambda span: span.worst if slower else -span.worst)[:FEW]


@dataclass(frozen=True)
class Span:
    """What a row may truly say, from its interval: rates in work a second, or seconds where less is
    better.
    """

    worst: float
    best: float
    value: float
    unit: str
    less_is_better: bool

    def is_beaten_by(self, other: Span) -> bool:
        """True if the worst that ``other`` may be is better than the best that this may be."""
        return other.worst < self.best if self.less_is_better else other.worst > self.best

    def times_worse(self, other: Span) -> float:
        """How many times better ``other`` is."""
        return self.value / other.value if self.less_is_better else other.value / self.value


def span_of(row: Measurement) -> Span | None:
    """The span of a good row; None of one without a time."""
    median = row.seconds_median
    if row.status != OK or not median or row.value is None:
        return None
    unit = unit_of(row.ceiling, row.dtype)
    longest, shortest = row.seconds_high or median, row.seconds_low or median
    if row.tag.counts is None:
        return Span(longest, shortest, median, unit, less_is_better=True)
    work = row.work or 0.0
    return Span(work / longest, work / shortest, row.value, unit, less_is_better=False)


def _best_by_tag(rows: Sequence[Measurement]) -> dict[str, Span]:
    """For each tag the trusted row that is best at the bad end of its interval. Points of sweeps
    have no rivals.
    """
    best: dict[str, Span] = {}
    for row in rows:
        span = span_of(row) if row.trusted and row.sweep is None else None
        if span is None:
            continue
        known = best.get(row.ceiling)
        better = known is None or (
            span.worst < known.worst if span.less_is_better else span.worst > known.worst
        )
        if better:
            best[row.ceiling] = span
    return best


def _among(row: Measurement, best: Mapping[str, Span], device: Device) -> Measurement:
    """A row judged by the others: what is beaten by less hardware, or by a memory further away, was
    disturbed.
    """
    span = span_of(row)
    if span is None or not row.trusted or isinstance(row.tag, Sweep):
        return row
    for tag, name in _rivals(row.tag, device):
        rival = best.get(str(tag))
        if rival and span.is_beaten_by(rival):
            return _doubted(
                row,
                f"{name} gives {si(rival.value, rival.unit)}, and this {si(span.value, span.unit)}",
            )
    return row


def _beside_one_core(rows: Sequence[Measurement], device: Device) -> list[Measurement]:
    """The same rows, with the first cache of all cores judged by that of one.

    Each core has a first cache of its own, so that each of all reads as many bytes in a cycle as
    one alone. What shares the cores, such as a neighbour on their other hardware threads, shows
    here and nowhere else.
    """
    kinds = device.facts.get("core_kinds") or ()
    first = device.caches[0] if device.caches else None
    if (
        device.kind != "cpu"
        or device.units < 2
        or len(kinds) > 1
        or first is None
        or first.units > 1
    ):
        return list(rows)
    alone = {
        row.ceiling: _bytes_a_cycle(row, 1) for row in rows if row.sweep is None and row.trusted
    }
    found = list(rows)
    for place, row in enumerate(rows):
        tag = row.tag
        if (
            isinstance(tag, Sweep)
            or not row.trusted
            or (tag.quantity, tag.subject) != (BANDWIDTH, first.level)
        ):
            continue
        one = alone.get(str(tag.with_variant(ONE_CORE)))
        each = _bytes_a_cycle(row, device.units)
        if one and each and each < MOST_ALIKE * one:
            found[place] = _doubted(
                row,
                (
                    f"one core alone has {one:.0f} bytes a cycle, and each of these {each:.0f}: "
                    "something shared them"
                ),
            )
    return found


def _bytes_a_cycle(row: Measurement, cores: int) -> float | None:
    """Bytes that each core moved in a cycle of its clock; None if the row or its clock is
    unknown.
    """
    if row.value is None or not row.clock_hz:
        return None
    return row.value / row.clock_hz / cores


def _rivals(tag: Tag, device: Device) -> Iterator[tuple[Tag, str]]:
    """(tag, name in a sentence) of what can never beat this tag: one of its cores, and every memory
    further away.
    """
    if device.kind == "cpu" and device.units > 1 and ONE_CORE not in tag.variants:
        yield tag.with_variant(ONE_CORE), "one core alone"
    if tag.quantity not in (BANDWIDTH, LATENCY):
        return
    levels = [*dict.fromkeys(cache.level for cache in device.caches), MAIN_MEMORY]
    if tag.subject not in levels:
        return
    for further in levels[levels.index(tag.subject) + 1 :]:
        comparable = (
            tag.quantity == LATENCY or further != MAIN_MEMORY or tag.path == ALIKE_IN_MEMORY
        )
        if comparable:
            yield replace(tag, subject=further), f"{further.upper()}, further away,"
