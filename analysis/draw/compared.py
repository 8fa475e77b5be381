"""Draw runs side by side: roofs over roofs, and the change of each row with its interval."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.compare.comparison import ComparedRow, Comparison
from analysis.compare.roofs import MOST_SIDES, SideRoofs, SpanOfRoof, roofs_of, together
from analysis.compare.verdict import CANNOT_TELL, FASTER, SAME, SLOWER
from analysis.draw.canvas import caption, heading, page, pixels_of, write_tied
from analysis.draw.labels import clipped, spread_out
from analysis.draw.naming import subject
from analysis.draw.style import CATEGORIES, FAINT, LINE_HEIGHT, SOFT, halo
from analysis.model.roofline import ridge
from analysis.units import brief, fraction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOFS_INCHES = (9.6, 5.8)
LEFT, RIGHT, ABOVE, BELOW = 1.2, 1.1, 1.0, 0.85
"""Inches around the axes."""
DASHES = ("-", (0, (6, 2)), (0, (3, 2)), (0, (1, 1.4)), (0, (6, 2, 1, 2)), (0, (4, 1, 1, 1, 1, 1)))
"""How the lines of sides are broken, so that they differ in grey, too."""
BEYOND_RIDGES = 8.0
"""How far the axis goes beyond the outermost ridge points, as a factor."""
SHADE = 0.22
"""Opacity of a band."""
ONE_NAME = 0.75
"""Slopes above this part of another share a name with it."""
NAME_SIZE = 8.5
"""Size of the names of roofs, in points."""

ACROSS = 9.6
ROW, AROUND = 0.24, 1.75
"""Inches of a row of changes, and above and below all of them."""
MOST_PANELS = 3
"""Sides whose changes are drawn."""
MOST_ROWS = 60
"""Rows of changes that are drawn: those that changed most come first."""
NAMES_INCHES = 2.9
"""Room for the names of rows."""
COLOURS = {SLOWER: "#D55E00", FASTER: "#0072B2", SAME: "#009E73", CANNOT_TELL: "#999999"}
SHAPES = {SLOWER: "v", FASTER: "^", SAME: "o", CANNOT_TELL: "x"}
"""Colour and marker of each verdict."""
STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Changes (shares) that ticks stand at."""
STEPS_DOWN = (0.65,)
"""Further ones for slower rows: no change is below -100 %."""
WIDEST = math.log(4)
"""A change beyond this (logarithm of a ratio) is drawn at the edge."""


def roofs_figure(comparison: Comparison) -> Figure:
    """The roofs of at most six sides as lines, with a band from slowest to fastest run each.

    The sides beyond are one grey band.
    """
    sides = [roofs_of(side) for side in comparison.sides]
    drawn = [side for side in sides[:MOST_SIDES] if not side.is_empty]
    more = [side for side in sides[MOST_SIDES:] if not side.is_empty]
    picture = page(ROOFS_INCHES)
    heading(picture, _title(comparison), _under(comparison))
    caption(picture, _caption(comparison, bool(more)))
    across, down = ROOFS_INCHES
    box = (
        LEFT / across,
        BELOW / down,
        1 - (LEFT + RIGHT) / across,
        1 - (ABOVE + BELOW) / down,
    )
    ax = picture.add_axes(box)
    everything = [*drawn, *([together(more)] if more else [])]
    if not any(side.slopes and side.flats for side in everything):
        ax.set_axis_off()
        why = "no roofs of memory and arithmetic that can be trusted"
        ax.text(0.5, 0.5, why, transform=ax.transAxes, ha="center", fontsize=10)
        return picture
    _frame(ax, everything)
    if more:
        _draw_side(ax, everything[-1], FAINT, "-", with_lines=False)
    for place, side in reversed(list(enumerate(drawn))):
        colour = CATEGORIES[place % len(CATEGORIES)]
        _draw_side(ax, side, colour, DASHES[place % len(DASHES)], with_lines=True)
    _names(ax, everything)
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: _place_of(labels[place], everything))
    ax.legend(
        [handles[place] for place in order],
        [clipped(labels[place], 30) for place in order],
        loc="lower right",
    )
    return picture


def _place_of(name: str, sides: Sequence[SideRoofs]) -> int:
    """The number of the side that is called so."""
    return next(place for place, side in enumerate(sides) if side.name == name)


def _title(comparison: Comparison) -> str:
    """Names of the devices."""
    devices = dict.fromkeys(side.device for side in comparison.sides)
    return ", ".join(devices)


def _under(comparison: Comparison) -> str:
    """How many runs there are, and when they were made."""
    days = sorted({run.started[:10] for run in comparison.runs})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"{len(comparison.runs)} runs · {when}"


def _caption(comparison: Comparison, has_more: bool) -> str:
    """What lines and bands mean."""
    parts = ["Line: the middle of a side's runs"]
    if any(len(side.runs) > 1 for side in comparison.sides):
        parts.append("band: from its slowest to its fastest")
    if has_more:
        parts.append("grey: all other sides")
    return "; ".join(parts) + "."


def _frame(ax: Axes, sides: Sequence[SideRoofs]) -> None:
    """Limits and ticks."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    slopes = [span for side in sides for span in side.slopes]
    flats = [span for side in sides for span in side.flats]
    lowest_flat, highest_flat = min(span.low for span in flats), max(span.high for span in flats)
    slowest, fastest = min(span.low for span in slopes), max(span.high for span in slopes)
    left = ridge(lowest_flat, fastest) / BEYOND_RIDGES
    right = ridge(highest_flat, slowest) * BEYOND_RIDGES
    units = {span.roof.unit for span in flats}
    unit = min(units)
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(left * slowest, 2 * highest_flat))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=14))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: fraction(x)))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, unit)))
    ax.yaxis.set_minor_formatter("")
    integers_too = " (integer roofs in OP/s)" if len(units) > 1 else ""
    ax.set_xlabel(f"Operational intensity ({unit.removesuffix('/s')}/byte)")
    ax.set_ylabel(f"Attainable performance{integers_too}")


def _draw_side(ax: Axes, side: SideRoofs, colour: str, dashes: object, with_lines: bool) -> None:
    """The roofs of one side."""
    left, right = ax.get_xlim()
    top = max((span.roof.rate for span in side.flats), default=math.inf)
    fastest = max((span.roof.rate for span in side.slopes), default=math.inf)
    look: dict[str, Any] = {"color": colour, "linestyle": dashes, "linewidth": 1.4}
    label: str | None = side.name
    for span in side.slopes:
        ends = [left, min(right, ridge(top, span.roof.rate))]
        ax.fill_between(
            ends,
            [x * span.low for x in ends],
            [x * span.high for x in ends],
            color=colour,
            alpha=SHADE,
            linewidth=0,
        )
        if with_lines:
            rates = [x * span.roof.rate for x in ends]
            ax.plot(ends, rates, gid=f"{side.name} {span.roof.tag}", label=label, **look)
            label = None
    for span in side.flats:
        ends = [max(left, ridge(span.roof.rate, fastest)), right]
        ax.fill_between(ends, span.low, span.high, color=colour, alpha=SHADE, linewidth=0)
        if with_lines:
            rates = [span.roof.rate] * 2
            ax.plot(ends, rates, gid=f"{side.name} {span.roof.tag}", label=label, **look)
            label = None


def _names(ax: Axes, sides: Sequence[SideRoofs]) -> None:
    """Number formats in the right margin, levels of memory at the left edge of the axes."""
    line = pixels_of(ax, NAME_SIZE) * LINE_HEIGHT
    flats = _highest(span for side in sides for span in side.flats)
    wanted = [ax.transData.transform((1, span.roof.rate))[1] for span in flats.values()]
    heights = spread_out(wanted, line, ax.bbox.y0 + line / 2, ax.bbox.y1 - line / 2)
    for (name, span), height in zip(flats.items(), heights, strict=True):
        write_tied(
            ax,
            name,
            (1.0, span.roof.rate),
            (ax.bbox.x1 + 2 * line, height),
            SOFT,
            fontsize=NAME_SIZE,
        )
    left, _ = ax.get_xlim()
    slopes = _highest(span for side in sides for span in side.slopes)
    for names, rate in _together(slopes):
        ax.annotate(
            " = ".join(names),
            (left, left * rate),
            (7, 12),
            textcoords="offset points",
            fontsize=NAME_SIZE,
            color=SOFT,
            bbox=halo(),
            gid="name on line",
        )


def _together(slopes: Mapping[str, SpanOfRoof]) -> list[tuple[list[str], float]]:
    """Names of slopes, highest first, those together that would cover each other; their rate."""
    groups: list[tuple[list[str], float]] = []
    for name, span in slopes.items():
        if groups and span.roof.rate > ONE_NAME * groups[-1][1]:
            groups[-1][0].append(name)
        else:
            groups.append(([name], span.roof.rate))
    return groups


def _highest(spans: Iterable[SpanOfRoof]) -> dict[str, SpanOfRoof]:
    """The highest span of each level or format, the highest first."""
    best: dict[str, SpanOfRoof] = {}
    for span in sorted(spans, key=lambda span: span.roof.rate, reverse=True):
        best.setdefault(subject(span.roof), span)
    return best


def changes_figure(comparison: Comparison) -> Figure:
    """The change of each row with its interval, a column for each side but the first."""
    rows = _most_changed(comparison)
    down = AROUND + ROW * max(1, len(rows))
    picture = page((ACROSS, down))
    heading(picture, f"{_title(comparison)}: change against {comparison.sides[0].name}", "")
    others = comparison.sides[1 : MOST_PANELS + 1]
    notes = []
    if left_out := len(comparison.rows) - len(rows):
        notes.append(f"{left_out} rows that changed less, or were not told, are in the table.")
    if more := len(comparison.sides) - 1 - len(others):
        notes.append(f"{more} more sides are in the table.")
    caption(
        picture,
        "Speed over that of the first side. Bar: 95 % by the spread of runs; without one, single "
        "runs.",
        notes,
    )
    width = (1 - NAMES_INCHES / ACROSS - 0.03) / len(others)
    for place in range(len(others)):
        left = NAMES_INCHES / ACROSS + place * width
        box = (left, 0.95 / down, width - 0.02, 1 - (0.95 + 0.8) / down)
        ax = picture.add_axes(box)
        _draw_changes(ax, rows, place, 2 if len(others) == 1 else 1)
        if len(others) > 1:
            ax.set_title(clipped(others[place].name, 80 // len(others)), fontsize=9)
        if place:
            ax.set_yticklabels([])
    handles, labels = picture.axes[0].get_legend_handles_labels()
    if handles:
        picture.legend(
            handles, labels, loc="upper left", bbox_to_anchor=(0.005, 1 - 0.36 / down), ncols=4
        )
    return picture


def _most_changed(comparison: Comparison) -> list[ComparedRow]:
    """The rows that are drawn: told ones first, those that changed most first."""

    def rank(row: ComparedRow) -> tuple[bool, float]:
        has_changed = any(verdict.verdict in (SLOWER, FASTER) for verdict in row.verdicts)
        ratios = [verdict.ratio for verdict in row.verdicts if verdict.ratio]
        most = max((abs(math.log(ratio)) for ratio in ratios), default=0.0)
        return not has_changed, -most

    shared = [row for row in comparison.rows if any(verdict.ratio for verdict in row.verdicts)]
    return sorted(shared, key=rank)[:MOST_ROWS]


def _draw_changes(ax: Axes, rows: Sequence[ComparedRow], place: int, ticks: int) -> None:
    """A mark and a bar for each row, the first on top. ticks: on either side of no change."""
    drawn = set[str]()
    reach = 0.02
    for height, row in enumerate(rows):
        verdict = row.verdicts[place]
        if not verdict.ratio:
            continue
        said = verdict.verdict
        change = _kept(math.log(verdict.ratio))
        ends = [_kept(math.log(end)) for end in (verdict.low, verdict.high) if end]
        reach = max(reach, abs(change), *(abs(end) for end in ends))
        if len(ends) == 2:
            ax.plot(ends, [-height] * 2, color=COLOURS[said], linewidth=2.4, alpha=0.6)
        ax.plot(
            [change],
            [-height],
            SHAPES[said],
            color=COLOURS[said],
            markersize=6,
            label=said if said not in drawn else None,
            gid=f"change {row.row.key}",
        )
        drawn.add(said)
    ax.axvline(0, color=FAINT, linewidth=0.8)
    ax.set(xlim=(-1.08 * reach, 1.08 * reach), ylim=(0.7 - max(1, len(rows)), 0.7))
    places = _round_changes(reach, ticks)
    ax.set_xticks(
        [math.log1p(change) for change in places],
        [f"{100 * share:+g} %" if share else "0" for share in places],
    )
    ax.set_yticks(
        [-height for height in range(len(rows))], [clipped(row.row.name, 34) for row in rows]
    )


def _kept(change: float) -> float:
    """A change within what is drawn."""
    return max(-WIDEST, min(WIDEST, change))


def _round_changes(reach: float, ticks: int) -> list[float]:
    """Round changes (shares) for ticks within ``reach`` (logarithm of a ratio), few enough."""
    inside = [step for step in STEPS if math.log1p(step) <= reach]
    chosen = inside[-ticks:] if inside else [STEPS[0]]
    falls = [step for step in (*chosen, *STEPS_DOWN) if step < 1 and -math.log1p(-step) <= reach]
    falls = sorted(set(falls))[-ticks:]
    return [*(-step for step in reversed(falls)), 0.0, *chosen]
