"""From many measurements to one ceiling per tag: the best that can be trusted, beside theory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.theory.peaks import Peak, peak_for
from analysis.units import short, unit_of
from kernels.device import Device
from probes.records.measurement import FAILED, OK, SCHEMA_VERSION, SKIPPED, Measurement
from probes.records.tag import BANDWIDTH, LATENCY, OF_NETWORKS, Tag


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """The best trustworthy measurement behind a tag: a row of ``ceilings.csv``.

    results/README.md has the units.
    """

    schema_version: int
    """Which columns there are, and what they mean."""
    device: str
    """Name of the device."""
    started: str
    """When the run began, in UTC."""
    tag: str
    """What it is the ceiling of."""
    rate: float | None = None
    """Work a second, or seconds of a time; None if nothing was measured."""
    unit: str
    """Unit of the rate: ``B/s``, ``FLOP/s``, ``OP/s`` or ``s``."""
    nominal_peak: float | None = None
    """What theory allows at the rated clock, in the same unit."""
    observed_peak: float | None = None
    """What theory allows at the clock observed meanwhile."""
    share_nominal: float | None = None
    """The rate over the nominal peak."""
    share_observed: float | None = None
    """The rate over the observed peak."""
    backend: str
    """Which implementation reached it."""
    dtype: str
    """Type of the numbers."""
    clock_hz: float | None = None
    """Clock of the units while it was measured."""
    spread: float | None = None
    """Half-width of the median's interval, over the median."""
    samples: int = 0
    """Timings used."""
    status: str = SKIPPED
    """``ok``, ``skipped`` or ``failed``."""
    remark: str = ""
    """What else a reader should know, or why there is no rate."""
    trusted: bool = True
    """False if the rate may be wrong: it is then no roof."""
    doubt: str = ""
    """Why it cannot be trusted."""
    dropped: int = 0
    """Timings left out, since something disturbed them."""
    emulated: bool = False
    """True if the path ran as other instructions than it is named for: its rate is then no roof."""
    power_w: float | None = None
    """Mean power of the device while the best measurement's kernel alone ran; None if unknown."""
    joules: float | None = None
    """Energy of one repetition of it during that time."""
    per_watt: float | None = None
    """Work for each joule: the rate for each watt."""
    instruction: str = ""
    """The opcode of the hot loop, as it was found in the machine code."""

    @property
    def share(self) -> float | None:
        """Share of theory at the observed clock, or of the nominal peak where there is none."""
        return self.share_nominal if self.share_observed is None else self.share_observed


def is_roof(ceiling: Ceiling) -> bool:
    """True if a ceiling draws a main roof: it can be trusted, and its tag is that of a roof."""
    return ceiling.trusted and names_roof(ceiling)


def names_roof(ceiling: Ceiling) -> bool:
    """True if a ceiling draws a main roof as soon as it can be trusted.

    It was measured, under no variant, of a compute path or a whole level of memory.
    """
    if ceiling.status != OK or ceiling.emulated:
        return False
    return Tag.parse(ceiling.tag).draws_roof


def ceilings(rows: Iterable[Measurement], device: Device) -> dict[str, Ceiling]:
    """A ceiling for every tag of these rows, and one for every level of memory.

    That of a level is the best of its operations. The best is the row that reaches most at the bad
    end of its interval, so that none wins by its noise. Rows that cannot be trusted, then those
    with no interval, speak only where there are no others.
    """
    rows_by_tag: dict[str, list[Measurement]] = {}
    for row in rows:
        if not isinstance(row.tag, Tag) or row.quantity in OF_NETWORKS:
            continue  # points and layers: each is one of many, none of them a limit
        rows_by_tag.setdefault(row.ceiling, []).append(row)
        level = level_of(row.tag)
        if level:
            rows_by_tag.setdefault(level, []).append(row)
    return {tag: _ceiling(tag, group, device) for tag, group in sorted(rows_by_tag.items())}


def level_of(tag: Tag) -> str:
    """``bandwidth/dram`` of ``bandwidth/dram/copy``; nothing for other tags and for variants."""
    is_operation = tag.quantity == BANDWIDTH and bool(tag.path)
    return str(tag.whole) if is_operation and not tag.variants else ""


def _ceiling(tag: str, rows: Sequence[Measurement], device: Device) -> Ceiling:
    good = [row for row in rows if row.status == OK and row.value]
    if not good:
        return _missing(tag, rows)
    best = max(good, key=_merit)
    rate = best.value or 0.0
    nominal = peak_for(tag, device)
    observed = _observed_peak(tag, best, device)
    has_clock = _on_chip(nominal) or best.quantity == LATENCY
    return replace(
        _blank(tag, best),
        rate=rate,
        nominal_peak=nominal.value if nominal else None,
        observed_peak=observed,
        share_nominal=rate / nominal.value if nominal and nominal.value else None,
        share_observed=rate / observed if observed else None,
        clock_hz=best.clock_hz if has_clock else None,
        spread=best.spread,
        samples=best.samples,
        status=OK,
        remark="; ".join(_remarks(tag, best, rows)),
        trusted=best.trusted,
        doubt=best.doubt,
        dropped=best.dropped,
        emulated=best.emulated,
        power_w=best.power_w,
        joules=best.joules,
        per_watt=best.per_watt,
        instruction=best.instruction,
    )


def _merit(row: Measurement) -> tuple[bool, bool, float, float]:
    """What the best of good rows has most of: trust, an interval, and then what it reaches.

    That is its rate, or minus its seconds, at the interval's bad end and then at the median.
    """
    median = row.seconds_median or 0.0
    longest = row.seconds_high or median
    if row.tag.counts:
        work = row.work or 0.0
        reached = work / longest, work / median
    else:
        reached = -longest, -median
    return row.trusted, row.seconds_high is not None, *reached


def _observed_peak(tag: str, row: Measurement, device: Device) -> float | None:
    """The peak at the clock that was observed; None of main memory, whose clock is not observed."""
    if not row.clock_hz:
        return None
    peak = peak_for(tag, device, row.clock_hz)
    if peak is None or not _on_chip(peak):
        return None
    return peak.value or peak.limit


def _on_chip(peak: Peak | None) -> bool:
    """True if a peak is known and follows the clock of the units."""
    return peak is not None and peak.per_clock is not None


def _missing(tag: str, rows: Sequence[Measurement]) -> Ceiling:
    """The ceiling of a tag with no good row: it says the first failure, else why it was skipped."""
    failed = [row for row in rows if row.status == FAILED]
    if failed:
        return replace(_blank(tag, failed[0]), status=FAILED, remark=failed[0].reason)
    return replace(_blank(tag, rows[0]), status=SKIPPED, remark=rows[0].reason)


def _blank(tag: str, row: Measurement) -> Ceiling:
    """A ceiling of this tag with nothing measured, from the run and of the type of this row."""
    return Ceiling(
        schema_version=SCHEMA_VERSION,
        device=row.device,
        started=row.started,
        tag=tag,
        unit=unit_of(tag, row.dtype),
        backend=row.backend,
        dtype=row.dtype,
    )


def _remarks(tag: str, best: Measurement, rows: Sequence[Measurement]) -> list[str]:
    """What a reader should know of the ceiling that ``best``, one of ``rows``, makes."""
    failed = sorted({f"{row.kernel}/{row.backend}" for row in rows if row.status == FAILED})
    is_level = tag != best.ceiling  # the ceiling of a level, which the best operation made
    remarks = [
        cycles(best),
        f"best: {best.kernel}" if is_level else "",
        best.reason,
        f"failed: {', '.join(failed)}" if failed else "",
    ]
    return [remark for remark in remarks if remark]


def cycles(row: Measurement) -> str:
    """``705 cycles`` of a time, at the clock observed while it was measured.

    Empty for a rate, and where the clock is not known.
    """
    if row.tag.counts or not (row.clock_hz and row.seconds_median):
        return ""
    return f"{short(row.seconds_median * row.clock_hz)} cycles"
