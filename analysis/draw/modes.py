"""Draw power modes side by side: what each gives of every roof, over the mode that gives most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import caption, heading, page
from analysis.draw.style import CATEGORIES, FAINT, MARKERS
from analysis.modes import Comparison, RoofInModes
from analysis.units import brief

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 9.6
ROW, AROUND = 0.3, 1.9
"""Inches of a roof, and above and below all of them."""
LEFT, GAP, RIGHT = 0.13, 0.02, 0.13
"""Parts of the picture's width: left of the axes, between two, and right of them."""
ABOVE, BELOW = 1.15, 0.75
"""Inches above and below the axes."""


def figure(comparison: Comparison) -> Figure:
    """A panel of rates and, where power is known, one of rates for each watt."""
    down = AROUND + ROW * len(comparison.roofs)
    picture = page((ACROSS, down))
    heading(picture, f"{comparison.device}: power modes", _key(comparison))
    caption(picture, "Over the mode that gives most of each roof, whose value is written out.")
    panels = [("rate", "", [roof.rates for roof in comparison.roofs])]
    if comparison.knows_power:
        panels.append(("rate for each watt", "/W", [roof.per_watt for roof in comparison.roofs]))
    width = (1 - LEFT - RIGHT - (len(panels) - 1) * (GAP + RIGHT)) / len(panels)
    for place, (name, suffix, values) in enumerate(panels):
        left = LEFT + place * (width + RIGHT + GAP)
        box = (left, BELOW / down, width, 1 - (ABOVE + BELOW) / down)
        ax = picture.add_axes(box)
        _draw(ax, comparison.roofs, values, suffix)
        ax.set_title(name, fontsize=10)
        if place:
            ax.set_yticklabels([])
    handles, labels = picture.axes[0].get_legend_handles_labels()
    picture.legend(
        handles, labels, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.55 / down), ncols=6
    )
    names = [mode.name for mode in comparison.modes]
    for handle, name in zip(picture.legends[0].get_texts(), names, strict=True):
        handle.set_text(name)
    return picture


def _key(comparison: Comparison) -> str:
    """How many runs there are."""
    return f"{len(comparison.modes)} runs"


def _draw(
    ax: Axes,
    roofs: Sequence[RoofInModes],
    values: Sequence[Sequence[float | None]],
    suffix: str,
) -> None:
    """A row for each roof, the first on top, with a mark for each mode."""
    from matplotlib.ticker import PercentFormatter

    modes = len(values[0]) if values else 0
    bests = [max((value for value in row if value), default=0.0) for row in values]
    for mode in range(modes):
        points = []
        for height, (row, best) in enumerate(zip(values, bests, strict=True)):
            value = row[mode]
            if value and best:
                points.append((value / best, -height))
        ax.plot(
            [x for x, _ in points],
            [y for _, y in points],
            MARKERS[mode % len(MARKERS)],
            color=CATEGORIES[mode % len(CATEGORIES)],
            markersize=7,
            alpha=0.85,
            label=str(mode),
            gid=f"mode {mode}",
        )
    for height, (roof, best) in enumerate(zip(roofs, bests, strict=True)):
        text = brief(best, f"{roof.unit}{suffix}") if best else "unknown"
        ax.annotate(
            text,
            (1.0, -height),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=FAINT,
            va="center",
            annotation_clip=False,
        )
    ax.set(xlim=(0, 1.05), ylim=(0.6 - len(roofs), 0.6))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_yticks([-height for height in range(len(roofs))], [roof.name for roof in roofs])
