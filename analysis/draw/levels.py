"""Draw the levels of a sweep: a band over each plateau, and its name where there is room. Only
draws.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.draw.labels import Box, first_free, width
from analysis.draw.naming import SMALL, Ink, halo, in_data
from analysis.model.ceilings import cycles
from analysis.model.levels import Level
from analysis.units import si, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LIFTS = (
    1.0,
    -1.9,
    1.5,
    -2.4,
    2.0,
    -2.9,
    2.5,
    -3.4,
    3.0,
)  # of a label from its line, in its height, best first
SHIFTS = (0.0, -0.25, 0.25, -0.5, 0.5)  # of a label along its plateau, in the plateau's length
TIE: dict[str, Any] = {
    "arrowstyle": "-",
    "linewidth": 0.7,
    "shrinkA": 1,
    "shrinkB": 2,
}  # of a name far from its line


def draw_level(ax: Axes, level: Level, dark: Ink, colour: str, taken: list[Box]) -> None:
    """A band over a plateau and its name close by; where all places there are taken, in the next
    free one and tied.
    """
    value = level.speaker.value or 0.0
    first, last = level.rows[0].x or 1.0, level.rows[-1].x or 1.0
    ax.plot(
        [first, last],
        [value, value],
        color=colour,
        linewidth=8,
        alpha=0.22,
        solid_capstyle="butt",
        zorder=1.5,
    )
    if level.name:
        _name(ax, level, (first, last, value), dark, colour, taken)


def _name(
    ax: Axes,
    level: Level,
    plateau: tuple[float, float, float],
    dark: Ink,
    colour: str,
    taken: list[Box],
) -> None:
    first, last, value = plateau
    text, pixels = level_text(level), SMALL * ax.figure.dpi / 72
    (left, y), (right, _) = ax.transData.transform(((first, value), (last, value)))
    size = width(text, pixels), 1.2 * pixels
    near = first_free(_close_by(ax, left, right, y, pixels, size), taken)
    box = near or first_free(_anywhere(ax, (left + right) / 2, y, size), taken)
    if box:
        taken.append(box)
        spot = in_data(ax, ((box[0] + box[2]) / 2, box[1]))
        ax.annotate(
            text,
            ((first * last) ** 0.5, value),
            spot,
            fontsize=SMALL,
            color=dark,
            ha="center",
            va="bottom",
            path_effects=halo(),
            arrowprops=None if near else {**TIE, "color": colour},
            gid="level",
        )


def _close_by(
    ax: Axes, left: float, right: float, y: float, pixels: float, size: tuple[float, float]
) -> list[Box]:
    """Boxes of this size above and below a plateau, best first, in pixels."""
    half = size[0] / 2
    centres = [(left + right) / 2 + shift * (right - left) for shift in SHIFTS]
    centres = [min(max(x, ax.bbox.x0 + half + 4), ax.bbox.x1 - half) for x in centres]
    lows = [y + lift * pixels for lift in LIFTS]
    boxes = [(x - half, low, x + half, low + size[1]) for low in lows for x in centres]
    return [box for box in boxes if ax.bbox.y0 + 2 < box[1] and box[3] < ax.bbox.y1]


def _anywhere(ax: Axes, x: float, y: float, size: tuple[float, float]) -> list[Box]:
    """Boxes of this size all over the axes, those nearest to a spot first."""
    across, down = size
    columns = range(int(ax.bbox.x0) + 4, int(ax.bbox.x1 - across), max(1, int(across / 4)))
    rows = range(int(ax.bbox.y0) + 3, int(ax.bbox.y1 - down), max(1, int(down / 2)))
    boxes = [(left, low, left + across, low + down) for left in columns for low in rows]
    return sorted(
        boxes, key=lambda box: math.hypot((box[0] + box[2]) / 2 - x, (box[1] + box[3]) / 2 - y)
    )


def level_text(level: Level) -> str:
    """``L1 3.4 TB/s``; of a time also in cycles at the clock observed."""
    row = level.speaker
    value = si(row.value, unit_of(row.ceiling))
    return f"{level.name.upper()} {' · '.join(filter(None, (value, cycles(row))))}"
