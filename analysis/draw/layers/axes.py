"""Axes that layers stand on: the measured roofs that bound them, and a strip for layers that
compute nothing.

Only roofs a layer can be held to are drawn: main memory, the caches that stay warm between runs,
and the fastest dense unit of each precision. Layers without FLOPs have no intensity; they stand by
bytes per second in the strip.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import log_ticks, plain
from analysis.draw.labels import clipped, spread_out, width
from analysis.draw.naming import LINE_HEIGHT, SLOPE, SMALL, in_axes, ink, style
from analysis.layers.placement import Placement
from analysis.layers.roof_above import capacities, compute_roof
from analysis.model.roofline import Roof, Roofline, attainable, ridge
from analysis.units import brief, fraction, si
from kernels.device import Device
from probes.records.tag import Tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRIP, AXIS, LEVELS = (
    0.66,
    0.92,
    1.06,
)  # inches: width of the strip, room left of an axis and left of the strip
AROUND = 1.8  # room around points and roofs, by this factor


def roofs_of(model: Roofline, device: Device, layers: Iterable[Placement]) -> Roofline:
    """The roofs these layers are held to, best first."""
    kept = {name for name, _ in capacities(device)}
    slopes = [
        roof
        for roof in model.bandwidth
        if roof == model.memory or Tag.parse(roof.tag).subject in kept
    ]
    flats = {compute_roof(dtype, model) for dtype in {p.dtype for p in layers}}
    return Roofline(tuple(roof for roof in model.compute if roof in flats), tuple(slopes))


def on_roofline(p: Placement) -> bool:
    """Whether a layer has a place by intensity and rate."""
    return bool(p.intensity and p.rate)


def in_strip(p: Placement) -> bool:
    """Whether it has none since it computes nothing, but moves data."""
    return p.flops == 0 and bool(p.bandwidth)


def axes(
    made: Figure,
    box: tuple[float, float, float, float],
    roofs: Roofline,
    layers: Sequence[Placement],
) -> tuple[Axes | None, Axes | None]:
    """(roofline's axes, strip's axes) in ``box`` (left, bottom, right, top; inches), their labels
    inside it.

    Either is None where no layer belongs there; the strip then has all the room, the roofline stays
    if both are empty.
    """
    across, down = made.get_size_inches()
    left, bottom, right, top = box
    moved, placed = [p for p in layers if in_strip(p)], [p for p in layers if on_roofline(p)]
    strip = None
    if moved:
        wide = STRIP if placed else right - left - LEVELS
        strip = made.add_axes(
            ((left + LEVELS) / across, bottom / down, wide / across, (top - bottom) / down)
        )
        _strip(strip, roofs, moved)
        left += LEVELS + STRIP
    if moved and not placed:
        return None, strip
    beside = [width(_flat_name(roof), SMALL) / 72 + 0.3 for roof in roofs.compute]
    names = max(beside) if len(beside) > 1 else 0.1
    at = (
        (left + AXIS) / across,
        bottom / down,
        (right - names - left - AXIS) / across,
        (top - bottom) / down,
    )
    return _roofline(made.add_axes(at), roofs, placed), strip


def limits(roofs: Roofline, layers: Sequence[Placement]) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and (lowest, highest) rate that show every point and every corner
    of the roofs.
    """
    xs, ys = [p.intensity or 1.0 for p in layers], [p.rate or 1.0 for p in layers]
    corners = [ridge(flat.rate, roofs.memory.rate) for flat in roofs.compute if roofs.memory]
    xs = xs or corners or [1.0]
    left, right = (
        min([*xs, *(x / 2 for x in corners)]) / AROUND,
        max([*xs, *(2 * x for x in corners)]) * AROUND,
    )
    slopes, flats = [roof.rate for roof in roofs.bandwidth], [roof.rate for roof in roofs.compute]
    lows = (
        [*ys, *(attainable(left, min(flats), rate) if flats else left * rate for rate in slopes)]
        or flats
        or [1.0]
    )
    highs = [*ys, *flats, *([] if flats else [right * rate for rate in slopes])] or [1e3]
    return left, right, min(lows) / AROUND, max(highs) * AROUND


def _roofline(ax: Axes, roofs: Roofline, layers: Sequence[Placement]) -> Axes:
    left, right, low, high = limits(roofs, layers)
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    log_ticks(ax.xaxis, (4, 2), fraction if right >= 4 * left else "{:g}".format, 0.45)
    log_ticks(ax.yaxis, (10,), lambda y: brief(y, "FLOP/s"), 0.3)
    ax.set_xlabel("Operational intensity (FLOP/byte)", fontsize=9.5)
    plain(ax)
    top = max((roof.rate for roof in roofs.compute), default=math.inf)
    for roof in roofs.bandwidth:
        ends = [left, min(right, ridge(top, roof.rate))]
        ax.plot(
            ends,
            [x * roof.rate for x in ends],
            color=SLOPE,
            linewidth=2.0 if roof == roofs.memory else 1.4,
            gid=f"{roof.tag}/layers",
            zorder=1.5,
        )
    fastest = max((roof.rate for roof in roofs.bandwidth), default=math.inf)
    for roof in roofs.compute:
        begin = max(left, ridge(roof.rate, fastest))
        ax.plot(
            [begin, right],
            [roof.rate] * 2,
            color=style(roof)[0],
            linewidth=1.8,
            gid=f"{roof.tag}/layers",
        )
    _flat_names(ax, roofs.compute)
    return ax


def _flat_name(roof: Roof) -> str:
    return f"{clipped(Tag.parse(roof.tag).subject.upper())} {si(roof.rate, roof.unit)}"


def _flat_names(ax: Axes, roofs: Sequence[Roof]) -> None:
    """Names right of the axes, pushed apart where roofs lie close, each tied to its line; a single
    one on its line.
    """
    pixels = SMALL * ax.figure.dpi / 72
    if len(roofs) == 1:
        ax.annotate(
            _flat_name(roofs[0]),
            (1.0, roofs[0].rate),
            (0, 3),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=SMALL,
            color=ink(style(roofs[0])[0]),
            ha="right",
            gid="name",
        )
        return
    wanted = [ax.transData.transform((1, roof.rate))[1] for roof in roofs]
    heights = spread_out(wanted, pixels * LINE_HEIGHT, ax.bbox.y0, ax.bbox.y1)
    for roof, height in zip(roofs, heights, strict=True):
        at = in_axes(ax, (ax.bbox.x1 + 1.4 * pixels, height))
        tie = {
            "arrowstyle": "-",
            "color": style(roof)[0],
            "linewidth": 0.7,
            "shrinkA": 1,
            "shrinkB": 0,
        }
        ax.annotate(
            _flat_name(roof),
            (1.0, roof.rate),
            at,
            xycoords=("axes fraction", "data"),
            textcoords="axes fraction",
            fontsize=SMALL,
            color=ink(style(roof)[0]),
            va="center",
            arrowprops={**tie, "relpos": (0, 0.5)},
            annotation_clip=False,
            gid="name",
        )


def _strip(ax: Axes, roofs: Roofline, layers: Sequence[Placement]) -> None:
    """The axis of layers without FLOPs: bytes per second, with a tick for the bandwidth of every
    level.
    """
    from matplotlib.ticker import NullLocator

    rates = [*(p.bandwidth or 1.0 for p in layers), *(roof.rate for roof in roofs.bandwidth)]
    ax.set(yscale="log", xlim=(0, 1), ylim=(min(rates) / AROUND, max(rates) * AROUND))
    ax.xaxis.set_major_locator(NullLocator())
    log_ticks(ax.yaxis, (10,), lambda y: brief(y, "B/s"), 0.3)
    plain(ax)
    ax.set_xlabel("no FLOPs", fontsize=9.5)
    ax.set_facecolor("#F7F7F7")
    pixels = SMALL * ax.figure.dpi / 72 * LINE_HEIGHT
    spots = [ax.transData.transform((0, roof.rate))[1] for roof in roofs.bandwidth]
    heights = spread_out(spots, pixels, ax.bbox.y0, ax.bbox.y1)
    ticks = [y for y in ax.get_yticks() if ax.get_ylim()[0] <= y <= ax.get_ylim()[1]]
    free = [
        y
        for y in ticks
        if all(abs(ax.transData.transform((0, y))[1] - h) > pixels for h in heights)
    ]
    ax.set_yticks(free, [brief(y, "B/s") for y in free])
    for roof, height in zip(roofs.bandwidth, heights, strict=True):
        wide, gid = 2.0 if roof == roofs.memory else 1.4, f"{roof.tag}/layers"
        ax.plot((0, 1), [roof.rate] * 2, color=SLOPE, linewidth=wide, zorder=1.5, gid=gid)
        at = in_axes(ax, (ax.bbox.x0 - pixels / 2, height))
        ax.annotate(
            _flat_name(roof),
            (0, roof.rate),
            at,
            xycoords=("axes fraction", "data"),
            textcoords="axes fraction",
            fontsize=7.5,
            color=SLOPE,
            va="center",
            ha="right",
            arrowprops={
                "arrowstyle": "-",
                "color": SLOPE,
                "linewidth": 0.7,
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (1, 0.5),
            },
            annotation_clip=False,
            gid="level",
        )
