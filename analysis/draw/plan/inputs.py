"""Draw what the number of calibration inputs and their batch change: a panel for each method.

The width of a range is held against that of all inputs: 1 is no change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from analysis.draw.canvas import caption, heading, page
from analysis.draw.plan.methods import methods_of, name_of_method
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
"""How many inputs a histogram is given at a time."""
LOOKS: dict[str, tuple[str, str, Any]] = {
    ONE: (CATEGORIES[0], "o", "-"),
    ALL: (CATEGORIES[1], "s", (0, (4, 2))),
}
"""Colour, marker and line of each."""
MEANING = "Lines: median of the activations; bands: the middle half of them."


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

    feeding: ``ONE`` or ``ALL``. An activation whose range of all inputs is empty tells nothing.
    """
    full = in_full(rows)
    ratios: dict[int, list[float]] = {}
    for row in rows:
        whole = full.get(row.tensor)
        if whole is None or not _is_fed(row, feeding):
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


def _is_fed(row: RangeRow, feeding: str) -> bool:
    """True if the histogram was given its inputs so; a single input is both."""
    return row.batch == 1 if feeding == ONE else row.batch >= row.inputs


def _width(ends: tuple[float, float]) -> float:
    """From the lower end to the upper one."""
    low, high = ends
    return high - low


def is_worth_drawing(rows: Sequence[RangeRow]) -> bool:
    """True if some activation has ranges of fewer inputs, or of another batch, beside all."""
    full = in_full(rows)
    return any(row.tensor in full and row is not full[row.tensor] for row in rows)


def figure(rows: Sequence[RangeRow], network: str, across: float) -> Figure:
    """A figure of this width in inches with a panel for each method."""
    methods = methods_of(rows)
    lines = math.ceil(len(methods) / COLUMNS)
    line = ABOVE + PANEL + BELOW
    down = TOP + lines * line + BOTTOM
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
    _name_axes(picture, down)
    _write_key(picture)
    heading(picture, f"{network}: what more calibration inputs change", _under(rows))
    caption(picture, MEANING)
    return picture


def _under(rows: Sequence[RangeRow]) -> str:
    """``Ranges of 54 activations, by how many inputs were fed, and how``."""
    count = len(in_full(rows))
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
    """The line of medians and the band of the middle half."""
    colour, marker, style = LOOKS[feeding]
    inputs = [spread.inputs for spread in of_feeding]
    ax.fill_between(
        inputs,
        [spread.low for spread in of_feeding],
        [spread.high for spread in of_feeding],
        color=colour,
        alpha=0.16,
        linewidth=0,
        gid=f"band/{method}/{feeding}",
    )
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


def _name_axes(picture: Figure, down: float) -> None:
    """What stands along all panels together."""
    across = picture.get_size_inches()[0]
    middle = (LEFT + (across - LEFT - RIGHT) / 2) / across
    picture.text(
        middle,
        (BOTTOM - 0.22) / down,
        "Calibration inputs",
        fontsize=AXIS_NAME,
        ha="center",
        va="center",
    )
    height = (BOTTOM + (down - TOP - BOTTOM) / 2) / down
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
        mark = Line2D(
            [x / across, (x + 0.4) / across],
            [y, y],
            color=colour,
            marker=marker,
            markersize=4,
            linestyle=style,
            linewidth=1.4,
        )
        picture.add_artist(mark)
        picture.text((x + 0.5) / across, y, f"inputs fed {feeding}", va="center", fontsize=SMALL)
        x += 2.4
