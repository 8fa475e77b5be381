"""Draw a list of layers: its points on the roofs with their numbers, and under them what each is
and takes. Only draws.

For a sweep whose layers differ in kind, such as one operation in several forms: no line joins them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.draw.canvas import caption, heading, log_ticks, page, plain
from analysis.draw.labels import width
from analysis.draw.layers.axes import axes, in_strip, on_roofline, roofs_of
from analysis.draw.layers.curves import EDGE, LINE, curves, key, look
from analysis.draw.naming import SMALL
from analysis.layers.groups import LayerSweep
from analysis.model.roofline import Roofline
from analysis.units import brief
from kernels.device import Device

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP, ROOFS, UNDER, ROW, FOOT = (
    0.72,
    3.5,
    0.75,
    0.2,
    0.75,
)  # inches: above, roofs, under them, a layer, under the list
RIGHT = 0.25  # inches
LONGEST = 60  # letters of a layer's name


def figure(
    sweep: LayerSweep, model: Roofline, device: Device, inches: tuple[float, float]
) -> Figure:
    """A figure of this width, as high as it needs, with the list in it."""
    across, rows = inches[0], ROW * (len(sweep.places) + 1)
    made = page((across, TOP + ROOFS + UNDER + rows + FOOT))
    bottom = FOOT + LINE * key(made, sweep)
    made.set_figheight(bottom + rows + UNDER + ROOFS + TOP)
    layers = [p for p in sweep.layers if on_roofline(p) or in_strip(p)]
    roofs = roofs_of(model, device, layers)
    low = bottom + rows + UNDER
    ax, strip = axes(made, (0.06, low, across - RIGHT, low + ROOFS), roofs, layers)
    if ax:
        curves(
            ax,
            sweep,
            roofs.bandwidth,
            on_roofline,
            lambda x, p: (p.intensity or 1.0, p.rate or 1.0),
        )
    if strip:
        moved = sorted({x for curve in sweep.curves for x, p in curve.points if in_strip(p)})
        curves(
            strip,
            sweep,
            (),
            in_strip,
            lambda x, p: ((moved.index(x) + 0.5) / len(moved), p.bandwidth or 1.0),
        )
    _times(made, sweep, bottom, rows)
    heading(made, f"{sweep.name} on {device.name}", "Each number is a layer of the list below.")
    caption(made, "Points: measured medians.")
    return made


def _times(made: Figure, sweep: LayerSweep, bottom: float, high: float) -> None:
    """The time of each layer beside what it is, ``bottom`` inches from below and so high."""
    across, down = made.get_size_inches()
    names = {
        x: f"{sweep.number(x)}  {p.layer[:LONGEST]}"
        for curve in sweep.curves
        for x, p in curve.points
    }
    left = max(width(name, SMALL) for name in names.values()) / 72 + 0.2
    ax = made.add_axes((left / across, bottom / down, 1 - (left + RIGHT) / across, high / down))
    times = [p.seconds for p in sweep.layers]
    ax.set(xscale="log", xlim=(min(times) / 1.4, max(times) * 1.4), ylim=(len(names) - 0.5, -0.5))
    for curve in sweep.curves:
        places = [(p.seconds, sweep.places.index(x)) for x, p in curve.points]
        ax.plot(
            *zip(*places, strict=True),
            **look(sweep, curve),
            **EDGE,
            markersize=5.5,
            markeredgewidth=0.4,
        )
    plain(ax)
    log_ticks(ax.xaxis, (10,), lambda x: brief(x, "s"), 0.6, least=3)
    ax.set_yticks(range(len(names)), [names[x] for x in sweep.places])
    ax.tick_params(axis="y", pad=72 * left - 10, length=0)
    for label in ax.get_yticklabels():
        label.set_horizontalalignment("left")
    ax.set_xlabel("Time", fontsize=9.5)
