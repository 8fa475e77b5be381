"""Names along the slopes of a roofline, never one over another.

On a roofline without points every name begins at the left edge, or behind the name that it would
cover (``names_of_slopes``). Among the points of layers each name looks for a free place all along
its slope (``names_among_points``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import Point, frame_of, in_data, pixels_of, roof_lines
from analysis.draw.labels import Box, clipped, first_free, stagger, width
from analysis.draw.naming import full_name, tops
from analysis.draw.style import SLOPE, halo
from analysis.model.roofline import Roof
from analysis.units import si

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# lengths in the size of the type
TIGHT = 1.15
"""Height of a name between two slopes."""
GAP = 0.35
"""From a slope to the name above it."""
INSET = 1.6
"""From the left axis to a name, so that the type stays right of it however steep the slope."""
BELOW = 0.7
"""From a slope to the top of the name below it."""

# lengths in the height of a name
CLOSE = 1.6
"""A slope nearer than this under another has no room above its line."""
ROOM_BELOW = 3.4
"""What a slope needs below its line: room for its own name, and for that of the next slope."""
ROOM_BELOW_OVER_LAST = 2.2
"""The same where the next slope is the last, which is named below its own line."""


def rise(ax: Axes) -> float:
    """The angle, in radians, by which every bandwidth roof rises on the screen."""
    (x0, y0), (x1, y1) = ax.transData.transform([(1, 1), (2, 2)])
    return math.atan2(y1 - y0, x1 - x0)


def turned(point: Point, angle: float) -> Point:
    """A point in axes that are turned by ``angle`` (radians): along the slopes, and across them."""
    x, y = point
    cosine, sine = math.cos(angle), math.sin(angle)
    return x * cosine + y * sine, y * cosine - x * sine


def write_along(ax: Axes, roof: Roof, text: str, pixels: Point, angle: float) -> None:
    """Write the name of a bandwidth roof from this pixel on, rising by ``angle`` (radians)."""
    x, y = in_data(ax, pixels)
    ax.text(
        x,
        y,
        text,
        rotation=math.degrees(angle),
        rotation_mode="anchor",
        va="bottom",
        color=SLOPE,
        bbox=halo(),
        gid=f"{roof.tag}/name",
    )


def names_of_slopes(ax: Axes, roofs: Sequence[Roof]) -> None:
    """Write names along the slopes (best first): above their lines, but below the lowest.

    Where slopes lie close, one name comes after another; without the share of theory if there is no
    room for it. A slope that begins above the picture has none.
    """
    pixels = pixels_of(ax)
    angle = rise(ax)
    left = ax.get_xlim()[0]
    highest = ax.bbox.y1 - 3 * pixels
    roofs = [
        roof for roof in roofs if ax.transData.transform((left, left * roof.rate))[1] < highest
    ]
    origins = _origins(ax, roofs, angle)

    def begins(names: Sequence[str]) -> list[float]:
        return stagger(origins, [width(name, pixels) for name in names], TIGHT * pixels)

    names = [full_name(roof) for roof in roofs]
    along = begins(names)
    ends = [
        (begin + width(name, pixels)) * math.sin(angle) + across * math.cos(angle)
        for begin, name, (_, across) in zip(along, names, origins, strict=True)
    ]
    if max(ends, default=0.0) > ax.bbox.y1:
        names = [name.partition(" · ")[0] for name in names]  # shorter, to stay in the picture
        along = begins(names)
    for roof, name, begin, (_, across) in zip(roofs, names, along, origins, strict=True):
        cosine, sine = math.cos(angle), math.sin(angle)
        pixel = begin * cosine - across * sine, begin * sine + across * cosine
        write_along(ax, roof, name, pixel, angle)


def _origins(ax: Axes, roofs: Sequence[Roof], angle: float) -> list[Point]:
    """Where the names of these slopes may begin: (along, across) in turned axes, in pixels."""
    pixels = pixels_of(ax)
    left = ax.get_xlim()[0]
    cosine, sine = math.cos(angle), math.sin(angle)
    inset = INSET * pixels * sine / cosine
    drop = BELOW * pixels + TIGHT * pixels
    named_below = _named_below(ax, roofs, pixels / cosine)
    origins = []
    for roof, top, is_below in zip(roofs, tops(roofs), named_below, strict=True):
        rate = roof.rate if is_below else top
        x, y = ax.transData.transform((left, left * rate))
        along = x * cosine + y * sine + inset
        across = y * cosine - x * sine + GAP * pixels
        if is_below:
            along = along - inset + drop * (cosine / sine + 1)
            across -= drop
        origins.append((along, across))
    return origins


def _named_below(ax: Axes, roofs: Sequence[Roof], height: float) -> list[bool]:
    """For each slope (best first) whether its name stands below its line.

    That of the last does, and that of a slope close under another with room below it. height: of a
    name, in pixels along the vertical axis.
    """
    heights_of_tops = [ax.transData.transform((1, rate))[1] for rate in tops(roofs)]
    heights = [ax.transData.transform((1, roof.rate))[1] for roof in roofs]
    last = len(roofs) - 1
    below = []
    for i in range(len(roofs)):
        if i == last:
            below.append(True)
            continue
        is_close = i > 0 and heights[i - 1] - heights_of_tops[i] < CLOSE * height
        needed = ROOM_BELOW_OVER_LAST if i + 1 == last else ROOM_BELOW
        has_room = heights[i] - heights_of_tops[i + 1] > needed * height
        below.append(is_close and has_room)
    return below


def names_among_points(ax: Axes, roofs: Sequence[Roof], points: Sequence[Box]) -> None:
    """Write names along the slopes (best first), clear of lines and of boxes over points (pixels).

    The lowest slope is named below its line if there is room. A name gives up its rate before it
    covers a point, and covers a point before it covers a line. A slope that begins above the
    picture has none.
    """
    angle = rise(ax)
    lines = [_turned_box(box, angle) for box in roof_lines(ax, 2.0)]
    turned_points = [_turned_box(box, angle) for box in points]
    for roof in roofs:
        is_last = roof == roofs[-1]
        bare = clipped(roof.label)
        with_rate = f"{bare} {si(roof.rate, roof.unit)}"
        for name, taken in (
            (with_rate, [*lines, *turned_points]),
            (bare, [*lines, *turned_points]),
            (with_rate, lines),
            (bare, lines),
        ):
            box = first_free(_places_along(ax, roof, name, angle, is_last), taken)
            if box:
                lines.append(box)
                write_along(ax, roof, name, turned((box.left, box.bottom), -angle), angle)
                break


def _places_along(ax: Axes, roof: Roof, name: str, angle: float, is_last: bool) -> Iterator[Box]:
    """Boxes for a name above and below a slope, best first, all of them inside the axes.

    They are in turned axes, in pixels.
    """
    pixels = pixels_of(ax)
    frame = frame_of(ax)
    line = next(line for line in ax.get_lines() if line.get_gid() == f"{roof.tag}/layers")
    first, last = ax.transData.transform(line.get_xydata())
    begin, across = turned(first, angle)
    end, _ = turned(last, angle)
    above = across + GAP * pixels
    below = across - (GAP + TIGHT) * pixels
    for bottom in (below, above) if is_last else (above, below):
        for step in range(int((end - begin) / pixels * 2)):
            left = begin + step * pixels / 2
            box = Box(left, bottom, left + width(name, pixels), bottom + TIGHT * pixels)
            if _turned_box(box, -angle).is_inside(frame):
                yield box


def _turned_box(box: Box, angle: float) -> Box:
    """The box around a box in axes that are turned by ``angle`` (radians)."""
    corners = [turned((x, y), angle) for x in (box.left, box.right) for y in (box.bottom, box.top)]
    along = [corner[0] for corner in corners]
    across = [corner[1] for corner in corners]
    return Box(min(along), min(across), max(along), max(across))
