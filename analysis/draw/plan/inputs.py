"""Draw what the number of calibration inputs and their batch change: a panel for each method.

The width of a range is held against that of all inputs: 1 is no change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analysis.draw.canvas import NOTE, caption, heading, page
from analysis.draw.plan.methods import methods_of, name_of_method
from analysis.draw.plan.names import name_below
from analysis.draw.plan.ranges import in_full
from analysis.draw.style import AXIS_NAME, CATEGORIES, FAINT, SMALL
from analysis.units import short
from probes.records.precision import RangeRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 3
"""Panels side by side."""
LEFT, RIGHT, BOTTOM, TOP = 0.75, 0.25, 0.72, 1.02
"""Inches around all panels."""
PANEL, ABOVE, BELOW, BESIDE = 1.5, 0.28, 0.3, 0.22
"""Inches of a panel's height, above it for its name, below it for numbers, and between two."""
LEAST_SPAN = 1.12
"""Factor from 1 to the end of the vertical axis, at least: a small change must look small."""
ONE, ALL = "one at a time", "all at once"
"""How inputs are fed to a histogram, whose first batch sets its bins."""
LOOKS: dict[str, tuple[str, str, Any]] = {
    ONE: (CATEGORIES[0], "o", "-"),
    ALL: (CATEGORIES[1], "s", "none"),
}
"""Colour, marker and line of each: the few points of all at once are not joined."""
MEANING = "Marks: median of the activations; bands and bars: the middle half of them."


class Spread(NamedTuple):
    """Widths of the ranges of all activations over those of all inputs, at one number of inputs."""

    inputs: int
    """How many inputs were fed."""
    low: float
    """A quarter of the activations lie below."""
    median: float
    """Half of them lie below."""
    high: float
    """A quarter of them lie above."""


def spreads(rows: Sequence[RangeRow], method: str, feeding: str) -> list[Spread]:
    """What fewer inputs make of the ranges of a method, by the number of inputs.

    feeding: ``ONE`` or ``ALL``. An activation whose range of all inputs is empty tells nothing, nor
    does one that was only looked at with all of them.
    """
    full = compared(rows)
    ratios: dict[int, list[float]] = {}
    for row in rows:
        whole = full.get(row.tensor)
        if whole is None or not _is_fed(row, whole, feeding):
            continue
        if method not in row.threshold_of or method not in whole.threshold_of:
            continue
        width = _width(whole.threshold_of[method])
        if width > 0:
            ratio = _width(row.threshold_of[method]) / width
            ratios.setdefault(row.inputs, []).append(ratio)
    ordered = []
    for inputs, of_inputs in sorted(ratios.items()):
        low, median, high = np.quantile(of_inputs, (0.25, 0.5, 0.75))
        ordered.append(Spread(inputs, float(low), float(median), float(high)))
    return ordered


def compared(rows: Sequence[RangeRow]) -> dict[str, RangeRow]:
    """The rows of all inputs of the activations that have others, too, by name."""
    full = in_full(rows)
    others = {row.tensor for row in rows if row is not full.get(row.tensor)}
    return {tensor: row for tensor, row in full.items() if tensor in others}


def methods_compared(rows: Sequence[RangeRow]) -> list[str]:
    """The methods whose ranges are known of fewer inputs, or of another batch, too."""
    full = compared(rows)
    return methods_of(row for row in rows if row.tensor in full and row is not full[row.tensor])


def _is_fed(row: RangeRow, whole: RangeRow, feeding: str) -> bool:
    """True if the histogram was given its inputs so; a single input counts as one at a time.

    whole: of all inputs, one at a time.
    """
    if feeding == ONE:
        return row.batch == whole.batch
    return row.batch >= row.inputs and row.batch > whole.batch


def _width(ends: tuple[float, float]) -> float:
    """From the lower end to the upper one."""
    low, high = ends
    return high - low


def is_worth_drawing(rows: Sequence[RangeRow]) -> bool:
    """True if some activation has ranges of fewer inputs, or of another batch, beside all."""
    return bool(methods_compared(rows))


def figure(rows: Sequence[RangeRow], network: str, across: float) -> Figure:
    """A figure of this width in inches with a panel for each method."""
    methods = methods_compared(rows)
    notes = _notes(rows, methods)
    lines = math.ceil(len(methods) / COLUMNS)
    line = ABOVE + PANEL + BELOW
    below = BOTTOM + NOTE * len(notes)
    down = TOP + lines * line + below
    picture = page((across, down))
    width = (across - LEFT - RIGHT - BESIDE * (COLUMNS - 1)) / COLUMNS
    curves = {
        method: {feeding: spreads(rows, method, feeding) for feeding in LOOKS} for method in methods
    }
    all_spreads = [
        spread
        for of_method in curves.values()
        for of_feeding in of_method.values()
        for spread in of_feeding
    ]
    limits = limits_of(all_spreads)
    for place, method in enumerate(methods):
        row, column = divmod(place, COLUMNS)
        left = LEFT + column * (width + BESIDE)
        bottom = down - TOP - (row + 1) * line + BELOW
        box = (left / across, bottom / down, width / across, PANEL / down)
        ax = picture.add_axes(box)
        _frame(ax, all_spreads, limits, is_first=not column)
        for feeding, of_feeding in curves[method].items():
            _draw(ax, of_feeding, feeding, method)
        ax.text(
            0,
            1 + 0.06 / PANEL,
            name_of_method(method),
            transform=ax.transAxes,
            va="bottom",
            fontweight="bold",
            gid="method",
        )
    _name_axes(picture, below)
    _write_key(picture)
    heading(picture, f"{network}: what more calibration inputs change", _under(rows))
    caption(picture, MEANING, notes)
    return picture


def _notes(rows: Sequence[RangeRow], methods: Sequence[str]) -> list[str]:
    """A note on the methods that were tried with all inputs only; none without any."""
    others = [name_of_method(method) for method in methods_of(rows) if method not in methods]
    if not others:
        return []
    return [f"Not drawn: {', '.join(others)}, of which only the ranges of all inputs are known."]


def _under(rows: Sequence[RangeRow]) -> str:
    """``Ranges of 54 activations, by how many inputs were fed, and how``."""
    count = len(compared(rows))
    noun = "activation" if count == 1 else "activations"
    return f"Ranges of {count} {noun}, by how many inputs were fed, and how"


def limits_of(all_spreads: Sequence[Spread]) -> tuple[float, float]:
    """Lower and upper end of the vertical axis, so that 1 and every band are in it."""
    lowest = min((spread.low for spread in all_spreads), default=1.0)
    highest = max((spread.high for spread in all_spreads), default=1.0)
    least = 2 - LEAST_SPAN
    room = 0.05 * (max(highest, LEAST_SPAN) - min(lowest, least))
    return max(0.0, min(lowest, least) - room), max(highest, LEAST_SPAN) + room


def _frame(
    ax: Axes, all_spreads: Sequence[Spread], limits: tuple[float, float], is_first: bool
) -> None:
    """Limits and ticks of a panel, and the line at which nothing changes."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    inputs = sorted({spread.inputs for spread in all_spreads})
    ax.set_xscale("log", base=2)
    ax.set_xlim(inputs[0] / 1.25, inputs[-1] * 1.25)
    ax.set_xticks(_apart(inputs), [str(count) for count in _apart(inputs)])
    ax.minorticks_off()
    ax.set_ylim(*limits)
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short(y)))
    if not is_first:
        ax.tick_params(labelleft=False)
    ax.axhline(1.0, color=FAINT, linewidth=1.0, gid="no change")


def _apart(inputs: Sequence[int]) -> list[int]:
    """Those of these numbers (ascending) whose labels have room: a factor of 1.6 apart."""
    chosen = [inputs[-1]]
    for count in reversed(inputs[:-1]):
        if count * 1.6 <= chosen[-1]:
            chosen.append(count)
    return chosen[::-1]


def _draw(ax: Axes, of_feeding: Sequence[Spread], feeding: str, method: str) -> None:
    """The medians, and the middle half: as a band along a line, else as a bar at each mark."""
    colour, marker, style = LOOKS[feeding]
    inputs = [spread.inputs for spread in of_feeding]
    lows = [spread.low for spread in of_feeding]
    highs = [spread.high for spread in of_feeding]
    gid = f"middle half/{method}/{feeding}"
    if style == "none":
        ax.vlines(inputs, lows, highs, color=colour, linewidth=1.2, gid=gid)
    else:
        ax.fill_between(inputs, lows, highs, color=colour, alpha=0.16, linewidth=0, gid=gid)
    ax.plot(
        inputs,
        [spread.median for spread in of_feeding],
        color=colour,
        marker=marker,
        markersize=4,
        linestyle=style,
        linewidth=1.4,
        gid=f"{method}/{feeding}",
    )


def _name_axes(picture: Figure, below: float) -> None:
    """What stands along all panels together. below: inches under them."""
    across, down = picture.get_size_inches()
    name_below(picture, "Calibration inputs", LEFT, RIGHT, below - 0.22)
    height = (below + (down - TOP - below) / 2) / down
    picture.text(
        0.22 / across,
        height,
        "Width of the range over that of all inputs",
        fontsize=AXIS_NAME,
        rotation=90,
        ha="center",
        va="center",
    )


def _write_key(picture: Figure) -> None:
    """A line of each look with its meaning, under the heading."""
    from matplotlib.lines import Line2D

    across, down = picture.get_size_inches()
    y = 1 - 0.78 / down
    x = LEFT
    for feeding, (colour, marker, style) in LOOKS.items():
        ends = [x + 0.2] if style == "none" else [x, x + 0.4]
        mark = Line2D(
            [end / across for end in ends],
            [y] * len(ends),
            color=colour,
            marker=marker,
            markersize=4,
            linestyle=style,
            linewidth=1.4,
        )
        picture.add_artist(mark)
        picture.text((x + 0.5) / across, y, f"inputs fed {feeding}", va="center", fontsize=SMALL)
        x += 2.4
