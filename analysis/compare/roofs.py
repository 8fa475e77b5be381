"""The roofs of each side of a comparison: the middle of its runs, and how far these range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from analysis.compare.sides import Side
from analysis.draw.naming import subject
from analysis.model.roofline import Roof

MOST_SIDES = 6
"""Sides with a line of their own; the others are one band together."""


@dataclass(frozen=True)
class SpanOfRoof:
    """One roof over several runs."""

    roof: Roof
    """The middle of the runs, with the tag of the first."""
    low: float
    """Of the slowest run."""
    high: float
    """Of the fastest run."""


@dataclass(frozen=True)
class SideRoofs:
    """The roofs of one side."""

    name: str
    """As tables call the side."""
    slopes: tuple[SpanOfRoof, ...]
    """Levels of memory, fastest first."""
    flats: tuple[SpanOfRoof, ...]
    """The fastest dense path of each number format, fastest first."""

    @property
    def is_empty(self) -> bool:
        """True if it has no roof that can be trusted."""
        return not self.slopes and not self.flats


def roofs_of(side: Side) -> SideRoofs:
    """The roofs of one side. Sparse paths are left out: they count work that is not done."""
    slopes: dict[str, list[Roof]] = {}
    flats: dict[str, list[Roof]] = {}
    for run in side.runs:
        model = run.outcome.model
        for roof in model.bandwidth:
            slopes.setdefault(roof.tag, []).append(roof)
        best: dict[str, Roof] = {}
        for roof in model.compute:
            if not roof.is_sparse:
                best.setdefault(subject(roof), roof)
        for name, roof in best.items():
            flats.setdefault(name, []).append(roof)
    return SideRoofs(side.name, _spans(slopes.values()), _spans(flats.values()))


def _spans(groups: Iterable[Sequence[Roof]]) -> tuple[SpanOfRoof, ...]:
    """Each roof over the runs that have it, the highest first."""
    spans = []
    for group in groups:
        rates = [roof.rate for roof in group]
        first = group[0]
        middle = Roof(first.tag, median(rates), first.peak, first.unit, first.share)
        spans.append(SpanOfRoof(middle, min(rates), max(rates)))
    return tuple(sorted(spans, key=lambda span: span.roof.rate, reverse=True))


def together(sides: Sequence[SideRoofs]) -> SideRoofs:
    """Several sides as one: the middle of their middles, and the whole span."""
    slopes = _joined([span for side in sides for span in side.slopes])
    flats = _joined([span for side in sides for span in side.flats])
    return SideRoofs(f"{len(sides)} more", slopes, flats)


def _joined(spans: Sequence[SpanOfRoof]) -> tuple[SpanOfRoof, ...]:
    """Spans of one level of memory, or of one number format, as one."""
    by_subject: dict[str, list[SpanOfRoof]] = {}
    for span in spans:
        by_subject.setdefault(subject(span.roof), []).append(span)
    joined = []
    for group in by_subject.values():
        first = group[0].roof
        middle = Roof(first.tag, median(span.roof.rate for span in group), None, first.unit)
        low = min(span.low for span in group)
        high = max(span.high for span in group)
        joined.append(SpanOfRoof(middle, low, high))
    return tuple(sorted(joined, key=lambda span: span.roof.rate, reverse=True))
