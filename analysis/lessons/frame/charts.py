"""The pictures that lessons ask for, as facts: curves, bars, and points under roofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.lessons.frame.interval import Interval
from analysis.model.roofline import Roof


@dataclass(frozen=True)
class Curve:
    """Numbers at places of an axis."""

    name: str
    """Where it ends, it is called so."""
    points: Sequence[tuple[float, Interval]]
    """(place, number), by place."""
    joined: bool = True
    """False if the points are things of their own, and no line leads from one to the next."""


@dataclass(frozen=True)
class Guide:
    """A line across the picture: a border, or a roof."""

    name: str
    """What it is."""
    value: float
    """Where it lies."""


@dataclass(frozen=True, kw_only=True)
class Curves:
    """A picture of curves."""

    across: str
    """Name of the axis of places."""
    up: str
    """Name of the axis of numbers."""
    unit: str
    """Unit of the numbers; empty for ratios and counts."""
    curves: Sequence[Curve]
    """In the order of their colours."""
    guides: Sequence[Guide] = ()
    """Lines across it."""
    unit_across: str = ""
    """Unit of the places; ``B`` is told in powers of two."""
    even: bool = False
    """True if places lie as far apart as they differ, and not as their ratio is."""


@dataclass(frozen=True)
class Bar:
    """A number with its name."""

    name: str
    """What it is of."""
    number: Interval
    """Its length."""
    marked: bool = False
    """True if it is what the claim speaks of, and not what it is held against."""


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A picture of bars, one below the other."""

    across: str
    """Name of the axis."""
    unit: str
    """Unit of the numbers; ``%`` of shares, empty for other ratios and counts."""
    bars: Sequence[Bar]
    """From top to bottom."""
    guides: Sequence[Guide] = ()
    """Lines across it."""
    log: bool = False
    """True if the axis is logarithmic."""


@dataclass(frozen=True)
class Spot:
    """A layer under the roofs."""

    name: str
    """What is written beside it; empty for nothing."""
    intensity: float
    """Operations per byte."""
    rate: Interval
    """Operations a second."""
    curve: str = ""
    """Spots of one curve share a colour and are joined."""


@dataclass(frozen=True, kw_only=True)
class UnderRoofs:
    """A picture of a roofline with layers under it."""

    spots: Sequence[Spot]
    """The layers."""
    slopes: Sequence[Roof]
    """Levels of memory, fastest first."""
    flats: Sequence[Roof]
    """Arithmetic."""


Chart = Curves | Bars | UnderRoofs
