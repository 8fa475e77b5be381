"""Draw a list of layers: its points on the roofs, and under them what each is and takes.

Each point has the number of its layer in the list.

For a sweep whose layers differ in kind, such as one operation in several forms: no line joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.draw.canvas import POINTS_PER_INCH, Point, caption, heading, log_ticks, page
from analysis.draw.labels import Box, clipped, width
from analysis.draw.layers.axes import axes, in_strip, on_roofline, point_on_roofline, roofs_of
from analysis.draw.layers.curves import EDGE, KEY_LINE, NO_ROOFS, curves, key, look
from analysis.draw.style import AXIS_NAME, SMALL
from analysis.layers.groups import LayerSweep
from analysis.layers.placement import Placement
from analysis.model.roofline import Roofline
from analysis.units import brief
from kernels.device import Device

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# inches, from top to bottom
TOP, ROOFS, UNDER_ROOFS, ROW, UNDER_LIST = 0.72, 3.5, 0.75, 0.2, 0.75
LEFT, RIGHT = 0.06, 0.25
"""Inches beside all of it."""
LONGEST_NAME = 60
"""Letters of a layer's name."""


def figure(sweep: LayerSweep, model: Roofline, device: Device, inches: Point) -> Figure:
    """A figure of this width, as high as it needs, with the list in it."""
    across, _ = inches
    list_height = ROW * (len(sweep.places) + 1)
    above_key = list_height + UNDER_ROOFS + ROOFS + TOP
    picture = page((across, UNDER_LIST + above_key))
    list_bottom = UNDER_LIST + KEY_LINE * key(picture, sweep)
    picture.set_figheight(list_bottom + list_height + UNDER_ROOFS + ROOFS + TOP)
    bottom = list_bottom + list_height + UNDER_ROOFS
    _draw_roofs(picture, sweep, model, device, bottom)
    _draw_times(picture, sweep, list_bottom, list_height)
    heading(picture, f"{sweep.name} on {device.name}", "Each number is a layer of the list below.")
    caption(picture, "Points: measured medians.")
    return picture


def _draw_roofs(
    picture: Figure, sweep: LayerSweep, model: Roofline, device: Device, bottom: float
) -> None:
    """Draw the layers on their roofs, ``bottom`` inches from below."""
    across = picture.get_size_inches()[0]
    layers = [layer for layer in sweep.layers if on_roofline(layer) or in_strip(layer)]
    roofs = roofs_of(model, device, layers)
    ax, strip = axes(picture, Box(LEFT, bottom, across - RIGHT, bottom + ROOFS), roofs, layers)
    moved = {x for curve in sweep.curves for x, layer in curve.points if in_strip(layer)}
    order_in_strip = sorted(moved)

    def point_in_strip(x: float, layer: Placement) -> Point:
        return (order_in_strip.index(x) + 0.5) / len(order_in_strip), layer.bandwidth or 1.0

    if ax:
        curves(ax, sweep, roofs, on_roofline, lambda _, layer: point_on_roofline(layer))
    if strip:
        curves(strip, sweep, NO_ROOFS, in_strip, point_in_strip)


def _draw_times(picture: Figure, sweep: LayerSweep, bottom: float, height: float) -> None:
    """Draw the time of each layer beside its name. bottom and height: of these axes, in inches."""
    across, down = picture.get_size_inches()
    names = {}
    for curve in sweep.curves:
        for x, layer in curve.points:
            names[x] = f"{sweep.number(x)}  {clipped(layer.layer, LONGEST_NAME)}"
    left = max(width(name, SMALL) for name in names.values()) / POINTS_PER_INCH + 0.2
    ax = picture.add_axes(
        (left / across, bottom / down, 1 - (left + RIGHT) / across, height / down)
    )
    times = [layer.seconds for layer in sweep.layers]
    ax.set(xscale="log", xlim=(min(times) / 1.4, max(times) * 1.4), ylim=(len(names) - 0.5, -0.5))
    for curve in sweep.curves:
        ax.plot(
            [layer.seconds for _, layer in curve.points],
            [sweep.places.index(x) for x, _ in curve.points],
            **look(sweep, curve),
            **EDGE,
            markersize=5.5,
        )
    log_ticks(ax.xaxis, (10,), lambda seconds: brief(seconds, "s"), 0.6, least=3)
    ax.set_yticks(range(len(names)), [names[x] for x in sweep.places])
    ax.tick_params(axis="y", pad=POINTS_PER_INCH * left - 10, length=0)
    for label in ax.get_yticklabels():
        label.set_horizontalalignment("left")
    ax.set_xlabel("Time", fontsize=AXIS_NAME)
