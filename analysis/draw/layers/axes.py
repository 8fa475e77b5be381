"""Axes that layers stand on: the roofs that bound them, and a strip for layers without FLOPs.

Only roofs a layer can be held to are drawn: main memory, the caches that stay warm between runs,
and the fastest dense unit of each precision. Layers without FLOPs have no intensity; they stand by
bytes per second in the strip.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import POINTS_PER_INCH, Point, in_data, log_ticks, pixels_of, write_tied
from analysis.draw.labels import Box, first_free, spread_out, width
from analysis.draw.naming import roof_colour, short_name
from analysis.draw.style import AXIS_NAME, LINE_HEIGHT, PANEL, SLOPE, SMALL, ink
from analysis.draw.zones import draw_zones, room_above
from analysis.layers.placement import Placement
from analysis.layers.roof_above import capacities, compute_roof
from analysis.model.roofline import Roof, Roofline, attainable, ridge
from analysis.units import brief, fraction
from kernels.device import Device
from probes.records.tag import Tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STRIP = 0.66
"""Inches: width of the strip beside a roofline."""
LEFT_OF_AXES, LEFT_OF_STRIP = 1.12, 1.26
"""Inches for numbers and names."""
AXIS_NAME_INSET = 0.2
"""Inches from the left end of these to the right edge of the axis' name."""
BEYOND_CORNERS = 5.0
"""How far the axis goes beyond the last corner of the roofs, at least, as a factor."""
NAME_LIFT = 0.3
"""From a flat roof to its name on it, in the size of the type."""
STEPS_OF_NAME = 12
"""Places along its line that are tried for the name of a single flat roof."""
ABOVE_ROOFS = 0.155
"""Room above roofs and points for the names of zones, as a part of the axes' height."""
MAIN_MEMORY_WEIGHT, CACHE_WEIGHT, COMPUTE_WEIGHT = 2.0, 1.4, 1.8
"""Widths of lines, in points."""
LEVEL_NAME = 7.5
"""Size of the names of levels beside the strip, in points."""
AROUND = 1.8
"""Room around points and roofs, as a factor."""


def roofs_of(model: Roofline, device: Device, layers: Iterable[Placement]) -> Roofline:
    """The roofs these layers are held to, best first."""
    warm_levels = {name for name, _ in capacities(device)}
    slopes = [
        roof
        for roof in model.bandwidth
        if roof == model.memory or Tag.parse(roof.tag).subject in warm_levels
    ]
    dtypes = {layer.dtype for layer in layers}
    flats_above = {compute_roof(dtype, model) for dtype in dtypes}
    flats = [roof for roof in model.compute if roof in flats_above]
    return Roofline(tuple(flats), tuple(slopes))


def on_roofline(layer: Placement) -> bool:
    """True if a layer has a place by intensity and rate."""
    return bool(layer.intensity and layer.rate)


def in_strip(layer: Placement) -> bool:
    """True if a layer has no such place since it computes nothing, but moves data."""
    return layer.flops == 0 and bool(layer.bandwidth)


def point_on_roofline(layer: Placement) -> Point:
    """(intensity, rate) of a layer on the roofline."""
    return layer.intensity or 1.0, layer.rate or 1.0


def axes(
    picture: Figure, box: Box, roofs: Roofline, layers: Sequence[Placement]
) -> tuple[Axes | None, Axes | None]:
    """(roofline's axes, strip's axes) with the roofs drawn. box: of both with their labels, inches.

    Either is None where no layer belongs there. The strip then has all the room; the roofline is
    there if both are empty.
    """
    across, down = picture.get_size_inches()
    height = (box.top - box.bottom) / down
    moved = [layer for layer in layers if in_strip(layer)]
    placed = [layer for layer in layers if on_roofline(layer)]
    left = box.left
    strip = None
    if moved:
        strip_width = STRIP if placed else box.right - left - LEFT_OF_STRIP
        strip_left = (left + LEFT_OF_STRIP) / across
        strip = picture.add_axes((strip_left, box.bottom / down, strip_width / across, height))
        _draw_strip(strip, roofs, moved)
        left += LEFT_OF_STRIP + STRIP
    if moved and not placed:
        return None, strip
    name_widths = [width(short_name(roof), SMALL) / POINTS_PER_INCH + 0.3 for roof in roofs.compute]
    margin = max(name_widths) if len(name_widths) > 1 else 0.1
    main_width = box.right - margin - left - LEFT_OF_AXES
    main = picture.add_axes(
        ((left + LEFT_OF_AXES) / across, box.bottom / down, main_width / across, height)
    )
    _draw_roofline(main, roofs, placed)
    return main, strip


def limits(roofs: Roofline, layers: Sequence[Placement]) -> tuple[float, float, float, float]:
    """(lowest, highest) intensity and (lowest, highest) rate of the axes.

    They show every point and every corner of the roofs.
    """
    slopes = [roof.rate for roof in roofs.bandwidth]
    flats = [roof.rate for roof in roofs.compute]
    corners = [ridge(rate, roofs.memory.rate) for rate in flats] if roofs.memory else []
    intensities = [layer.intensity or 1.0 for layer in layers] or corners or [1.0]
    left = min([*intensities, *(x / 2 for x in corners)]) / AROUND
    right = max([*intensities, *(BEYOND_CORNERS * x for x in corners)]) * AROUND
    rates = [layer.rate or 1.0 for layer in layers]
    if flats:
        at_left = [attainable(left, min(flats), rate) for rate in slopes]
        at_right = []
    else:
        at_left = [left * rate for rate in slopes]
        at_right = [right * rate for rate in slopes]
    low = min([*rates, *at_left] or flats or [1.0])
    high = max([*rates, *flats, *at_right] or [1e3])
    low /= AROUND
    return left, right, low, max(high * AROUND, room_above(low, high, ABOVE_ROOFS))


def _draw_roofline(ax: Axes, roofs: Roofline, layers: Sequence[Placement]) -> None:
    """Set the limits and ticks of the main axes, and draw the roofs."""
    left, right, low, high = limits(roofs, layers)
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(low, high))
    log_ticks(ax.xaxis, (4, 2), fraction if right >= 4 * left else "{:g}".format, 0.45)
    log_ticks(ax.yaxis, (10,), lambda y: brief(y, "FLOP/s"), 0.3)
    ax.set_xlabel("Operational intensity (FLOP/byte)", fontsize=AXIS_NAME)
    _name_vertical_axis(ax, "Performance", LEFT_OF_AXES)
    draw_zones(ax, roofs.compute, roofs.memory)
    top = max((roof.rate for roof in roofs.compute), default=math.inf)
    for roof in roofs.bandwidth:
        end = min(right, ridge(top, roof.rate))
        ax.plot(
            [left, end],
            [left * roof.rate, end * roof.rate],
            color=SLOPE,
            linewidth=_weight(roof, roofs),
            gid=f"{roof.tag}/layers",
            zorder=1.5,
        )
    fastest = max((roof.rate for roof in roofs.bandwidth), default=math.inf)
    for roof in roofs.compute:
        begin = max(left, ridge(roof.rate, fastest))
        ax.plot(
            [begin, right],
            [roof.rate, roof.rate],
            color=roof_colour(roof),
            linewidth=COMPUTE_WEIGHT,
            gid=f"{roof.tag}/layers",
        )
    _write_names_of_flats(ax, roofs.compute)


def _name_vertical_axis(ax: Axes, name: str, inches: float) -> None:
    """Name the vertical axis at the left end of so many inches beside it."""
    across = ax.bbox.width / ax.figure.dpi
    ax.set_ylabel(name, fontsize=AXIS_NAME)
    ax.yaxis.set_label_coords((AXIS_NAME_INSET - inches) / across, 0.5)


def _weight(roof: Roof, roofs: Roofline) -> float:
    """Width of the line of a level of memory, in points."""
    return MAIN_MEMORY_WEIGHT if roof == roofs.memory else CACHE_WEIGHT


def _write_names_of_flats(ax: Axes, roofs: Sequence[Roof]) -> None:
    """Write names right of the axes, pushed apart; for a single one see ``name_single_flat``."""
    if len(roofs) == 1:
        return
    pixels = pixels_of(ax)
    wanted = [ax.transData.transform((1, roof.rate))[1] for roof in roofs]
    heights = spread_out(wanted, pixels * LINE_HEIGHT, ax.bbox.y0, ax.bbox.y1)
    for roof, height in zip(roofs, heights, strict=True):
        pixel = ax.bbox.x1 + 1.4 * pixels, height
        write_tied(ax, short_name(roof), (1.0, roof.rate), pixel, roof_colour(roof))


def name_single_flat(ax: Axes, roofs: Sequence[Roof], points: Sequence[Box]) -> None:
    """Write the name of a single flat roof on its line, over none of the points while it can.

    points: boxes over them and the lines that join them, in pixels.
    """
    if len(roofs) != 1:
        return
    (roof,) = roofs
    text = short_name(roof)
    pixels = pixels_of(ax)
    length = width(text, pixels)
    y = _height(ax, roof.rate)
    line = next(line for line in ax.get_lines() if line.get_gid() == f"{roof.tag}/layers")
    (begin, _), _ = ax.transData.transform(line.get_xydata())
    room = max(0.0, ax.bbox.x1 - begin - length)
    boxes = []
    for bottom in (y + NAME_LIFT * pixels, y - (1 + NAME_LIFT) * pixels):
        for step in range(STEPS_OF_NAME):
            right = ax.bbox.x1 - room * step / STEPS_OF_NAME
            boxes.append(Box(right - length, bottom, right, bottom + pixels))
    box = first_free(boxes, points) or boxes[0]
    ax.text(
        *in_data(ax, (box.right, box.bottom)),
        text,
        color=ink(roof_colour(roof)),
        ha="right",
        va="bottom",
        gid="name on line",
    )


def _draw_strip(ax: Axes, roofs: Roofline, layers: Sequence[Placement]) -> None:
    """Set up the axis of layers without FLOPs: bytes per second, with a line for every level."""
    from matplotlib.ticker import NullLocator

    rates = [layer.bandwidth or 1.0 for layer in layers]
    rates += [roof.rate for roof in roofs.bandwidth]
    ax.set(yscale="log", xlim=(0, 1), ylim=(min(rates) / AROUND, max(rates) * AROUND))
    ax.xaxis.set_major_locator(NullLocator())
    log_ticks(ax.yaxis, (10,), lambda y: brief(y, "B/s"), 0.3)
    ax.set_xlabel("no FLOPs", fontsize=AXIS_NAME)
    _name_vertical_axis(ax, "Bandwidth", LEFT_OF_STRIP)
    ax.set_facecolor(PANEL)
    line = pixels_of(ax) * LINE_HEIGHT
    wanted = [_height(ax, roof.rate) for roof in roofs.bandwidth]
    heights = spread_out(wanted, line, ax.bbox.y0, ax.bbox.y1)
    _keep_ticks_clear_of(ax, heights, line)
    for roof, height in zip(roofs.bandwidth, heights, strict=True):
        ax.plot(
            (0, 1),
            [roof.rate, roof.rate],
            color=SLOPE,
            linewidth=_weight(roof, roofs),
            zorder=1.5,
            gid=f"{roof.tag}/layers",
        )
        write_tied(
            ax,
            short_name(roof),
            (0, roof.rate),
            (ax.bbox.x0 - line / 2, height),
            SLOPE,
            shrink=(0, 0),
            gid="level",
            color=SLOPE,
            fontsize=LEVEL_NAME,
            ha="right",
        )


def _height(ax: Axes, rate: float) -> float:
    """Where a rate lies on the vertical axis, in pixels."""
    return float(ax.transData.transform((0, rate))[1])


def _keep_ticks_clear_of(ax: Axes, heights: Sequence[float], distance: float) -> None:
    """Leave only ticks that are further than ``distance`` from all of these heights, in pixels."""
    low, high = ax.get_ylim()
    ticks = []
    for rate in ax.get_yticks():
        is_clear = all(abs(_height(ax, rate) - height) > distance for height in heights)
        if low <= rate <= high and is_clear:
            ticks.append(rate)
    ax.set_yticks(ticks, [brief(rate, "B/s") for rate in ticks])
