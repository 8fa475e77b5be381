"""Draw a sweep over layers: its points on the roofs, joined along x.

Beside them stand time and intensity over x.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.draw.canvas import Point, caption, heading, log_ticks, page, pixels_of
from analysis.draw.labels import Box, that_fit, width
from analysis.draw.layers.axes import axes, in_strip, on_roofline, point_on_roofline, roofs_of
from analysis.draw.layers.curves import EDGE, KEY_LINE, NO_ROOFS, curves, key, look
from analysis.draw.style import AXIS_NAME, SMALL
from analysis.layers.groups import LayerSweep
from analysis.layers.placement import Placement
from analysis.model.roofline import Roofline
from analysis.units import brief
from kernels.device import Device

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, TOP, UNDER = 0.06, 0.72, 0.62
"""Inches around the axes."""
PANELS = 2.75
"""Inches of the panels on the right with their labels."""
GAP = 0.36
"""Inches between the two panels."""
MOST_TICKS = 200
"""Of those without a number, too."""
WIDE_RANGE = 6.0
"""x that differ by a larger factor are drawn on a logarithmic axis."""


def figure(sweep: LayerSweep, model: Roofline, device: Device, inches: Point) -> Figure:
    """A figure of this size with the sweep in it."""
    picture = page(inches)
    bottom = UNDER + 0.12 + KEY_LINE * key(picture, sweep)
    _draw_roofs(picture, sweep, model, device, bottom)
    _draw_panels(picture, sweep, bottom)
    heading(picture, f"{sweep.name} on {device.name}", f"Along each line: {sweep.over}.")
    caption(picture, "Points: measured medians; numbers: x of the first and the last point.")
    return picture


def _draw_roofs(
    picture: Figure, sweep: LayerSweep, model: Roofline, device: Device, bottom: float
) -> None:
    """Draw the layers on their roofs, ``bottom`` inches from below."""
    across, down = picture.get_size_inches()
    layers = [layer for layer in sweep.layers if on_roofline(layer) or in_strip(layer)]
    roofs = roofs_of(model, device, layers)
    box = Box(LEFT, bottom, across - PANELS, down - TOP)
    ax, strip = axes(picture, box, roofs, layers)
    low, high = _span(sweep)

    def point_in_strip(x: float, layer: Placement) -> Point:
        return 0.12 + 0.76 * _fraction(x, low, high), layer.bandwidth or 1.0

    if ax:
        curves(ax, sweep, roofs, on_roofline, lambda _, layer: point_on_roofline(layer))
    if strip:
        curves(strip, sweep, NO_ROOFS, in_strip, point_in_strip)


def _draw_panels(picture: Figure, sweep: LayerSweep, bottom: float) -> None:
    """Draw time and intensity over x, one above the other, right of the roofs."""
    across, down = picture.get_size_inches()
    height = (down - TOP - bottom - GAP) / 2
    left = (across - PANELS + 0.75) / across
    panel_width = (PANELS - 0.9) / across
    upper = picture.add_axes((left, (bottom + height + GAP) / down, panel_width, height / down))
    lower = picture.add_axes((left, bottom / down, panel_width, height / down))
    _over_x(upper, sweep, lambda layer: layer.seconds, "Time", lambda y: brief(y, "s"))
    _over_x(
        lower,
        sweep,
        lambda layer: layer.intensity or None,
        "Intensity (FLOP/byte)",
        lambda y: f"{y:g}",
    )
    upper.tick_params(labelbottom=False)
    axis_name = f"{sweep.over[0].upper()}{sweep.over[1:]}"
    lower.set_xlabel(axis_name, fontsize=SMALL, loc="right")


def _span(sweep: LayerSweep) -> tuple[float, float]:
    """The least and the largest x."""
    return sweep.places[0], sweep.places[-1]


def _is_wide(low: float, high: float) -> bool:
    """True if x between these ends belong on a logarithmic axis."""
    return low > 0 and high > WIDE_RANGE * low


def _fraction(x: float, low: float, high: float) -> float:
    """Where x lies between these ends, from 0 to 1: by its logarithm where they differ much."""
    if low == high:
        return 0.5
    if _is_wide(low, high):
        return math.log(x / low) / math.log(high / low)
    return (x - low) / (high - low)


def _over_x(
    ax: Axes,
    sweep: LayerSweep,
    value_of: Callable[[Placement], float | None],
    name: str,
    in_words: Callable[[float], str],
) -> None:
    """Draw one value of every layer over x; layers without it have no point."""
    all_values: list[float] = []
    for curve in sweep.curves:
        points = [(x, value) for x, layer in curve.points if (value := value_of(layer))]
        if not points:
            continue
        values = [value for _, value in points]
        all_values += values
        ax.plot(
            [x for x, _ in points],
            values,
            **look(sweep, curve),
            **EDGE,
            markersize=3.5,
        )
    ax.grid(False, axis="x")
    ax.set_title(name, fontsize=AXIS_NAME, fontweight="normal", pad=4)
    if all_values:
        ax.set(yscale="log", ylim=(min(all_values) / 1.4, max(all_values) * 1.4))
        log_ticks(ax.yaxis, (10,), in_words, 0.2, least=3)
    else:
        ax.text(0.5, 0.5, "no FLOPs", transform=ax.transAxes, ha="center", va="center")
        ax.set_yticks([])
    _ticks_at_layers(ax, sweep)


def _ticks_at_layers(ax: Axes, sweep: LayerSweep) -> None:
    """Put ticks at the x of the layers themselves; as many as have room are written out."""
    low, high = _span(sweep)
    if _is_wide(low, high):
        ax.set_xscale("log", base=2)
        ax.set_xlim(low / 1.15, high * 1.15)
    else:
        pad = 0.06 * (high - low) or 1.0
        ax.set_xlim(low - pad, high + pad)
    pixels = pixels_of(ax)
    wanted = [ax.transData.transform((x, 1))[0] for x in sweep.places]
    lengths = [width(f"{x:g}", pixels) + pixels / 2 for x in sweep.places]
    written = {sweep.places[i] for i in that_fit(wanted, lengths)}
    all_have_ticks = len(sweep.places) <= MOST_TICKS
    ticks = [x for x in sweep.places if all_have_ticks or x in written]
    ax.set_xticks(ticks, [f"{x:g}" if x in written else "" for x in ticks])
    ax.minorticks_off()
    ax.xaxis.set_minor_formatter("")
