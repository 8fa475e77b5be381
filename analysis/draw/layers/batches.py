"""Draw a network over batch sizes: the time of an image, intensity, and rate below its roof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import caption, heading, page
from analysis.draw.style import AXIS_NAME, colour_of
from analysis.layers.batches import BatchPoint, BatchSeries
from analysis.units import short, si

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL = 2.1
"""Inches of a panel, from top to bottom."""
LEFT, RIGHT, TOP, BOTTOM, GAP = 1.2, 1.0, 0.8, 0.95, 0.3
"""Inches around the panels, and between two."""
MEANING = "Line: measured. Dashed: the least time, or the highest rate, on the measured roofs."
MARKER = 4.5
Reading = Callable[[BatchPoint], "float | None"]


def figure(model: str, series: Sequence[BatchSeries], device: str, across: float) -> Figure:
    """Three panels over batch size, a line for each precision."""
    down = TOP + BOTTOM + 3 * PANEL + 2 * GAP
    picture = page((across, down))
    panels = []
    for place in range(3):
        bottom = BOTTOM + (2 - place) * (PANEL + GAP)
        panels.append(
            picture.add_axes(
                (LEFT / across, bottom / down, 1 - (LEFT + RIGHT) / across, PANEL / down)
            )
        )
    time, intensity, rate = panels
    _lines(time, series, lambda point: point.seconds, lambda point: point.least_seconds)
    _lines(intensity, series, lambda point: point.intensity, None)
    _lines(rate, series, lambda point: point.rate, lambda point: point.roof)
    _scales(time, series, "Time per image", lambda y: si(y, "s"))
    _scales(intensity, series, "Operations per byte", short)
    _scales(rate, series, "Rate and roof", lambda y: si(y, "OP/s"))
    for panel in (time, intensity):
        panel.tick_params(labelbottom=False)
    time.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    rate.set_xlabel("Batch size", fontsize=AXIS_NAME)
    heading(picture, f"{model} on {device}", "Over batch size: time, intensity and roof")
    caption(picture, MEANING)
    return picture


def _lines(
    ax: Axes, series: Sequence[BatchSeries], reading: Reading, limit: Reading | None
) -> None:
    """Draw what was measured of each series, and the limit of it, dashed."""
    for each in series:
        colour = colour_of(each.precision)
        for read, dashes, mark in ((reading, "-", "o"), (limit, "--", "")):
            if read is None:
                continue
            values = [(point.batch, read(point)) for point in each.points]
            known = [(batch, value) for batch, value in values if value]
            if not known:
                continue
            ax.plot(
                [batch for batch, _ in known],
                [value for _, value in known],
                color=colour,
                linestyle=dashes,
                marker=mark,
                markersize=MARKER,
                label=each.precision.upper() if dashes == "-" else None,
                gid="measured" if dashes == "-" else "limit",
            )


def _scales(
    ax: Axes, series: Sequence[BatchSeries], name: str, in_words: Callable[[float], str]
) -> None:
    """Put the batch sizes on the axis across, and round numbers on the other."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    batches = sorted({point.batch for each in series for point in each.points})
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(batches, [str(batch) for batch in batches])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0), numticks=8))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: in_words(y)))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel(name, fontsize=AXIS_NAME)
