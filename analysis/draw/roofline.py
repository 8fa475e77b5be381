"""Draw a roofline: measured roofs solid, theory dashed, every line labelled where it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import Point, page, pixels_of, write_at_corner, write_tied
from analysis.draw.labels import clipped, spread_out, that_fit, width
from analysis.draw.naming import full_name, roof_colour, style, tops
from analysis.draw.slopes import names_of_slopes
from analysis.draw.style import FAINT, LINE_HEIGHT, SLOPE, SOFT, halo
from analysis.model.roofline import Roof, Roofline, attainable, ridge
from analysis.units import brief, fraction, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHED = (0, (5, 4))
LONGEST_TITLE = 110
"""Letters."""
LEFT, BELOW, HEIGHTS_AROUND = 1.2, 0.8, 1.45
"""Inches left of the axes, below them, and below and above them together."""
SMALLEST_NAME, LARGEST_NAME = 8.0, 12.0
"""Sizes of the names of flat roofs, in points."""
NARROWEST_MARGIN = 0.3
"""Inches right of the axes."""
LOWEST_INTENSITY, HIGHEST_INTENSITY = 1 / 16, 256.0
"""Operations per byte, shown where no ridge point says better."""
LOWEST_RATE, HIGHEST_RATE = 1e9, 1e13
"""Operations a second, shown where no roof says better."""
BEYOND_RIDGES = 16.0
"""How far the axis goes beyond the outermost ridge points, as a factor."""


def figure(model: Roofline, title: str, subtitle: str, inches: Point) -> Figure:
    """A figure of this size with the roofline in it.

    The names of flat roofs take what room they need right of the axes.
    """
    picture = page(inches)
    across, down = inches
    tall = down - HEIGHTS_AROUND
    room_for_a_name = 72 * tall / (LINE_HEIGHT * max(1, len(model.compute)))
    size = min(max(SMALLEST_NAME, 1.6 * down), LARGEST_NAME, room_for_a_name)
    longest = max((width(full_name(roof), size) for roof in model.compute), default=0)
    margin = max(NARROWEST_MARGIN, longest / 72 + 4 * size / 72)
    box = (LEFT / across, BELOW / down, 1 - (LEFT + margin) / across, tall / down)
    draw(model, picture.add_axes(box), title, subtitle, size)
    return picture


def draw(model: Roofline, ax: Axes, title: str, subtitle: str, size: float) -> None:
    """Draw ``model`` into these axes. size: of the names of flat roofs, in points."""
    _frame(ax, model, title, subtitle)
    for roof in model.bandwidth:
        _slope(ax, roof, model)
    for roof in model.compute:
        _flat(ax, roof, model)
    _ridges(ax, model)
    names_of_slopes(ax, model.bandwidth)
    _names_of_flats(ax, model, size)
    if not (model.compute or model.bandwidth):
        why = "no roof: none was asked for, or none can be trusted"
        ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", fontsize=10)


def _limits(model: Roofline) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and (lowest, highest) rate of the axes.

    The model may lack slopes or flat roofs.
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
        high = max(tops(model.compute)) * 2.2
    return left, right, low, high


def _frame(ax: Axes, model: Roofline, title: str, subtitle: str) -> None:
    """Limits, ticks, title and caption."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    left, right, low, high = _limits(model)
    units = {roof.unit for roof in model.compute} or {"FLOP/s"}
    unit = min(units)  # FLOP/s, unless every roof is of integers
    integers_too = " (integer roofs in OP/s)" if len(units) > 1 else ""
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=max(4, int(ax.bbox.width / 45))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: fraction(x)))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, unit)))
    ax.yaxis.set_minor_formatter("")
    ax.set_xlabel(f"Operational intensity ({unit.removesuffix('/s')}/byte)")
    ax.set_ylabel(f"Attainable performance{integers_too}")
    ax.set_title(clipped(title, LONGEST_TITLE), pad=24)
    write_at_corner(ax, subtitle, (0, 1), 9, SOFT)
    write_at_corner(ax, _caption(model), (0, 0), -46, FAINT)


def _caption(model: Roofline) -> str:
    """What the lines mean, and of what the percentages are."""
    roofs = (*model.compute, *model.bandwidth)
    some_peak = any(roof.peak for roof in roofs)
    parts = [
        "Solid: measured",
        "dashed: theory at the rated clock" if some_peak else "theory unknown",
    ]
    if any(roof.share for roof in roofs):
        parts.append("%: of theory, at the observed clock if known")
    return "; ".join(parts) + "."


def _slope(ax: Axes, roof: Roof, model: Roofline) -> None:
    """Draw a level of memory, up to the highest roof; main memory is drawn heaviest."""
    weight = 2.2 if roof == model.memory else 1.5
    measured_top = theoretical_top = math.inf
    if model.compute:
        measured_top, theoretical_top = model.compute[0].rate, max(tops(model.compute))
    _draw_slope(ax, roof.rate, measured_top, roof.tag, linestyle="-", linewidth=weight)
    if roof.peak:
        gid = f"{roof.tag}/theory"
        _draw_slope(ax, roof.peak, theoretical_top, gid, linestyle=DASHED, linewidth=1.0)


def _draw_slope(ax: Axes, rate: float, top: float, gid: str, **look: Any) -> None:
    """Draw a bandwidth from the left edge to where it reaches ``top``, or the right edge."""
    left, right = ax.get_xlim()
    ends = [left, min(right, ridge(top, rate))]
    ax.plot(ends, [x * rate for x in ends], color=SLOPE, gid=gid, **look)


def _flat(ax: Axes, roof: Roof, model: Roofline) -> None:
    """Draw a compute roof, from where the fastest memory reaches it to the right edge."""
    measured_slope = theoretical_slope = math.inf
    if model.bandwidth:
        fastest = model.bandwidth[0]
        measured_slope, theoretical_slope = fastest.rate, fastest.peak or fastest.rate
    _draw_flat(ax, roof, roof.rate, measured_slope, roof.tag, linestyle="-", linewidth=2.0)
    if roof.peak:
        gid = f"{roof.tag}/theory"
        _draw_flat(ax, roof, roof.peak, theoretical_slope, gid, linestyle=DASHED, linewidth=1.0)


def _draw_flat(ax: Axes, roof: Roof, rate: float, slope: float, gid: str, **look: Any) -> None:
    """Draw a rate from where ``slope`` reaches it, or the left edge, to the right edge."""
    left, right = ax.get_xlim()
    ends = [max(left, ridge(rate, slope)), right]
    ax.plot(ends, [rate, rate], color=roof_colour(roof), gid=gid, **look)


def _ridges(ax: Axes, model: Roofline) -> None:
    """Mark where main memory meets each roof; as many as have room are written out on the axis."""
    memory = model.memory
    if memory is None:
        return
    ridges = [ridge(roof.rate, memory.rate) for roof in model.compute]
    texts = [short(intensity) for intensity in ridges]
    pixels = pixels_of(ax)
    places = [ax.transData.transform((intensity, 1))[0] for intensity in ridges]
    written = that_fit(places, [width(text, pixels) + 0.4 * pixels for text in texts])
    for i, (intensity, roof) in enumerate(zip(ridges, model.compute, strict=True)):
        rate = attainable(intensity, roof.rate, memory.rate)
        _mark_ridge(ax, roof, intensity, rate)
        if i in written:
            _write_ridge(ax, texts[i], intensity, rate)


def _mark_ridge(ax: Axes, roof: Roof, intensity: float, rate: float) -> None:
    colour, marker = style(roof)
    ax.plot(
        [intensity],
        [rate],
        marker,
        color=colour,
        markersize=7,
        markeredgecolor="white",
        markeredgewidth=0.7,
        zorder=5,
    )


def _write_ridge(ax: Axes, text: str, intensity: float, rate: float) -> None:
    """Draw a line from a ridge point down to the axis, with its intensity there."""
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
        (0, 4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=SOFT,
        ha="center",
        path_effects=halo(),
    )


def _names_of_flats(ax: Axes, model: Roofline, size: float) -> None:
    """Write the names of flat roofs in the right margin, pushed apart where roofs lie close."""
    line = pixels_of(ax, size) * LINE_HEIGHT
    wanted = [ax.transData.transform((1, roof.rate))[1] for roof in model.compute]
    heights = spread_out(wanted, line, ax.bbox.y0 + line / 2, ax.bbox.y1 - line / 2)
    for roof, height in zip(model.compute, heights, strict=True):
        pixel = ax.bbox.x1 + 2.2 * line, height
        write_tied(
            ax, full_name(roof), (1.0, roof.rate), pixel, roof_colour(roof), gid=None, fontsize=size
        )
