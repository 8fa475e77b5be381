"""Draw a sweep: a line for each series, named where it ends, its levels named where they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.draw.canvas import (
    BOLD,
    POINTS_PER_INCH,
    Point,
    covered,
    fitted,
    in_data,
    page,
    pixels_of,
    room_for_title,
    write_at_corner,
    write_tied,
)
from analysis.draw.labels import Box, clipped, first_free, spread_out, thinned, width
from analysis.draw.levels import draw_level
from analysis.draw.style import FAINT, HEADING, LINE_HEIGHT, PRECISIONS, SMALL, SOFT, halo, ink
from analysis.model.roofline import attainable, ridge
from analysis.model.sweeps import Line, SweepChart, shares
from analysis.units import brief, percent
from probes.records.measurement import Measurement
from probes.records.tag import COMPUTE, TRANSFER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHED = (0, (4, 3))
LEFT_OUT_LOOK: dict[str, Any] = {"linewidth": 0, "alpha": 0.35, "markeredgewidth": 0}
"""The look of points that a line's percentages leave out."""
WIDE_RANGE = 4.0
"""Values that differ by a larger factor are drawn on a logarithmic axis."""
TWO_DECADES = 300.0
"""Values that differ by a smaller factor have ticks at 2 and 5, too."""
LEFT, BELOW, ABOVE = 1.1, 0.85, 0.6
"""Inches around the axes."""
EDGE_NAMES = 0.3
"""Inches more above them for the sizes of caches."""
EDGE_ROWS = 3
"""Rows in which these are written."""
TICK = 62.0
"""Pixels from one tick to the next, at least."""
LIFTS_OF_NAME = (-0.5, 0.0, 0.5, -1.5, 1.2, -2.2)
"""From the end of a line up to its name, in the size of the type, best first."""
NEAR_MARGIN = 0.8
"""A line that ends before this part of the axes' width is named where it ends."""


AXIS_NAMES = {COMPUTE: "Performance", TRANSFER: "Transfer rate"}
"""What the vertical axis is called, where it has not the name of what was measured."""


class StyledLine(NamedTuple):
    """A line with its colour and marker."""

    line: Line
    colour: str
    marker: str


def figure(sweep: SweepChart, device: str, inches: Point) -> Figure:
    """A figure of this size with the sweep in it.

    The names of its lines take what room they need right of the axes.
    """
    picture = page(inches)
    across, down = inches
    longest = max(width(_name(line), SMALL) for line in sweep.lines)
    margin = longest / POINTS_PER_INCH + 4 * SMALL / POINTS_PER_INCH
    below = BELOW + (len(_caption(sweep)) - 1) * LINE_HEIGHT * SMALL / POINTS_PER_INCH
    above = ABOVE + EDGE_NAMES * bool(sweep.edges)
    box = (LEFT / across, below / down, 1 - (LEFT + margin) / across, 1 - (below + above) / down)
    title = f"{device}: {sweep.title[0].lower()}{sweep.title[1:]}"
    draw(sweep, picture.add_axes(box), title)
    return picture


def draw(sweep: SweepChart, ax: Axes, title: str) -> None:
    """Draw ``sweep`` into these axes."""
    _frame(ax, sweep, title)
    styled = [_styled(line, i) for i, line in enumerate(sweep.lines)]
    for each in styled:
        gid = f"{sweep.name}/{each.line.name}"
        _points(ax, each.line.counted, each, gid, linewidth=1.4)
        _points(ax, each.line.left_out, each, f"{gid}/left out", **LEFT_OUT_LOOK)
        _roof(ax, each.line, each.colour)
    taken = [*_boxes_over_lines(ax, sweep), *_edges(ax, sweep)]
    for each in styled:
        for level in each.line.levels:
            draw_level(ax, level, each.colour, taken)
    in_margin = [each for each in styled if not _named_inside(ax, each, taken)]
    _names_in_margin(ax, in_margin)


def _place(row: Measurement) -> Point:
    """Where a row stands, in data coordinates."""
    return row.x or 0.0, row.value or 0.0


def _styled(line: Line, i: int) -> StyledLine:
    """A line with the look of its precision, as on the roofline, or with the ``i``-th look."""
    looks = list(PRECISIONS.values())
    precision = line.name.lower().split(" ")[0].split("-")[0]
    colour, marker = PRECISIONS.get(precision, looks[i % len(looks)])
    return StyledLine(line, colour, marker)


def _points(
    ax: Axes, rows: Sequence[Measurement], styled: StyledLine, gid: str, **look: Any
) -> None:
    places = [_place(row) for row in rows]
    ax.plot(
        [x for x, _ in places],
        [value for _, value in places],
        color=styled.colour,
        marker=styled.marker,
        markersize=4,
        gid=gid,
        **look,
    )


def _boxes_over_lines(ax: Axes, sweep: SweepChart) -> list[Box]:
    """Boxes over all points and the lines that join them, in pixels."""
    boxes = []
    for line in sweep.lines:
        boxes += covered(ax, [_place(row) for row in line.rows], radius=3.0, step=4.0)
    return thinned(boxes)


def _name(line: Line) -> str:
    """``read``; under a roof ``FP32  ≥ 91.0 % · 97.5 %``."""
    name = clipped(line.name)
    if not line.roof:
        return name
    least = " · ".join(percent(share) for share in shares(line))
    return f"{name}  ≥ {least}"


def _frame(ax: Axes, sweep: SweepChart, title: str) -> None:
    """Limits, ticks, title and caption."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    rows = [row for line in sweep.lines for row in line.rows]
    places = [*(row.x or 1.0 for row in rows), *(x for _, x in sweep.edges)]
    values = [row.value or 0.0 for row in rows]
    ax.set_xscale("log", base=2)
    ax.set_xlim(min(places) / 2**0.3, max(places) * 2**0.3)
    if max(values) > WIDE_RANGE * min(values):
        multiples = (1, 2, 5) if max(values) < TWO_DECADES * min(values) else (1,)
        ax.set_yscale("log")
        ax.set_ylim(min(values) / 1.6, max(values) * 1.6)
        ax.yaxis.set_major_locator(LogLocator(subs=multiples))
        ax.yaxis.set_minor_formatter("")
    else:
        ax.set_ylim(0, 1.2 * max(values))
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=max(3, int(ax.bbox.width / TICK))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: sweep.place(x)))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=60))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, sweep.unit)))
    ax.set_xlabel(sweep.axis)
    ax.set_ylabel(AXIS_NAMES.get(sweep.quantity) or sweep.quantity.capitalize())
    ax.set_title(
        fitted(title, room_for_title(ax), BOLD * HEADING),
        pad=12 + POINTS_PER_INCH * EDGE_NAMES * bool(sweep.edges),
    )
    for i, text in enumerate(_caption(sweep)):
        write_at_corner(ax, text, (0, 0), -50 - i * LINE_HEIGHT * SMALL, FAINT)


def _caption(sweep: SweepChart) -> list[str]:
    """What lines and figures mean, one line below the other."""
    roofed = [line for line in sweep.lines if line.roof]
    if roofed:
        return _caption_of_roofs(roofed)
    if any(line.levels for line in sweep.lines):
        return [
            "Bands: plateaus found in the data. Dashed: sizes of caches as the device reports them."
        ]
    return ["Points: measured medians."]


def _caption_of_roofs(lines: Sequence[Line]) -> list[str]:
    """The same of lines under roofs."""
    roofs_beside = any(row.beside for line in lines for row in line.rows)
    some_left_out = any(line.left_out for line in lines)
    dashed = "Dashed: the measured roof."
    if some_left_out:
        dashed += " Faint: points that cannot be trusted, left out of the shares."
    roof = "of the roof timed beside each point" if roofs_beside else "at one clock"
    percentages = f"%: least share, {roof}, anywhere · outside a factor 2 of the ridge."
    if roofs_beside or some_left_out:
        return [dashed, percentages]
    return [f"{dashed} {percentages}"]


def _roof(ax: Axes, line: Line, colour: str) -> None:
    """Draw the roof over a line, with its corner."""
    if not line.roof:
        return
    begin, end = line.rows[0].x or 1.0, line.rows[-1].x or 1.0
    corner = ridge(*line.roof)
    xs = [begin, corner, end] if begin < corner < end else [begin, end]
    ax.plot(
        xs,
        [attainable(x, *line.roof) for x in xs],
        color=colour,
        linewidth=1.0,
        linestyle=DASHED,
        gid=f"{line.name}/roof",
    )


def _edges(ax: Axes, sweep: SweepChart) -> list[Box]:
    """Draw a dashed line at every reported size, named above the axes in the first row with room.

    Returns the boxes of these names, in pixels.
    """
    pixels = pixels_of(ax)
    bottoms = [ax.bbox.y1 + (0.3 + row * LINE_HEIGHT) * pixels for row in range(EDGE_ROWS)]
    taken: list[Box] = []
    for text, x in sweep.edges:
        ax.axvline(x, color=FAINT, linewidth=1.0, linestyle=DASHED, zorder=1)
        half = width(text, pixels) / 2 + pixels / 3
        middle = ax.transData.transform((x, 1))[0]
        rows = [Box(middle - half, y, middle + half, y + pixels) for y in bottoms]
        box = first_free(rows, taken)
        if box is None:
            continue
        taken.append(box)
        points_above = (box.bottom - ax.bbox.y1) * POINTS_PER_INCH / ax.figure.dpi
        ax.annotate(
            text,
            (x, 1),
            (0, points_above),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=SOFT,
            ha="center",
            gid="edge",
        )
    return taken


def _named_inside(ax: Axes, styled: StyledLine, taken: list[Box]) -> bool:
    """Write the name of a line that ends far from the margin beside its last point.

    Returns whether the name was written. Its box is added to ``taken``.
    """
    x, y = ax.transData.transform(_place(styled.line.counted[-1]))
    if x > ax.bbox.x0 + NEAR_MARGIN * ax.bbox.width:
        return False
    text = _name(styled.line)
    pixels = pixels_of(ax)
    left = x + pixels
    right = x + pixels + width(text, pixels)
    choices = [
        Box(left, y + lift * pixels, right, y + (lift + 1) * pixels) for lift in LIFTS_OF_NAME
    ]
    box = first_free(choices, taken)
    if box is None:
        return False
    taken.append(box)
    ax.text(
        *in_data(ax, (box.left, box.bottom)),
        text,
        color=ink(styled.colour),
        va="bottom",
        bbox=halo(),
        gid="name",
    )
    return True


def _names_in_margin(ax: Axes, lines: Sequence[StyledLine]) -> None:
    """Write names in the right margin at the height where the lines end, pushed apart."""
    pixels = pixels_of(ax) * LINE_HEIGHT
    highest_first = sorted(lines, key=lambda each: -(each.line.counted[-1].value or 0.0))
    ends = [_place(each.line.counted[-1]) for each in highest_first]
    wanted = [ax.transData.transform(end)[1] for end in ends]
    heights = spread_out(wanted, pixels, ax.bbox.y0 + pixels / 2, ax.bbox.y1 - pixels / 2)
    for each, end, height in zip(highest_first, ends, heights, strict=True):
        pixel = ax.bbox.x1 + 1.2 * pixels, height
        write_tied(ax, _name(each.line), end, pixel, each.colour, point_in="data", shrink=(1, 3))
