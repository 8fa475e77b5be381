"""Draw a network's layers on its roofs: area is time, colour the kind of operation, numbers what is
to gain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import NOTE, caption, heading, page, standing
from analysis.draw.labels import Box, clipped, first_free, thinned
from analysis.draw.layers.axes import axes, in_strip, on_roofline, roofs_of
from analysis.draw.layers.names import slope_names
from analysis.draw.naming import FAINT, SMALL, SOFT, halo, in_data
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

COLOURS = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#8A6D3B",
    "#000000",
    "#6A51A3",
    "#999999",
)
BOTTOM, TOP, COLUMN = (
    0.76,
    0.72,
    2.2,
)  # inches: under the axes, above them, and the words right of them
AREA = 5000.0  # square points of all layers together
LARGEST, SMALLEST = 900.0, 9.0  # of one layer
# points, from which they are pixels in an SVG, too: each is a path of its own otherwise
MANY = 1000
NAMED = 5  # layers with most to gain
LONGEST = 22  # letters of a layer's name
REACH = (0.9, 1.6, 2.4, 3.4, 4.6, 6.0, 7.5, 9.0)  # of a number from its point, in its size
AROUND = [(math.cos(turn * math.pi / 6), math.sin(turn * math.pi / 6)) for turn in range(12)]


def figure(net: Network, model: Roofline, device: Device, inches: tuple[float, float]) -> Figure:
    """A figure of this size with the network in it."""
    made = page(inches)
    across, down = inches
    layers = [p for p in net.layers if on_roofline(p) or in_strip(p)]
    notes = left_out(net)
    box = (0.05, BOTTOM + NOTE * len(notes), across - COLUMN, down - TOP)
    roofs = roofs_of(model, device, layers)
    ax, strip = axes(made, box, roofs, layers)
    found = kinds(net.layers)
    colours = {kind.family: COLOURS[i % len(COLOURS)] for i, kind in enumerate(found)}
    for place, test in ((ax, on_roofline), (strip, in_strip)):
        if place:
            _points(place, [p for p in layers if test(p)], colours)
    if ax:
        slope_names(ax, roofs.bandwidth, _boxes(ax, [p for p in layers if on_roofline(p)]))
    first = ranking(net.layers, NAMED)
    _numbers(ax, strip, layers, first)
    _column(made, found, colours, first)
    heading(made, f"{net.name}, {net.precision.upper()} on {device.name}", _under(net))
    unknown = len(net.layers) - len(layers)
    caption(
        made,
        "Area: share of time." + f" Of unknown work, not drawn: {unknown} layers." * bool(unknown),
        notes,
    )
    return made


def _under(net: Network) -> str:
    """``1.62 ms measured; 971 µs at the speed of light: 59.9 % of it reached``."""
    if net.refused:
        return (
            f"{si(net.seconds, 's')} for {how_many(net)}, one after another; the whole could "
            "not be timed"
        )
    how = "measured" if net.whole else f"for {how_many(net)}, one after another"
    least = f"{si(net.light.least_seconds, 's')} at the speed of light"
    few = f" of {how_many(net)}" if net.whole and net.skipped else ""
    return f"{si(net.seconds, 's')} {how}; {least}{few}: {percent(net.share)} of it reached"


def spot(p: Placement, layers: Sequence[Placement]) -> tuple[float, float]:
    """Where a layer stands in its axes; in the strip side by side, in the order of the network."""
    return spots(layers)[layers.index(p)]


def spots(layers: Sequence[Placement]) -> list[tuple[float, float]]:
    """Where each of these layers stands."""
    moved, found = 0, []
    for p in layers:
        if in_strip(p):
            moved += 1
            found.append((float(moved), p.bandwidth or 1.0))
        else:
            found.append((p.intensity or 1.0, p.rate or 1.0))
    return [
        ((x - 0.5) / moved * 0.8 + 0.1, y) if in_strip(p) else (x, y)
        for p, (x, y) in zip(layers, found, strict=True)
    ]


def area(p: Placement) -> float:
    """Square points of a layer, by its share of time."""
    return min(max(AREA * p.time_share, SMALLEST), LARGEST)


def _points(ax: Axes, layers: Sequence[Placement], colours: Mapping[str, str]) -> None:
    """Big ones first, so that none is hidden."""
    ordered = sorted(zip(layers, spots(layers), strict=True), key=lambda each: -each[0].time_share)
    ax.scatter(
        [x for _, (x, _) in ordered],
        [y for _, (_, y) in ordered],
        s=[area(p) for p, _ in ordered],
        c=[colours[p.family] for p, _ in ordered],
        alpha=0.5,
        edgecolors="white",
        linewidths=0.5,
        zorder=3,
        gid="layers",
        rasterized=len(layers) > MANY,
    )


def _numbers(
    ax: Axes | None, strip: Axes | None, layers: Sequence[Placement], first: Sequence[Placement]
) -> None:
    """Numbers beside the points with most to gain, each tied to its point; over no other point
    where there is room.
    """
    for place, test in ((ax, on_roofline), (strip, in_strip)):
        if place is None:
            continue
        same = [p for p in layers if test(p)]
        points = [*_boxes(place, same), *standing(place)]
        numbers: list[Box] = []
        for number, p in enumerate(first, 1):
            if test(p):
                choices = _around(place, spot(p, same), _radius(place, p))
                box = first_free(choices, [*points, *numbers]) or first_free(choices, numbers)
                if box:
                    numbers.append(box)
                    _number(place, str(number), spot(p, same), box)


def _boxes(ax: Axes, layers: Sequence[Placement]) -> list[Box]:
    """Boxes over the points of all layers of these axes, in pixels."""
    if not layers:
        return []
    places = ax.transData.transform(spots(layers))
    radii = [_radius(ax, p) for p in layers]
    return thinned((x - r, y - r, x + r, y + r) for (x, y), r in zip(places, radii, strict=True))


def _radius(ax: Axes, p: Placement) -> float:
    """Of a point, in pixels."""
    return math.sqrt(area(p) / math.pi) * float(ax.figure.dpi) / 72


def _around(ax: Axes, point: tuple[float, float], radius: float) -> list[Box]:
    """Boxes for a number, the closest first, all of them inside the axes; in pixels."""
    pixels = SMALL * ax.figure.dpi / 72
    half, (x, y) = 0.62 * pixels, ax.transData.transform(point)
    reach = [radius + gap * pixels for gap in REACH]
    boxes = [
        (x + far * c - half, y + far * s - half, x + far * c + half, y + far * s + half)
        for far in reach
        for c, s in AROUND
    ]
    frame = ax.bbox
    return [
        b
        for b in boxes
        if frame.x0 < b[0] and b[2] < frame.x1 and frame.y0 < b[1] and b[3] < frame.y1
    ]


def _number(ax: Axes, text: str, point: tuple[float, float], box: Box) -> None:
    at = in_data(ax, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    tie = {"arrowstyle": "-", "color": SOFT, "linewidth": 0.7, "shrinkA": 5, "shrinkB": 0}
    ax.annotate(
        text,
        point,
        at,
        fontsize=SMALL,
        fontweight="bold",
        ha="center",
        va="center",
        zorder=6,
        path_effects=halo(),
        arrowprops=tie,
        gid="gain",
    )


def _column(
    made: Figure, found: Sequence[Kind], colours: Mapping[str, str], first: Sequence[Placement]
) -> None:
    """Right of the axes: kinds with their share of time, then the layers with most to gain."""
    across, down = made.get_size_inches()
    left, line = (across - COLUMN + 0.12) / across, 0.185 / down
    y = 1 - (TOP + 0.08) / down
    made.text(
        left, y, "Kind: share of time", fontsize=SMALL, color=SOFT, fontweight="bold", va="center"
    )
    for kind in found[: len(COLOURS)]:
        y -= line
        made.text(
            left, y, "●", color=colours[kind.family], fontsize=SMALL + 2, va="center", alpha=0.75
        )
        made.text(
            left + 0.17 / across,
            y,
            f"{clipped(kind.family, 20)}  {percent(kind.time_share)}",
            fontsize=SMALL,
            va="center",
        )
    if len(found) > len(COLOURS):
        y -= line
        made.text(
            left,
            y,
            f"and {len(found) - len(COLOURS)} more",
            fontsize=SMALL,
            color=FAINT,
            va="center",
        )
    y -= 1.8 * line
    made.text(left, y, "Most to gain", fontsize=SMALL, color=SOFT, fontweight="bold", va="center")
    for number, p in enumerate(first, 1):
        y -= line
        text = f"{number}  {si(p.headroom_seconds, 's')}  {short(p.layer)}"
        made.text(left, y, text, fontsize=SMALL, va="center", gid="gains")


def short(name: str) -> str:
    """The end of a long name: its beginning is that of its neighbours too."""
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
