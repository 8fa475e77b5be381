"""Words among the points of a picture of layers: names along the slopes, and numbers beside points.

None covers a point, a line or another word while there is a free place; names along slopes give up
their rate first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import roof_lines
from analysis.draw.labels import Box, clipped, first_free, width
from analysis.draw.naming import SMALL, TIGHT, halo, in_data, ink, rise, write_along
from analysis.model.roofline import Roof
from analysis.units import si

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP = 0.35  # between a slope and its name, in the size of the type
NEAR = (0.6, 1.0, 1.4, 2.0, 2.8, 3.8)  # of a number from its point, likewise
TIED = 1.0  # numbers further away are tied to their points
TURNS = (
    30,
    -30,
    150,
    210,
    90,
    -90,
    0,
    180,
    60,
    -60,
    120,
    240,
)  # degrees: right of a point before left of it


def slope_names(ax: Axes, roofs: Sequence[Roof], points: Sequence[Box]) -> None:
    """Names along the slopes (best first) of these axes, clear of boxes over points in pixels; the
    lowest from below.

    A slope that begins above the picture has none.
    """
    turn = rise(ax)
    lines = [_turned(box, turn) for box in roof_lines(ax, 2.0)]
    busy = [_turned(box, turn) for box in points]
    for roof in roofs:
        for words, taken in _tries(roof, lines, busy):
            if box := first_free(
                list(_along(ax, roof, words, turn, last=roof == roofs[-1])), taken
            ):
                lines.append(box)
                x, y, *_ = _turned((box[0], box[1], box[0], box[1]), -turn)
                write_along(ax, roof, words, (x, y), turn)
                break


def _tries(roof: Roof, lines: list[Box], points: list[Box]) -> list[tuple[str, list[Box]]]:
    """Words for a slope and what they must not cover, the best first: over points before over
    lines.
    """
    short = clipped(roof.label)
    full = f"{short} {si(roof.rate, roof.unit)}"
    return [(words, taken) for taken in ([*lines, *points], lines) for words in (full, short)]


def _turned(box: Box, turn: float) -> Box:
    """A box around a box, in pixels along and across the slopes."""
    c, s = math.cos(turn), math.sin(turn)
    corners = [(x * c + y * s, y * c - x * s) for x in box[::2] for y in box[1::2]]
    along, across = zip(*corners, strict=True)
    return min(along), min(across), max(along), max(across)


def _along(ax: Axes, roof: Roof, words: str, turn: float, last: bool) -> Iterator[Box]:
    """Boxes for a name above a slope or below it, all of them inside the axes, in pixels along and
    across.
    """
    pixels = SMALL * ax.figure.dpi / 72
    line = next(line for line in ax.get_lines() if line.get_gid() == f"{roof.tag}/layers")
    ends = ax.transData.transform(line.get_xydata())
    (begin, across, *_), (end, *_) = [_turned((x, y, x, y), turn) for x, y in ends]
    above, below = across + GAP * pixels, across - (GAP + TIGHT) * pixels
    for low in (below, above) if last else (above, below):
        for step in range(int((end - begin) / pixels * 2)):
            start = begin + step * pixels / 2
            box = (start, low, start + width(words, pixels), low + TIGHT * pixels)
            if _inside(ax, _turned(box, -turn)):
                yield box


def _inside(ax: Axes, box: Box) -> bool:
    frame = ax.bbox
    return bool(frame.x0 < box[0] and box[2] < frame.x1 and frame.y0 < box[1] and box[3] < frame.y1)


def beside_point(
    ax: Axes, text: str, spot: tuple[float, float], colour: str, taken: list[Box]
) -> None:
    """A number beside its point, clear of what is taken (pixels), which then holds it too; tied to
    it where far.
    """
    pixels = SMALL * ax.figure.dpi / 72
    (x, y), half = ax.transData.transform(spot), width(text, pixels) / 2
    for near in NEAR:
        middles = [
            (x + (near * pixels + half) * math.cos(a), y + (near + 0.5) * pixels * math.sin(a))
            for a in map(math.radians, TURNS)
        ]
        boxes = [(a - half, b - pixels / 2, a + half, b + pixels / 2) for a, b in middles]
        if box := first_free([box for box in boxes if _inside(ax, box)], taken):
            taken.append(box)
            _number(ax, text, spot, colour, box, near > TIED)
            return


def _number(
    ax: Axes, text: str, spot: tuple[float, float], colour: str, box: Box, tied: bool
) -> None:
    at = in_data(ax, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    tie = {"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 4, "shrinkB": 2}
    ax.annotate(
        text,
        spot,
        at,
        fontsize=SMALL,
        color=ink(colour),
        ha="center",
        va="center",
        path_effects=halo(),
        zorder=5,
        arrowprops=tie if tied else None,
        gid="end",
    )
