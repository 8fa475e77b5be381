"""Zones of a roofline: where main memory decides how fast a program is, and where arithmetic.

Left of the first ridge point every precision waits for memory, right of the last one none does;
between them it depends on the precision. The roofs should be dense ones: those of sparse operands
count zeros that are skipped as work, so their ridge points lie too far right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import pixels_of
from analysis.draw.labels import width
from analysis.draw.style import ARITHMETIC_ZONE, MEMORY_ZONE, SOFT
from analysis.model.roofline import Roof, ridge

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEMORY_DECIDES, PRECISION_DECIDES, ARITHMETIC_DECIDES = (
    "memory decides",
    "depends on precision",
    "arithmetic decides",
)
"""What the zones are called, from left to right."""


def room_above(low: float, top: float, part: float) -> float:
    """The end of a logarithmic axis from ``low`` that leaves this part of it free above ``top``.

    From ``low`` to ``top`` is the other part, 1 - part, of the whole length.
    """
    return float(top * (top / low) ** (part / (1 - part)))


def draw_zones(ax: Axes, flats: Sequence[Roof], memory: Roof | None) -> None:
    """Shade the zones of these roofs and name them at their top.

    It draws nothing if main memory or all flat roofs are unknown.
    """
    if memory is None or not flats:
        return
    ridges = [ridge(roof.rate, memory.rate) for roof in flats]
    left, right = ax.get_xlim()
    first_ridge = _within(min(ridges), left, right)
    last_ridge = _within(max(ridges), left, right)
    ax.axvspan(left, first_ridge, color=MEMORY_ZONE, linewidth=0, zorder=0)
    ax.axvspan(last_ridge, right, color=ARITHMETIC_ZONE, linewidth=0, zorder=0)
    _write_name(ax, MEMORY_DECIDES, left, first_ridge)
    _write_name(ax, PRECISION_DECIDES, first_ridge, last_ridge)
    _write_name(ax, ARITHMETIC_DECIDES, last_ridge, right)


def _within(x: float, left: float, right: float) -> float:
    """The place nearest to ``x`` from ``left`` to ``right``."""
    return min(max(x, left), right)


def _write_name(ax: Axes, name: str, begin: float, end: float) -> None:
    """Write the name of a zone at its top, between these intensities: in one line or in two.

    A zone too narrow even for two lines has no name.
    """
    any_rate = 1
    ends = [(begin, any_rate), (end, any_rate)]
    (begin_pixel, _), (end_pixel, _) = ax.transData.transform(ends)
    room = end_pixel - begin_pixel
    type_pixels = pixels_of(ax)
    if width(name, type_pixels) > room:
        # the last word of a name is hardly longer than what stands before it: that decides
        first_line, _, last_line = name.rpartition(" ")
        if width(first_line, type_pixels) > room:
            return
        name = f"{first_line}\n{last_line}"
    ax.annotate(
        name,
        ((begin * end) ** 0.5, 1),
        (0, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=SOFT,
        ha="center",
        va="top",
        style="italic",
        gid="zone",
    )
