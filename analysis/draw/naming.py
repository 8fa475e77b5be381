"""Words on a roofline: every roof named where it is, in its colour, and never one name over
another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.labels import clipped, spread_out, stagger, width
from analysis.model.roofline import Roof
from analysis.units import percent, si
from probes.records.tag import Tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patheffects import AbstractPathEffect

# Okabe and Ito's colours, told apart by colour-blind readers; in grey the marker and the label
# tell.
STYLES = {
    "fp64": ("#0072B2", "s"),
    "fp32": ("#D55E00", "o"),
    "tf32": ("#E69F00", "D"),
    "fp16": ("#009E73", "^"),
    "bf16": ("#CC79A7", "v"),
    "fp8": ("#56B4E9", "P"),
    "int32": ("#555555", "h"),
    "int8": ("#000000", "X"),
    "int4": ("#8A6D3B", "*"),
}
SLOPE, SOFT, FAINT = "#333333", "#555555", "#9A9A9A"
LINE_HEIGHT = 1.35  # of a label, in its font size
TIGHT = 1.15  # of a label between two slopes
SMALL = 8.5  # points


Ink = tuple[float, float, float]  # red, green and blue of text, each from 0 to 1


def tops(roofs: Sequence[Roof]) -> list[float]:
    """Of each roof the higher of its lines, measured or theoretical."""
    return [max(roof.rate, roof.peak or 0) for roof in roofs]


def name(roof: Roof) -> str:
    """``FP64  33.4 TFLOP/s · 99.9 %``."""
    share = f" · {percent(roof.share)}" if roof.share else ""
    return f"{clipped(roof.label)}  {si(roof.rate, roof.unit)}{share}"


def beside(ax: Axes, text: str, corner: tuple[int, int], points: float, colour: str) -> None:
    """A line of text so many points above a corner of the axes."""
    ax.annotate(
        text,
        corner,
        (0, points),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=SMALL,
        color=colour,
    )


def style(roof: Roof) -> tuple[str, str]:
    """Colour and marker of a roof's precision."""
    return STYLES.get(Tag.parse(roof.tag).subject, (SLOPE, "o"))


def ink(colour: str) -> Ink:
    """A colour dark enough to read as text on white."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(colour)
    return 0.72 * red, 0.72 * green, 0.72 * blue


def halo() -> list[AbstractPathEffect]:
    """White around text, so that lines beneath do not strike it through."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground="white")]


def in_data(ax: Axes, pixels: Sequence[float]) -> tuple[float, float]:
    """The place in data coordinates that lies at this pixel."""
    x, y = ax.transData.inverted().transform(pixels)
    return float(x), float(y)


def in_axes(ax: Axes, pixels: Sequence[float]) -> tuple[float, float]:
    """The place, as fractions of the axes, that lies at this pixel."""
    x, y = ax.transAxes.inverted().transform(pixels)
    return float(x), float(y)


def rise(ax: Axes) -> float:
    """The angle, in radians, by which every bandwidth roof rises on the screen."""
    (x0, y0), (x1, y1) = ax.transData.transform([(1, 1), (2, 2)])
    return math.atan2(y1 - y0, x1 - x0)


def write_along(ax: Axes, roof: Roof, text: str, pixels: tuple[float, float], angle: float) -> None:
    """Write the name of a bandwidth roof, beginning at this pixel and rising by ``angle``, in
    radians.
    """
    x, y = in_data(ax, pixels)
    ax.text(
        x,
        y,
        text,
        rotation=math.degrees(angle),
        rotation_mode="anchor",
        va="bottom",
        color=SLOPE,
        fontsize=SMALL,
        path_effects=halo(),
        gid=f"{roof.tag}/name",
    )


def names_of_slopes(ax: Axes, roofs: Sequence[Roof]) -> None:
    """Names along the slopes (best first): above their lines, but below the lowest, where nothing
    else is drawn.

    Where slopes lie close, one name comes after another; without the share of theory if there is no
    room for it. A slope that begins above the picture has none.
    """
    pixels = SMALL * ax.figure.dpi / 72
    angle = rise(ax)
    c, s = math.cos(angle), math.sin(angle)
    left = ax.get_xlim()[0]
    room = ax.bbox.y1 - 3 * pixels
    roofs = [roof for roof in roofs if ax.transData.transform((left, left * roof.rate))[1] < room]
    under = _named_below(ax, roofs, pixels / c)
    lines = [
        roof.rate if below else top
        for roof, top, below in zip(roofs, tops(roofs), under, strict=True)
    ]
    begins = [ax.transData.transform((left, left * rate)) for rate in lines]
    inset = 1.6 * pixels * s / c  # keeps the type right of the axis, however steep
    frame = [
        (x * c + y * s + inset, y * c - x * s + 0.35 * pixels) for x, y in begins
    ]  # along, across
    drop = 0.7 * pixels + TIGHT * pixels
    frame = [
        (u - inset + drop * (c / s + 1), v - drop) if below else (u, v)
        for (u, v), below in zip(frame, under, strict=True)
    ]
    said = [name(roof) for roof in roofs]
    starts = stagger(frame, [width(text, pixels) for text in said], TIGHT * pixels)
    ends = [
        (u + width(t, pixels)) * s + v * c for u, t, (_, v) in zip(starts, said, frame, strict=True)
    ]
    if (
        max(ends, default=0.0) > ax.bbox.y1
    ):  # many close slopes: less of each, so that all stay in the picture
        said = [text.partition(" · ")[0] for text in said]
        starts = stagger(frame, [width(text, pixels) for text in said], TIGHT * pixels)
    for roof, text, u, (_, v) in zip(roofs, said, starts, frame, strict=True):
        begin = u * c - v * s, u * s + v * c
        write_along(ax, roof, text, begin, angle)


def _named_below(ax: Axes, roofs: Sequence[Roof], height: float) -> list[bool]:
    """Whether a slope (best first) is named below its line: the last, and one close under another
    with room below.

    height: of a label, in pixels along the vertical axis.
    """
    at = [
        ax.transData.transform((1, rate))[1]
        for rate in (*tops(roofs), *(roof.rate for roof in roofs))
    ]
    top, own = at[: len(roofs)], at[len(roofs) :]
    close = [i > 0 and own[i - 1] - top[i] < 1.6 * height for i in range(len(roofs))]
    last = len(roofs) - 1
    needed = [
        2.2 if i + 1 == last else 3.4 for i in range(last)
    ]  # heights: above its line, the next has its own name
    room = [own[i] - top[i + 1] > times * height for i, times in enumerate(needed)]
    return [i == last or (close[i] and room[i]) for i in range(len(roofs))]


def names_of_roofs(ax: Axes, roofs: Sequence[Roof], size: float) -> None:
    """Names in the right margin, pushed apart where roofs lie close, each tied to its line."""
    pixels = size * ax.figure.dpi / 72 * LINE_HEIGHT
    wanted = [ax.transData.transform((1, roof.rate))[1] for roof in roofs]
    gap = ax.transAxes.inverted().transform((ax.bbox.x1 + 2.2 * pixels, 0))[0]
    inside = (ax.bbox.y0 + pixels / 2, ax.bbox.y1 - pixels / 2)
    for roof, at in zip(roofs, spread_out(wanted, pixels, *inside), strict=True):
        line = {
            "arrowstyle": "-",
            "color": style(roof)[0],
            "linewidth": 0.7,
            "shrinkA": 1,
            "shrinkB": 0,
        }
        ax.annotate(
            name(roof),
            (1.0, roof.rate),
            (gap, ax.transAxes.inverted().transform((0, at))[1]),
            xycoords=("axes fraction", "data"),
            textcoords="axes fraction",
            fontsize=size,
            color=ink(style(roof)[0]),
            va="center",
            arrowprops={**line, "relpos": (0, 0.5)},
            annotation_clip=False,
        )
