"""Draw the levels of a sweep: a band over each plateau, and its name where there is room."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.draw.canvas import Point, covered, frame_of, in_data, pixels_of
from analysis.draw.labels import Box, first_free, width
from analysis.draw.style import halo, ink, tie
from analysis.model.ceilings import cycles
from analysis.model.levels import Level
from analysis.units import si, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BAND = 8
"""Width of a band, in points."""
TYPE = 8.5
"""Size of a name, in points: plateaus are short."""
HEIGHT = 1.2
"""Of a name, in the size of its type."""
TIE_RADIUS = 1.5
"""Half the room that the line from a name to its plateau takes, in pixels."""
LIFTS = (1.0, -1.9, 1.5, -2.4, 2.0, -2.9, 2.5, -3.4, 3.0)
"""From a plateau up to its name, in the size of the type, best first."""
SHIFTS = (0.0, -0.25, 0.25, -0.5, 0.5)
"""From the middle of a plateau to that of its name, in the plateau's length, best first."""


def draw_level(ax: Axes, level: Level, colour: str, taken: list[Box]) -> None:
    """Draw a band over a plateau and its name close by, clear of the boxes ``taken`` (pixels).

    Where all places there are taken, the name stands in the next free one and is tied to the
    plateau. Its box is added to ``taken``.
    """
    value = level.speaker.value or 0.0
    begin, end = level.rows[0].x or 1.0, level.rows[-1].x or 1.0
    ax.plot(
        [begin, end],
        [value, value],
        color=colour,
        linewidth=BAND,
        alpha=0.22,
        solid_capstyle="butt",
        zorder=1.5,
    )
    if level.name:
        _write_name(ax, level, (begin, value), (end, value), colour, taken)


def _write_name(
    ax: Axes, level: Level, begin: Point, end: Point, colour: str, taken: list[Box]
) -> None:
    """Write the name of a plateau that goes from ``begin`` to ``end``."""
    text = level_text(level)
    pixels = pixels_of(ax, TYPE)
    size = width(text, pixels), HEIGHT * pixels
    (left, y), (right, _) = ax.transData.transform((begin, end))
    close = first_free(_places_close_by(ax, left, right, y, size), taken)
    middle = (left + right) / 2, y
    box = close or _first_with_clear_tie(ax, middle, _places_anywhere(ax, *middle, size), taken)
    if box is None:
        return
    taken.append(box)
    middle_of_plateau = (begin[0] * end[0]) ** 0.5, begin[1]
    ax.annotate(
        text,
        middle_of_plateau,
        in_data(ax, (box.centre[0], box.bottom)),
        color=ink(colour),
        fontsize=TYPE,
        ha="center",
        va="bottom",
        bbox=halo(),
        arrowprops=None if close else tie(colour, shrink=(1, 2)),
        gid="level",
    )


def _first_with_clear_tie(
    ax: Axes, middle: Point, places: list[Box], taken: list[Box]
) -> Box | None:
    """The first free box whose tie to the middle of the plateau (pixels) crosses no other name.

    What its tie covers is added to ``taken``.
    """
    texts = [text for text in ax.texts if text.get_gid() == "level"]
    names = [Box(*text.get_window_extent().extents) for text in texts]
    for box in places:
        if first_free([box], taken) is None:
            continue
        ends = [in_data(ax, middle), in_data(ax, box.centre)]
        tie_boxes = covered(ax, ends, TIE_RADIUS)
        if all(first_free([part], names) for part in tie_boxes):
            taken += tie_boxes
            return box
    return None


def _places_close_by(ax: Axes, left: float, right: float, y: float, size: Point) -> list[Box]:
    """Boxes of this size above and below a plateau, best first, in pixels."""
    pixels = pixels_of(ax, TYPE)
    across, down = size
    frame = frame_of(ax)
    boxes = []
    for lift in LIFTS:
        bottom = y + lift * pixels
        if bottom <= frame.bottom + 2 or bottom + down >= frame.top:
            continue
        for shift in SHIFTS:
            wanted = (left + right) / 2 + shift * (right - left)
            middle = min(max(wanted, frame.left + across / 2 + 4), frame.right - across / 2)
            box = Box(middle - across / 2, bottom, middle + across / 2, bottom + down)
            boxes.append(box)
    return boxes


def _places_anywhere(ax: Axes, x: float, y: float, size: Point) -> list[Box]:
    """Boxes of this size all over the axes, those nearest to (x, y) first, in pixels."""
    across, down = size
    frame = frame_of(ax)
    lefts = range(int(frame.left) + 4, int(frame.right - across), max(1, int(across / 4)))
    bottoms = range(int(frame.bottom) + 3, int(frame.top - down), max(1, int(down / 2)))
    boxes = [
        Box(left, bottom, left + across, bottom + down) for left in lefts for bottom in bottoms
    ]
    return sorted(boxes, key=lambda box: math.hypot(box.centre[0] - x, box.centre[1] - y))


def level_text(level: Level) -> str:
    """``L1 3.4 TB/s``; of a time also in cycles at the clock observed."""
    row = level.speaker
    text = f"{level.name.upper()} {si(row.value, unit_of(row.ceiling))}"
    in_cycles = cycles(row)
    return f"{text} · {in_cycles}" if in_cycles else text
