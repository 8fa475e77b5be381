"""Draw a roofline: measured roofs solid, theory dashed, every line labelled where it is. Only draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from analysis.labels import spread_out, stagger, that_fit, width
from analysis.roofline import Roof, Roofline, attainable, ridge
from analysis.units import percent, si

# Okabe and Ito's colours, told apart by colour-blind readers; in grey the marker and the label tell.
STYLES = {
    "fp64": ("#0072B2", "s"),
    "fp32": ("#D55E00", "o"),
    "tf32": ("#E69F00", "D"),
    "fp16": ("#009E73", "^"),
    "bf16": ("#CC79A7", "v"),
    "fp8": ("#56B4E9", "P"),
    "int32": ("#555555", "h"),
    "int8": ("#000000", "X"),
    "int4": ("#8A6D3B", "*"),
}
SLOPE, SOFT, FAINT = "#333333", "#555555", "#9A9A9A"
DASHED = (0, (5, 4))
LEFT, RIGHT = 1 / 16, 256.0  # intensities shown where no ridge point says better
MARGIN = 16.0  # how far the axis goes beyond the outermost ridge points
LINE_HEIGHT = 1.35  # of a label, in its font size
SMALL = 8.5  # points


def draw(
    model: Roofline, placements: Sequence[Any], ax: Any, title: str = "", subtitle: str = "", size: float = 9.0
) -> Any:
    """Draw ``model`` into the matplotlib axes ``ax`` and return it; ``size`` of the roofs' names, in points."""
    _frame(ax, model, title, subtitle)
    for roof in model.bandwidth:
        _slope(ax, roof, model)
    for roof in model.compute:
        _flat(ax, roof, model)
    _ridges(ax, model)
    _names_of_slopes(ax, model.bandwidth)
    _names_of_roofs(ax, model.compute, size)
    if not (model.compute or model.bandwidth):
        ax.text(0.5, 0.5, "no roof: nothing trustworthy was measured", transform=ax.transAxes, ha="center")
    return ax


def _tops(roofs: Sequence[Roof]) -> list[float]:
    return [max(roof.rate, roof.peak or 0) for roof in roofs]


def _limits(model: Roofline) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and (lowest, highest) rate of the axes; the model may lack slopes or flat roofs."""
    left, right, low, high = LEFT, RIGHT, 1e9, 1e13
    if model.compute and model.bandwidth:
        left = min(LEFT, ridge(model.compute[-1].rate, model.bandwidth[0].rate) / MARGIN)
        right = ridge(model.compute[0].rate, model.bandwidth[-1].rate) * MARGIN
    if model.bandwidth:
        low, high = left * model.bandwidth[-1].rate, right * max(_tops(model.bandwidth))
    if model.compute:
        low = low if model.bandwidth else model.compute[-1].rate / MARGIN
        high = max(_tops(model.compute)) * 2.2
    return left, right, low, high


def _frame(ax: Any, model: Roofline, title: str, subtitle: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    left, right, low, high = _limits(model)
    units = {roof.unit for roof in model.compute} or {"FLOP/s"}
    unit = min(units)  # FLOP/s, unless every roof is of integers
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}" if x >= 1 else f"1/{1 / x:g}"))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=30))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: si(y, unit, 1)))
    ax.yaxis.set_minor_formatter("")
    ax.tick_params(labelsize=SMALL)
    ax.set_xlabel(f"Operational intensity ({unit[:-2]}/byte)")
    ax.set_ylabel("Attainable performance" + (" (integer roofs in OP/s)" if len(units) > 1 else ""))
    ax.set_title(title, loc="left", fontweight="bold", pad=24)
    _beside(ax, subtitle, (0, 1), 9, SOFT)
    _beside(ax, _caption(model), (0, 0), -46, FAINT)
    ax.grid(True, which="major", color="#E9E9E9", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _beside(ax: Any, text: str, corner: tuple[int, int], points: float, colour: str) -> None:
    """A line of text so many points above a corner of the axes."""
    ax.annotate(
        text, corner, (0, points), xycoords="axes fraction", textcoords="offset points", fontsize=SMALL, color=colour
    )


def _caption(model: Roofline) -> str:
    known = any(roof.peak for roof in (*model.compute, *model.bandwidth))
    said = ["Solid: measured", "dashed: theory at the rated clock" if known else "theory unknown"]
    if any(roof.share for roof in model.compute):
        said.append("%: share of theory at the observed clock")
    return "; ".join(said) + "."


def _style(roof: Roof) -> tuple[str, str]:
    """Colour and marker of a roof's precision."""
    return STYLES.get(roof.tag.split("/")[1], (SLOPE, "o"))


def _ink(colour: str) -> tuple[float, ...]:
    """A colour dark enough to read as text on white."""
    from matplotlib.colors import to_rgb

    return tuple(0.72 * part for part in to_rgb(colour))


def _slope(ax: Any, roof: Roof, model: Roofline) -> None:
    """A level of memory, up to the highest roof; main memory drawn heaviest."""
    left, right = ax.get_xlim()
    weight = 2.2 if roof == model.memory else 1.5
    tops = (model.compute[0].rate, max(_tops(model.compute))) if model.compute else (math.inf, math.inf)
    for rate, top, style, line in ((roof.rate, tops[0], "-", weight), (roof.peak, tops[1], DASHED, 1.0)):
        if rate:
            ends = [left, min(right, ridge(top, rate))]
            gid = roof.tag if style == "-" else f"{roof.tag}/theory"
            ax.plot(ends, [x * rate for x in ends], color=SLOPE, linewidth=line, linestyle=style, gid=gid)


def _flat(ax: Any, roof: Roof, model: Roofline) -> None:
    """A compute roof, from where the fastest memory reaches it to the right edge."""
    left, right = ax.get_xlim()
    fastest = model.bandwidth[0] if model.bandwidth else None
    slopes = (fastest.rate, fastest.peak or fastest.rate) if fastest else (math.inf, math.inf)
    for rate, slope, style, line in ((roof.rate, slopes[0], "-", 2.0), (roof.peak, slopes[1], DASHED, 1.0)):
        if rate:
            ends = [max(left, ridge(rate, slope)), right]
            gid = roof.tag if style == "-" else f"{roof.tag}/theory"
            ax.plot(ends, [rate, rate], color=_style(roof)[0], linestyle=style, linewidth=line, gid=gid)


def _ridges(ax: Any, model: Roofline) -> None:
    """Where main memory meets each roof; as many as have room are written out on the axis."""
    memory = model.memory
    if memory is None:
        return
    points = [ridge(roof.rate, memory.rate) for roof in model.compute]
    texts = [f"{at:.3g}" for at in points]
    pixels = SMALL * ax.figure.dpi / 72
    shown = that_fit([ax.transData.transform((at, 1))[0] for at in points], [width(t, pixels) + pixels for t in texts])
    for i, (at, roof) in enumerate(zip(points, model.compute, strict=True)):
        colour, marker = _style(roof)
        top = attainable(at, roof.rate, memory.rate)
        ax.plot([at], [top], marker, color=colour, markersize=6, markeredgecolor="white", zorder=5)
        if i in shown:
            ax.plot([at, at], [ax.get_ylim()[0], top], color=FAINT, linewidth=0.8, linestyle=":", zorder=1)
            ax.annotate(
                texts[i], (at, 0), (0, 4), xycoords=("data", "axes fraction"), textcoords="offset points",
                fontsize=SMALL, color=SOFT, ha="center", path_effects=_halo(),
            )  # fmt: skip


def _halo() -> list[Any]:
    """White around text, so that lines beneath do not strike it through."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def _names_of_slopes(ax: Any, roofs: Sequence[Roof]) -> None:
    """Names along the slopes, each above its line, one after another where slopes lie close."""
    pixels = SMALL * ax.figure.dpi / 72
    left = ax.get_xlim()[0] * 1.15
    begins = [ax.transData.transform((left, left * top)) for top in _tops(roofs)]
    angle = math.atan2(*(ax.transData.transform((2, 2)) - ax.transData.transform((1, 1)))[::-1]) if roofs else 0.0
    c, s = math.cos(angle), math.sin(angle)
    frame = [(x * c + y * s, y * c - x * s + 0.35 * pixels) for x, y in begins]  # (along, across) the slopes
    starts = stagger(frame, [width(_name(roof), pixels) for roof in roofs], LINE_HEIGHT * pixels)
    for roof, u, (_, v) in zip(roofs, starts, frame, strict=True):
        at = ax.transData.inverted().transform((u * c - v * s, u * s + v * c))
        ax.text(
            *at, _name(roof), rotation=math.degrees(angle), rotation_mode="anchor", va="bottom", color=SLOPE,
            fontsize=SMALL, path_effects=_halo(), gid=f"{roof.tag}/name",
        )  # fmt: skip


def _names_of_roofs(ax: Any, roofs: Sequence[Roof], size: float) -> None:
    """Names in the right margin, pushed apart where roofs lie close, each tied to its line."""
    pixels = size * ax.figure.dpi / 72 * LINE_HEIGHT
    wanted = [ax.transData.transform((1, roof.rate))[1] for roof in roofs]
    gap = ax.transAxes.inverted().transform((ax.bbox.x1 + 2.2 * pixels, 0))[0]
    inside = (ax.bbox.y0 + pixels / 2, ax.bbox.y1 - pixels / 2)
    for roof, at in zip(roofs, spread_out(wanted, pixels, *inside), strict=True):
        line = {"arrowstyle": "-", "color": _style(roof)[0], "linewidth": 0.7, "shrinkA": 1, "shrinkB": 0}
        ax.annotate(
            _name(roof), (1.0, roof.rate), (gap, ax.transAxes.inverted().transform((0, at))[1]),
            xycoords=("axes fraction", "data"), textcoords="axes fraction", fontsize=size,
            color=_ink(_style(roof)[0]), va="center", arrowprops={**line, "relpos": (0, 0.5)}, annotation_clip=False,
        )  # fmt: skip


def _name(roof: Roof) -> str:
    share = f" · {percent(roof.share)}" if roof.share else ""
    return f"{roof.label}  {si(roof.rate, roof.unit)}{share}"


def figure(model: Roofline, placements: Sequence[Any], title: str, subtitle: str, inches: tuple[float, float]) -> Any:
    """A figure of this size with the roofline in it; the names take what room they need right of the axes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=inches, dpi=100, facecolor="white")
    FigureCanvasAgg(made)
    across, down = inches
    tall = down - 1.45
    size = min(max(8.0, 1.6 * down), 12.0, 72 * tall / (LINE_HEIGHT * max(1, len(model.compute))))
    beside = max(0.3, max((width(_name(roof), size) for roof in model.compute), default=0) / 72 + 4 * size / 72)
    ax = made.add_axes((1.2 / across, 0.8 / down, 1 - (1.2 + beside) / across, tall / down))
    return draw(model, placements, ax, title, subtitle, size).figure
