"""Draw what 2:4 could gain in each layer by the measured roofs, over the layer's intensity.

Below the ridge fewer operations save nothing; what is gained there is fewer bytes of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import (
    Point,
    caption,
    covered,
    frame_of,
    heading,
    log_ticks,
    page,
    pixels_of,
)
from analysis.draw.labels import Box, clipped
from analysis.draw.plan.names import name_beside
from analysis.draw.style import ARITHMETIC_ZONE, AXIS_NAME, CATEGORIES, FAINT, MEMORY_ZONE, SMALL
from analysis.sparsity.verdict import (
    LAUNCH,
    LITTLE,
    MEMORY,
    NOT_TAKEN,
    PAYS,
    UNKNOWN,
    SparseVerdict,
)
from analysis.units import brief, si, whole_percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP = 0.85, 0.3, 1.3, 0.78
"""Inches around the axes."""
KEY_UP = 0.3
"""Inches from the lower edge to the key."""
LOOKS: dict[str, tuple[str, str, str]] = {
    PAYS: ("o", CATEGORIES[2], "pays (predicted)"),
    NOT_TAKEN: ("s", CATEGORIES[4], "sparse kernels would not take it"),
    LITTLE: ("D", CATEGORIES[5], "below its roofs: little to gain"),
    MEMORY: ("v", CATEGORIES[0], "bound by memory"),
    LAUNCH: ("X", CATEGORIES[3], "bound by the launch"),
    UNKNOWN: ("P", CATEGORIES[9], "no roof"),
}
"""Marker, colour and meaning of each verdict."""
SIZE = 7.0
MOST_NAMES = 6
LONGEST_NAME = 26
TICK = 0.5
"""Inches between ticks of the intensity, at least."""
WIDER = 1.6
"""Factor by which the axis reaches beyond its outermost points."""
MEANING = (
    "Roofs: the time that bytes and operations need at least, dense over 2:4. Nothing here ran."
)


def drawable(verdicts: Sequence[SparseVerdict]) -> list[SparseVerdict]:
    """The verdicts with both floors, in the precision in which 2:4 could save most."""
    known = [verdict for verdict in verdicts if verdict.dense and verdict.sparse]
    saved: dict[str, float] = {}
    for verdict in known:
        saved[verdict.precision] = saved.get(verdict.precision, 0.0) + verdict.saved_seconds
    if not saved:
        return []
    best = max(saved, key=lambda precision: saved[precision])
    return [verdict for verdict in known if verdict.precision == best]


def figure(verdicts: Sequence[SparseVerdict], network: str, device: str, inches: Point) -> Figure:
    """A figure of this size with all drawable layers in it."""
    shown = drawable(verdicts)
    picture = page(inches)
    across, down = inches
    ax = picture.add_axes(
        (
            LEFT / across,
            BOTTOM / down,
            1 - (LEFT + RIGHT) / across,
            1 - (TOP + BOTTOM) / down,
        )
    )
    _frame(ax, shown)
    _draw_ridge(ax, shown)
    taken = _draw_points(ax, shown)
    for verdict in sorted(shown, key=lambda each: -each.saved_seconds)[:MOST_NAMES]:
        if verdict.why != PAYS:
            continue
        name = f"{clipped(verdict.row.layer, LONGEST_NAME)}, -{si(verdict.saved_seconds, 's')}"
        radius = pixels_of(ax, SIZE) / 2
        name_beside(ax, name, _place(verdict), radius, LOOKS[PAYS][1], taken)
    handles, names = ax.get_legend_handles_labels()
    picture.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, KEY_UP / down),
        ncols=min(3, len(names)),
        fontsize=SMALL,
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.4,
    )
    precision = shown[0].precision.upper()
    heading(picture, f"{network} on {device}: 2:4 in {precision} by the roofs", _sentence(shown))
    caption(picture, MEANING)
    return picture


def _sentence(shown: Sequence[SparseVerdict]) -> str:
    """``2:4 could save 120 µs of 800 µs (15 %) in 5 of 21 layers, predicted``."""
    paying = [verdict for verdict in shown if verdict.why == PAYS]
    if not paying:
        return f"2:4 pays in none of {len(shown)} layers"
    saved = sum(verdict.saved_seconds for verdict in paying)
    whole = sum(verdict.seconds or 0.0 for verdict in shown)
    return (
        f"2:4 could save {si(saved, 's')} of {si(whole, 's')} ({whole_percent(saved / whole)}) in "
        f"{len(paying)} of {len(shown)} layers; predicted"
    )


def _place(verdict: SparseVerdict) -> Point:
    """(Intensity, least dense time over least sparse one)."""
    assert verdict.dense and verdict.sparse
    return verdict.dense.intensity, verdict.dense.seconds / verdict.sparse.seconds


def _frame(ax: Axes, shown: Sequence[SparseVerdict]) -> None:
    """Limits, ticks and names of the axes."""
    from matplotlib.ticker import FuncFormatter

    intensities = [_place(verdict)[0] for verdict in shown]
    intensities += [verdict.ridge for verdict in shown if verdict.ridge]
    gains = [_place(verdict)[1] for verdict in shown]
    ax.set_xscale("log")
    ax.set_xlim(min(intensities) / WIDER, max(intensities) * WIDER)
    ax.set_ylim(min(0.95, *gains) - 0.03, max(2.05, *gains) + 0.08)
    log_ticks(ax.xaxis, (10, 2), lambda x: brief(x, ""), TICK)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.1f}×"))
    ax.set_xlabel("Operations per byte, dense", fontsize=AXIS_NAME)
    ax.set_ylabel("Gain that the roofs allow", fontsize=AXIS_NAME)
    ax.axhline(1, color=FAINT, linewidth=0.8, zorder=0.9)


def _draw_ridge(ax: Axes, shown: Sequence[SparseVerdict]) -> None:
    """Shade what lies below the ridge of the dense roofs, and above it, and name both."""
    ridges = [verdict.ridge for verdict in shown if verdict.ridge]
    if not ridges:
        return
    ridge = sorted(ridges)[len(ridges) // 2]
    low, high = ax.get_xlim()
    ax.axvspan(low, ridge, color=MEMORY_ZONE, linewidth=0, zorder=0.3, gid="below the ridge")
    ax.axvspan(ridge, high, color=ARITHMETIC_ZONE, linewidth=0, zorder=0.3, gid="above it")
    ax.axvline(ridge, color=FAINT, linewidth=1.0, linestyle=(0, (4, 3)), zorder=0.8, gid="ridge")
    look: dict[str, Any] = {
        "xycoords": ("data", "axes fraction"),
        "textcoords": "offset points",
        "color": FAINT,
        "fontsize": SMALL,
        "va": "top",
        "gid": "zone",
    }
    ax.annotate("bound by memory", (ridge, 0.98), (-5, 0), ha="right", **look)
    ax.annotate("by arithmetic", (ridge, 0.98), (5, 0), ha="left", **look)


def _draw_points(ax: Axes, shown: Sequence[SparseVerdict]) -> list[Box]:
    """Draw a marker for each layer, by verdict; boxes over them, in pixels."""
    for why, (marker, colour, meaning) in LOOKS.items():
        places = [_place(verdict) for verdict in shown if verdict.why == why]
        if not places:
            continue
        ax.plot(
            [x for x, _ in places],
            [y for _, y in places],
            linestyle="none",
            marker=marker,
            markersize=SIZE,
            color=colour,
            markeredgecolor="white",
            markeredgewidth=0.6,
            alpha=0.9,
            label=f"{meaning}: {len(places)}",
            zorder=3,
            gid=f"{why}/points",
        )
    boxes = covered(ax, [_place(verdict) for verdict in shown], pixels_of(ax, SIZE) / 2, False)
    for text in ax.texts:
        boxes.append(Box(*text.get_window_extent().extents))
    frame = frame_of(ax)
    return [box for box in boxes if box.left < frame.right]
