"""Draw a network's layers on its roofs.

The area of a point is its time, its colour the kind of operation, its number what is to gain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import NOTE, Point, caption, heading, page, pixels_of, roofs_and_names
from analysis.draw.labels import Box, box_around, clipped, first_free, thinned
from analysis.draw.layers.axes import axes, in_strip, on_roofline, point_on_roofline, roofs_of
from analysis.draw.layers.numbers import inside, write_number
from analysis.draw.slopes import names_among_points
from analysis.draw.style import CATEGORIES, FAINT, SMALL, SOFT, tie
from analysis.layers.groups import Network
from analysis.layers.missing import how_many, left_out
from analysis.layers.place import ranking
from analysis.layers.placement import Placement
from analysis.layers.words import Kind, kinds
from analysis.model.roofline import Roofline
from analysis.units import percent, si
from kernels.device import Device

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BOTTOM, TOP = 0.05, 0.76, 0.72
"""Inches around the axes."""
COLUMN = 2.2
"""Inches of the words right of the axes."""
COLUMN_LINE = 0.185
"""Inches of one line of them."""
AREA = 5000.0
"""Square points of all layers together."""
SMALLEST_AREA, LARGEST_AREA = 9.0, 900.0
"""Square points of one layer."""
MOST_PATHS = 1000
"""Of more layers the points are pixels in an SVG, too: each would be a path of its own."""
NUMBERED = 5
"""How many of the layers with most to gain have a number."""
LONGEST_NAME = 22
"""Letters of a layer's name."""
DISTANCES = (0.9, 1.6, 2.4, 3.4, 4.6, 6.0, 7.5, 9.0)
"""Of a number from the edge of its point, in the size of its type, best first."""
HALF_NUMBER = 0.62
"""Half the room that a number takes, in the size of its type."""
TURNS = [turn * math.pi / 6 for turn in range(12)]
"""Where a number may stand around its point, in radians."""


def figure(net: Network, model: Roofline, device: Device, inches: Point) -> Figure:
    """A figure of this size with the network in it."""
    picture = page(inches)
    across, down = inches
    drawn = [layer for layer in net.layers if on_roofline(layer) or in_strip(layer)]
    placed = [layer for layer in drawn if on_roofline(layer)]
    moved = [layer for layer in drawn if in_strip(layer)]
    notes = left_out(net)
    box = Box(LEFT, BOTTOM + NOTE * len(notes), across - COLUMN, down - TOP)
    roofs = roofs_of(model, device, drawn)
    ax, strip = axes(picture, box, roofs, drawn)
    kinds_by_time = kinds(net.layers)
    colours = {kind.family: CATEGORIES[i % len(CATEGORIES)] for i, kind in enumerate(kinds_by_time)}
    to_gain = ranking(net.layers, NUMBERED)
    if ax:
        _draw_points(ax, placed, colours)
        names_among_points(ax, roofs.bandwidth, _boxes(ax, placed))
        _write_numbers(ax, placed, to_gain)
    if strip:
        _draw_points(strip, moved, colours)
        _write_numbers(strip, moved, to_gain)
    _write_kinds_and_gains(picture, kinds_by_time, colours, to_gain)
    heading(picture, f"{net.name}, {net.precision.upper()} on {device.name}", subtitle(net))
    meaning = "Area: share of time."
    unknown = len(net.layers) - len(drawn)
    if unknown:
        meaning += f" Of unknown work, not drawn: {unknown} layers."
    caption(picture, meaning, notes)
    return picture


def subtitle(net: Network) -> str:
    """``1.62 ms measured; 971 µs at the speed of light: 59.9 % of it reached``."""
    time = si(net.seconds, "s")
    if net.refused:
        return f"{time} for {how_many(net)}, one after another; the whole could not be timed"
    how = "measured" if net.whole else f"for {how_many(net)}, one after another"
    least = f"{si(net.light.least_seconds, 's')} at the speed of light"
    if net.whole and net.skipped:
        least += f" of {how_many(net)}"
    return f"{time} {how}; {least}: {percent(net.share)} of it reached"


def spots(layers: Sequence[Placement]) -> list[Point]:
    """Where each of these layers stands in its axes; in the strip side by side, in their order."""
    moved = sum(in_strip(layer) for layer in layers)
    place_in_strip = 0
    points = []
    for layer in layers:
        if in_strip(layer):
            place_in_strip += 1
            x = (place_in_strip - 0.5) / moved * 0.8 + 0.1
            points.append((x, layer.bandwidth or 1.0))
        else:
            points.append(point_on_roofline(layer))
    return points


def area(layer: Placement) -> float:
    """Square points of a layer, by its share of time."""
    return min(max(AREA * layer.time_share, SMALLEST_AREA), LARGEST_AREA)


def _draw_points(ax: Axes, layers: Sequence[Placement], colours: Mapping[str, str]) -> None:
    """Draw big points first, so that none is hidden."""
    with_spots = zip(layers, spots(layers), strict=True)
    big_first = sorted(with_spots, key=lambda each: -each[0].time_share)
    ax.scatter(
        [spot[0] for _, spot in big_first],
        [spot[1] for _, spot in big_first],
        s=[area(layer) for layer, _ in big_first],
        c=[colours[layer.family] for layer, _ in big_first],
        alpha=0.5,
        edgecolors="white",
        linewidths=0.5,
        zorder=3,
        gid="layers",
        rasterized=len(layers) > MOST_PATHS,
    )


def _write_numbers(ax: Axes, layers: Sequence[Placement], to_gain: Sequence[Placement]) -> None:
    """Write numbers beside those of ``to_gain`` that stand on these axes, each tied to its point.

    layers: all that stand on these axes. A number is over no other point where there is room.
    """
    points = [*_boxes(ax, layers), *roofs_and_names(ax)]
    numbers: list[Box] = []
    places = spots(layers)
    for number, layer in enumerate(to_gain, 1):
        if layer not in layers:
            continue
        point = places[layers.index(layer)]
        choices = _boxes_around(ax, point, _radius(ax, layer))
        box = first_free(choices, [*points, *numbers]) or first_free(choices, numbers)
        if box:
            numbers.append(box)
            line = tie(SOFT, shrink=(5, 0))
            write_number(ax, str(number), point, box, line, fontweight="bold", zorder=6, gid="gain")


def _boxes(ax: Axes, layers: Sequence[Placement]) -> list[Box]:
    """Boxes over the points of these layers, in pixels."""
    if not layers:
        return []
    places = ax.transData.transform(spots(layers))
    boxes = []
    for (x, y), layer in zip(places, layers, strict=True):
        radius = _radius(ax, layer)
        boxes.append(box_around(x, y, radius, radius))
    return thinned(boxes)


def _radius(ax: Axes, layer: Placement) -> float:
    """Of a layer's point, in pixels."""
    return math.sqrt(area(layer) / math.pi) * float(ax.figure.dpi) / 72


def _boxes_around(ax: Axes, point: Point, radius: float) -> list[Box]:
    """Boxes for a number, the closest first, all of them inside the axes; in pixels.

    radius: of the point, in pixels.
    """
    pixels = pixels_of(ax)
    half = HALF_NUMBER * pixels
    x, y = ax.transData.transform(point)
    boxes = []
    for distance in DISTANCES:
        away = radius + distance * pixels
        spots_around = [(x + away * math.cos(turn), y + away * math.sin(turn)) for turn in TURNS]
        boxes += [box_around(*spot, half, half) for spot in spots_around]
    return inside(ax, boxes)


def _write_kinds_and_gains(
    picture: Figure,
    kinds_by_time: Sequence[Kind],
    colours: Mapping[str, str],
    to_gain: Sequence[Placement],
) -> None:
    """Write kinds with their share of time, and under them the layers with most to gain."""
    across, down = picture.get_size_inches()
    left = (across - COLUMN + 0.12) / across
    line = COLUMN_LINE / down
    y = 1 - (TOP + 0.08) / down
    head: dict[str, Any] = {"color": SOFT, "fontweight": "bold", "va": "center"}
    picture.text(left, y, "Kind: share of time", **head)
    for kind in kinds_by_time[: len(CATEGORIES)]:
        y -= line
        colour = colours[kind.family]
        picture.text(left, y, "●", color=colour, fontsize=SMALL + 2, va="center", alpha=0.75)
        text = f"{clipped(kind.family, 20)}  {percent(kind.time_share)}"
        picture.text(left + 0.17 / across, y, text, va="center")
    more = len(kinds_by_time) - len(CATEGORIES)
    if more > 0:
        y -= line
        picture.text(left, y, f"and {more} more", color=FAINT, va="center")
    y -= 1.8 * line
    picture.text(left, y, "Most to gain", **head)
    for number, layer in enumerate(to_gain, 1):
        y -= line
        text = f"{number}  {si(layer.headroom_seconds, 's')}  {_end_of(layer.layer)}"
        picture.text(left, y, text, va="center", gid="gains")


def _end_of(name: str) -> str:
    """The end of a long name: its beginning is that of its neighbours too."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
