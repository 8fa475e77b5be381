"""What all pictures share: a page, its title and caption, ticks, and where words may stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from analysis.draw.labels import Box, box_around, cut, round_numbers, width
from analysis.draw.style import FAINT, HEADING, SMALL, SOFT, UNDER_HEADING, ink, tie

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

BOLD = 1.08
"""How much wider a word in bold is."""
LEFT = 0.012
"""Where title and caption begin, as a fraction of the picture's width."""
CAPTION = 0.067
"""Inches from the lower edge to the caption."""
NOTE = 0.17
"""Inches of a line above the caption."""

NAMES_INSIDE = ("zone", "name on line")
"""What level words inside the axes are that nothing may cover: their gid."""

POINTS_PER_INCH = 72

Point = tuple[float, float]
"""(x, y)"""


def page(inches: Point, layout: Literal["constrained"] | None = None) -> Figure:
    """An empty picture of this size (across, down) that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    empty = Figure(figsize=inches, layout=layout)
    FigureCanvasAgg(empty)
    return empty


def room_for_title(ax: Axes) -> float:
    """Inches from the left edge of the axes to the right one of the picture, less a margin."""
    picture = ax.figure.bbox
    return float((picture.x1 - LEFT * picture.width - ax.bbox.x0) / ax.figure.dpi)


def fitted(text: str, inches: float, size: float) -> str:
    """A text in type of ``size`` (points) that is no longer than this: both its ends, if too long.

    Names of networks are long; behind them stands the device.
    """
    letters = int(POINTS_PER_INCH * inches / width("x", size))
    (short,) = cut([text], letters)
    return short


def heading(picture: Figure, title: str, under: str = "") -> None:
    """Write the title and the line under it in the upper left corner."""
    across, down = picture.get_size_inches()
    room = across * (1 - 2 * LEFT)
    picture.text(
        LEFT,
        1 - 0.12 / down,
        fitted(title, room, BOLD * HEADING),
        fontsize=HEADING,
        fontweight="bold",
        va="top",
    )
    picture.text(
        LEFT,
        1 - 0.40 / down,
        fitted(under, room, UNDER_HEADING),
        fontsize=UNDER_HEADING,
        color=SOFT,
        va="top",
        gid="under",
    )


def caption(picture: Figure, text: str, notes: Sequence[str] = ()) -> None:
    """Write a line in the lower left corner, and above it notes on what is not in the picture."""
    down = picture.get_size_inches()[1]
    picture.text(LEFT, CAPTION / down, text, color=FAINT, va="bottom")
    for line, note in enumerate(reversed(notes), 1):
        height = (CAPTION + NOTE * line) / down
        picture.text(LEFT, height, note, color=SOFT, va="bottom", gid="note")


def log_ticks(
    axis: XAxis | YAxis,
    bases: Sequence[int],
    in_words: Callable[[float], str],
    inches: float,
    least: int = 2,
) -> None:
    """Put round numbers as ticks on a logarithmic axis whose limits are set.

    bases: of whose powers the numbers are, best first. inches: from one tick to the next, at least.
    least: how many ticks there should be.
    """
    low, high = axis.get_view_interval()
    length = axis.axes.bbox.width if axis.axis_name == "x" else axis.axes.bbox.height
    most = max(3, int(length / axis.axes.figure.dpi / inches))
    places = round_numbers(low, high, bases, least, most)
    axis.set_ticks(places, [in_words(place) for place in places])
    axis.set_minor_formatter("")


def pixels_of(ax: Axes, size: float = SMALL) -> float:
    """Height of type of this size (points) in pixels."""
    return size * float(ax.figure.dpi) / POINTS_PER_INCH


def in_data(ax: Axes, pixels: Sequence[float]) -> Point:
    """The place in data coordinates that lies at this pixel."""
    x, y = ax.transData.inverted().transform(pixels)
    return float(x), float(y)


def in_axes(ax: Axes, pixels: Sequence[float]) -> Point:
    """The place, as fractions of the axes, that lies at this pixel."""
    x, y = ax.transAxes.inverted().transform(pixels)
    return float(x), float(y)


def frame_of(ax: Axes) -> Box:
    """The box of the axes, in pixels."""
    return Box(ax.bbox.x0, ax.bbox.y0, ax.bbox.x1, ax.bbox.y1)


def write_at_corner(ax: Axes, text: str, corner: tuple[int, int], points: float, grey: str) -> None:
    """Write a line of text so many points above a corner of the axes."""
    ax.annotate(
        text,
        corner,
        (0, points),
        xycoords="axes fraction",
        textcoords="offset points",
        color=grey,
    )


def write_tied(
    ax: Axes,
    text: str,
    point: Point,
    pixels: Point,
    colour: str,
    *,
    point_in: str | tuple[str, str] = ("axes fraction", "data"),
    shrink: Point = (1, 0),
    line_width: float = 0.7,
    gid: str | None = "name",
    **look: Any,
) -> None:
    """Write a name outside the axes, tied to the point that it names.

    point_in: coordinates of the point. pixels: where the text begins, or ends if ``look`` aligns it
    right. shrink and line_width: as in ``tie``. look: further properties of the text.
    """
    nearest_edge = 1 if look.get("ha") == "right" else 0
    properties: dict[str, Any] = {"color": ink(colour), "va": "center", **look}
    ax.annotate(
        text,
        point,
        in_axes(ax, pixels),
        xycoords=point_in,
        textcoords="axes fraction",
        arrowprops=tie(colour, shrink, (nearest_edge, 0.5), line_width),
        annotation_clip=False,
        gid=gid,
        **properties,
    )


def covered(
    ax: Axes, points: ArrayLike, radius: float = 4.0, joined: bool = True, step: float = 0.0
) -> list[Box]:
    """Boxes over points (x, y in data coordinates) and the line that joins them, in pixels.

    step: pixels from one box on the line to the next; without it the radius of a box.
    """
    places = np.asarray(points)
    spots = list(ax.transData.transform(places)) if len(places) else []
    next_spots = [*spots[1:], *spots[-1:]] if joined else spots
    boxes = []
    for (x0, y0), (x1, y1) in zip(spots, next_spots, strict=True):
        steps = 1 + int(max(abs(x1 - x0), abs(y1 - y0)) / (step or radius))
        for i in range(steps):
            x = x0 + (x1 - x0) * i / steps
            y = y0 + (y1 - y0) * i / steps
            boxes.append(box_around(x, y, radius, radius))
    return boxes


def roof_lines(ax: Axes, radius: float = 3.0) -> list[Box]:
    """Boxes over the roofs of these axes, in pixels."""
    boxes = []
    for line in ax.get_lines():
        if str(line.get_gid()).endswith("/layers"):
            boxes += covered(ax, line.get_xydata(), radius)
    return boxes


def roofs_and_names(ax: Axes) -> list[Box]:
    """Boxes over the roofs of these axes, the names along them and those of zones, in pixels."""
    pixels = pixels_of(ax)
    boxes = roof_lines(ax)
    for text in ax.texts:
        if text.get_gid() in NAMES_INSIDE:
            boxes.append(Box(*text.get_window_extent().extents))
        if not text.get_rotation():
            continue
        turn = math.radians(text.get_rotation())
        x, y = ax.transData.transform(text.get_position())
        begin = x - pixels / 2 * math.sin(turn), y + pixels / 2 * math.cos(turn)
        length = width(text.get_text(), pixels)
        end = begin[0] + length * math.cos(turn), begin[1] + length * math.sin(turn)
        middle_line = ax.transData.inverted().transform([begin, end])
        boxes += covered(ax, middle_line, pixels / 2)
    return boxes
