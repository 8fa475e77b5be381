"""What roofs are called in pictures, and the colours and markers that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.draw.labels import clipped
from analysis.draw.style import PRECISIONS, SLOPE
from analysis.model.roofline import Roof
from analysis.units import percent, si
from probes.records.tag import Tag


def tops(roofs: Sequence[Roof]) -> list[float]:
    """Of each roof the higher of its lines, measured or theoretical."""
    return [max(roof.rate, roof.peak or 0) for roof in roofs]


def full_name(roof: Roof) -> str:
    """``FP64  33.4 TFLOP/s · 99.9 %``: its share of theory stands at the end where it is known."""
    share = f" · {percent(roof.share)}" if roof.share else ""
    return f"{clipped(roof.label)}  {si(roof.rate, roof.unit)}{share}"


def short_name(roof: Roof) -> str:
    """``FP16 950 TFLOP/s``: without its path and its share of theory."""
    subject = Tag.parse(roof.tag).subject
    return f"{clipped(subject.upper())} {si(roof.rate, roof.unit)}"


def style(roof: Roof) -> tuple[str, str]:
    """Colour and marker of a roof's precision."""
    return PRECISIONS.get(Tag.parse(roof.tag).subject, (SLOPE, "o"))


def roof_colour(roof: Roof) -> str:
    """The colour of a roof's precision."""
    colour, _ = style(roof)
    return colour
