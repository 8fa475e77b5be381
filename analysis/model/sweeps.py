"""What a run's sweeps say: one picture's worth for each quantity over each axis, its lines, levels,
roof and points.

A new sweep needs no edit here: only the words of its axis come from a table, and what is not in it
names itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from analysis.model.ceilings import Ceiling, cycles
from analysis.model.levels import Level, reported
from analysis.model.roofline import attainable, ridge
from analysis.units import binary, fraction, percent, plus_minus, short, si, unit_of
from kernels.device import Device
from probes.records.measurement import Measurement
from probes.records.tag import BANDWIDTH, COMPUTE, INTENSITY, MAIN_MEMORY, READ, WORKING_SET, Tag
from probes.records.tag import Sweep as SweepTag

SLOPES = str(Tag(BANDWIDTH, MAIN_MEMORY, READ)), str(Tag(BANDWIDTH, MAIN_MEMORY))
"""Tags that the slope over a point may have, best first."""
LONGEST = 80  # letters of a file's name
NEAR = 2.0  # about the ridge, by this factor, no curve can hug its roof: both limits are at work
POINT_HEAD = ("series", "x", "value", "spread")


@dataclass(frozen=True)
class Line:
    """One series: its points (rows by x), its levels, and the roof over it (operations/s, B/s)
    where there is one.

    clock: at which the flat part of that roof was measured, in Hz.
    """

    name: str
    rows: tuple[Measurement, ...]
    levels: tuple[Level, ...] = ()
    roof: tuple[float, float] | None = None
    clock: float | None = None

    @cached_property
    def shares(self) -> list[tuple[float, float]]:
        """(x, share of the roof) of every point under a roof.

        Of the roof at its own moment: timed beside it, else scaled to the clock at which the point
        was measured.
        """
        if not self.roof:
            return []
        return [
            (row.x or 0.0, (row.value or 0.0) / attainable(row.x or 0.0, *self._over(row)))
            for row in self.counted
        ]

    @cached_property
    def counted(self) -> tuple[Measurement, ...]:
        """Its points; under a roof, only those that can be trusted, where there are any: the others
        say nothing of the curve."""
        calm = tuple(row for row in self.rows if row.trusted)
        return calm if self.roof and calm else self.rows

    @property
    def left_out(self) -> list[Measurement]:
        """The points that are not counted."""
        return [] if self.counted is self.rows else [row for row in self.rows if not row.trusted]

    def _over(self, row: Measurement) -> tuple[float, float]:
        flat, slope = self.roof or (0.0, 0.0)
        now = row.clock_hz / self.clock if row.clock_hz and self.clock else 1.0
        return roof_of(row, row.beside) or (flat * now, slope)


@dataclass(frozen=True)
class Sweep:
    """All series of one quantity over one axis. edges: (label, x) of the caches as reported."""

    quantity: str
    over: str
    lines: tuple[Line, ...]
    edges: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """Name of its file: ``working-set-bandwidth``."""
        return file_name(f"{self.over}-{self.quantity}")

    def with_lines(self, lines: Sequence[Line]) -> Sweep:
        """The same with these lines."""
        return replace(self, lines=tuple(lines))

    @property
    def title(self) -> str:
        """``Bandwidth over working set``."""
        return f"{self.quantity} over {self.over.replace('-', ' ')}".capitalize().replace(
            " sm", " SM"
        )

    @property
    def _tag(self) -> SweepTag:
        """The tag of its first line, which says what x is."""
        return SweepTag.parse(self.lines[0].rows[0].ceiling)

    @property
    def axis(self) -> str:
        """What its x axis shows."""
        return self._tag.axis.title

    @property
    def unit(self) -> str:
        """Of the values."""
        return unit_of(self.lines[0].rows[0].ceiling, self.lines[0].rows[0].dtype)

    @property
    def notes(self) -> list[str]:
        """How well each line under a roof follows it, in words."""
        return [f"{line.name} {gap(line)}" for line in self.lines if line.roof]

    def place(self, x: float) -> str:
        """``x`` as people read it."""
        return binary(x) if self._tag.axis.unit == "B" else fraction(x)


def file_name(text: str) -> str:
    """A text as the name of a file: letters, digits and dashes, and not too long for any system."""
    words = re.findall(r"[A-Za-z0-9._]+", text)
    return "-".join(words).strip(".-")[:LONGEST] or "sweep"


def sweeps(
    rows: Sequence[Measurement],
    device: Device,
    found: Mapping[str, Ceiling],
    levels: Mapping[str, Sequence[Level]],
) -> list[Sweep]:
    """Every sweep with at least two good points, in the order of quantity and axis."""
    grouped: dict[tuple[str, str], dict[str, list[Measurement]]] = {}
    for row in rows:
        if row.sweep and row.value and row.x:
            picture = grouped.setdefault((row.sweep.quantity, row.sweep.over), {})
            picture.setdefault(row.ceiling, []).append(row)
    made = []
    for (quantity, over), series in sorted(grouped.items()):
        lines = tuple(_line(tag, points, found, levels) for tag, points in series.items())
        if max(len({row.x for row in line.rows}) for line in lines) > 1:
            made.append(Sweep(quantity, over, lines, _edges(over, series, device)))
    return made


def _line(
    tag: str,
    points: Sequence[Measurement],
    found: Mapping[str, Ceiling],
    levels: Mapping[str, Sequence[Level]],
) -> Line:
    sweep = SweepTag.parse(tag)
    rows = tuple(sorted(points, key=lambda row: row.x or 0.0))
    line = Line(_words(sweep.series), rows, tuple(levels.get(tag, ())))
    if sweep.over != INTENSITY:
        return line
    rates = {
        tag: ceiling.rate for tag, ceiling in found.items() if ceiling.rate and ceiling.trusted
    }
    flat = next((found[tag] for tag in flats(rows[0]) if tag in rates), None)
    return replace(line, roof=roof_of(rows[0], rates), clock=flat.clock_hz if flat else None)


def _words(series: str) -> str:
    """``read, one core`` of read-1core; precisions in capitals as on the roofline."""
    if any(c.isdigit() for c in series.partition("-")[0][:4]) and not series.startswith(
        ("h2d", "d2h")
    ):
        return series.upper()
    return series.replace("-1core", ", one core").replace("-per-sm", ", each SM").replace("-", " ")


def flats(row: Measurement) -> tuple[str, ...]:
    """Tags that the flat roof over a point may have, best first."""
    of_series = SweepTag.parse(row.ceiling).flat
    return str(of_series), str(Tag(COMPUTE, row.dtype))


def roof_of(row: Measurement, rates: Mapping[str, float]) -> tuple[float, float] | None:
    """(peak of the same path, bandwidth of the same access): a series is a precision, with its path
    if it has one.
    """
    flat = next((rates[tag] for tag in flats(row) if tag in rates), None)
    slope = next((rates[tag] for tag in SLOPES if tag in rates), None)
    return (flat, slope) if flat and slope else None


def _edges(
    over: str, series: Sequence[str] | Mapping[str, object], device: Device
) -> tuple[tuple[str, float], ...]:
    """Where the caches end as reported, each size once; a core's share of a cache says so."""
    if over != WORKING_SET:
        return ()
    ends = {(name, size) for tag in series for name, size in reported(tag, device).items() if size}
    whole = {cache.bytes for cache in device.caches}
    return tuple(
        (f"{name.upper()} {binary(size)}{'' if size in whole else ' a core'}", size)
        for name, size in sorted(ends, key=lambda end: end[1])
    )


def shares(line: Line) -> list[float]:
    """The least share of its roof that a line reaches anywhere, then away from the ridge if it has
    points there.
    """
    turn = ridge(*line.roof) if line.roof else 0.0
    far = [share for x, share in line.shares if not turn / NEAR <= x <= turn * NEAR]
    return [min(share for _, share in line.shares), *([min(far)] if far else [])]


def gap(line: Line) -> str:
    """``reaches 96.1 % of its roof at worst (at 14 per byte), 98.0 % outside a factor 2 of the
    ridge``.
    """
    worst, *far = shares(line)
    at = next(x for x, share in line.shares if share == worst)
    outside = f", {percent(far[0])} outside a factor {NEAR:g} of the ridge" if far else ""
    left = len(line.rows) - len(line.shares)
    without = (
        f"; {left} {'point' if left == 1 else 'points'} that cannot be trusted left out"
        if left
        else ""
    )
    return (
        f"reaches {percent(worst)} of its roof at worst (at {short(at)} per byte){outside}{without}"
    )


def points(sweep: Sweep) -> Iterator[tuple[str, str, str, str]]:
    """Every point in the order of POINT_HEAD."""
    for line in sweep.lines:
        for row in line.rows:
            value = " · ".join(
                filter(None, (si(row.value, unit_of(row.ceiling, row.dtype)), cycles(row)))
            )
            yield line.name, sweep.place(row.x or 0.0), value, plus_minus(row.spread)
