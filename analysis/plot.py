"""Draw a roofline: measured roofs solid, theory dashed, every line labelled where it is. Only draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from analysis.roofline import Roof, Roofline, attainable, ridge
from analysis.units import percent, si

# Okabe and Ito's colours, told apart by colour-blind readers; in grey the labels tell.
COLOURS = {
    "fp64": "#0072B2",
    "fp32": "#D55E00",
    "tf32": "#E69F00",
    "fp16": "#009E73",
    "bf16": "#CC79A7",
    "fp8": "#56B4E9",
    "int32": "#555555",
    "int8": "#000000",
    "int4": "#8A6D3B",
}
SLOPE = "#333333"
FAINT = "#9A9A9A"
MARGIN = 16.0  # how far the axis goes beyond the outermost ridge points
FEW, LARGE, SMALL = 10, 9.0, 8.0  # up to FEW roofs are named in LARGE type (points), more in SMALL
GLYPH = 0.6  # mean width of a character in its font size
LINE_HEIGHT = 1.35  # of a label, in its font size


def draw(model: Roofline, placements: Sequence[Any], ax: Any, title: str = "", subtitle: str = "") -> Any:
    """Draw ``model`` into the matplotlib axes ``ax`` and return it. The model may lack slopes or flat roofs."""
    _frame(ax, model, title, subtitle)
    if model.compute and model.bandwidth:
        for roof in model.bandwidth:
            _slope(ax, roof, model)
        for roof in model.compute:
            _flat(ax, roof, model)
        _ridges(ax, model)
        _labels(ax, model.compute)
    else:
        ax.text(0.5, 0.5, "no roof: nothing trustworthy was measured", transform=ax.transAxes, ha="center")
    return ax


def _limits(model: Roofline) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and rate of the axes."""
    if not (model.compute and model.bandwidth):
        return 1 / 16, 256.0, 1e9, 1e13
    slow, fast = model.bandwidth[-1].rate, model.bandwidth[0].rate
    low = min(1 / 16, ridge(model.compute[-1].rate, fast) / MARGIN)
    high = ridge(model.compute[0].rate, slow) * MARGIN
    tops = [max(r.rate, r.peak or 0) for r in model.compute]
    return low, high, low * slow, max(tops) * 2.2


def _frame(ax: Any, model: Roofline, title: str, subtitle: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    left, right, low, high = _limits(model)
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x >= 1 else f"1/{1 / x:g}"))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: si(y, "", 1)))
    kinds = {roof.unit for roof in model.compute} or {"FLOP/s"}
    ax.set_xlabel("Operational intensity (FLOP/byte)")
    ax.set_ylabel("Attainable rate (" + ", ".join(sorted(kinds)) + ")")
    ax.set_title(title, loc="left", fontweight="bold", pad=22 if subtitle else 8)
    ax.text(0, 1.02, subtitle, transform=ax.transAxes, fontsize="small", color="#555555", va="bottom")
    ax.grid(True, which="major", color="#E6E6E6", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _colour(roof: Roof) -> str:
    return COLOURS.get(roof.tag.split("/")[1], SLOPE)


def _slope(ax: Any, roof: Roof, model: Roofline) -> None:
    """A level of memory, up to the highest roof; its label runs along it."""
    left = ax.get_xlim()[0]
    end = ridge(model.compute[0].rate, roof.rate)
    ax.plot([left, end], [left * roof.rate, end * roof.rate], color=SLOPE, linewidth=2.0, gid=roof.tag)
    if roof.peak:
        top = ridge(model.compute[0].rate, roof.peak)
        ax.plot([left, top], [left * roof.peak, top * roof.peak], color=SLOPE, linewidth=1.0, linestyle=(0, (5, 4)))
    share = f" ({percent(roof.share)} of theory)" if roof.share else ""
    at = left * 1.5
    height = max(roof.rate, roof.peak or 0)
    ax.annotate(
        f"{roof.label} {si(roof.rate, 'B/s')}{share}",
        xy=(at, at * height),
        xytext=(-3, 4),
        textcoords="offset points",
        rotation=_angle(ax, at, height),
        rotation_mode="anchor",
        color=SLOPE,
        fontsize="small",
        va="bottom",
    )


def _angle(ax: Any, at: float, rate: float) -> float:
    """Degrees by which a slope rises on the page."""
    (x0, y0), (x1, y1) = ax.transData.transform([(at, at * rate), (2 * at, 2 * at * rate)])
    return math.degrees(math.atan2(y1 - y0, x1 - x0))


def _flat(ax: Any, roof: Roof, model: Roofline) -> None:
    """A compute roof, from where the fastest memory reaches it to the right edge."""
    right = ax.get_xlim()[1]
    fastest = model.bandwidth[0]
    for rate, slope, style, width in (
        (roof.rate, fastest.rate, "-", 2.0),
        (roof.peak, fastest.peak or fastest.rate, (0, (5, 4)), 1.0),
    ):
        if rate:
            ax.plot([ridge(rate, slope), right], [rate, rate], color=_colour(roof), linestyle=style, linewidth=width)


def _ridges(ax: Any, model: Roofline) -> None:
    """Where main memory meets each roof; the outermost two are written out on the axis."""
    memory = model.memory
    if memory is None:
        return
    points = [(ridge(r.rate, memory.rate), r) for r in model.compute]
    for at, roof in points:
        ax.plot([at], [attainable(at, roof.rate, memory.rate)], "o", color=_colour(roof), markersize=5, zorder=5)
    (first, low), (last, high) = min(points, key=lambda p: p[0]), max(points, key=lambda p: p[0])
    ends = [(first, low, "right", 1 / 1.06)] if first < last else []
    for at, roof, side, nudge in [*ends, (last, high, "left", 1.06)]:
        ax.plot([at, at], [ax.get_ylim()[0], roof.rate], color=FAINT, linewidth=0.8, linestyle=":")
        ax.text(at * nudge, ax.get_ylim()[0] * 1.15, f"ridge {at:.3g}", color="#555555", fontsize="small", ha=side)


def _labels(ax: Any, roofs: Sequence[Roof]) -> None:
    """Names in the right margin, pushed apart where roofs lie close, each tied to its line."""
    size = _type_size(roofs)
    pixels = size * ax.figure.dpi / 72 * LINE_HEIGHT
    wanted = [ax.transData.transform((1, roof.rate))[1] for roof in roofs]
    gap = ax.transAxes.inverted().transform((ax.bbox.x1 + 2.2 * pixels, 0))[0]
    for roof, at in zip(roofs, spread_out(wanted, pixels), strict=True):
        line = {"arrowstyle": "-", "color": _colour(roof), "linewidth": 0.6, "shrinkA": 1, "shrinkB": 0}
        ax.annotate(
            _name(roof),
            xy=(1.0, roof.rate),
            xycoords=("axes fraction", "data"),
            xytext=(gap, ax.transAxes.inverted().transform((0, at))[1]),
            textcoords="axes fraction",
            fontsize=size,
            color=_colour(roof),
            va="center",
            arrowprops={**line, "relpos": (0, 0.5)},
            annotation_clip=False,
        )


def _name(roof: Roof) -> str:
    share = f" · {percent(roof.share)}" if roof.share else ""
    return f"{roof.label}  {si(roof.rate, roof.unit)}{share}"


def _type_size(roofs: Sequence[Roof]) -> float:
    return LARGE if len(roofs) <= FEW else SMALL


def _label_inches(roofs: Sequence[Roof]) -> float:
    """Room the names need right of the axes."""
    size = _type_size(roofs)
    return (max((len(_name(roof)) for roof in roofs), default=0) * GLYPH + 4) * size / 72


def spread_out(wanted: Sequence[float], distance: float) -> list[float]:
    """Positions close to ``wanted`` (in descending order) that keep ``distance`` from each other.

    Neighbours that would overlap form a block around the mean of what they wanted; blocks that meet become one.
    """
    blocks: list[list[float]] = []  # [centre, count]
    for value in wanted:
        blocks.append([value, 1])
        while len(blocks) > 1 and _overlap(blocks[-2], blocks[-1], distance):
            (a, n), (b, m) = blocks[-2:]
            blocks[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    return [c + ((n - 1) / 2 - k) * distance for c, n in blocks for k in range(int(n))]


def _overlap(upper: Sequence[float], lower: Sequence[float], distance: float) -> bool:
    return upper[0] - lower[0] < distance * (upper[1] + lower[1]) / 2


def figure(model: Roofline, placements: Sequence[Any], title: str, subtitle: str, inches: tuple[float, float]) -> Any:
    """A figure of this size with the roofline in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=inches, dpi=100, facecolor="white")
    FigureCanvasAgg(made)
    width, height = inches
    beside = 0.85 + max(0.3, _label_inches(model.compute))
    ax = made.add_axes((0.85 / width, 0.6 / height, 1 - beside / width, 1 - 1.25 / height))
    draw(model, placements, ax, title, subtitle)
    return made
