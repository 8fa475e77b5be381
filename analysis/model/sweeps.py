"""What a run's sweeps say: a chart for each quantity over each axis.

A new sweep needs no edit here: only the words of its axis come from a table, and what is not in it
names itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.model.ceilings import Ceiling, cycles
from analysis.model.levels import Level, reported_sizes
from analysis.model.roofline import attainable, ridge
from analysis.units import binary, fraction, percent, plus_minus, short, si, unit_of
from kernels.device import Device
from probes.records.measurement import Measurement
from probes.records.tag import (
    BANDWIDTH,
    COMPUTE,
    INTENSITY,
    MAIN_MEMORY,
    READ,
    WORKING_SET,
    Sweep,
    Tag,
)

SLOPES = str(Tag(BANDWIDTH, MAIN_MEMORY, READ)), str(Tag(BANDWIDTH, MAIN_MEMORY))
"""Tags that the slope over a point may have, best first."""
LONGEST_FILE_NAME = 80  # letters
NEAR = 2.0  # about the ridge, by this factor, no curve can hug its roof: both limits are at work
POINT_HEAD = ("series", "x", "value", "spread")


@dataclass(frozen=True)
class Line:
    """One series of a sweep."""

    name: str
    """Of the series, in words: ``read, one core``."""
    rows: tuple[Measurement, ...]
    """Its points, by x."""
    levels: tuple[Level, ...] = ()
    """The levels of memory that it shows."""
    roof: tuple[float, float] | None = None
    """The roof over it: operations a second, and bytes a second; None where there is none."""
    clock: float | None = None
    """Clock in Hz at which the flat part of that roof was measured."""

    @cached_property
    def shares(self) -> list[tuple[float, float]]:
        """(x, share of the roof) of every point that counts; empty without a roof.

        The roof is that of the point's own moment: timed beside it, else scaled to the clock at
        which the point was measured.
        """
        if not self.roof:
            return []
        pairs = []
        for row in self.counted:
            x = row.x or 0.0
            allowed = attainable(x, *self._roof_over(row))
            pairs.append((x, (row.value or 0.0) / allowed))
        return pairs

    @cached_property
    def counted(self) -> tuple[Measurement, ...]:
        """Its points; under a roof, only those that can be trusted, where there are any.

        The others say nothing of the curve.
        """
        trusted = tuple(row for row in self.rows if row.trusted)
        return trusted if self.roof and trusted else self.rows

    @property
    def left_out(self) -> list[Measurement]:
        """The points that are not counted."""
        return [] if self.counted is self.rows else [row for row in self.rows if not row.trusted]

    def _roof_over(self, row: Measurement) -> tuple[float, float]:
        """The roof at the moment of this point: operations a second, and bytes a second."""
        beside = roof_of(row, row.beside)
        if beside:
            return beside
        flat, slope = self.roof or (0.0, 0.0)
        if row.clock_hz and self.clock:
            flat *= row.clock_hz / self.clock
        return flat, slope


@dataclass(frozen=True)
class SweepChart:
    """All series of one quantity over one axis."""

    quantity: str
    """What was measured at each point: ``bandwidth``."""
    over: str
    """What x is: a name of ``AXES``, or one of its own."""
    lines: tuple[Line, ...]
    """The series."""
    edges: tuple[tuple[str, float], ...] = ()
    """(label, x) of the ends of the caches, as the device reports them."""

    @property
    def name(self) -> str:
        """Name of its file: ``working-set-bandwidth``."""
        return file_name(f"{self.over}-{self.quantity}")

    def with_lines(self, lines: Sequence[Line]) -> SweepChart:
        """The same with these lines."""
        return replace(self, lines=tuple(lines))

    @property
    def title(self) -> str:
        """``Bandwidth over working set``."""
        words = f"{self.quantity} over {self.over.replace('-', ' ')}"
        return words.capitalize().replace(" sm", " SM")

    @property
    def _tag(self) -> Sweep:
        """The tag of its first line, which says what x is."""
        return Sweep.parse(self.lines[0].rows[0].ceiling)

    @property
    def axis(self) -> str:
        """What its x axis shows."""
        return self._tag.axis.title

    @property
    def unit(self) -> str:
        """Unit of the values."""
        first = self.lines[0].rows[0]
        return unit_of(first.ceiling, first.dtype)

    @property
    def notes(self) -> list[str]:
        """How well each line under a roof follows it, in words."""
        return [f"{line.name} {gap(line)}" for line in self.lines if line.roof]

    def place(self, x: float) -> str:
        """``x`` as people read it."""
        return binary(x) if self._tag.axis.unit == "B" else fraction(x)


def file_name(text: str) -> str:
    """A text as the name of a file: letters, digits and dashes, not too long for any system."""
    words = re.findall(r"[A-Za-z0-9._]+", text)
    return "-".join(words).strip(".-")[:LONGEST_FILE_NAME] or "sweep"


def sweeps(
    rows: Sequence[Measurement],
    device: Device,
    ceilings: Mapping[str, Ceiling],
    levels: Mapping[str, Sequence[Level]],
) -> list[SweepChart]:
    """Every sweep with at least two good points, in the order of quantity and axis.

    ``levels``: by the tag of their sweep.
    """
    points_by_chart: dict[tuple[str, str], dict[str, list[Measurement]]] = {}
    for row in rows:
        if row.sweep and row.value and row.x:
            points_by_tag = points_by_chart.setdefault((row.sweep.quantity, row.sweep.over), {})
            points_by_tag.setdefault(row.ceiling, []).append(row)
    charts = []
    for (quantity, over), points_by_tag in sorted(points_by_chart.items()):
        lines = []
        for tag, points_of_line in points_by_tag.items():
            lines.append(_line(tag, points_of_line, ceilings, levels.get(tag, ())))
        if any(len({row.x for row in line.rows}) > 1 for line in lines):
            edges = _edges(points_by_tag, device) if over == WORKING_SET else ()
            charts.append(SweepChart(quantity, over, tuple(lines), edges))
    return charts


def _line(
    tag: str,
    rows: Sequence[Measurement],
    ceilings: Mapping[str, Ceiling],
    levels: Sequence[Level],
) -> Line:
    """One series; of a sweep over intensities with its roof."""
    sweep = Sweep.parse(tag)
    ordered = tuple(sorted(rows, key=lambda row: row.x or 0.0))
    line = Line(_words(sweep.series), ordered, tuple(levels))
    if sweep.over != INTENSITY:
        return line
    rates = {}
    for ceiling in ceilings.values():
        if ceiling.rate and ceiling.trusted:
            rates[ceiling.tag] = ceiling.rate
    flat = next((ceilings[each] for each in flats(ordered[0]) if each in rates), None)
    clock = flat.clock_hz if flat else None
    return replace(line, roof=roof_of(ordered[0], rates), clock=clock)


def _words(series: str) -> str:
    """``read, one core`` of read-1core; precisions in capitals as on the roofline."""
    first_letters = series.partition("-")[0][:4]
    has_digit = any(letter.isdigit() for letter in first_letters)
    if has_digit and not series.startswith(("h2d", "d2h")):
        return series.upper()
    return series.replace("-1core", ", one core").replace("-per-sm", ", each SM").replace("-", " ")


def flats(row: Measurement) -> tuple[str, ...]:
    """Tags that the flat roof over a point may have, best first.

    A series is a precision, with its path if it has one.
    """
    of_series = Sweep.parse(row.ceiling).flat
    return str(of_series), str(Tag(COMPUTE, row.dtype))


def roof_of(row: Measurement, rates: Mapping[str, float]) -> tuple[float, float] | None:
    """The roof over a point from these rates by tag; None if a rate is missing.

    It is the peak of the same path in operations a second, and the bandwidth of the same access in
    bytes a second.
    """
    flat = next((rates[tag] for tag in flats(row) if tag in rates), None)
    slope = next((rates[tag] for tag in SLOPES if tag in rates), None)
    return (flat, slope) if flat and slope else None


def _edges(tags: Iterable[str], device: Device) -> tuple[tuple[str, float], ...]:
    """(label, size in bytes) of the caches that these sweeps meet, each size once, by size.

    They are as reported; a core's share of a cache says so.
    """
    ends = set()
    for tag in tags:
        for level, size in reported_sizes(tag, device).items():
            if size:
                ends.add((level, size))
    whole_sizes = {cache.bytes for cache in device.caches}
    edges = []
    for level, size in sorted(ends, key=lambda end: end[1]):
        share = "" if size in whole_sizes else " a core"
        edges.append((f"{level.upper()} {binary(size)}{share}", size))
    return tuple(edges)


def shares(line: Line) -> list[float]:
    """The least share of its roof that a line reaches, and the least away from the ridge.

    Only the first if it has no points away from the ridge.
    """
    turn = ridge(*line.roof) if line.roof else 0.0
    everywhere = [share for _, share in line.shares]
    far = [share for x, share in line.shares if not turn / NEAR <= x <= turn * NEAR]
    return [min(everywhere), min(far)] if far else [min(everywhere)]


def gap(line: Line) -> str:
    """How well a line follows its roof, in words.

    ``reaches 96.1 % of its roof at worst (at 14 per byte), 98.0 % outside a factor 2 of the
    ridge``.
    """
    worst, *far = shares(line)
    place = next(x for x, share in line.shares if share == worst)
    sentence = f"reaches {percent(worst)} of its roof at worst (at {short(place)} per byte)"
    if far:
        sentence += f", {percent(far[0])} outside a factor {NEAR:g} of the ridge"
    left_out = len(line.left_out)
    if left_out:
        what = "point" if left_out == 1 else "points"
        sentence += f"; {left_out} {what} that cannot be trusted left out"
    return sentence


def points(chart: SweepChart) -> Iterator[tuple[str, str, str, str]]:
    """Every point in the order of POINT_HEAD."""
    for line in chart.lines:
        for row in line.rows:
            value = si(row.value, unit_of(row.ceiling, row.dtype))
            time = cycles(row)
            text = f"{value} · {time}" if time else value
            yield line.name, chart.place(row.x or 0.0), text, plus_minus(row.spread)
