"""Draw a network's layers on its roofs.

The size of a point is its time, its colour and marker the kind of operation. Identical layers with
most to gain together are named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import (
    NOTE,
    Point,
    caption,
    covered,
    heading,
    in_data,
    page,
    pixels_of,
    roofs_and_names,
)
from analysis.draw.labels import Box, box_around, clipped, first_free, thinned, width
from analysis.draw.layers.axes import (
    axes,
    in_strip,
    name_single_flat,
    on_roofline,
    point_on_roofline,
    roofs_of,
)
from analysis.draw.layers.numbers import inside, write_at
from analysis.draw.slopes import names_among_points
from analysis.draw.style import CATEGORIES, FAINT, MARKERS, SOFT, tie
from analysis.layers.alike import Alike, title
from analysis.layers.findings import gains
from analysis.layers.groups import Network
from analysis.layers.missing import how_many, left_out
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
LONGEST_NAME = 24
"""Letters of a name in the column, and of one in the cloud."""
DISTANCES = (0.9, 1.6, 2.4, 3.4, 4.6, 6.0, 7.5, 9.0, 11.0, 13.0)
"""Of a number or a name from the edge of its point, in the size of its type, best first."""
CLOSE = 6
"""In the cloud a name stands at one of so many distances, the first ones; a number at any."""
HALF_NUMBER = 0.62
"""Half the room that a number takes, in the size of its type."""
TURNS = [turn * math.pi / 12 for turn in range(24)]
"""Where a number or a name may stand around its point, in radians."""
TIE_RADIUS = 1.5
"""Half the room that the line from a word to its point takes, in pixels."""
INK = "#111111"
"""Of the words in the cloud."""
KEY_MARK = 7.0
"""Size of a mark in the column, in points."""
Look = tuple[str, str]
"""Colour and marker of a kind."""


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
    looks = looks_of(kinds_by_time)
    to_gain = gains(net, NUMBERED)
    if ax:
        _draw_points(ax, placed, looks)
        points = _boxes(ax, placed)
        name_single_flat(ax, roofs.compute, points)
        names_among_points(ax, roofs.bandwidth, points)
        _write_gains(ax, placed, to_gain)
    if strip:
        _draw_points(strip, moved, looks)
        _write_gains(strip, moved, to_gain)
    _write_kinds_and_gains(picture, kinds_by_time, looks, to_gain)
    heading(picture, f"{net.name}, {net.precision.upper()} on {device.name}", subtitle(net))
    meaning = "Size: share of time."
    unknown = len(net.layers) - len(drawn)
    if unknown:
        meaning += f" Of unknown work, not drawn: {unknown} layers."
    caption(picture, meaning, notes)
    return picture


def looks_of(kinds_by_time: Sequence[Kind]) -> dict[str, Look]:
    """Colour and marker of each kind, by its family."""
    looks = {}
    for i, kind in enumerate(kinds_by_time):
        looks[kind.family] = CATEGORIES[i % len(CATEGORIES)], MARKERS[i % len(MARKERS)]
    return looks


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


def _draw_points(ax: Axes, layers: Sequence[Placement], looks: Mapping[str, Look]) -> None:
    """Draw big points first, so that none is hidden."""
    from matplotlib.markers import MarkerStyle

    with_spots = zip(layers, spots(layers), strict=True)
    big_first = sorted(with_spots, key=lambda each: -each[0].time_share)
    points = ax.scatter(
        [spot[0] for _, spot in big_first],
        [spot[1] for _, spot in big_first],
        s=[area(layer) for layer, _ in big_first],
        c=[looks[layer.family][0] for layer, _ in big_first],
        alpha=0.5,
        edgecolors="white",
        linewidths=0.5,
        zorder=3,
        gid="layers",
        rasterized=len(layers) > MOST_PATHS,
    )
    shapes = []
    for layer, _ in big_first:
        marker = MarkerStyle(looks[layer.family][1])
        shapes.append(marker.get_path().transformed(marker.get_transform()))
    points.set_paths(shapes)


def _write_gains(ax: Axes, layers: Sequence[Placement], to_gain: Sequence[Alike]) -> None:
    """Name those of ``to_gain`` that stand on these axes, each tied to its longest layer's point.

    layers: all that stand on these axes. Where a name would cover a point, a roof or another name,
    only its number is written, over no other point where there is room.
    """
    points = [*_boxes(ax, layers), *roofs_and_names(ax)]
    words: list[Box] = []
    places = spots(layers)
    for number, group in enumerate(to_gain, 1):
        layer = group.longest
        if layer not in layers:
            continue
        point = places[layers.index(layer)]
        radius = _radius(ax, layer)
        name = f"{number}: {name_in_few_letters(group)}"
        close = _boxes_around(ax, point, radius, name, DISTANCES[:CLOSE])
        bare = [(str(number), box) for box in _boxes_around(ax, point, radius, str(number))]
        choices = [*((name, box) for box in close), *bare]
        others = [box for box in points if not _is_over(ax, point, box)]
        chosen = (
            _first_clear(ax, point, choices, points, words, [*others, *words])
            or _first_clear(ax, point, bare, points, words, words)
            or _first_clear(ax, point, bare, (), words, ())
        )
        if chosen:
            text, box = chosen
            words += [box, *_over_tie(ax, point, box)]
            line = tie(SOFT, shrink=(1, 0))
            write_at(ax, text, point, box, line, color=INK, zorder=6, gid="gain")


def name_in_few_letters(group: Alike) -> str:
    """``5 × Conv 512→512``: without what only tells it from others, if the whole is too long."""
    name = group.name
    if len(name) > LONGEST_NAME:
        name = Alike(title(group.longest), group.layers).name
    return clipped(name, LONGEST_NAME)


def _first_clear(
    ax: Axes,
    point: Point,
    choices: Sequence[tuple[str, Box]],
    points: Sequence[Box],
    words: Sequence[Box],
    tie_avoids: Sequence[Box],
) -> tuple[str, Box] | None:
    """The first text with a box that covers no point and no word; None if each does.

    tie_avoids: what the line from its box to its point may not cover.
    """
    for text, box in choices:
        is_free = first_free([box], [*points, *words]) is not None
        if is_free and all(first_free([part], tie_avoids) for part in _over_tie(ax, point, box)):
            return text, box
    return None


def _is_over(ax: Axes, point: Point, box: Box) -> bool:
    """True if a box (pixels) covers a point."""
    x, y = ax.transData.transform(point)
    return bool(box.left <= x <= box.right and box.bottom <= y <= box.top)


def _over_tie(ax: Axes, point: Point, box: Box) -> list[Box]:
    """Boxes over the line that ties a word to its point, in pixels; none lies in the word's box."""
    line = covered(ax, [point, in_data(ax, box.centre)], TIE_RADIUS)
    return [part for part in line if first_free([part], [box])]


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
    return pixels_of(ax, math.sqrt(area(layer) / math.pi))


def _boxes_around(
    ax: Axes, point: Point, radius: float, text: str, distances: Sequence[float] = DISTANCES
) -> list[Box]:
    """Boxes for a number or a name, the closest first, all of them inside the axes; in pixels.

    radius: of the point, in pixels.
    """
    pixels = pixels_of(ax)
    half_height = HALF_NUMBER * pixels
    half_width = max(half_height, width(text, pixels) / 2)
    x, y = ax.transData.transform(point)
    boxes = []
    for distance in distances:
        away = radius + distance * pixels
        for turn in TURNS:
            across = away + half_width - half_height
            middle = x + across * math.cos(turn), y + away * math.sin(turn)
            boxes.append(box_around(*middle, half_width, half_height))
    return inside(ax, boxes)


def _write_kinds_and_gains(
    picture: Figure,
    kinds_by_time: Sequence[Kind],
    looks: Mapping[str, Look],
    to_gain: Sequence[Alike],
) -> None:
    """Write kinds with their share of time, and under them the layers with most to gain."""
    from matplotlib.lines import Line2D

    across, down = picture.get_size_inches()
    left = (across - COLUMN + 0.12) / across
    line = COLUMN_LINE / down
    y = 1 - (TOP + 0.08) / down
    head: dict[str, Any] = {"color": SOFT, "fontweight": "bold", "va": "center"}
    picture.text(left, y, "Kind: share of time", **head)
    for kind in kinds_by_time[: len(CATEGORIES)]:
        y -= line
        colour, marker = looks[kind.family]
        mark = Line2D(
            [left + 0.06 / across],
            [y],
            color=colour,
            marker=marker,
            markersize=KEY_MARK,
            markeredgewidth=0,
            alpha=0.75,
            linestyle="none",
        )
        picture.add_artist(mark)
        text = f"{clipped(kind.family, 20)}  {percent(kind.time_share)}"
        picture.text(left + 0.17 / across, y, text, va="center")
    more = len(kinds_by_time) - len(CATEGORIES)
    if more > 0:
        y -= line
        picture.text(left, y, f"and {more} more", color=FAINT, va="center")
    y -= 1.8 * line
    picture.text(left, y, "Most to gain", **head)
    for number, group in enumerate(to_gain, 1):
        y -= line
        picture.text(left, y, f"{number}: {name_in_few_letters(group)}", va="center", gid="gains")
        y -= line
        gain = f"{si(group.headroom_seconds, 's')} of {si(group.seconds, 's')}"
        picture.text(left + 0.17 / across, y, gain, color=SOFT, va="center", gid="gain in words")
