"""Draw a roofline: measured roofs solid, theory dashed, every line labelled where it is.

Equal roofs share a label. Roofs of sparse operands are thin and named apart, since they count work
that is not done. Left of the first ridge point memory decides, right of the last one arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import (
    BOLD,
    POINTS_PER_INCH,
    Point,
    caption,
    fitted,
    in_axes,
    page,
    pixels_of,
    room_for_title,
    write_at_corner,
    write_tied,
)
from analysis.draw.labels import spread_out, width
from analysis.draw.naming import (
    SAME_WITHIN,
    dense_roofs,
    equal_roofs,
    name_of_equals,
    roof_colour,
    tops,
)
from analysis.draw.ridges import draw_ridges
from analysis.draw.slopes import names_of_slopes
from analysis.draw.style import (
    HEADING,
    LINE_HEIGHT,
    SLOPE,
    SOFT,
)
from analysis.draw.zones import draw_zones, room_above
from analysis.model.roofline import Roof, Roofline, ridge
from analysis.units import brief, fraction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHED = (0, (5, 4))
DENSE_WEIGHT, SPARSE_WEIGHT = 2.0, 0.9
"""Widths of the solid lines of flat roofs, in points."""
MAIN_MEMORY_WEIGHT, LEVEL_WEIGHT = 2.2, 1.5
"""Widths of the solid lines of main memory and of the other levels, in points."""
THEORY_WEIGHT = 1.0
"""Width of dashed lines, in points."""
LEFT, BELOW, HEIGHTS_AROUND = 1.2, 0.8, 1.45
"""Inches left of the axes, below them, and below and above them together."""
SMALLEST_NAME, LARGEST_NAME = 8.0, 12.0
"""Sizes of the names of flat roofs, in points."""
NAME_PER_INCH = 1.6
"""Size of these names for each inch of the picture's height, in points, between those two."""
TIE_LINES = 2.2
"""Distance from the axes to the names of flat roofs, in lines of names: the ties run there."""
BESIDE_NAME = 4.0
"""Room beside the longest name, in the size of names: for its tie, and for an edge."""
NARROWEST_MARGIN = 0.3
"""Inches right of the axes, at least."""
PIXELS_PER_TICK = 45
"""Room for a tick of intensity and its number."""
LOWEST_INTENSITY, HIGHEST_INTENSITY = 1 / 16, 256.0
"""Operations per byte, shown where no ridge point says better."""
LOWEST_RATE, HIGHEST_RATE = 1e9, 1e13
"""Operations a second, shown where no roof says better."""
BEYOND_RIDGES = 16.0
"""How far the axis goes beyond the outermost ridge points, as a factor."""
DENSE_TIE, SPARSE_TIE = 0.7, 0.4
"""Widths of the lines from labels to roofs, in points."""
SPARSE_GAP = 0.4
"""Between the names of sparse and dense roofs, in lines."""
ABOVE_ROOFS = 0.11
"""Room above the highest roof for the names of the zones, as a part of the axes' height."""
SPARSE_HEADING = "Sparse: skipped zeros counted as work"
"""Stands over the names of the roofs of sparse operands."""


def figure(model: Roofline, title: str, subtitle: str, inches: Point) -> Figure:
    """A figure of this size with the roofline in it.

    The names of flat roofs take what room they need right of the axes.
    """
    picture = page(inches)
    caption(picture, _caption(model))
    across, down = inches
    axes_height = down - HEIGHTS_AROUND
    names = _names_of_flats(model)
    lines = LINE_HEIGHT * (len(names) + SPARSE_GAP)
    largest_that_fits = POINTS_PER_INCH * axes_height / lines
    size = min(max(SMALLEST_NAME, NAME_PER_INCH * down), LARGEST_NAME, largest_that_fits)
    longest = max((width(name, size) for name in names), default=0)
    name_inches = longest / POINTS_PER_INCH + BESIDE_NAME * size / POINTS_PER_INCH
    margin = max(NARROWEST_MARGIN, name_inches)
    box = (LEFT / across, BELOW / down, 1 - (LEFT + margin) / across, axes_height / down)
    draw(model, picture.add_axes(box), title, subtitle, size)
    return picture


def draw(model: Roofline, ax: Axes, title: str, subtitle: str, size: float) -> None:
    """Draw ``model`` into these axes. size: of the names of flat roofs, in points."""
    _frame(ax, model, title, subtitle)
    for roof in model.bandwidth:
        _draw_level(ax, roof, model)
    # the highest last: of equal ones it gives the label its colour, so it must lie on top
    for roof in reversed(model.compute):
        _draw_compute(ax, roof, model)
    draw_zones(ax, dense_roofs(model.compute), model.memory)
    draw_ridges(ax, model)
    names_of_slopes(ax, model.bandwidth)
    _write_names_of_flats(ax, model, size)
    if not (model.compute or model.bandwidth):
        why = "no roof: none was asked for, or none can be trusted"
        ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", fontsize=10)


def _limits(model: Roofline) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and (lowest, highest) rate of the axes.

    The model may lack slopes or flat roofs. It has both with the highest rate first.
    """
    left, right = LOWEST_INTENSITY, HIGHEST_INTENSITY
    low, high = LOWEST_RATE, HIGHEST_RATE
    if model.compute and model.bandwidth:
        first_ridge = ridge(model.compute[-1].rate, model.bandwidth[0].rate)
        last_ridge = ridge(model.compute[0].rate, model.bandwidth[-1].rate)
        left = min(LOWEST_INTENSITY, first_ridge / BEYOND_RIDGES)
        right = last_ridge * BEYOND_RIDGES
    if model.bandwidth:
        low = left * model.bandwidth[-1].rate
        high = right * max(tops(model.bandwidth))
    elif model.compute:
        low = model.compute[-1].rate / BEYOND_RIDGES
    if model.compute:
        top = max(tops(model.compute))
        high = room_above(low, top, ABOVE_ROOFS)
    return left, right, low, high


def _frame(ax: Axes, model: Roofline, title: str, subtitle: str) -> None:
    """Limits, ticks, title and caption."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    left, right, low, high = _limits(model)
    units = {roof.unit for roof in model.compute} or {"FLOP/s"}
    unit = min(units)  # FLOP/s, unless every roof is of integers
    integers_too = " (integer roofs in OP/s)" if len(units) > 1 else ""
    most_ticks = max(4, int(ax.bbox.width / PIXELS_PER_TICK))
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=most_ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: fraction(x)))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, unit)))
    ax.yaxis.set_minor_formatter("")
    ax.set_xlabel(f"Operational intensity ({unit.removesuffix('/s')}/byte)")
    ax.set_ylabel(f"Attainable performance{integers_too}")
    ax.set_title(fitted(title, room_for_title(ax), BOLD * HEADING), pad=24)
    write_at_corner(ax, subtitle, (0, 1), 9, SOFT)


def _caption(model: Roofline) -> str:
    """What the lines mean, and of what the percentages are."""
    roofs = (*model.compute, *model.bandwidth)
    some_peak = any(roof.peak for roof in roofs)
    parts = [
        "Solid: measured",
        "dashed: theory at the rated clock" if some_peak else "theory unknown",
    ]
    if any(roof.share for roof in roofs):
        parts.append("%: of theory, at the observed clock")
    if any(len(equals) > 1 for equals in equal_roofs(model.compute)):
        parts.append(f"=: within {100 * SAME_WITHIN:g} %")
    return "; ".join(parts) + "."


def _draw_level(ax: Axes, roof: Roof, model: Roofline) -> None:
    """Draw a level of memory, measured and in theory, up to the highest roof.

    Main memory is drawn heaviest.
    """
    weight = MAIN_MEMORY_WEIGHT if roof == model.memory else LEVEL_WEIGHT
    measured_top = theoretical_top = math.inf
    if model.compute:
        measured_top = model.compute[0].rate
        # sparse roofs have no dashed line that it could meet
        theoretical_top = max(measured_top, *tops(dense_roofs(model.compute)))
    _draw_slope(ax, roof.rate, measured_top, roof.tag, linestyle="-", linewidth=weight)
    if roof.peak:
        gid = f"{roof.tag}/theory"
        _draw_slope(ax, roof.peak, theoretical_top, gid, linestyle=DASHED, linewidth=THEORY_WEIGHT)


def _draw_slope(ax: Axes, rate: float, top: float, gid: str, **look: Any) -> None:
    """Draw a line of a bandwidth, from the left edge to where it reaches ``top``, or the right."""
    left, right = ax.get_xlim()
    ends = [left, min(right, ridge(top, rate))]
    ax.plot(ends, [x * rate for x in ends], color=SLOPE, gid=gid, **look)


def _draw_compute(ax: Axes, roof: Roof, model: Roofline) -> None:
    """Draw a compute roof, measured and in theory, from where the fastest memory reaches it.

    Of a sparse one theory is not drawn.
    """
    measured_slope = theoretical_slope = math.inf
    if model.bandwidth:
        fastest = model.bandwidth[0]
        measured_slope, theoretical_slope = fastest.rate, fastest.peak or fastest.rate
    weight = SPARSE_WEIGHT if roof.is_sparse else DENSE_WEIGHT
    _draw_flat(ax, roof, roof.rate, measured_slope, roof.tag, linestyle="-", linewidth=weight)
    if roof.peak and not roof.is_sparse:
        gid = f"{roof.tag}/theory"
        _draw_flat(
            ax, roof, roof.peak, theoretical_slope, gid, linestyle=DASHED, linewidth=THEORY_WEIGHT
        )


def _draw_flat(ax: Axes, roof: Roof, rate: float, slope: float, gid: str, **look: Any) -> None:
    """Draw a line of a rate, from where ``slope`` reaches it, or the left edge, to the right."""
    left, right = ax.get_xlim()
    ends = [max(left, ridge(rate, slope)), right]
    ax.plot(ends, [rate, rate], color=roof_colour(roof), gid=gid, **look)


def _names_of_flats(model: Roofline) -> list[str]:
    """The labels of flat roofs, as they stand in the right margin from top to bottom."""
    dense, sparse = _by_sparsity(model)
    names = [name_of_equals(equals) for equals in dense]
    if sparse:
        names = [SPARSE_HEADING, *(name_of_equals(equals) for equals in sparse), *names]
    return names


def _by_sparsity(model: Roofline) -> tuple[list[tuple[Roof, ...]], list[tuple[Roof, ...]]]:
    """Equal roofs with one label each, highest first: (dense, sparse)."""
    groups = equal_roofs(model.compute)
    dense = [equals for equals in groups if not equals[0].is_sparse]
    sparse = [equals for equals in groups if equals[0].is_sparse]
    return dense, sparse


def _write_names_of_flats(ax: Axes, model: Roofline, size: float) -> None:
    """Write the names of flat roofs in the right margin, pushed apart where roofs lie close.

    Those of sparse operands stand above all others, under a heading.
    """
    line = pixels_of(ax, size) * LINE_HEIGHT
    left = ax.bbox.x1 + TIE_LINES * line
    dense, sparse = _by_sparsity(model)
    top = ax.bbox.y1 - line / 2
    if sparse:
        x, y = in_axes(ax, (left, top))
        ax.text(
            x,
            y,
            SPARSE_HEADING,
            transform=ax.transAxes,
            fontsize=size,
            color=SOFT,
            va="center",
            style="italic",
            gid="sparse",
        )
        for place, equals in enumerate(sparse, 1):
            pixel = left, top - place * line
            _write_name_of_flat(ax, equals, pixel, size)
        top -= (len(sparse) + 1 + SPARSE_GAP) * line
    any_intensity = 1
    wanted = [ax.transData.transform((any_intensity, equals[0].rate))[1] for equals in dense]
    lowest = ax.bbox.y0 + line / 2
    heights = spread_out(wanted, line, lowest, top)
    for equals, height in zip(dense, heights, strict=True):
        _write_name_of_flat(ax, equals, (left, height), size)


def _write_name_of_flat(ax: Axes, equals: Sequence[Roof], pixel: Point, size: float) -> None:
    """Write the label of equal roofs from this pixel on, tied to the end of their line."""
    highest = equals[0]
    write_tied(
        ax,
        name_of_equals(equals),
        (1.0, highest.rate),
        pixel,
        roof_colour(highest),
        line_width=SPARSE_TIE if highest.is_sparse else DENSE_TIE,
        fontsize=size,
    )
