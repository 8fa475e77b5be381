"""What pictures of sweeps over layers share: curves on the roofs with numbers at their points, and
the key.

The colour tells the precision and the marker the series; at a single precision the colour tells the
series too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import colour_of, covered, standing
from analysis.draw.labels import clipped, thinned, width
from analysis.draw.layers.names import beside_point, slope_names
from analysis.draw.layers.network import COLOURS
from analysis.draw.naming import SMALL
from analysis.layers.groups import Curve, LayerSweep
from analysis.layers.placement import Placement
from analysis.model.roofline import Roof

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPXh*<>pd8"
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
LINE = 0.2  # inches of a line of the key
EDGE: dict[str, Any] = {"linewidth": 1.1, "markeredgecolor": "white"}

Spot = tuple[float, float]
Points = list[tuple[float, Spot]]
"""(x, where it stands) of the layers of a curve."""


def look(sweep: LayerSweep, curve: Curve) -> dict[str, Any]:
    """Colour, marker and dashes of a curve; entries of a list are not joined."""
    place = sweep.series.index(sweep.name_of(curve))
    colour = colour_of(curve.dtype) if len(sweep.dtypes) > 1 else COLOURS[place % len(COLOURS)]
    dashes = "none" if sweep.listed else DASHES[place % len(DASHES)]
    return {"color": colour, "marker": MARKERS[place % len(MARKERS)], "linestyle": dashes}


def key(made: Figure, sweep: LayerSweep) -> int:
    """The key under the axes: precisions by colour, series by marker. Returns its lines."""
    from matplotlib.lines import Line2D

    several = len(sweep.dtypes) > 1
    handles = [
        Line2D([], [], color=colour_of(d), linewidth=4, label=clipped(d.upper()))
        for d in sweep.dtypes
    ]
    for name in sweep.series:
        curve = next(c for c in sweep.curves if sweep.name_of(c) == name)
        handles.append(
            Line2D(
                [],
                [],
                label=clipped(name),
                **look(sweep, curve) | ({"color": "#444444"} if several else {}),
            )
        )
    across, down = made.get_size_inches()
    longest = max(width(str(handle.get_label()), SMALL) for handle in handles) / 72 + 0.65
    columns = max(1, min(len(handles), int((across - 1.0) / longest)))
    made.legend(
        handles=handles[0 if several else 1 :],
        loc="lower left",
        bbox_to_anchor=(0.8 / across, 0.24 / down),
        ncol=columns,
        frameon=False,
        fontsize=SMALL,
        borderaxespad=0,
        handlelength=2.6,
    )
    return math.ceil(len(handles) / columns)


def curves(
    ax: Axes,
    sweep: LayerSweep,
    slopes: Sequence[Roof],
    test: Callable[[Placement], bool],
    place: Callable[[float, Placement], Spot],
) -> None:
    """Curves of the layers that pass ``test``, then names of slopes and numbers of points, clear of
    them.
    """
    drawn: list[tuple[Points, str]] = []
    for curve in sweep.curves:
        if points := [(x, place(x, p)) for x, p in curve.points if test(p)]:
            drawn.append((points, look(sweep, curve)["color"]))
            xs, ys = zip(*(spot for _, spot in points), strict=True)
            gid = f"{sweep.name}/{curve.series}/{curve.dtype}"
            ax.plot(
                xs,
                ys,
                **look(sweep, curve),
                **EDGE,
                markersize=4.5,
                markeredgewidth=0.4,
                zorder=3,
                gid=gid,
            )
    busy = thinned(
        box
        for points, _ in drawn
        for box in covered(ax, [spot for _, spot in points], 3.0, joined=not sweep.listed)
    )
    slope_names(ax, slopes, busy)
    taken = [*busy, *standing(ax)]
    for points, colour in drawn:
        for x, spot in points if sweep.listed else points[:1] + points[1:][-1:]:
            beside_point(ax, sweep.number(x), spot, colour, taken)
