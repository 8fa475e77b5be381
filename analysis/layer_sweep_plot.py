"""Draw a sweep over layers: its points on the roofs, joined along x, and beside them what x does to time and intensity.

The colour tells the precision and the marker the series; at a single precision the colour tells the series too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from analysis.labels import Box, that_fit, width
from analysis.layer_axes import axes, in_strip, on_roofline, roofs_of
from analysis.layer_canvas import caption, colour_of, covered, heading, log_ticks, plain, standing
from analysis.layer_groups import Curve, LayerSweep
from analysis.layer_names import beside_point, slope_names
from analysis.layer_plot import COLOURS
from analysis.naming import SMALL
from analysis.placement import Placement
from analysis.roofline import Roofline
from analysis.units import brief
from probes.harness.records import Device

MARKERS = "osD^vPXh*<>pd8"
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
TOP, UNDER, LINE, RIGHT = 0.72, 0.62, 0.2, 2.75  # inches: above, under the axes, a line of the key, the right panels
GAP = 0.36  # inches between the two panels on the right
WIDE = 6.0  # x that differ by more are drawn on a logarithmic axis

Drawn = tuple[list[tuple[float, tuple[float, float]]], str]
"""A curve in its axes: (x, spot) of its points, and its colour."""


def figure(sweep: LayerSweep, model: Roofline, device: Device, inches: tuple[float, float]) -> Any:
    """A figure of this size with the sweep in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=inches, dpi=100, facecolor="white")
    FigureCanvasAgg(made)
    across, down = inches
    bottom = UNDER + 0.12 + LINE * _key(made, sweep)
    layers = [p for p in sweep.layers if on_roofline(p) or in_strip(p)]
    roofs = roofs_of(model, device, layers)
    box = (0.06, bottom, across - RIGHT, down - TOP)
    ax, strip = axes(made, box, roofs, layers)
    if ax:
        curves = _curves(ax, sweep, on_roofline, lambda x, p: (p.intensity or 1.0, p.rate or 1.0))
        slope_names(ax, roofs.bandwidth, _boxes(ax, curves))
        _ends(ax, curves)
    if strip:
        ends = _span(sweep)
        moved = _curves(strip, sweep, in_strip, lambda x, p: (0.12 + 0.76 * _fraction(x, *ends), p.bandwidth or 1.0))
        _ends(strip, moved)
    half = (down - TOP - bottom - GAP) / 2
    left, wide = (across - RIGHT + 0.75) / across, (RIGHT - 0.9) / across
    upper = made.add_axes((left, (bottom + half + GAP) / down, wide, half / down))
    lower = made.add_axes((left, bottom / down, wide, half / down))
    _over_x(upper, sweep, lambda p: p.seconds, "Time", lambda y: brief(y, "s"))
    _over_x(lower, sweep, lambda p: p.intensity or None, "Intensity (FLOP/byte)", lambda y: f"{y:g}")
    upper.tick_params(labelbottom=False)
    lower.set_xlabel(f"{sweep.over[0].upper()}{sweep.over[1:]}", fontsize=SMALL, loc="right")
    heading(made, f"{sweep.name} on {device.name}", f"Along each line: {sweep.over}.")
    caption(made, "Points: measured medians; numbers: x of the first and the last point.")
    return made


def look(sweep: LayerSweep, curve: Curve) -> dict[str, Any]:
    """Colour, marker and dashes of a curve."""
    place = sweep.series.index(sweep.name_of(curve))
    colour = colour_of(curve.dtype) if len(sweep.dtypes) > 1 else COLOURS[place % len(COLOURS)]
    return {"color": colour, "marker": MARKERS[place % len(MARKERS)], "linestyle": DASHES[place % len(DASHES)]}


def _key(made: Any, sweep: LayerSweep) -> int:
    """The key under the axes: precisions by colour, series by marker. Returns its lines."""
    from matplotlib.lines import Line2D

    several = len(sweep.dtypes) > 1
    handles = [Line2D([], [], color=colour_of(d), linewidth=4, label=d.upper()) for d in sweep.dtypes]
    for name in sweep.series:
        curve = next(c for c in sweep.curves if sweep.name_of(c) == name)
        handles.append(Line2D([], [], label=name, **look(sweep, curve) | ({"color": "#444444"} if several else {})))
    across, down = made.get_size_inches()
    longest = max(width(str(handle.get_label()), SMALL) for handle in handles) / 72 + 0.65
    columns = max(1, min(len(handles), int((across - 1.0) / longest)))
    made.legend(
        handles=handles[0 if several else 1 :], loc="lower left", bbox_to_anchor=(0.8 / across, 0.24 / down),
        ncol=columns, frameon=False, fontsize=SMALL, borderaxespad=0, handlelength=2.6,
    )  # fmt: skip
    return math.ceil(len(handles) / columns)


def _curves(
    ax: Any, sweep: LayerSweep, test: Callable[[Placement], bool],
    place: Callable[[float, Placement], tuple[float, float]],
) -> list[Drawn]:  # fmt: skip
    """Curves in the roofline's axes or the strip."""
    drawn = []
    for curve in sweep.curves:
        points = [(x, place(x, p)) for x, p in curve.points if test(p)]
        if points:
            drawn.append((points, look(sweep, curve)["color"]))
            spots = [spot for _, spot in points]
            ax.plot(
                *zip(*spots, strict=True), **look(sweep, curve), markersize=4.5, linewidth=1.1, zorder=3,
                markeredgecolor="white", markeredgewidth=0.4, gid=f"{sweep.name}/{curve.series}/{curve.dtype}",
            )  # fmt: skip
    return drawn


def _boxes(ax: Any, curves: Sequence[Drawn]) -> list[Box]:
    """Boxes over curves, in pixels."""
    return [box for points, _ in curves for box in covered(ax, [spot for _, spot in points], 3.0)]


def _ends(ax: Any, curves: Sequence[Drawn]) -> None:
    """The ends of each curve named by their x where there is room."""
    taken = [*_boxes(ax, curves), *standing(ax)]
    for points, colour in curves:
        for x, spot in points[:1] + points[1:][-1:]:
            beside_point(ax, f"{x:g}", spot, colour, taken)


def _span(sweep: LayerSweep) -> tuple[float, float]:
    places = [x for curve in sweep.curves for x, _ in curve.points]
    return min(places), max(places)


def _fraction(x: float, low: float, high: float) -> float:
    """Where x lies between the ends: by its logarithm where they differ much."""
    if low == high:
        return 0.5
    if low > 0 and high > WIDE * low:
        return math.log(x / low) / math.log(high / low)
    return (x - low) / (high - low)


def _over_x(
    ax: Any, sweep: LayerSweep, value: Callable[[Placement], float | None], name: str, said: Callable[[float], str]
) -> None:
    """One value of every layer over x."""
    values = []
    for curve in sweep.curves:
        points = [(x, y) for x, p in curve.points if (y := value(p))]
        if points:
            values += [y for _, y in points]
            ax.plot(*zip(*points, strict=True), **look(sweep, curve), markersize=3.5, linewidth=1.1,
                    markeredgecolor="white", markeredgewidth=0.3)  # fmt: skip
    plain(ax)
    ax.grid(False, axis="x")
    ax.set_title(name, fontsize=9.5, loc="left", pad=4)
    if values:
        ax.set(yscale="log", ylim=(min(values) / 1.4, max(values) * 1.4))
        log_ticks(ax.yaxis, (10,), said, 0.2, least=3)
    else:
        ax.text(0.5, 0.5, "no FLOPs", transform=ax.transAxes, ha="center", va="center", fontsize=SMALL)
        ax.set_yticks([])
    _places(ax, sweep)


def _places(ax: Any, sweep: LayerSweep) -> None:
    """The x of the layers themselves as ticks; as many as have room are written out."""
    low, high = _span(sweep)
    if low > 0 and high > WIDE * low:
        ax.set_xscale("log", base=2)
        ax.set_xlim(low / 1.15, high * 1.15)
    else:
        pad = 0.06 * (high - low) or 1.0
        ax.set_xlim(low - pad, high + pad)
    places: Sequence[float] = sorted({x for curve in sweep.curves for x, _ in curve.points})
    pixels = SMALL * ax.figure.dpi / 72
    spots = [ax.transData.transform((x, 1))[0] for x in places]
    shown = that_fit(spots, [width(f"{x:g}", pixels) + pixels / 2 for x in places])
    ax.set_xticks(places, [f"{x:g}" if i in shown else "" for i, x in enumerate(places)])
    ax.minorticks_off()
    ax.xaxis.set_minor_formatter("")
