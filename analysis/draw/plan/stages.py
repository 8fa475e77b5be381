"""Draw each stage: what rounding it alone does to the answer, against what it gains.

Up is harmless, right of zero is faster. What was quantized is seen by colour and marker.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

from analysis.draw.canvas import NOTE, Point, caption, covered, heading, page, pixels_of
from analysis.draw.labels import Box, box_around, cut, thinned, width
from analysis.draw.plan.names import name_beside
from analysis.draw.style import AXIS_NAME, FAINT, PRECISIONS, SMALL, SOFT, ink
from analysis.plan.verdict import PASSES, StageVerdict
from analysis.units import brief, short
from probes.records.precision import MOST_DB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP = 0.85, 0.3, 0.82, 1.2
"""Inches around the axes."""
AREA = 3500.0
"""Square points of all stages together."""
SMALLEST_AREA, LARGEST_AREA = 16.0, 500.0
"""Square points of one stage."""
UNKNOWN_LOOK = ("#777777", "D")
"""Colour and marker of a stage whose precision is not decided, or of no known type."""
NAMED_OF_EACH = 3
"""Stages that are named because they gain most, because they cost most, because they harm most."""
FURTHEST_NAME = 3.4
"""From a stage to its name, in the size of the type: in a crowd it has none."""
LONGEST_NAME = 34
"""Letters of a stage's name."""
WIDE = 25.0
"""Gains that exceed the median by a larger factor are drawn on an axis that is logarithmic beyond
it."""
ABOVE_ALL = 8.0
"""dB from the highest ratio to the stages without any error."""
ROOM = 0.08
"""Empty part of an axis at each end."""
QUANTIZED = "#E3EEF6"
"""Behind the stages that gain and are as harmless as those that were quantized."""
KEY_LINE = 0.84
"""Inches from the upper edge to the key."""


def drawable(verdicts: Sequence[StageVerdict]) -> list[StageVerdict]:
    """The stages that compute, with an error and a gain."""
    return [
        verdict
        for verdict in verdicts
        if verdict.why != PASSES
        and verdict.sqnr_db is not None
        and verdict.gain_seconds is not None
    ]


def figure(verdicts: Sequence[StageVerdict], network: str, device: str, inches: Point) -> Figure:
    """A figure of this size with the stages in it, at least one of which is drawable."""
    picture = page(inches)
    across, down = inches
    shown = sorted(drawable(verdicts), key=lambda verdict: -(verdict.float_seconds or 0.0))
    notes = _notes(verdicts, len(shown))
    bottom = BOTTOM + NOTE * len(notes)
    ax = picture.add_axes(
        (LEFT / across, bottom / down, 1 - (LEFT + RIGHT) / across, 1 - (TOP + bottom) / down)
    )
    narrow = " or ".join(dict.fromkeys(verdict.narrow.upper() for verdict in shown))
    top = _top(shown)
    _frame(ax, shown, top, narrow)
    _shade_quantized(ax, shown, top)
    areas = _areas(shown)
    _draw_points(ax, shown, areas, top)
    _write_names(ax, shown, areas, top)
    _write_key(picture, shown)
    heading(picture, f"{network} on {device}: its stages, each alone in {narrow}", _under(shown))
    predicted = sum(not verdict.measured for verdict in shown)
    meaning = "Size: time in the fastest float."
    if predicted:
        meaning += f" Of {predicted} of {len(shown)} stages the gain is predicted (pale)."
    caption(picture, meaning, notes)
    return picture


def _under(shown: Sequence[StageVerdict]) -> str:
    """``31 of 54 are quantized; up: harmless; right of zero: faster``."""
    quantized = sum(_is_quantized(verdict) for verdict in shown)
    return f"{quantized} of these {len(shown)} are quantized. Up: harmless. Right of 0: faster."


def _notes(verdicts: Sequence[StageVerdict], shown: int) -> list[str]:
    """A note on the stages that are not drawn; none if all that compute are."""
    missing = sum(verdict.why != PASSES for verdict in verdicts) - shown
    if missing <= 0:
        return []
    stages = "1 stage" if missing == 1 else f"{missing} stages"
    return [f"Not drawn: {stages} of unknown error or gain."]


def _is_quantized(verdict: StageVerdict) -> bool:
    """True if it has the narrow precision that is drawn."""
    return bool(verdict.precision) and verdict.precision == verdict.narrow


def _top(shown: Sequence[StageVerdict]) -> float:
    """The height in dB of stages without any error, which have no ratio."""
    ratios = [verdict.sqnr_db or 0.0 for verdict in shown if (verdict.sqnr_db or 0.0) < MOST_DB]
    return max(ratios, default=0.0) + ABOVE_ALL


def _place(verdict: StageVerdict, top: float) -> Point:
    """Where a stage stands, in data coordinates."""
    return verdict.gain_seconds or 0.0, min(verdict.sqnr_db or 0.0, top)


def _frame(ax: Axes, shown: Sequence[StageVerdict], top: float, narrow: str) -> None:
    """Limits, ticks and names of the axes, and the line at which nothing is gained."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    places = [_place(verdict, top) for verdict in shown]
    gains = [0.0, *(x for x, _ in places)]
    ratios = [y for _, y in places]
    _gain_axis(ax, gains)
    span = max(ratios) - min(ratios) or 10.0
    ax.set_ylim(min(ratios) - 1.5 * ROOM * span, max(ratios) + 1.5 * ROOM * span)
    ax.yaxis.set_major_locator(MaxNLocator(7))
    has_exact = any((verdict.sqnr_db or 0.0) >= MOST_DB for verdict in shown)

    def in_words(y: float, _: int) -> str:
        return "" if has_exact and y > top - ABOVE_ALL / 2 else f"{short(y) if y else 0} dB"

    ax.yaxis.set_major_formatter(FuncFormatter(in_words))
    if has_exact:
        ax.annotate(
            "no error",
            (0, top),
            (-4, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            va="center",
            color=SOFT,
        )
    ax.axvline(0, color=FAINT, linewidth=1.2, zorder=0.9, gid="no gain")
    ax.set_xlabel(f"Time gained in {narrow} over the fastest float", fontsize=AXIS_NAME)
    ax.set_ylabel("Signal-to-noise ratio of the answer", fontsize=AXIS_NAME)


def _gain_axis(ax: Axes, gains: Sequence[float]) -> None:
    """Limits and ticks of the gain; logarithmic on both sides where few gain far more than most."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    sizes = [abs(gain) for gain in gains if gain]
    usual = median(sizes) if sizes else 1e-6
    least, most = min(gains), max(gains)
    if sizes and max(sizes) > WIDE * usual:
        ax.set_xscale("symlog", linthresh=usual, linscale=0.7)
        ax.set_xlim(_beyond(least, usual), _beyond(most, usual))
        _symlog_ticks(ax, usual)
        return
    span = most - least or 2 * usual
    ax.set_xlim(least - ROOM * span, most + ROOM * span)
    ax.xaxis.set_major_locator(MaxNLocator(8))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: brief(round(x, 12), "s")))


def _beyond(end: float, usual: float) -> float:
    """A limit that leaves room beyond this end of a symlog axis."""
    if not end:
        return -usual / 2
    return end * 2 if abs(end) > usual else end + math.copysign(usual / 2, end)


def _symlog_ticks(ax: Axes, usual: float) -> None:
    """Zero and powers of ten on both sides, as far as they have room."""
    low, high = ax.get_xlim()
    first_power = math.ceil(math.log10(usual))
    powers = [10.0**power for power in range(first_power, first_power + 12)]
    wanted = [0.0, *powers, *(-power for power in powers)]
    ticks = sorted(tick for tick in wanted if low <= tick <= high)
    ax.set_xticks(ticks, [brief(tick, "s") for tick in ticks])
    ax.minorticks_off()


def _shade_quantized(ax: Axes, shown: Sequence[StageVerdict], top: float) -> None:
    """Shade where stages gain and are at least as harmless as the worst that was quantized."""
    from matplotlib.patches import Rectangle

    heights = [_place(verdict, top)[1] for verdict in shown if _is_quantized(verdict)]
    if not heights:
        return
    right = ax.get_xlim()[1]
    low, high = ax.get_ylim()
    least = max(low, min(heights) - 0.02 * (high - low))
    if right > 0:
        quadrant = Rectangle(
            (0, least),
            right,
            high - least,
            facecolor=QUANTIZED,
            edgecolor="none",
            zorder=0.4,
            gid="quantized",
        )
        ax.add_patch(quadrant)
        ax.plot([0, right], [least, least], color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))


def _areas(shown: Sequence[StageVerdict]) -> list[float]:
    """Square points of each stage, by its time."""
    total = sum(verdict.float_seconds or 0.0 for verdict in shown) or 1.0
    areas = []
    for verdict in shown:
        area = AREA * (verdict.float_seconds or 0.0) / total
        areas.append(min(max(area, SMALLEST_AREA), LARGEST_AREA))
    return areas


def look_of(precision: str) -> tuple[str, str]:
    """Colour and marker of a precision."""
    return PRECISIONS.get(precision, UNKNOWN_LOOK)


def _draw_points(
    ax: Axes, shown: Sequence[StageVerdict], areas: Sequence[float], top: float
) -> None:
    """Draw each stage; big ones come first, so that none is hidden."""
    for verdict, area in zip(shown, areas, strict=True):
        colour, marker = look_of(verdict.precision)
        ax.plot(
            *_place(verdict, top),
            marker=marker,
            markersize=math.sqrt(area),
            color=colour,
            alpha=0.75 if verdict.measured else 0.4,
            markeredgecolor="white",
            markeredgewidth=0.6,
            linestyle="none",
            zorder=3,
            gid=f"stage/{verdict.stage}",
        )


def notable(shown: Sequence[StageVerdict]) -> list[StageVerdict]:
    """Those that harm most, those that gain most, and those that cost most, each once."""
    by_gain = sorted(shown, key=lambda verdict: -(verdict.gain_seconds or 0.0))
    gaining = [verdict for verdict in by_gain if (verdict.gain_seconds or 0.0) > 0]
    costing = [verdict for verdict in by_gain[::-1] if (verdict.gain_seconds or 0.0) < 0]
    by_harm = sorted(shown, key=lambda verdict: verdict.sqnr_db or 0.0)
    chosen: list[StageVerdict] = []
    for verdicts in (by_harm, gaining, costing):
        chosen += [verdict for verdict in verdicts[:NAMED_OF_EACH] if verdict not in chosen]
    return chosen


def _write_names(
    ax: Axes, shown: Sequence[StageVerdict], areas: Sequence[float], top: float
) -> None:
    """Name the most notable stages where there is room."""
    taken = _boxes(ax, shown, areas, top)
    chosen = notable(shown)
    names = cut([verdict.title for verdict in chosen], LONGEST_NAME)
    for verdict, name in zip(chosen, names, strict=True):
        colour, _ = look_of(verdict.precision)
        radius = pixels_of(ax, math.sqrt(areas[shown.index(verdict)])) / 2
        place = _place(verdict, top)
        name_beside(ax, name, place, radius, colour, taken, furthest=FURTHEST_NAME, gid="stage")


def _boxes(
    ax: Axes, shown: Sequence[StageVerdict], areas: Sequence[float], top: float
) -> list[Box]:
    """Boxes over all stages and the line at zero, in pixels."""
    boxes = []
    for verdict, area in zip(shown, areas, strict=True):
        radius = pixels_of(ax, math.sqrt(area)) / 2 + 1
        x, y = ax.transData.transform(_place(verdict, top))
        boxes.append(box_around(x, y, radius, radius))
    low, high = ax.get_ylim()
    return [*thinned(boxes), *covered(ax, [(0, low), (0, high)], 2.0, step=8.0)]


def _write_key(picture: Figure, shown: Sequence[StageVerdict]) -> None:
    """A marker for each precision that was decided on, with how many stages have it."""
    from matplotlib.lines import Line2D

    across, down = picture.get_size_inches()
    counts: dict[str, int] = {}
    for verdict in shown:
        counts[verdict.precision] = counts.get(verdict.precision, 0) + 1
    x, y = LEFT, 1 - KEY_LINE / down
    for precision in sorted(counts, key=lambda precision: -counts[precision]):
        colour, marker = look_of(precision)
        mark = Line2D(
            [(x + 0.06) / across],
            [y],
            color=colour,
            marker=marker,
            markersize=7,
            markeredgewidth=0,
            alpha=0.75,
            linestyle="none",
        )
        picture.add_artist(mark)
        name = precision.upper() if precision else "not decided"
        text = f"{name}: {counts[precision]}"
        picture.text((x + 0.18) / across, y, text, va="center", color=ink(colour), fontsize=SMALL)
        x += 0.55 + width(text, SMALL) / 72
