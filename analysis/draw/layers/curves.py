"""What pictures of sweeps over layers share: curves on the roofs with numbers, and their key.

Colour and filling of the markers tell the precision, their shape and the dashes the series; at a
single precision the colour tells the series too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from analysis.draw.canvas import POINTS_PER_INCH, Point, covered, roofs_and_names
from analysis.draw.labels import clipped, thinned, width
from analysis.draw.layers.axes import name_single_flat
from analysis.draw.layers.numbers import number_beside
from analysis.draw.slopes import names_among_points
from analysis.draw.style import CATEGORIES, KEY, MARKERS, SMALL, colour_of
from analysis.layers.groups import Curve, LayerSweep
from analysis.layers.placement import Placement
from analysis.model.roofline import Roofline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
KEY_MARK = 7.0
"""Size of the mark of a precision in the key, in points."""
KEY_LINE = 0.2
"""Inches of a line of the key."""
FILLINGS = ("full", "none", "left", "top")
"""Of the markers of each precision, so that they differ in grey, too."""
EDGE: dict[str, Any] = {"linewidth": 1.1, "markeredgewidth": 0.7}
"""The look of the line of a curve, and of the edges of its markers."""


NO_ROOFS = Roofline((), ())
"""Of axes whose roofs are named elsewhere."""


class Spot(NamedTuple):
    """A layer of a curve on its axes."""

    x: float
    """Its place in the sweep."""
    place: Point
    """Where it stands, in data coordinates."""


def look(sweep: LayerSweep, curve: Curve) -> dict[str, Any]:
    """Colour, marker, its filling and dashes of a curve; entries of a list are not joined."""
    i = sweep.series.index(sweep.name_of(curve))
    several_precisions = len(sweep.dtypes) > 1
    colour = colour_of(curve.dtype) if several_precisions else CATEGORIES[i % len(CATEGORIES)]
    return {
        "color": colour,
        **_filling(colour, sweep.dtypes.index(curve.dtype)),
        "marker": MARKERS[i % len(MARKERS)],
        "linestyle": "none" if sweep.listed else DASHES[i % len(DASHES)],
    }


def _filling(colour: str, precision: int) -> dict[str, Any]:
    """How the markers of a precision are filled. precision: its place among those of the sweep."""
    filling = FILLINGS[precision % len(FILLINGS)]
    is_full = filling == "full"
    return {
        "fillstyle": "full" if filling == "none" else filling,
        "markerfacecolor": "white" if filling == "none" else colour,
        "markerfacecoloralt": "white",
        "markeredgecolor": "white" if is_full else colour,
    }


def key(picture: Figure, sweep: LayerSweep) -> int:
    """Draw the key under the axes: precisions by colour, series by marker. Returns its lines."""
    from matplotlib.lines import Line2D

    several_precisions = len(sweep.dtypes) > 1
    handles = []
    if several_precisions:
        for precision, dtype in enumerate(sweep.dtypes):
            colour = colour_of(dtype)
            shown: dict[str, Any] = {
                "color": colour,
                "linewidth": 2.5,
                "marker": "o",
                "markersize": KEY_MARK,
            }
            shown.update(_filling(colour, precision))
            handles.append(Line2D([], [], label=clipped(dtype.upper()), **shown))
    for name in sweep.series:
        curve = next(curve for curve in sweep.curves if sweep.name_of(curve) == name)
        shown = look(sweep, curve)
        if several_precisions:
            shown.update({"color": KEY, **_filling(KEY, 0)})
        handles.append(Line2D([], [], label=clipped(name), **shown))
    across, down = picture.get_size_inches()
    longest = (
        max(width(str(handle.get_label()), SMALL) for handle in handles) / POINTS_PER_INCH + 0.65
    )
    columns = max(1, min(len(handles), int((across - 1.0) / longest)))
    picture.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.8 / across, 0.24 / down),
        ncol=columns,
        borderaxespad=0,
        handlelength=2.6,
    )
    return math.ceil(len(handles) / columns)


def curves(
    ax: Axes,
    sweep: LayerSweep,
    roofs: Roofline,
    belongs: Callable[[Placement], bool],
    place: Callable[[float, Placement], Point],
) -> None:
    """Draw the curves of the layers that belong here, names of roofs and numbers of points.

    place: where a layer stands, by its x and what it is.
    """
    drawn: list[tuple[Curve, list[Spot]]] = []
    for curve in sweep.curves:
        spots = [Spot(x, place(x, layer)) for x, layer in curve.points if belongs(layer)]
        if spots:
            drawn.append((curve, spots))
            _draw_curve(ax, sweep, curve, spots)
    boxes = []
    for _, spots in drawn:
        boxes += covered(ax, [spot.place for spot in spots], 3.0, joined=not sweep.listed)
    points = thinned(boxes)
    name_single_flat(ax, roofs.compute, points)
    names_among_points(ax, roofs.bandwidth, points)
    taken = [*points, *roofs_and_names(ax)]
    for curve, spots in drawn:
        ends = spots[:1] + spots[1:][-1:]
        for spot in spots if sweep.listed else ends:
            colour = look(sweep, curve)["color"]
            number_beside(ax, sweep.number(spot.x), spot.place, colour, taken)


def _draw_curve(ax: Axes, sweep: LayerSweep, curve: Curve, spots: Sequence[Spot]) -> None:
    ax.plot(
        [spot.place[0] for spot in spots],
        [spot.place[1] for spot in spots],
        **look(sweep, curve),
        **EDGE,
        markersize=4.5,
        zorder=3,
        gid=f"{sweep.name}/{curve.series}/{curve.dtype}",
    )
