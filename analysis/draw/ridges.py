"""Ridge points of a roofline: a mark where main memory meets each roof, and their intensities.

As many as have room are written out above the axis, those that most code asks for first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import pixels_of
from analysis.draw.labels import in_rows, width
from analysis.draw.naming import dense_roofs, equal_roofs, style, subject
from analysis.draw.style import FAINT, LINE_HEIGHT, SMALL, SOFT, halo
from analysis.model.roofline import Roof, Roofline, attainable, ridge
from analysis.units import short
from probes.records.tag import Tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DENSE_MARK, SPARSE_MARK = 7.0, 4.0
"""Sizes of the marks at ridge points, in points."""
RIDGE_ROWS = 2
"""Rows in which ridge points are written out above the axis, the lowest filled first."""
RIDGE_GAP = 0.6
"""From one ridge point of a row to the next, at least, in the size of the type."""
MATRIX = "matrix"
"""Tells the ridge point of a precision's matrix units from that of its vector units."""
FIRST_RIDGES = ("fp32", "fp64", "fp16", "bf16")
"""Precisions whose ridge points get room before all others, this one first: most code uses them."""


def draw_ridges(ax: Axes, model: Roofline) -> None:
    """Mark where main memory meets each roof; as many as have room are written out on the axis.

    Marks of sparse operands are small: their intensity counts work that is not done.
    """
    memory = model.memory
    if memory is None:
        return
    # the highest last, so that of equal ones its mark lies on top, as its line does
    for roof in reversed(model.compute):
        intensity = ridge(roof.rate, memory.rate)
        _mark_ridge(ax, roof, intensity, attainable(intensity, roof.rate, memory.rate))
    _write_ridges(ax, dense_roofs(model.compute), memory)


def _write_ridges(ax: Axes, dense: Sequence[Roof], memory: Roof) -> None:
    """Write out the ridge points of these roofs on the axis, as many as have room in its rows."""
    named = [_who_names_ridge(equals) for equals in equal_roofs(dense)]
    ridges = [ridge(roof.rate, memory.rate) for roof in named]
    subjects = [subject(roof) for roof in named]
    texts = []
    for roof, intensity in zip(named, ridges, strict=True):
        lines = [subject(roof), short(intensity)]
        if subjects.count(subject(roof)) > 1 and Tag.parse(roof.tag).path:
            lines.insert(1, MATRIX)
        texts.append("\n".join(lines))
    most_lines = max((text.count("\n") + 1 for text in texts), default=0)
    row_height = most_lines * LINE_HEIGHT * SMALL
    type_pixels = pixels_of(ax)
    lengths = []
    for text in texts:
        longest_line = max(text.split("\n"), key=len)
        lengths.append(width(longest_line, type_pixels) + RIDGE_GAP * type_pixels)
    any_rate = 1
    places = [ax.transData.transform((intensity, any_rate))[0] for intensity in ridges]
    in_order = sorted(range(len(named)), key=lambda i: _rank_of_ridge(named[i]))
    preferred = [i for i in in_order if _rank_of_ridge(named[i]) < len(FIRST_RIDGES)]
    rows = in_rows(places, lengths, preferred, RIDGE_ROWS)
    for row, chosen in enumerate(rows):
        for i in chosen:
            _write_ridge(ax, texts[i], ridges[i], named[i].rate, row * row_height)


def _who_names_ridge(equals: Sequence[Roof]) -> Roof:
    """Of equal roofs the one that names their ridge point."""
    return min(equals, key=_rank_of_ridge)


def _rank_of_ridge(roof: Roof) -> int:
    """How many precisions come before that of this roof when ridge points are written out."""
    precision = Tag.parse(roof.tag).subject
    if precision in FIRST_RIDGES:
        return FIRST_RIDGES.index(precision)
    return len(FIRST_RIDGES)


def _mark_ridge(ax: Axes, roof: Roof, intensity: float, rate: float) -> None:
    """Draw the mark of one ridge point."""
    colour, marker = style(roof)
    ax.plot(
        [intensity],
        [rate],
        marker,
        color=colour,
        markersize=SPARSE_MARK if roof.is_sparse else DENSE_MARK,
        markeredgecolor="white",
        markeredgewidth=0.7,
        zorder=5,
        gid="ridge",
    )


def _write_ridge(ax: Axes, text: str, intensity: float, rate: float, height: float) -> None:
    """Draw a line from a ridge point down to the axis, with precision and intensity there.

    height: of the words above the axis, in points.
    """
    bottom = ax.get_ylim()[0]
    ax.plot(
        [intensity, intensity],
        [bottom, rate],
        color=FAINT,
        linewidth=0.8,
        linestyle=":",
        zorder=1,
    )
    ax.annotate(
        text,
        (intensity, 0),
        (0, 4 + height),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=SOFT,
        ha="center",
        va="bottom",
        bbox=halo(),
        gid="ridge",
    )
