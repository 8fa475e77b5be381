"""Which rows cannot be true, and which cannot be trusted.

A row *fails* where its rate exceeds a physical limit that was read clean. A row is *not trusted*
where other load made its samples what they are, where its median is hardly known, or where another
row contradicts it. Such a row keeps its numbers and says why, but draws no roof, gives no ridge
point and carries no verdict. The rules are the same for a live run and for one read from files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.theory.limits import excess
from analysis.units import plus_minus, si, unit_of
from kernels.device import Device
from probes.records.measurement import FAILED, OK, WIDEST_SPREAD, Measurement
from probes.records.tag import (
    BANDWIDTH,
    COMPUTE,
    LATENCY,
    MAIN_MEMORY,
    ONE_CORE,
    READ,
    WORKING_SET,
    Sweep,
    Tag,
)

LARGER_SETS_FASTER = 1.25
"""A point was disturbed if larger sets are more than this many times as fast as it. It is above 1
because passes over small sets cost a little more."""
LARGER_SETS = 2
"""How many larger sets must be so much faster, so that none decides by luck."""
LEAST_SHARE_OF_ONE_CORE = 0.9
"""Each of all cores must reach this part of what one core alone does in a cycle: they start and end
together."""
COMPARABLE_OPERATION = READ
"""The one operation by which caches and main memory compare: stores to memory may bypass caches."""


def judged(rows: Iterable[Measurement], device: Device) -> list[Measurement]:
    """The same rows, in their order: what cannot be true is failed, what cannot be trusted marked.

    Rows that are marked already stay so, so that judging twice changes nothing.
    """
    rows = list(rows)
    fastest_clock = max((row.clock_hz for row in rows if row.clock_hz), default=None)
    by_theory = [_judged_by_theory(row, device, fastest_clock) for row in rows]
    best = _best_by_tag(by_theory)
    by_rivals = [_judged_by_rivals(row, best, device) for row in by_theory]
    by_one_core = _judged_by_one_core(by_rivals, device)
    return _judged_by_larger_sets(by_one_core, device)


def _judged_by_theory(row: Measurement, device: Device, fastest_clock: float | None) -> Measurement:
    """A row judged by nothing but itself and theory.

    ``fastest_clock``: the highest clock that any row of the run has, in Hz.
    """
    if row.status != OK:
        return row
    too_fast = excess(row, device)
    if too_fast:
        peak = too_fast.peak
        if peak.per_clock is not None and _clock_is_doubtful(row, device, fastest_clock):
            rate = si(too_fast.rate, peak.unit)
            limit = si(peak.limit, peak.unit)
            return _doubted(row, f"cannot judge {rate} of {limit}: the clock was disturbed")
        return replace(row, status=FAILED, reason=too_fast.sentence)
    if row.trusted and row.spread is not None and row.spread > WIDEST_SPREAD:
        doubt = f"its median is known only to {plus_minus(row.spread)}"
        return replace(row, trusted=False, doubt=doubt)
    return row


def _clock_is_doubtful(row: Measurement, device: Device, fastest_clock: float | None) -> bool:
    """True if a row may exceed its limit only because its clock was read too low.

    A CPU's clock is read beside every sample, and dropped if the readings disagree. Whatever
    disturbs a reading makes it too low, and may last. So the clock is doubtful if the row stays
    within the limit at the highest clock of the run.
    """
    if not row.trusted:
        return True
    if device.kind != "cpu":
        return False
    if row.clock_hz is None:
        return True
    at_fastest_clock = replace(row, clock_hz=fastest_clock)
    return excess(at_fastest_clock, device) is None


def _doubted(row: Measurement, doubt: str) -> Measurement:
    """The row, not trusted; a doubt that it has already stays.

    Its interval says how much samples agree, not how far they are off, so it goes.
    """
    return replace(
        row,
        trusted=False,
        doubt=doubt if row.trusted else row.doubt,
        seconds_low=None,
        seconds_high=None,
    )


def _judged_by_larger_sets(rows: Sequence[Measurement], device: Device) -> list[Measurement]:
    """The same rows, with points of sweeps over working sets judged by the larger sets.

    No cache is faster with more in it: where LARGER_SETS larger sets of its sweep are much faster
    than a point, that point was disturbed. A GPU is left out: sets that many multiprocessors read
    in step may be faster.
    """
    judged_rows = list(rows)
    if device.kind != "cpu":
        return judged_rows
    points: dict[str, list[int]] = {}  # places in rows, by the tag of their sweep
    for place, row in enumerate(rows):
        is_point = row.sweep is not None and row.sweep.over == WORKING_SET
        if is_point and row.trusted and row.x is not None:
            points.setdefault(row.ceiling, []).append(place)
    for places in points.values():
        largest_first = sorted(places, key=lambda place: rows[place].x or 0.0, reverse=True)
        best: list[Span] = []  # of the larger sets: at most LARGER_SETS, best first
        for place in largest_first:
            span = span_of(rows[place])
            if span is None:
                continue
            times = 1.0
            if len(best) == LARGER_SETS:
                rival = best[-1]  # the worst of them: where it is faster, so are the others
                if span.is_beaten_by(rival):
                    times = span.times_worse(rival)
            if times > LARGER_SETS_FASTER:
                doubt = (
                    f"a larger set is {times:.2f} times as fast: something shared its core or cache"
                )
                judged_rows[place] = _doubted(rows[place], doubt)
            else:
                best = _best_spans([*best, span], LARGER_SETS)
    return judged_rows


def _best_spans(spans: Sequence[Span], number: int) -> list[Span]:
    """The best of these at the bad ends of their intervals, best first."""
    less_is_better = spans[0].less_is_better
    ordered = sorted(spans, key=lambda span: span.worst, reverse=not less_is_better)
    return ordered[:number]


@dataclass(frozen=True)
class Span:
    """What a row may truly say, from its interval: a rate, or a time where less is better."""

    worst: float
    """The bad end of the interval: work a second, or seconds."""
    best: float
    """The good end."""
    value: float
    """At the median."""
    unit: str
    """``B/s``, ``FLOP/s``, ``OP/s`` or ``s``."""
    less_is_better: bool
    """True of times."""

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
    longest = row.seconds_high or median
    shortest = row.seconds_low or median
    is_time = row.tag.counts is None
    if is_time:
        return Span(longest, shortest, median, unit, less_is_better=True)
    work = row.work or 0.0
    return Span(work / longest, work / shortest, row.value, unit, less_is_better=False)


def _best_by_tag(rows: Iterable[Measurement]) -> dict[str, Span]:
    """The span of each tag's trusted row that is best at the bad end of its interval.

    Points of sweeps have no rivals, and are left out.
    """
    spans_by_tag: dict[str, list[Span]] = {}
    for row in rows:
        span = span_of(row)
        if span and row.trusted and row.sweep is None:
            spans_by_tag.setdefault(row.ceiling, []).append(span)
    return {tag: _best_spans(spans, 1)[0] for tag, spans in spans_by_tag.items()}


def _judged_by_rivals(row: Measurement, best: Mapping[str, Span], device: Device) -> Measurement:
    """A row judged by the others: less hardware, or a memory further away, cannot beat it.

    Where it does, the row was disturbed. ``best``: of ``_best_by_tag``.
    """
    span = span_of(row)
    if span is None or not row.trusted or isinstance(row.tag, Sweep):
        return row
    for tag, name in _rivals(row.tag, device):
        rival = best.get(str(tag))
        if rival and span.is_beaten_by(rival):
            theirs = si(rival.value, rival.unit)
            ours = si(span.value, span.unit)
            return _doubted(row, f"{name} gives {theirs}, and this {ours}")
    return row


def _judged_by_one_core(rows: Sequence[Measurement], device: Device) -> list[Measurement]:
    """The same rows, with what stays inside the cores judged by one of them alone.

    Each core has a first cache and arithmetic units of its own, so that each of all does as much in
    a cycle as one alone. What shares the cores, such as a neighbour on their other hardware
    threads, may slow a whole turn, and shows here and nowhere else.
    """
    judged_rows = list(rows)
    if not _has_like_cores(device):
        return judged_rows
    of_one_core = {
        row.ceiling: _work_a_cycle(row, 1) for row in rows if row.sweep is None and row.trusted
    }
    first_cache = Tag(BANDWIDTH, device.caches[0].level)
    for place, row in enumerate(rows):
        tag = row.tag
        if isinstance(tag, Sweep) or not row.trusted or ONE_CORE in tag.variants:
            continue
        if tag.whole != first_cache and tag.quantity != COMPUTE:
            continue
        alone = replace(tag, variants=(ONE_CORE,))  # a sustained load, too, is held against it
        of_one = of_one_core.get(str(alone))
        of_each = _work_a_cycle(row, device.units)
        if of_one and of_each and of_each < LEAST_SHARE_OF_ONE_CORE * of_one:
            what = "operations" if tag.quantity == COMPUTE else "bytes"
            numbers = (
                f"one core alone has {of_one:.0f} {what} a cycle, and each of these {of_each:.0f}"
            )
            judged_rows[place] = _doubted(row, f"{numbers}: something shared them")
    return judged_rows


def _has_like_cores(device: Device) -> bool:
    """True for a CPU of several cores of one kind, each with a first cache of its own."""
    if device.kind != "cpu" or device.units < 2 or not device.caches:
        return False
    kinds = device.facts.get("core_kinds") or ()
    return len(kinds) <= 1 and device.caches[0].units == 1


def _work_a_cycle(row: Measurement, cores: int) -> float | None:
    """Bytes or operations of each core in a cycle; None if its rate or its clock is unknown."""
    if row.value is None or not row.clock_hz:
        return None
    return row.value / row.clock_hz / cores


def _rivals(tag: Tag, device: Device) -> Iterator[tuple[Tag, str]]:
    """Tags that can never beat this one, each with its name in a sentence.

    One of its cores, and every memory further away.
    """
    if device.kind == "cpu" and device.units > 1 and ONE_CORE not in tag.variants:
        yield tag.with_variant(ONE_CORE), "one core alone"
    if tag.quantity not in (BANDWIDTH, LATENCY):
        return
    levels = [*dict.fromkeys(cache.level for cache in device.caches), MAIN_MEMORY]
    if tag.subject not in levels:
        return
    for further in levels[levels.index(tag.subject) + 1 :]:
        is_comparable = further != MAIN_MEMORY or tag.path == COMPARABLE_OPERATION
        if tag.quantity == LATENCY or is_comparable:
            yield replace(tag, subject=further), f"{further.upper()}, further away,"
