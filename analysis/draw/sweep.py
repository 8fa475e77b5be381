"""Draw a sweep: a line for each series, named where it ends, its levels named where they are. Only
draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import covered, page
from analysis.draw.labels import Box, clipped, first_free, spread_out, thinned, width
from analysis.draw.levels import draw_level
from analysis.draw.naming import (
    FAINT,
    LINE_HEIGHT,
    SMALL,
    SOFT,
    STYLES,
    beside,
    halo,
    in_axes,
    in_data,
    ink,
)
from analysis.model.roofline import attainable, ridge
from analysis.model.sweeps import Line, SweepChart, shares
from analysis.units import brief, percent
from probes.records.measurement import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = [(colour, marker) for colour, marker in STYLES.values()]
DASHED = (0, (4, 3))
ALONE: dict[str, Any] = {"linewidth": 0, "alpha": 0.35, "markeredgewidth": 0}
"""The look of points that a line's percentages leave out."""
WIDE_RANGE = 4.0  # values that differ by more are drawn on a logarithmic axis
LEFT, BELOW, ABOVE = 1.1, 0.85, 0.6  # inches around the axes
EDGES = 0.3  # inches more above them for the sizes of caches
TICK = 62.0  # pixels between ticks, at least
BESIDE = (-0.5, 0.0, 0.5, -1.5, 1.2, -2.2)  # of a name from the end of its line, in its height
TITLE = 110  # letters, at most
NEAR_EDGE = 0.8  # of the axes' width: a line that ends before is named where it ends


def figure(sweep: SweepChart, device: str, inches: tuple[float, float]) -> Figure:
    """A figure of this size with the sweep in it; the names take what room they need right of the
    axes.
    """
    made = page(inches)
    across, down = inches
    margin = max(width(_name(line), SMALL) for line in sweep.lines) / 72 + 4 * SMALL / 72
    below = BELOW + (len(_caption(sweep)) - 1) * LINE_HEIGHT * SMALL / 72
    box = (
        LEFT / across,
        below / down,
        1 - (LEFT + margin) / across,
        1 - (below + ABOVE + EDGES * bool(sweep.edges)) / down,
    )
    title = f"{device}: {sweep.title[0].lower()}{sweep.title[1:]}"
    draw(sweep, made.add_axes(box), title)
    return made


def draw(sweep: SweepChart, ax: Axes, title: str = "") -> Axes:
    """Draw ``sweep`` into the matplotlib axes ``ax`` and return it."""
    _frame(ax, sweep, title)
    styled = [(line, _style(line, i)) for i, line in enumerate(sweep.lines)]
    for line, (colour, marker) in styled:
        _points(ax, line.counted, colour, marker, f"{sweep.name}/{line.name}", linewidth=1.4)
        _points(ax, line.left_out, colour, marker, f"{sweep.name}/{line.name}/left out", **ALONE)
        _roof(ax, line, colour)
    lines = [[(row.x or 0.0, row.value or 0.0) for row in line.rows] for line in sweep.lines]
    taken = thinned(box for points in lines for box in covered(ax, points, radius=3.0, step=4.0))
    taken += _edges(ax, sweep)
    for line, (colour, _) in styled:
        for level in line.levels:
            draw_level(ax, level, ink(colour), colour, taken)
    _names(ax, [each for each in styled if not _named_inside(ax, *each, taken)])
    return ax


def _points(
    ax: Axes, rows: Sequence[Measurement], colour: str, marker: str, gid: str, **look: Any
) -> None:
    places = [row.x or 0.0 for row in rows]
    values = [row.value or 0.0 for row in rows]
    ax.plot(places, values, color=colour, marker=marker, markersize=4, gid=gid, **look)


def _style(line: Line, i: int) -> tuple[str, str]:
    """Colour and marker: those of its precision on the roofline, or the next."""
    return STYLES.get(line.name.lower().split(" ")[0].split("-")[0], COLOURS[i % len(COLOURS)])


def _name(line: Line) -> str:
    """``read``; under a roof ``FP32  ≥ 91.0 % · 97.5 %``."""
    name = clipped(line.name)
    return f"{name}  ≥ {' · '.join(map(percent, shares(line)))}" if line.roof else name


def _frame(ax: Axes, sweep: SweepChart, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    places = [row.x or 1.0 for line in sweep.lines for row in line.rows] + [
        x for _, x in sweep.edges
    ]
    values = [row.value or 0.0 for line in sweep.lines for row in line.rows]
    ax.set_xscale("log", base=2)
    ax.set_xlim(min(places) / 2**0.3, max(places) * 2**0.3)
    if max(values) > WIDE_RANGE * min(values):
        ax.set_yscale("log")
        ax.set_ylim(min(values) / 1.6, max(values) * 1.6)
        few = max(values) < 300 * min(values)
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
        ax.yaxis.set_minor_formatter("")
    else:
        ax.set_ylim(0, 1.2 * max(values))
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=max(3, int(ax.bbox.width / TICK))))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: sweep.place(x)))
    ax.xaxis.set_minor_locator(LogLocator(base=2, numticks=60))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, sweep.unit)))
    ax.tick_params(labelsize=SMALL)
    ax.set_xlabel(sweep.axis)
    ax.set_title(
        clipped(title, TITLE),
        loc="left",
        fontweight="bold",
        pad=12 + 72 * EDGES * bool(sweep.edges),
    )
    for i, text in enumerate(_caption(sweep)):
        beside(ax, text, (0, 0), -50 - i * LINE_HEIGHT * SMALL, FAINT)
    ax.grid(True, which="major", color="#E9E9E9", linewidth=0.7)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def _caption(sweep: SweepChart) -> list[str]:
    """What lines and figures mean, one line below the other."""
    roofed = [line for line in sweep.lines if line.roof]
    if roofed:
        beside = any(row.beside for line in roofed for row in line.rows)
        of = "of the roof timed beside each point" if beside else "at one clock"
        shares = f"%: least share, {of}, anywhere · outside a factor 2 of the ridge."
        some = any(line.left_out for line in roofed)
        faint = " Faint: points that cannot be trusted, left out of the shares." if some else ""
        told = ["Dashed: the measured roof." + faint, shares]
        return told if beside or faint else [" ".join(told)]
    if any(line.levels for line in sweep.lines):
        return [
            "Bands: plateaus found in the data. Dashed: sizes of caches as the device reports them."
        ]
    return ["Points: measured medians."]


def _roof(ax: Axes, line: Line, colour: str) -> None:
    """The roof over a line, with its corner."""
    if not line.roof:
        return
    ends = [line.rows[0].x or 1.0, line.rows[-1].x or 1.0]
    turn = ridge(*line.roof)
    xs = [ends[0], *([turn] if ends[0] < turn < ends[1] else []), ends[1]]
    ax.plot(
        xs,
        [attainable(x, *line.roof) for x in xs],
        color=colour,
        linewidth=1.0,
        linestyle=DASHED,
        gid=f"{line.name}/roof",
    )


def _edges(ax: Axes, sweep: SweepChart) -> list[Box]:
    """A dashed line at every reported size, named above the axes, in a second row where the first
    is taken.
    """
    pixels = SMALL * ax.figure.dpi / 72
    taken: list[Box] = []
    for text, x in sweep.edges:
        ax.axvline(x, color=FAINT, linewidth=1.0, linestyle=DASHED, zorder=1)
        half, middle = width(text, pixels) / 2 + pixels / 3, ax.transData.transform((x, 1))[0]
        rows = [ax.bbox.y1 + (0.3 + row * LINE_HEIGHT) * pixels for row in range(3)]
        box = first_free([(middle - half, y, middle + half, y + pixels) for y in rows], taken)
        if box:
            taken.append(box)
            above = (box[1] - ax.bbox.y1) * 72 / ax.figure.dpi
            ax.annotate(
                text,
                (x, 1),
                (0, above),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                fontsize=SMALL,
                color=SOFT,
                ha="center",
                gid="edge",
            )
    return taken


def _named_inside(ax: Axes, line: Line, style: tuple[str, str], taken: list[Box]) -> bool:
    """Name a line that ends far from the margin beside its last point; whether there was room."""
    last = line.counted[-1]
    x, y = ax.transData.transform((last.x or 0.0, last.value or 0.0))
    if x > ax.bbox.x0 + NEAR_EDGE * ax.bbox.width:
        return False
    pixels = SMALL * ax.figure.dpi / 72
    right = x + pixels + width(_name(line), pixels)
    choices = [(x + pixels, y + lift * pixels, right, y + (lift + 1) * pixels) for lift in BESIDE]
    box = first_free(choices, taken)
    if box:
        taken.append(box)
        left, bottom = in_data(ax, box[:2])
        ax.text(
            left,
            bottom,
            _name(line),
            fontsize=SMALL,
            color=ink(style[0]),
            va="bottom",
            path_effects=halo(),
            gid="name",
        )
    return box is not None


def _names(ax: Axes, styled: Sequence[tuple[Line, tuple[str, str]]]) -> None:
    """Names in the right margin at the height where the lines end, pushed apart, each tied to its
    line.
    """
    pixels = SMALL * ax.figure.dpi / 72 * LINE_HEIGHT
    highest_first = sorted(styled, key=lambda each: -(each[0].counted[-1].value or 0.0))
    ends = [line.counted[-1] for line, _ in highest_first]
    spots = [ax.transData.transform((last.x or 0.0, last.value or 0.0)) for last in ends]
    bounds = (ax.bbox.y0 + pixels / 2, ax.bbox.y1 - pixels / 2)
    heights = spread_out([spot[1] for spot in spots], pixels, *bounds)
    for (line, (colour, _)), last, height in zip(highest_first, ends, heights, strict=True):
        at = in_axes(ax, (ax.bbox.x1 + 1.2 * pixels, height))
        tie = {
            "arrowstyle": "-",
            "color": colour,
            "linewidth": 0.7,
            "shrinkA": 1,
            "shrinkB": 3,
            "relpos": (0, 0.5),
        }
        ax.annotate(
            _name(line),
            (last.x, last.value),
            at,
            xycoords="data",
            textcoords="axes fraction",
            fontsize=SMALL,
            color=ink(colour),
            va="center",
            arrowprops=tie,
            annotation_clip=False,
            gid="name",
        )
