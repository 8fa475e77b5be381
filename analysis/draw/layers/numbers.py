"""Numbers beside the points of layers, over no point, line or other word while a place is free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import Point, frame_of, in_data, pixels_of
from analysis.draw.labels import Box, box_around, first_free, width
from analysis.draw.style import halo, ink, tie

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DISTANCES = (0.6, 1.0, 1.4, 2.0, 2.8, 3.8)
"""Of a number from its point, in the size of its type, best first."""
TIED_FROM = 1.0
"""Numbers further away are tied to their points."""
TURNS = (30, -30, 150, 210, 90, -90, 0, 180, 60, -60, 120, 240)
"""Where a number may stand around its point, in degrees: right of it before left of it."""


def number_beside(ax: Axes, text: str, point: Point, colour: str, taken: list[Box]) -> None:
    """Write a number beside its point, clear of the boxes ``taken`` (pixels), to which it is added.

    It is tied to the point where it stands far from it, and left out where nothing is free.
    """
    pixels = pixels_of(ax)
    half = width(text, pixels) / 2
    x, y = ax.transData.transform(point)
    for distance in DISTANCES:
        boxes = []
        for turn in map(math.radians, TURNS):
            across = x + (distance * pixels + half) * math.cos(turn)
            up = y + (distance + 0.5) * pixels * math.sin(turn)
            boxes.append(box_around(across, up, half, pixels / 2))
        box = first_free(inside(ax, boxes), taken)
        if box:
            taken.append(box)
            line = tie(colour, shrink=(4, 2), width=0.6) if distance > TIED_FROM else None
            write_at(ax, text, point, box, line, color=ink(colour), zorder=5, gid="end")
            return


def inside(ax: Axes, boxes: Sequence[Box]) -> list[Box]:
    """Those of these boxes (pixels) that lie inside the axes."""
    frame = frame_of(ax)
    return [box for box in boxes if box.is_inside(frame)]


def write_at(
    ax: Axes, text: str, point: Point, box: Box, line: dict[str, Any] | None, **look: Any
) -> None:
    """Write the number or name of a point into a box (pixels); ``line`` ties it to the point."""
    ax.annotate(
        text,
        point,
        in_data(ax, box.centre),
        ha="center",
        va="center",
        bbox=halo(),
        arrowprops=line,
        **look,
    )
