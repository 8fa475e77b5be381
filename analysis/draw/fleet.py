"""Draw a fleet: of each row where its nodes lie over their middle, the slow ones by their cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import caption, heading, page
from analysis.draw.labels import clipped
from analysis.draw.style import CATEGORIES, FAINT, MARKERS, SOFT
from analysis.fleet.fleet import Fleet, KindOfNodes, Look
from analysis.fleet.spread import Spread
from analysis.fleet.words import answer, cause_in_words
from analysis.units import brief
from probes.records.tag import Tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 9.6
ROW, ABOVE, BELOW = 0.30, 1.25, 0.75
"""Inches of a row, and above and below all of them."""
LEFT, RIGHT = 1.9, 1.3
"""Inches beside the axes."""
MOST_ROWS = 24
"""Rows that are drawn: those with slow nodes first, then roofs."""
HEIGHT = 0.32
"""How far the dots of a row go above and below its line, in rows."""
NARROWEST, WIDEST = 0.03, 0.6
"""How far the axis goes below the middle: no less, and no more; beyond, dots stand at its edge."""
MOST_NAMES = 8
"""Slow nodes whose names are written."""


def fleet_figure(fleet: Fleet) -> Figure:
    """The rows of the kind with most nodes, a dot a node."""
    kind = fleet.kinds[0] if fleet.kinds else None
    rows = _rows(kind) if kind else []
    down = ABOVE + BELOW + ROW * max(2, len(rows))
    picture = page((ACROSS, down))
    heading(picture, str(kind.kind) if kind else "no runs", answer(fleet))
    box = (LEFT / ACROSS, BELOW / down, 1 - (LEFT + RIGHT) / ACROSS, 1 - (ABOVE + BELOW) / down)
    ax = picture.add_axes(box)
    if kind is None or not rows:
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no row that two nodes have", transform=ax.transAxes, ha="center")
        return picture
    others = len(fleet.kinds) - 1
    notes = [f"{others} more kinds of devices are on the page."] if others else []
    caption(
        picture,
        "A dot is a node: its speed over the median, which is written out; band: usual noise.",
        notes,
    )
    _draw(ax, kind, rows)
    if ax.get_legend_handles_labels()[0]:
        picture.legend(loc="upper left", bbox_to_anchor=(0.005, 1 - 0.55 / down), ncols=4)
    return picture


def _rows(kind: KindOfNodes) -> list[Spread]:
    """The rows that are drawn: those in which nodes are slow, then whole roofs, then others."""
    slow = {each.tag for look in kind.looks for each in look.deviations}

    def order(spread: Spread) -> tuple[bool, bool, str]:
        return spread.tag not in slow, not Tag.parse(spread.tag).draws_roof, spread.tag

    wanted = [spread for spread in kind.spreads.values() if spread.tag in slow or spread.nodes > 1]
    return sorted(wanted, key=order)[:MOST_ROWS]


def _draw(ax: Axes, kind: KindOfNodes, rows: Sequence[Spread]) -> None:
    """A row for each ceiling, the first on top."""
    from matplotlib.ticker import PercentFormatter

    edge = _edge(kind, rows)
    for height, spread in enumerate(rows):
        usual = min(3 * spread.noise, edge)
        ax.fill_between(
            [-usual, usual],
            -height - HEIGHT,
            -height + HEIGHT,
            color=FAINT,
            alpha=0.18,
            linewidth=0,
        )
    colours = _colours(kind)
    for cause, looks in _by_cause(kind).items():
        points = []
        for look in looks:
            points += _points(look, rows, edge, cause is not None)
        is_slow = cause is not None
        ax.plot(
            [x for x, _ in points],
            [y for _, y in points],
            MARKERS[(1 + colours[cause]) % len(MARKERS)] if cause is not None else "o",
            color=CATEGORIES[colours[cause] % len(CATEGORIES)] if cause is not None else SOFT,
            markersize=6 if is_slow else 2.2,
            alpha=0.95 if is_slow else max(0.15, min(0.6, 60 / max(1, len(kind.looks)))),
            markeredgewidth=0,
            zorder=3 if is_slow else 2,
            label=cause_in_words(cause) if cause is not None else None,
            rasterized=not is_slow and len(kind.looks) > 200,
            gid=f"cause {cause}" if is_slow else "usual nodes",
        )
    _name_slow(ax, kind, rows, edge)
    for height, spread in enumerate(rows):
        ax.annotate(
            brief(spread.typical.value, spread.unit),
            (1.0, -height),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            color=FAINT,
            va="center",
            annotation_clip=False,
        )
    ax.axvline(0, color=FAINT, linewidth=0.8, zorder=1)
    ax.set(xlim=(-1.06 * edge, 1.06 * min(edge, _top(kind, rows))), ylim=(0.6 - len(rows), 0.6))
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_yticks(
        [-height for height in range(len(rows))], [clipped(spread.name, 26) for spread in rows]
    )


def _change(look: Look, spread: Spread) -> float | None:
    """Speed of a node over the middle, less 1."""
    row = look.node.rows.get(spread.tag)
    if row is None or not row.reading.trusted:
        return None
    return row.reading.speed / spread.typical.speed - 1


def _changes(kind: KindOfNodes, rows: Sequence[Spread]) -> list[float]:
    changes = [_change(look, spread) for look in kind.looks for spread in rows]
    return [change for change in changes if change is not None]


def _edge(kind: KindOfNodes, rows: Sequence[Spread]) -> float:
    """How far the axis goes below the middle."""
    return min(WIDEST, max(NARROWEST, *(-change for change in _changes(kind, rows))))


def _top(kind: KindOfNodes, rows: Sequence[Spread]) -> float:
    """How far it goes above it."""
    return max(NARROWEST, *_changes(kind, rows))


def _points(
    look: Look, rows: Sequence[Spread], edge: float, only_slow: bool
) -> list[tuple[float, float]]:
    """The dots of a node; heights are spread so that dots do not hide each other."""
    slow = {each.tag for each in look.deviations}
    points = []
    for height, spread in enumerate(rows):
        change = _change(look, spread)
        if change is None or (only_slow and spread.tag not in slow):
            continue
        jitter = 0.0 if only_slow else HEIGHT * (2 * _scatter(look.node.name, height) - 1)
        points.append((max(-edge, min(edge, change)), -height + jitter))
    return points


def _scatter(name: str, height: int) -> float:
    """A number from 0 to 1 that is always the same for a node in a row."""
    import zlib

    return (zlib.crc32(f"{name} {height}".encode()) % 1000) / 999


def _by_cause(kind: KindOfNodes) -> dict[str | None, list[Look]]:
    """Slow nodes by cause, after all others under None."""
    by_cause: dict[str | None, list[Look]] = {None: []}
    for look in kind.looks:
        is_slow = look.worst is not None and look.worst.is_slower
        by_cause.setdefault(look.cause if is_slow else None, []).append(look)
    return by_cause


def _colours(kind: KindOfNodes) -> dict[str | None, int]:
    """The number of each cause."""
    causes = [cause for cause in _by_cause(kind) if cause is not None]
    return {cause: number for number, cause in enumerate(causes)}


def _name_slow(ax: Axes, kind: KindOfNodes, rows: Sequence[Spread], edge: float) -> None:
    """Write the names of slow nodes that are few of their cause, at their furthest row."""
    heights = {spread.tag: height for height, spread in enumerate(rows)}
    alone = [group for group in kind.groups if group.looks]
    for group in alone[:MOST_NAMES]:
        look = group.worst
        if look.worst is None or look.worst.tag not in heights:
            continue
        height = heights[look.worst.tag]
        change = _change(look, rows[height])
        more = len(group.looks) - 1
        name = group.place or look.node.name
        if more and not group.place:
            name = f"{name} and {more} more"
        ax.annotate(
            clipped(name, 24),
            (max(-edge, change or 0.0), -height),
            (5, 0),
            textcoords="offset points",
            fontsize=8,
            va="center",
            gid=f"name {look.node.name}",
        )
