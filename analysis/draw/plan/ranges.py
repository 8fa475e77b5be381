"""Draw what inputs showed of activations: a panel each, with the range of every method.

Above a histogram each method has a bracket from the lower end of its range to the upper one. What
the chosen method clips is shaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.draw.canvas import BOLD, NOTE, POINTS_PER_INCH, caption, heading, page
from analysis.draw.labels import cut, width
from analysis.draw.plan.methods import colours_of, methods_of, name_of_method
from analysis.draw.plan.names import name_below
from analysis.draw.style import AXIS_NAME, SMALL, SOFT
from analysis.units import brief, short
from probes.records.precision import ErrorRow, RangeRow, StageRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = 12
"""Activations of one picture."""
MOST_PICTURES = 4
"""More activations are in ranges.csv only."""
COLUMNS = 3
"""Panels side by side."""
LEFT, RIGHT, BOTTOM, TOP = 1.5, 0.2, 0.68, 0.62
"""Inches around all panels."""
GAP = 0.28
"""Inches between two panels side by side."""
NAME, SHARE, AXIS = 0.22, 0.2, 0.42
"""Inches of a panel's name, of the line under it, and of its numbers below."""
METHOD = 0.15
"""Inches of one bracket."""
HISTOGRAM = 0.85
"""Inches of the histogram."""
MOST_BINS = 96
"""Of a histogram in so little room."""
BAR = "#9A9A9A"
"""Grey of a histogram."""
CLIPPED = "#D55E00"
"""Colour behind what is clipped."""
MARGIN = 0.03
"""Empty part of the horizontal axis at each end."""
BRACKET_END = 0.32
"""From the middle of a bracket to the tip of its end, in the height of a row."""
LEAST_COUNT = 0.6
"""Where the axis of counts begins, so that a bin of one number can be seen."""
TICKS = 4
"""Numbers of a horizontal axis, at most."""
SMALL_SHARE = 1e-5
"""Smaller shares are told no closer."""
BRACKETS = "Brackets: the numbers that each method keeps."
SHADED = "Shaded: what the chosen one clips."
"""The caption."""


def in_full(rows: Sequence[RangeRow]) -> dict[str, RangeRow]:
    """The row of all inputs of each activation, by its name: those that have a histogram."""
    full: dict[str, RangeRow] = {}
    for row in rows:
        if not row.counts:
            continue
        known = full.get(row.tensor)
        if known is None or row.inputs > known.inputs:
            full[row.tensor] = row
    return full


def most_sensitive_first(
    rows: Sequence[RangeRow], stages: Sequence[StageRow], errors: Sequence[ErrorRow]
) -> list[RangeRow]:
    """The rows of all inputs, in the order of the harm that rounding the activation does.

    That is the least signal-to-noise ratio of the stages that read it or leave it. Those of which
    nothing is known come last, in their order.
    """
    harm_of_stage: dict[str, float] = {}
    for error in errors:
        if error.stage and error.sqnr_db is not None:
            known = harm_of_stage.get(error.stage, math.inf)
            harm_of_stage[error.stage] = min(known, error.sqnr_db)
    harm: dict[str, float] = {}
    for stage in stages:
        of_stage = harm_of_stage.get(stage.stage, math.inf)
        for tensor in (*stage.read_elements, *stage.written_elements):
            harm[tensor] = min(harm.get(tensor, math.inf), of_stage)
    full = in_full(rows).values()
    return sorted(full, key=lambda row: harm.get(row.tensor, math.inf))


def pages_of(rows: Sequence[RangeRow]) -> list[Sequence[RangeRow]]:
    """The rows of each picture, as many as there are pictures."""
    begins = range(0, len(rows), PANELS)
    return [rows[begin : begin + PANELS] for begin in begins][:MOST_PICTURES]


def left_out(rows: Sequence[RangeRow]) -> list[str]:
    """A note on activations that no picture shows; none if all are shown."""
    most = PANELS * MOST_PICTURES
    if len(rows) <= most:
        return []
    return [
        f"Of {len(rows)} activations the {most} most sensitive are drawn; all are in ranges.csv."
    ]


def under(rows: Sequence[RangeRow], number: int, pictures: int, chosen: str) -> str:
    """``1 of 4, the most sensitive first; 16 inputs; chosen: percentile 99.99 %``."""
    words = f"{number} of {pictures}, the most sensitive first; " if pictures > 1 else ""
    most = max(row.inputs for row in rows)
    words += "1 calibration input" if most == 1 else f"{most} calibration inputs"
    return f"{words}; chosen: {name_of_method(chosen)}" if chosen else words


def figure(
    rows: Sequence[RangeRow],
    chosen: str,
    network: str,
    under_title: str,
    across: float,
    notes: Sequence[str] = (),
) -> Figure:
    """A figure of this width in inches with a panel for each of these rows.

    chosen: the method whose clipping is shaded; empty if none is chosen yet. notes: lines above the
    caption.
    """
    methods = methods_of(rows)
    lines = math.ceil(len(rows) / COLUMNS)
    brackets = METHOD * len(methods)
    panel = NAME + SHARE + brackets + HISTOGRAM + AXIS
    bottom = BOTTOM + NOTE * len(notes)
    down = TOP + lines * panel + bottom
    picture = page((across, down))
    inches = (across - LEFT - RIGHT - GAP * (COLUMNS - 1)) / COLUMNS
    letters = int(POINTS_PER_INCH * inches / width("x", BOLD * SMALL))
    names = cut([row.tensor for row in rows], letters)
    tallest = max(max(together(row.counts)) for row in rows)
    colours = colours_of(methods)
    for place, row in enumerate(rows):
        line, column = divmod(place, COLUMNS)
        left = LEFT + column * (inches + GAP)
        top = down - TOP - line * panel - NAME - SHARE
        upper = _axes(picture, left, top - brackets, inches, brackets)
        lower = _axes(picture, left, top - brackets - HISTOGRAM, inches, HISTOGRAM)
        _frame(upper, lower, row, tallest, is_first=not column)
        _draw_brackets(upper, row, methods, chosen, colours, is_first=not column)
        _draw_histogram(lower, row)
        _shade_clipped((upper, lower), row, chosen)
        _write_name(upper, names[place], clipping_in_words(row, chosen))
    heading(picture, f"{network}: ranges of its activations", under_title)
    name_below(picture, "Number in the activation", LEFT, RIGHT, bottom - 0.16)
    meaning = f"{BRACKETS} {SHADED}" if chosen else BRACKETS
    caption(picture, meaning, notes)
    return picture


def _axes(picture: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes of this size at this place, in inches."""
    across, down = picture.get_size_inches()
    return picture.add_axes((left / across, bottom / down, width / across, height / down))


def _frame(upper: Axes, lower: Axes, row: RangeRow, tallest: float, is_first: bool) -> None:
    """Limits, ticks and names of a panel: brackets above, a histogram below.

    tallest: count of the highest bin of all panels, which share their vertical axis.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    least, most = _ends(row)
    room = MARGIN * (most - least)
    for ax in (upper, lower):
        ax.set_xlim(least - room, most + room)
        ax.xaxis.set_major_locator(MaxNLocator(TICKS, steps=[1, 2, 2.5, 5, 10]))
    upper.tick_params(axis="x", length=0, labelbottom=False)
    upper.grid(False, axis="y")
    upper.spines["bottom"].set_visible(False)
    upper.spines["left"].set_visible(False)
    lower.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(x) if x else "0"))
    lower.set(yscale="log", ylim=(LEAST_COUNT, max(10.0, 2 * tallest)))
    lower.yaxis.set_major_locator(LogLocator(numticks=4))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, "").rstrip()))
    lower.yaxis.set_minor_formatter(NullFormatter())
    lower.tick_params(axis="y", which="minor", length=0)
    lower.tick_params(labelleft=is_first)
    if is_first:
        lower.set_ylabel("Count", fontsize=AXIS_NAME)
        lower.yaxis.set_label_coords(-0.62 / _inches_across(lower), 0.5)


def _inches_across(ax: Axes) -> float:
    """Width of the axes in inches."""
    return float(ax.bbox.width / ax.figure.dpi)


def _ends(row: RangeRow) -> tuple[float, float]:
    """The least and the largest number seen, apart from each other."""
    if row.most > row.least:
        return row.least, row.most
    half = abs(row.most) / 2 or 0.5
    return row.least - half, row.most + half


def _draw_brackets(
    ax: Axes,
    row: RangeRow,
    methods: Sequence[str],
    chosen: str,
    colours: Mapping[str, str],
    is_first: bool,
) -> None:
    """A line from end to end of each method's range, one below another."""
    ax.set_ylim(len(methods) - 0.4, -0.6)
    names = [name_of_method(method) for method in methods]
    ax.set_yticks(range(len(methods)), names if is_first else [""] * len(methods))
    ax.tick_params(axis="y", length=0)
    for label, method in zip(ax.get_yticklabels(), methods, strict=True):
        if method == chosen:
            label.set_fontweight("bold")
    left, right = ax.get_xlim()
    for place, method in enumerate(methods):
        if method not in row.threshold_of:
            continue
        low, high = row.threshold_of[method]
        weight = 2.2 if method == chosen else 1.0
        shown_low, shown_high = max(low, left), min(high, right)
        look: dict[str, Any] = {
            "color": colours[method],
            "linewidth": weight,
            "solid_capstyle": "butt",
        }
        ax.plot([shown_low, shown_high], [place, place], gid=f"range/{method}", **look)
        for end in (low, high):
            if left <= end <= right:
                tips = [place - BRACKET_END, place + BRACKET_END]
                ax.plot([end, end], tips, gid="end of range", **look)


def _draw_histogram(ax: Axes, row: RangeRow) -> None:
    """How many numbers each bin holds, on a logarithmic axis; neighbours are taken together."""
    counts = together(row.counts)
    edges = np.linspace(*_ends(row), len(counts) + 1)
    ax.stairs(counts, edges, fill=True, color=BAR, baseline=LEAST_COUNT, gid="histogram")


def together(counts: Sequence[float]) -> list[float]:
    """The counts shared out to at most ``MOST_BINS`` equal bins, each even within itself."""
    if len(counts) <= MOST_BINS:
        return list(counts)
    sums = np.concatenate([[0.0], np.cumsum(counts)])
    edges = np.linspace(0, len(counts), MOST_BINS + 1)
    sums_at_edges = np.interp(edges, np.arange(len(counts) + 1), sums)
    return [float(count) for count in np.diff(sums_at_edges)]


def _shade_clipped(panel: Sequence[Axes], row: RangeRow, chosen: str) -> None:
    """Shade what lies outside of the chosen range, and draw its ends through the panel."""
    if chosen not in row.threshold_of:
        return
    low, high = row.threshold_of[chosen]
    for ax in panel:
        left, right = ax.get_xlim()
        if row.least < low:
            _shade(ax, left, min(low, right), end=low)
        if high < row.most:
            _shade(ax, max(high, left), right, end=high)


def _shade(ax: Axes, left: float, right: float, end: float) -> None:
    """Shade from left to right, with a line where the range ends."""
    ax.axvspan(left, right, color=CLIPPED, alpha=0.16, linewidth=0, zorder=0.5, gid="clipped")
    ax.axvline(end, color=CLIPPED, linewidth=0.8, linestyle=(0, (4, 2)), gid="end")


def _write_name(ax: Axes, name: str, clipping: str) -> None:
    """Write the name of an activation above its panel, and below it what share is clipped."""
    place: dict[str, Any] = {
        "xy": (0, 1),
        "xycoords": "axes fraction",
        "textcoords": "offset points",
        "va": "bottom",
    }
    above = (SHARE + 0.02) * POINTS_PER_INCH
    ax.annotate(name, xytext=(0, above), fontweight="bold", gid="activation", **place)
    ax.annotate(clipping, xytext=(0, 0.05 * POINTS_PER_INCH), color=SOFT, gid="clipping", **place)


def clipping_in_words(row: RangeRow, chosen: str) -> str:
    """``clips 0.12 %`` of the chosen method; what was seen, where none is chosen."""
    share = row.clipped_share_of.get(chosen)
    if share is None:
        return f"{short(row.least)} to {short(row.most)}"
    if not share:
        return "clips nothing"
    if share < SMALL_SHARE:
        return "clips < 0.001 %"
    return f"clips {short(float(f'{100 * share:.2g}'))} %"
