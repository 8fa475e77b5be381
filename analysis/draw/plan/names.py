"""Names beside points of many sizes, over no point, line or other name while a place is free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import BOLD, Point, pixels_of
from analysis.draw.labels import Box, box_around, first_free, width
from analysis.draw.layers.numbers import inside, write_at
from analysis.draw.style import AXIS_NAME, SMALL, ink, tie

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DISTANCES = (0.6, 1.0, 1.6, 2.4, 3.4, 4.6, 6.0, 7.5, 9.5, 12.0, 15.0)
"""Of a name from the edge of its point, in the size of its type, best first."""
TIED_FROM = 1.0
"""Names further away are tied to their points."""
STEP = math.pi / 12
TURNS = [STEP * turn for turn in (1, -1, 0, 2, -2, 11, -11, 12, 10, -10, 4, -4, 8, -8, 6, -6)]
"""Where a name may stand around its point, in radians: right of it before left of it."""
HALF_NAME = 0.62
"""Half the height of a name, in the size of its type."""


def name_beside(
    ax: Axes,
    text: str,
    point: Point,
    radius: float,
    colour: str,
    taken: list[Box],
    *,
    may_cover: Sequence[Box] = (),
    furthest: float = DISTANCES[-1],
    bold: bool = False,
    gid: str = "name of point",
) -> bool:
    """Write the name of a point, clear of the boxes ``taken`` (pixels), to which it is added.

    radius: of the point, in pixels. may_cover: boxes that it is clear of where it can. furthest: as
    in ``DISTANCES``. It is tied to the point where it stands far from it. False where nothing is
    free: then it is not written.
    """
    pixels = pixels_of(ax, SMALL * (BOLD if bold else 1))
    half = width(text, pixels) / 2
    x, y = ax.transData.transform(point)
    distances = [distance for distance in DISTANCES if distance <= furthest]
    attempts = [(distance, [*taken, *may_cover]) for distance in distances]
    if may_cover:
        attempts += [(distance, taken) for distance in distances]
    for distance, covered in attempts:
        away = radius + distance * pixels
        boxes = []
        for turn in TURNS:
            across = x + (away + half) * math.cos(turn)
            up = y + away * math.sin(turn)
            boxes.append(box_around(across, up, half, HALF_NAME * pixels))
        box = first_free(inside(ax, boxes), covered)
        if box is None:
            continue
        taken.append(box)
        line = tie(colour, shrink=(1, 2), width=0.6) if distance > TIED_FROM else None
        weight = "bold" if bold else None
        write_at(
            ax, text, point, box, line, color=ink(colour), fontweight=weight, zorder=5, gid=gid
        )
        return True
    return False


def name_below(picture: Figure, text: str, left: float, right: float, up: float) -> None:
    """Write what all panels have across, in their middle.

    left, right: margins beside the panels. up: from the lower edge of the picture. All in inches.
    """
    across, down = picture.get_size_inches()
    middle = (left + (across - left - right) / 2) / across
    picture.text(middle, up / down, text, fontsize=AXIS_NAME, ha="center", va="center")
