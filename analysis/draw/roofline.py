"""Draw a roofline: measured roofs solid, theory dashed, every line labelled where it is. Only
draws.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analysis.draw.canvas import page
from analysis.draw.labels import clipped, that_fit, width
from analysis.draw.naming import (
    FAINT,
    LINE_HEIGHT,
    SLOPE,
    SMALL,
    SOFT,
    beside,
    halo,
    name,
    names_of_roofs,
    names_of_slopes,
    style,
    tops,
)
from analysis.model.roofline import Roof, Roofline, attainable, ridge
from analysis.units import brief, fraction, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHED = (0, (5, 4))
TITLE = 110  # letters, at most
LEFT, RIGHT = 1 / 16, 256.0  # intensities shown where no ridge point says better
MARGIN = 16.0  # how far the axis goes beyond the outermost ridge points


def draw(model: Roofline, ax: Axes, title: str = "", subtitle: str = "", size: float = 9.0) -> Axes:
    """Draw ``model`` into the matplotlib axes ``ax`` and return it; ``size`` of the roofs' names,
    in points.
    """
    _frame(ax, model, title, subtitle)
    for roof in model.bandwidth:
        _slope(ax, roof, model)
    for roof in model.compute:
        _flat(ax, roof, model)
    _ridges(ax, model)
    names_of_slopes(ax, model.bandwidth)
    names_of_roofs(ax, model.compute, size)
    if not (model.compute or model.bandwidth):
        ax.text(
            0.5,
            0.5,
            "no roof: none was asked for, or none can be trusted",
            transform=ax.transAxes,
            ha="center",
        )
    return ax


def _limits(model: Roofline) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and (lowest, highest) rate of the axes; the model may lack slopes
    or flat roofs.
    """
    left, right, low, high = LEFT, RIGHT, 1e9, 1e13
    if model.compute and model.bandwidth:
        left = min(LEFT, ridge(model.compute[-1].rate, model.bandwidth[0].rate) / MARGIN)
        right = ridge(model.compute[0].rate, model.bandwidth[-1].rate) * MARGIN
    if model.bandwidth:
        low, high = left * model.bandwidth[-1].rate, right * max(tops(model.bandwidth))
    if model.compute:
        low = low if model.bandwidth else model.compute[-1].rate / MARGIN
        high = max(tops(model.compute)) * 2.2
    return left, right, low, high


def _frame(ax: Axes, model: Roofline, title: str, subtitle: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    left, right, low, high = _limits(model)
    units = {roof.unit for roof in model.compute} or {"FLOP/s"}
    unit = min(units)  # FLOP/s, unless every roof is of integers
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=max(4, int(ax.bbox.width / 45))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: fraction(x)))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, unit)))
    ax.yaxis.set_minor_formatter("")
    ax.tick_params(labelsize=SMALL)
    ax.set_xlabel(f"Operational intensity ({unit[:-2]}/byte)")
    ax.set_ylabel("Attainable performance" + (" (integer roofs in OP/s)" if len(units) > 1 else ""))
    ax.set_title(clipped(title, TITLE), loc="left", fontweight="bold", pad=24)
    beside(ax, subtitle, (0, 1), 9, SOFT)
    beside(ax, _caption(model), (0, 0), -46, FAINT)
    ax.grid(True, which="major", color="#E9E9E9", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _caption(model: Roofline) -> str:
    known = any(roof.peak for roof in (*model.compute, *model.bandwidth))
    said = ["Solid: measured", "dashed: theory at the rated clock" if known else "theory unknown"]
    if any(roof.share for roof in (*model.compute, *model.bandwidth)):
        said.append("%: of theory, at the observed clock if known")
    return "; ".join(said) + "."


def _slope(ax: Axes, roof: Roof, model: Roofline) -> None:
    """A level of memory, up to the highest roof; main memory drawn heaviest."""
    left, right = ax.get_xlim()
    weight = 2.2 if roof == model.memory else 1.5
    highest = (
        (model.compute[0].rate, max(tops(model.compute))) if model.compute else (math.inf, math.inf)
    )
    for rate, top, dash, line in (
        (roof.rate, highest[0], "-", weight),
        (roof.peak, highest[1], DASHED, 1.0),
    ):
        if rate:
            ends = [left, min(right, ridge(top, rate))]
            gid = roof.tag if dash == "-" else f"{roof.tag}/theory"
            ax.plot(
                ends, [x * rate for x in ends], color=SLOPE, linewidth=line, linestyle=dash, gid=gid
            )


def _flat(ax: Axes, roof: Roof, model: Roofline) -> None:
    """A compute roof, from where the fastest memory reaches it to the right edge."""
    left, right = ax.get_xlim()
    fastest = model.bandwidth[0] if model.bandwidth else None
    slopes = (fastest.rate, fastest.peak or fastest.rate) if fastest else (math.inf, math.inf)
    for rate, slope, dash, line in (
        (roof.rate, slopes[0], "-", 2.0),
        (roof.peak, slopes[1], DASHED, 1.0),
    ):
        if rate:
            ends = [max(left, ridge(rate, slope)), right]
            gid = roof.tag if dash == "-" else f"{roof.tag}/theory"
            ax.plot(
                ends, [rate, rate], color=style(roof)[0], linestyle=dash, linewidth=line, gid=gid
            )


def _ridges(ax: Axes, model: Roofline) -> None:
    """Where main memory meets each roof; as many as have room are written out on the axis."""
    memory = model.memory
    if memory is None:
        return
    points = [ridge(roof.rate, memory.rate) for roof in model.compute]
    texts = [short(at) for at in points]
    pixels = SMALL * ax.figure.dpi / 72
    shown = that_fit(
        [ax.transData.transform((at, 1))[0] for at in points],
        [width(t, pixels) + 0.4 * pixels for t in texts],
    )
    for i, (at, roof) in enumerate(zip(points, model.compute, strict=True)):
        colour, marker = style(roof)
        top = attainable(at, roof.rate, memory.rate)
        ax.plot(
            [at],
            [top],
            marker,
            color=colour,
            markersize=7,
            markeredgecolor="white",
            markeredgewidth=0.7,
            zorder=5,
        )
        if i in shown:
            ax.plot(
                [at, at],
                [ax.get_ylim()[0], top],
                color=FAINT,
                linewidth=0.8,
                linestyle=":",
                zorder=1,
            )
            ax.annotate(
                texts[i],
                (at, 0),
                (0, 4),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                fontsize=SMALL,
                color=SOFT,
                ha="center",
                path_effects=halo(),
            )


def figure(model: Roofline, title: str, subtitle: str, inches: tuple[float, float]) -> Figure:
    """A figure of this size with the roofline in it; the names take what room they need right of
    the axes.
    """
    made = page(inches)
    across, down = inches
    tall = down - 1.45
    size = min(max(8.0, 1.6 * down), 12.0, 72 * tall / (LINE_HEIGHT * max(1, len(model.compute))))
    margin = max(
        0.3,
        max((width(name(roof), size) for roof in model.compute), default=0) / 72 + 4 * size / 72,
    )
    ax = made.add_axes((1.2 / across, 0.8 / down, 1 - (1.2 + margin) / across, tall / down))
    draw(model, ax, title, subtitle, size)
    return made
