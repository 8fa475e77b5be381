"""Draw a sweep over layers: its points on the roofs, joined along x, and beside them time and
intensity over x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import caption, heading, log_ticks, page, plain
from analysis.draw.labels import that_fit, width
from analysis.draw.layers.axes import axes, in_strip, on_roofline, roofs_of
from analysis.draw.layers.curves import EDGE, LINE, curves, key, look
from analysis.draw.naming import SMALL
from analysis.layers.groups import LayerSweep
from analysis.layers.placement import Placement
from analysis.model.roofline import Roofline
from analysis.units import brief
from kernels.device import Device

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOP, UNDER, RIGHT = 0.72, 0.62, 2.75  # inches: above, under the axes, the right panels
MOST_TICKS = 200  # those without a number, too
GAP = 0.36  # inches between the two panels on the right
WIDE = 6.0  # x that differ by more are drawn on a logarithmic axis


def figure(
    sweep: LayerSweep, model: Roofline, device: Device, inches: tuple[float, float]
) -> Figure:
    """A figure of this size with the sweep in it."""
    made = page(inches)
    across, down = inches
    bottom = UNDER + 0.12 + LINE * key(made, sweep)
    layers = [p for p in sweep.layers if on_roofline(p) or in_strip(p)]
    roofs = roofs_of(model, device, layers)
    box = (0.06, bottom, across - RIGHT, down - TOP)
    ax, strip = axes(made, box, roofs, layers)
    if ax:
        curves(
            ax,
            sweep,
            roofs.bandwidth,
            on_roofline,
            lambda x, p: (p.intensity or 1.0, p.rate or 1.0),
        )
    if strip:
        ends = _span(sweep)
        curves(
            strip,
            sweep,
            (),
            in_strip,
            lambda x, p: (0.12 + 0.76 * _fraction(x, *ends), p.bandwidth or 1.0),
        )
    half = (down - TOP - bottom - GAP) / 2
    left, wide = (across - RIGHT + 0.75) / across, (RIGHT - 0.9) / across
    upper = made.add_axes((left, (bottom + half + GAP) / down, wide, half / down))
    lower = made.add_axes((left, bottom / down, wide, half / down))
    _over_x(upper, sweep, lambda p: p.seconds, "Time", lambda y: brief(y, "s"))
    _over_x(
        lower, sweep, lambda p: p.intensity or None, "Intensity (FLOP/byte)", lambda y: f"{y:g}"
    )
    upper.tick_params(labelbottom=False)
    lower.set_xlabel(f"{sweep.over[0].upper()}{sweep.over[1:]}", fontsize=SMALL, loc="right")
    heading(made, f"{sweep.name} on {device.name}", f"Along each line: {sweep.over}.")
    caption(made, "Points: measured medians; numbers: x of the first and the last point.")
    return made


def _span(sweep: LayerSweep) -> tuple[float, float]:
    return sweep.places[0], sweep.places[-1]


def _fraction(x: float, low: float, high: float) -> float:
    """Where x lies between the ends: by its logarithm where they differ much."""
    if low == high:
        return 0.5
    if low > 0 and high > WIDE * low:
        return math.log(x / low) / math.log(high / low)
    return (x - low) / (high - low)


def _over_x(
    ax: Axes,
    sweep: LayerSweep,
    value: Callable[[Placement], float | None],
    name: str,
    said: Callable[[float], str],
) -> None:
    """One value of every layer over x."""
    values = []
    for curve in sweep.curves:
        points = [(x, y) for x, p in curve.points if (y := value(p))]
        if points:
            values += [y for _, y in points]
            ax.plot(
                *zip(*points, strict=True),
                **look(sweep, curve),
                **EDGE,
                markersize=3.5,
                markeredgewidth=0.3,
            )
    plain(ax)
    ax.grid(False, axis="x")
    ax.set_title(name, fontsize=9.5, loc="left", pad=4)
    if values:
        ax.set(yscale="log", ylim=(min(values) / 1.4, max(values) * 1.4))
        log_ticks(ax.yaxis, (10,), said, 0.2, least=3)
    else:
        ax.text(
            0.5, 0.5, "no FLOPs", transform=ax.transAxes, ha="center", va="center", fontsize=SMALL
        )
        ax.set_yticks([])
    _places(ax, sweep)


def _places(ax: Axes, sweep: LayerSweep) -> None:
    """The x of the layers themselves as ticks; as many as have room are written out."""
    low, high = _span(sweep)
    if low > 0 and high > WIDE * low:
        ax.set_xscale("log", base=2)
        ax.set_xlim(low / 1.15, high * 1.15)
    else:
        pad = 0.06 * (high - low) or 1.0
        ax.set_xlim(low - pad, high + pad)
    places: Sequence[float] = sweep.places
    pixels = SMALL * ax.figure.dpi / 72
    spots = [ax.transData.transform((x, 1))[0] for x in places]
    shown = that_fit(spots, [width(f"{x:g}", pixels) + pixels / 2 for x in places])
    ticks = [x for i, x in enumerate(places) if i in shown or len(places) <= MOST_TICKS]
    written = {places[i] for i in shown}
    ax.set_xticks(ticks, [f"{x:g}" if x in written else "" for x in ticks])
    ax.minorticks_off()
    ax.xaxis.set_minor_formatter("")
