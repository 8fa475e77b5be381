"""Draw what a lesson measured: curves, bars, or layers under roofs, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import (
    POINTS_PER_INCH,
    caption,
    covered,
    fitted,
    heading,
    in_data,
    log_ticks,
    page,
    pixels_of,
    write_tied,
)
from analysis.draw.labels import Box, first_free, spread_out, width
from analysis.draw.slopes import names_among_points
from analysis.draw.style import (
    CATEGORIES,
    FAINT,
    LINE_HEIGHT,
    MARKERS,
    SLOPE,
    SMALL,
    SOFT,
    halo,
    ink,
)
from analysis.lessons.frame.charts import Bars, Chart, Curves, Guide, Spot, UnderRoofs
from analysis.lessons.frame.trial import Trial
from analysis.model.roofline import attainable
from analysis.units import binary, brief, fraction, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS, DOWN = 7.2, 3.7
"""Size of a picture, in inches."""
LEFT, RIGHT, ABOVE, BELOW = 1.15, 0.2, 0.72, 0.72
"""Inches around the axes."""
BAR_INCHES = 0.3
"""Height of a bar with its gap."""
MOST_NAME_INCHES = 2.6
"""Room for the names of bars."""
CAPTION = "Lines through points and bars: where the number lies, by its samples and by the moment."
DASHED = (0, (4, 3))
WIDE_RANGE = 8.0
"""Numbers that differ by a larger factor are drawn on a logarithmic axis."""
EVEN_TICKS = 8
"""Places that are all written below their axis."""
RISES = (-1.5, 0.5, -0.5, -2.6, 1.6, -3.7, 2.7)
"""From a layer's point up to the lower end of its name, in the size of the type, best first."""
GAP = 0.7
"""From a layer's point to its name, in the size of the type."""
EVEN_MARGIN, LOG_MARGIN = 0.04, 1.15
"""Beyond the outermost places of curves: a share of their axis, and a factor."""
TICK_PIXELS = 28.0
"""From one number below curves to the next, at least."""
MOST_TICKS = 6
"""Numbers below bars."""
FEW_DECADES = 300.0
"""Numbers that differ by a smaller factor have ticks at 2 and 5, too."""
AROUND, BEYOND_CORNER = 2.5, 4.0
"""How far a roofline goes beyond its layers, and beyond its ridge points, as factors."""


def figure(trial: Trial, chart: Chart, device: str) -> Figure:
    """A figure of what a lesson measured on a device."""
    down = _height(chart)
    picture = page((ACROSS, down))
    heading(picture, trial.title, f"{trial.verdict} · {device}")
    caption(picture, CAPTION)
    left, right = _margins(chart)
    box = (
        left / ACROSS,
        BELOW / down,
        1 - (left + right) / ACROSS,
        1 - (ABOVE + BELOW) / down,
    )
    ax = picture.add_axes(box)
    if isinstance(chart, Curves):
        _draw_curves(ax, chart)
    elif isinstance(chart, Bars):
        _draw_bars(ax, chart)
    else:
        _draw_under_roofs(ax, chart)
    return picture


def _height(chart: Chart) -> float:
    """Inches from top to bottom."""
    if isinstance(chart, Bars):
        return ABOVE + BELOW + BAR_INCHES * (len(chart.bars) + 0.6)
    return DOWN


def _margins(chart: Chart) -> tuple[float, float]:
    """Inches left and right of the axes."""
    if isinstance(chart, Bars):
        names = [bar.name for bar in chart.bars]
        return min(MOST_NAME_INCHES, _inches(names) + 0.2), 0.85
    if isinstance(chart, Curves):
        names = [curve.name for curve in chart.curves]
        return LEFT, _inches(names) + 0.35
    names = [flat.label for flat in chart.flats]
    return LEFT, max(RIGHT, _inches(names) + 0.2)


def _inches(names: Sequence[str]) -> float:
    """Inches of the longest of these names."""
    return max((width(name, SMALL) for name in names), default=0.0) / POINTS_PER_INCH


def _number(value: float, unit: str) -> str:
    """A number as an axis tells it."""
    if unit == "%":
        return f"{short(100 * value)} %"
    if unit == "x":
        return f"{short(value)}×"
    return brief(value, unit) if unit else short(value)


def _place(value: float, unit: str) -> str:
    """A place as an axis tells it."""
    if unit == "B":
        return binary(value)
    return brief(value, unit) if unit else f"{value:g}"


def _draw_curves(ax: Axes, chart: Curves) -> None:
    """Draw curves with their intervals, each named where it ends."""
    from matplotlib.ticker import FuncFormatter

    numbers = [number for curve in chart.curves for _, number in curve.points]
    guides = [guide.value for guide in chart.guides]
    least = min(*(number.low for number in numbers), *guides, numbers[0].low)
    most = max(*(number.high for number in numbers), *guides, numbers[0].high)
    places = sorted({place for curve in chart.curves for place, _ in curve.points})
    if not chart.even:
        ax.set_xscale("log", base=2)
    if least > 0 and most > WIDE_RANGE * least:
        ax.set_yscale("log")
        ax.set_ylim(least / 1.5, most * 1.5)
        _log_numbers(ax, chart.unit)
    else:
        ax.set_ylim(min(0.0, 1.1 * least), 1.15 * most)
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, chart.unit)))
    if chart.even:
        margin = EVEN_MARGIN * (places[-1] - places[0])
        ax.set_xlim(places[0] - margin, places[-1] + margin)
    else:
        ax.set_xlim(places[0] / LOG_MARGIN, places[-1] * LOG_MARGIN)
    if len(places) <= EVEN_TICKS:
        shown = _apart(ax, places)
        ax.set_xticks(shown, [_place(place, chart.unit_across) for place in shown])
        ax.minorticks_off()
    elif not chart.even:
        bases = (2, 4, 16) if chart.unit_across == "B" else (10,)
        log_ticks(ax.xaxis, bases, lambda place: _place(place, chart.unit_across), 0.6)
    ax.set_xlabel(chart.across)
    ax.set_ylabel(chart.up)
    ends = []
    for i, curve in enumerate(chart.curves):
        colour = CATEGORIES[i % len(CATEGORIES)]
        xs = [place for place, _ in curve.points]
        values = [number.value for _, number in curve.points]
        below = [max(0.0, number.value - number.low) for _, number in curve.points]
        above = [max(0.0, number.high - number.value) for _, number in curve.points]
        ax.errorbar(
            xs,
            values,
            yerr=(below, above),
            color=colour,
            marker=MARKERS[i % len(MARKERS)],
            markersize=4.5,
            linewidth=1.4 if curve.joined else 0.0,
            elinewidth=0.9,
            gid=curve.name,
        )
        ends.append((curve.name, colour, xs[-1], values[-1]))
    _guides_across(ax, chart.guides, chart.unit)
    _names_at_ends(ax, ends)


def _apart(ax: Axes, places: Sequence[float]) -> list[float]:
    """Those of these places (ascending) that leave room for the number of the one before."""
    shown: list[float] = []
    for place in places:
        x = ax.transData.transform((place, 1))[0]
        if not shown or x - ax.transData.transform((shown[-1], 1))[0] >= TICK_PIXELS:
            shown.append(place)
    return shown


def _names_at_ends(ax: Axes, ends: Sequence[tuple[str, str, float, float]]) -> None:
    """Write the names of curves right of the axes, at the height where each ends."""
    pixels = pixels_of(ax) * LINE_HEIGHT
    highest_first = sorted(ends, key=lambda end: -end[3])
    wanted = [ax.transData.transform((x, y))[1] for _, _, x, y in highest_first]
    heights = spread_out(wanted, pixels, ax.bbox.y0 + pixels / 2, ax.bbox.y1 - pixels / 2)
    for (name, colour, x, y), height in zip(highest_first, heights, strict=True):
        pixel = ax.bbox.x1 + pixels, height
        write_tied(ax, name, (x, y), pixel, colour, point_in="data", shrink=(1, 4))


def _guides_across(ax: Axes, guides: Sequence[Guide], unit: str) -> None:
    """Draw dashed lines at heights, each named above its left end."""
    for guide in guides:
        ax.axhline(guide.value, color=FAINT, linewidth=1.0, linestyle=DASHED, zorder=1)
        ax.annotate(
            f"{guide.name} {_number(guide.value, unit)}".strip(),
            (0, guide.value),
            (4, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=SOFT,
            bbox=halo(),
            gid="guide",
        )


def _draw_bars(ax: Axes, chart: Bars) -> None:
    """Draw bars with their intervals; each number stands right of its bar."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    numbers = [bar.number for bar in chart.bars]
    most = max([number.high for number in numbers] + [guide.value for guide in chart.guides])
    least = min(min(number.low for number in numbers), 0.0)
    heights = range(len(chart.bars), 0, -1)
    for bar, height in zip(chart.bars, heights, strict=True):
        number = bar.number
        colour = CATEGORIES[0] if bar.marked else CATEGORIES[9]
        errors = ([number.value - number.low], [number.high - number.value])
        ax.barh(
            height,
            number.value,
            height=0.62,
            color=colour,
            xerr=errors,
            error_kw={"elinewidth": 0.9, "ecolor": SLOPE},
            gid=bar.name,
        )
        ax.annotate(
            _number(number.value, chart.unit),
            (max(number.high, number.value), height),
            (5, 0),
            textcoords="offset points",
            va="center",
            bbox=halo(),
            gid="number",
        )
    if chart.log:
        ax.set_xscale("log")
        lowest = min(number.low for number in numbers)
        ax.set_xlim(lowest / 3, most * 1.3)
    else:
        ax.set_xlim(1.05 * least, 1.02 * most)
    ax.set_ylim(0.4, len(chart.bars) + 0.6)
    names = [fitted(bar.name, MOST_NAME_INCHES, SMALL) for bar in chart.bars]
    ax.set_yticks(list(heights), names)
    ax.tick_params(axis="y", length=0)
    ax.grid(False, axis="y")
    if not chart.log:
        ax.xaxis.set_major_locator(MaxNLocator(MOST_TICKS))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, chart.unit)))
    ax.set_xlabel(chart.across)
    for guide in chart.guides:
        ax.axvline(guide.value, color=SLOPE, linewidth=1.0, linestyle=DASHED)
        ax.annotate(
            guide.name,
            (guide.value, 1),
            (0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=SOFT,
            gid="guide",
        )


def _draw_under_roofs(ax: Axes, chart: UnderRoofs) -> None:
    """Draw slopes, flat roofs, and layers under them."""
    xs = [spot.intensity for spot in chart.spots]
    rates = [spot.rate for spot in chart.spots]
    corners = [flat.rate / slope.rate for flat in chart.flats for slope in chart.slopes]
    top = max([rate.high for rate in rates] + [flat.rate for flat in chart.flats])
    left = min([min(xs) / AROUND, *(corner / BEYOND_CORNER for corner in corners)])
    right = max([max(xs) * AROUND, *(corner * BEYOND_CORNER for corner in corners)])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlim(left, right)
    ax.set_ylim(min(rate.low for rate in rates) / AROUND, top * 1.8)
    log_ticks(ax.xaxis, (2, 4, 8), fraction, 0.5)
    _log_numbers(ax, "FLOP/s")
    ax.set_xlabel("Operational intensity (FLOP/B)")
    for flat in chart.flats:
        ax.axhline(flat.rate, color=SLOPE, linewidth=1.6)
        ax.annotate(
            flat.label,
            (1, flat.rate),
            (4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=SLOPE,
            gid="roof",
        )
    flat_rate = max((flat.rate for flat in chart.flats), default=top)
    for slope in chart.slopes:
        ends = [left, min(right, flat_rate / slope.rate)]
        heights = [attainable(x, flat_rate, slope.rate) for x in ends]
        ax.plot(ends, heights, color=SLOPE, linewidth=1.2, gid=f"{slope.tag}/layers")
    boxes = _draw_spots(ax, chart.spots)
    names_among_points(ax, chart.slopes, boxes)


def _draw_spots(ax: Axes, spots: Sequence[Spot]) -> list[Box]:
    """Draw layers, those of one curve joined, each with its name.

    Returns boxes over what was drawn, in pixels.
    """
    boxes = []
    curves = list(dict.fromkeys(spot.curve for spot in spots))
    for i, curve in enumerate(curves):
        members = [spot for spot in spots if spot.curve == curve]
        colour = CATEGORIES[i % len(CATEGORIES)]
        values = [spot.rate.value for spot in members]
        below = [spot.rate.value - spot.rate.low for spot in members]
        above = [spot.rate.high - spot.rate.value for spot in members]
        ax.errorbar(
            [spot.intensity for spot in members],
            values,
            yerr=(below, above),
            color=colour,
            marker=MARKERS[i % len(MARKERS)],
            markersize=5,
            linewidth=0.9 if curve else 0,
            elinewidth=0.9,
            label=curve or None,
            zorder=3,
        )
        places = [(spot.intensity, spot.rate.value) for spot in members]
        boxes += covered(ax, places, joined=bool(curve))
    for i, curve in enumerate(curves):
        colour = CATEGORIES[i % len(CATEGORIES)]
        for spot in spots:
            if spot.curve == curve and spot.name:
                boxes.append(_name_of_spot(ax, spot, colour, boxes))
    if any(curves):
        ax.legend(loc="lower right")
    return boxes


def _name_of_spot(ax: Axes, spot: Spot, colour: str, taken: Sequence[Box]) -> Box:
    """Write the name of a layer beside its point, where nothing stands; returns its box (pixels).

    taken: boxes over points, lines and names, in pixels.
    """
    pixels = pixels_of(ax)
    x, y = ax.transData.transform((spot.intensity, spot.rate.value))
    across = width(spot.name, pixels)
    choices = []
    for rise in RISES:
        bottom = y + rise * pixels
        right = Box(x + GAP * pixels, bottom, x + GAP * pixels + across, bottom + pixels)
        left = Box(x - GAP * pixels - across, bottom, x - GAP * pixels, bottom + pixels)
        choices += [right, left]
    box = first_free(choices, taken) or choices[0]
    ax.text(
        *in_data(ax, (box.left, box.bottom)),
        spot.name,
        color=ink(colour),
        va="bottom",
        gid="name",
    )
    return box


def _log_numbers(ax: Axes, unit: str) -> None:
    """Ticks of numbers on a logarithmic axis: 1, 2 and 5 of each power of ten, if there is room."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = ax.get_ylim()
    multiples = (1, 2, 5) if high < FEW_DECADES * low else (1,)
    ax.yaxis.set_major_locator(LogLocator(subs=multiples))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value, unit)))
    ax.yaxis.set_minor_formatter("")
