"""What all pictures share: an empty page, title and caption, a light grid, and where labels may not
stand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from analysis.draw.labels import Box, clipped, round_numbers, width
from analysis.draw.naming import FAINT, SMALL, SOFT, STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

DOTS_PER_INCH = 100  # in which places of words are reckoned; a PNG is saved in more
TITLE = 130  # letters, at most
NOTE = 0.17  # inches of a line of the caption


def page(inches: tuple[float, float], layout: Literal["constrained"] | None = None) -> Figure:
    """An empty white picture of this size that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=inches, dpi=DOTS_PER_INCH, facecolor="white", layout=layout)
    FigureCanvasAgg(made)
    return made


def plain(ax: Axes) -> None:
    """A light grid, and no frame where nothing is read off."""
    ax.grid(True, which="major", color="#E9E9E9", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=SMALL)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def log_ticks(
    axis: XAxis | YAxis,
    bases: Sequence[int],
    said: Callable[[float], str],
    inches: float,
    least: int = 2,
) -> None:
    """Round numbers as ticks of a logarithmic axis whose limits are set, each in words, one in so
    many inches.
    """
    low, high = axis.get_view_interval()
    length = axis.axes.bbox.width if axis.axis_name == "x" else axis.axes.bbox.height
    places = round_numbers(
        low, high, bases, least, max(3, int(length / axis.axes.figure.dpi / inches))
    )
    axis.set_ticks(places, [said(place) for place in places])
    axis.set_minor_formatter("")


def covered(
    ax: Axes, points: ArrayLike, radius: float = 4.0, joined: bool = True, step: float = 0.0
) -> list[Box]:
    """Boxes over points (x, y) and the line that joins them, in pixels: where no label may stand.

    step: pixels from one box on the line to the next; without it the radius of a box.
    """
    points = np.asarray(points)
    spots = list(ax.transData.transform(points)) if len(points) else []
    boxes = []
    for (x0, y0), (x1, y1) in zip(
        spots, [*spots[1:], *spots[-1:]] if joined else spots, strict=True
    ):
        steps = 1 + int(max(abs(x1 - x0), abs(y1 - y0)) / (step or radius))
        for i in range(steps):
            x, y = x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps
            boxes.append((x - radius, y - radius, x + radius, y + radius))
    return boxes


def roof_lines(ax: Axes, radius: float = 3.0) -> list[Box]:
    """Boxes over the roofs of these axes, in pixels."""
    roofs = [line for line in ax.get_lines() if str(line.get_gid()).endswith("/layers")]
    return [box for line in roofs for box in covered(ax, line.get_xydata(), radius)]


def standing(ax: Axes) -> list[Box]:
    """Boxes over the roofs of these axes and the names along them, in pixels."""
    pixels = SMALL * ax.figure.dpi / 72
    boxes = roof_lines(ax)
    for text in ax.texts:
        if text.get_rotation():
            turn, (x, y) = (
                math.radians(text.get_rotation()),
                ax.transData.transform(text.get_position()),
            )
            x, y = x - pixels / 2 * math.sin(turn), y + pixels / 2 * math.cos(turn)
            length = width(text.get_text(), pixels)
            ends = [(x, y), (x + length * math.cos(turn), y + length * math.sin(turn))]
            boxes += covered(ax, ax.transData.inverted().transform(ends), pixels / 2)
    return boxes


def caption(made: Figure, text: str, notes: Sequence[str] = ()) -> None:
    """A line in the lower left corner of a picture, above it notes on what is not in it, each NOTE
    inches high.
    """
    down = made.get_size_inches()[1]
    made.text(0.012, 0.067 / down, text, fontsize=SMALL, color=FAINT, va="bottom")
    for line, note in enumerate(reversed(notes), 1):
        made.text(
            0.012,
            (0.067 + NOTE * line) / down,
            note,
            fontsize=SMALL,
            color=SOFT,
            va="bottom",
            gid="note",
        )


def heading(made: Figure, title: str, under: str = "") -> None:
    """Title and the line under it, in the upper left corner."""
    down = made.get_size_inches()[1]
    made.text(
        0.012, 1 - 0.12 / down, clipped(title, TITLE), fontsize=12, fontweight="bold", va="top"
    )
    made.text(
        0.012, 1 - 0.40 / down, clipped(under, TITLE), fontsize=9, color=SOFT, va="top", gid="under"
    )


def colour_of(dtype: str) -> str:
    """Of a precision, as everywhere."""
    return STYLES.get(dtype, (SOFT, "o"))[0]
