"""Draw time against loss: each recipe as predicted and as measured, and which of them was chosen.

To the left is faster, further down loses less. What loses more than was asked is shaded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import (
    NOTE,
    Point,
    caption,
    covered,
    frame_of,
    heading,
    in_data,
    page,
    pixels_of,
)
from analysis.draw.labels import Box, clipped, first_free, round_numbers, width
from analysis.draw.plan.names import name_beside
from analysis.draw.style import AXIS_NAME, CATEGORIES, FAINT, KEY, PRECISIONS, SOFT, ink
from analysis.plan.front import Loss
from analysis.plan.front import Point as Standing
from analysis.units import brief, short, si
from probes.records.precision import ACCURACY, DEVIATION, TOP1, Plan

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP = 0.95, 0.25, 0.82, 0.72
"""Inches around the axes."""
NAMES_OF_LOSS = {
    ACCURACY: "Accuracy lost",
    TOP1: "Answers that differ from FP32",
    DEVIATION: "Deviation from FP32 (RMS)",
}
"""What the vertical axis is called, by what a loss counts."""
OURS, SIMPLE, PRUNED = CATEGORIES[0], KEY, CATEGORIES[2]
"""Colours of recipes that were solved for, of those that people try first, and of those whose
weights were pruned."""
MARKERS = {OURS: "o", SIMPLE: "s", PRUNED: "D"}
SIZE, CHOSEN_SIZE, PALE_SIZE = 6.0, 11.0, 3.5
"""Of a marker, in points."""
BEYOND = "#D55E00"
"""Colour of the loss asked, and of what lies beyond it."""
WIDE_TIMES = 5.0
"""Times that differ by a larger factor are drawn on a logarithmic axis."""
LEAST_TIMES = 0.2
"""Share of the longest time that the axis spans at least: noise must not look like a gain."""
WIDE_LOSSES = 5.0
"""Losses that exceed the one asked by a larger factor are drawn on an axis that is logarithmic
beyond it."""
LEAST_ASKED = 1e-4
"""The least loss up to which such an axis is linear."""
ROOM = 0.08
"""Empty part of an axis at each end."""
ROOM_FOR_NAMES = 0.16
"""Empty part of the time's axis at its right end."""
LONGEST_NAME = 30
"""Letters of the name of a recipe."""
TICK = 0.4
"""Inches from one tick of the loss to the next, at least."""
MEANING = (
    "Hollow: predicted. Pale: on the inputs that ranked. Bars: intervals of 95 %. "
    "Grey line: nothing is faster and loses less."
)
OF_PRUNED = " Diamonds: pruned."
"""Added to it where some are."""


def drawable(points: Sequence[Standing]) -> list[Standing]:
    """The recipes with a time, measured or else predicted, and a loss."""
    return [point for point in points if point.loss is not None and _seconds(point) is not None]


def figure(plan: Plan, points: Sequence[Standing], device: str, inches: Point) -> Figure:
    """A figure of this size with the recipes in it, at least one of which is drawable."""
    picture = page(inches)
    across, down = inches
    shown = drawable(points)
    notes = _notes(points)
    bottom = BOTTOM + NOTE * len(notes)
    ax = picture.add_axes(
        (LEFT / across, bottom / down, 1 - (LEFT + RIGHT) / across, 1 - (TOP + bottom) / down)
    )
    _frame(ax, plan, shown)
    taken = _boxes(ax, shown, plan)
    intervals = _boxes_of_intervals(ax, shown)
    _draw_asked(ax, plan, taken, intervals)
    taken += _draw_front(ax, shown)
    for point in shown:
        _draw_point(ax, point, plan)
    for point in sorted(shown, key=lambda point: not point.chosen):
        name_beside(
            ax,
            name_of_recipe(point.name),
            _place(point),
            _radius(ax, point),
            _colour(point),
            taken,
            may_cover=intervals,
            bold=point.chosen,
            gid="recipe",
        )
    title = f"{plan.network} on {device}: time against loss"
    heading(picture, title, subtitle(plan, points))
    has_pruned = any(point.recipe.weights for point in shown)
    caption(picture, MEANING + (OF_PRUNED if has_pruned else ""), notes)
    return picture


def subtitle(plan: Plan, points: Sequence[Standing]) -> str:
    """``Chosen: plan 3, 1.62 ms, loses 0.4 % (-0.1 % to 0.9 %) of 600 answers``."""
    chosen = next((point for point in points if point.chosen), None)
    if chosen is None:
        return f"No recipe is chosen yet; asked: a loss of at most {loss_in_words(plan.loss_asked)}"
    words = f"Chosen: {name_of_recipe(chosen.name)}"
    if chosen.seconds is not None:
        words += f", {si(chosen.seconds, 's')}"
    if chosen.loss is not None:
        words += f", loses {interval_in_words(chosen.loss)}"
    return f"{words}; asked: at most {loss_in_words(plan.loss_asked)}"


def loss_in_words(share: float) -> str:
    """``0.43 %``, ``16 %``: a loss as people read it, in two digits."""
    per_cent = 100 * share
    return f"{per_cent:.0f} %" if abs(per_cent) >= 10 else f"{short(float(f'{per_cent:.2g}'))} %"


def name_of_recipe(name: str) -> str:
    """``INT8`` of int8; any other name as it is."""
    return name.upper() if name in PRECISIONS else clipped(name, LONGEST_NAME)


def interval_in_words(loss: Loss) -> str:
    """``0.4 % (-0.1 % to 0.9 %)``; without the interval where it has none."""
    words = loss_in_words(loss.share)
    if loss.low == loss.high:
        return words
    return f"{words} ({loss_in_words(loss.low)} to {loss_in_words(loss.high)})"


def _notes(points: Sequence[Standing]) -> list[str]:
    """A note on the recipes that cannot be drawn; none if all are."""
    shown = {point.name for point in drawable(points)}
    missing = [
        f"{name_of_recipe(point.name)} ({clipped(point.reason)})"
        for point in points
        if point.name not in shown
    ]
    if not missing:
        return []
    more = f" and {len(missing) - 2} more" if len(missing) > 2 else ""
    return [f"Not drawn: {', '.join(missing[:2])}{more}."]


def _seconds(point: Standing) -> float | None:
    """The time where a recipe stands: measured, else predicted."""
    if point.seconds is not None:
        return point.seconds
    return _expected_seconds(point)


def _expected_seconds(point: Standing) -> float | None:
    """The predicted time; None where that is unknown, or no time: a user may write plan.json."""
    seconds = point.recipe.predicted_seconds
    return seconds if seconds is not None and 0 < seconds < math.inf else None


def _share(point: Standing) -> float:
    """The loss where a recipe stands."""
    return point.loss.share if point.loss else 0.0


def _place(point: Standing) -> Point:
    """Where a recipe stands, in data coordinates."""
    return _seconds(point) or 0.0, _share(point)


def _predicted(point: Standing, plan: Plan) -> Point | None:
    """Where a recipe was expected; at its measured loss, where only noise was predicted."""
    seconds = _expected_seconds(point)
    if seconds is None:
        return None
    noise = point.recipe.predicted_noise
    if plan.loss_of == DEVIATION and noise is not None and 0 <= noise < math.inf:
        return seconds, math.sqrt(noise)
    return seconds, _share(point)


def _frame(ax: Axes, plan: Plan, shown: Sequence[Standing]) -> None:
    """Limits, ticks and names of the axes."""
    _time_axis(ax, plan, shown)
    _loss_axis(ax, plan, shown)
    ax.set_xlabel("Time of one run", fontsize=AXIS_NAME)
    inputs = "test inputs" if any(point.test for point in shown) else "inputs that ranked"
    name = NAMES_OF_LOSS.get(plan.loss_of, "Loss")
    ax.set_ylabel(f"{name}, {inputs}", fontsize=AXIS_NAME)


def _time_axis(ax: Axes, plan: Plan, shown: Sequence[Standing]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    times = []
    for point in shown:
        times.append(_seconds(point) or 0.0)
        expected = _predicted(point, plan)
        if expected:
            times.append(expected[0])
    least, most = min(times), max(times)
    if most > WIDE_TIMES * least > 0:
        factor = (most / least) ** ROOM
        ax.set(xscale="log", xlim=(least / factor, most * (most / least) ** ROOM_FOR_NAMES))
        ticks = round_numbers(*ax.get_xlim(), (10,), 4, 9)
        ax.set_xticks(ticks, [brief(tick, "s") for tick in ticks])
        ax.minorticks_off()
        return
    missing = LEAST_TIMES * most - (most - least)
    if missing > 0:
        least, most = least - missing / 2, most + missing / 2
    span = most - least or 1.0
    ax.set_xlim(max(0.0, least - ROOM * span), most + ROOM_FOR_NAMES * span)
    ax.xaxis.set_major_locator(MaxNLocator(8))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: brief(x, "s")))


def _loss_axis(ax: Axes, plan: Plan, shown: Sequence[Standing]) -> None:
    """Zero and the loss asked are always in sight."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    asked = plan.loss_asked
    shares = [0.0, asked, *(_share(point) for point in shown)]
    least, most = min(shares), max(shares)
    span = most - least or 0.01
    for point in shown:
        if point.loss:  # a long interval of few answers leaves the picture
            least = min(least, max(point.loss.low, min(shares) - span / 4))
            most = max(most, min(point.loss.high, max(shares) + span / 4))
    linear_to = max(asked, LEAST_ASKED)
    if most > WIDE_LOSSES * linear_to:
        ax.set_yscale("symlog", linthresh=linear_to, linscale=1.0)
        ax.set_ylim(min(least, 0) - 0.35 * linear_to, most * 1.8)
        _symlog_ticks(ax, linear_to)
        return
    span = most - least or 0.01
    ax.set_ylim(least - ROOM * span, most + 2 * ROOM * span)
    ax.yaxis.set_major_locator(MaxNLocator(7))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: loss_in_words(round(y, 9))))


def _symlog_ticks(ax: Axes, linear_to: float) -> None:
    """Ticks at zero, at the loss asked and at round numbers beyond it, where there is room."""
    low, high = ax.get_ylim()
    wanted = [0.0, linear_to, -linear_to, *round_numbers(linear_to, high, (10,), 4, 9)]
    ticks: list[float] = []
    heights: list[float] = []
    least = TICK / 2 * ax.figure.dpi
    for tick in wanted:
        if not low <= tick <= high:
            continue
        height = float(ax.transData.transform((1, tick))[1])
        if all(abs(height - other) >= least for other in heights):
            ticks.append(tick)
            heights.append(height)
    ax.set_yticks(ticks, [loss_in_words(tick) for tick in ticks])
    ax.minorticks_off()


def _draw_asked(ax: Axes, plan: Plan, taken: list[Box], intervals: Sequence[Box]) -> None:
    """Draw the loss asked, shade what lies beyond it, and write what that is where it is free.

    taken, intervals: boxes that the words are clear of where they can, in pixels; the words are
    added to the first.
    """
    left = ax.get_xlim()[0]
    top = ax.get_ylim()[1]
    asked = plan.loss_asked
    ax.axhspan(asked, top, color=BEYOND, alpha=0.10, linewidth=0, zorder=0.4, gid="beyond")
    ax.axhline(asked, color=BEYOND, linewidth=1.2, linestyle=(0, (5, 3)), zorder=1, gid="asked")
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0.9, gid="zero")
    text = f"beyond the loss asked, {loss_in_words(asked)}"
    pixels = pixels_of(ax)
    length = width(text, pixels)
    y = float(ax.transData.transform((left, asked))[1]) + 0.35 * pixels
    frame = frame_of(ax)
    room = max(0.0, frame.right - frame.left - length - pixels)
    boxes = []
    for step in range(13):
        begin = frame.right - pixels / 2 - length - room * step / 12
        boxes.append(Box(begin, y, begin + length, y + 1.2 * pixels))
    clear = first_free(boxes, [*taken, *intervals]) or first_free(boxes, taken)
    box = clear or boxes[0]
    taken.append(box)
    ax.text(
        *in_data(ax, (box.left, box.bottom)),
        text,
        color=ink(BEYOND),
        va="bottom",
        gid="beyond in words",
    )


def _draw_front(ax: Axes, shown: Sequence[Standing]) -> list[Box]:
    """Draw a stair through the recipes that no other beats in both; boxes over it, in pixels."""
    best = [point for point in shown if point.on_front and point.seconds is not None]
    best.sort(key=lambda point: (point.seconds or 0.0, -_share(point)))
    if not best:
        return []
    corners: list[Point] = []
    for point in best:
        if corners:
            corners.append((point.seconds or 0.0, corners[-1][1]))
        corners.append(_place(point))
    corners.append((ax.get_xlim()[1], _share(best[-1])))
    ax.plot(
        [x for x, _ in corners],
        [y for _, y in corners],
        color=SOFT,
        linewidth=1.3,
        alpha=0.7,
        zorder=1.5,
        gid="front",
    )
    return covered(ax, corners, 2.0, step=6.0)


def _colour(point: Standing) -> str:
    if point.recipe.weights:
        return PRUNED
    return SIMPLE if point.simple else OURS


def _radius(ax: Axes, point: Standing) -> float:
    """Of a recipe's marker, in pixels."""
    return pixels_of(ax, CHOSEN_SIZE if point.chosen else SIZE) / 2


def _draw_point(ax: Axes, point: Standing, plan: Plan) -> None:
    """Draw a recipe: hollow where it was expected, filled where it was measured."""
    colour = _colour(point)
    marker = MARKERS[colour]
    share = _share(point)
    expected = _predicted(point, plan)
    if expected:
        if point.seconds is not None:
            ax.plot(
                [expected[0], point.seconds],
                [expected[1], share],
                color=colour,
                linewidth=0.6,
                alpha=0.6,
                zorder=2,
                gid=f"{point.name}/from prediction",
            )
        hollow: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": colour}
        ax.plot(
            *expected,
            marker=marker,
            markersize=SIZE - 1,
            markeredgewidth=0.9,
            zorder=2.5,
            gid=f"{point.name}/predicted",
            **hollow,
        )
    if point.seconds is None:
        return
    _draw_ranking(ax, point, colour, marker)
    _draw_intervals(ax, point, colour)
    ax.plot(
        point.seconds,
        share,
        marker=marker,
        markersize=CHOSEN_SIZE if point.chosen else SIZE,
        color=colour,
        markeredgecolor="black" if point.chosen else "white",
        markeredgewidth=2.0 if point.chosen else 0.5,
        alpha=1.0 if point.trusted else 0.45,
        zorder=4,
        gid=f"{point.name}/measured",
    )


def _draw_ranking(ax: Axes, point: Standing, colour: str, marker: str) -> None:
    """Draw, pale, what a recipe lost on the inputs that ranked, where others judged it."""
    if point.test is None or point.ranking is None or point.test.share == point.ranking.share:
        return
    ax.plot(
        point.seconds or 0.0,
        point.ranking.share,
        marker=marker,
        markersize=PALE_SIZE,
        color=colour,
        markeredgewidth=0,
        alpha=0.4,
        zorder=2.2,
        gid=f"{point.name}/ranking",
    )


def _draw_intervals(ax: Axes, point: Standing, colour: str) -> None:
    """Draw the intervals of time and loss, as far as they are known."""
    look: dict[str, Any] = {
        "color": colour,
        "linewidth": 0.9,
        "alpha": 0.7,
        "zorder": 3,
        "gid": "interval",
    }
    seconds, share = point.seconds or 0.0, _share(point)
    if point.low is not None and point.high is not None:
        ax.plot([point.low, point.high], [share, share], **look)
    if point.loss and point.loss.low < point.loss.high:
        ax.plot([seconds, seconds], [point.loss.low, point.loss.high], **look)


def _boxes(ax: Axes, shown: Sequence[Standing], plan: Plan) -> list[Box]:
    """Boxes over the marks of recipes and the lines at zero and the loss asked, in pixels."""
    boxes = []
    for point in shown:
        spot = _place(point)
        boxes += covered(ax, [spot], _radius(ax, point) + 2, joined=False)
        expected = _predicted(point, plan)
        if expected:
            boxes += covered(ax, [expected, spot], 3.0)
        if point.seconds is not None and point.ranking:
            boxes += covered(ax, [(point.seconds, point.ranking.share)], 3.0, joined=False)
    left, right = ax.get_xlim()
    for share in (0.0, plan.loss_asked):
        boxes += covered(ax, [(left, share), (right, share)], 2.0, step=8.0)
    return boxes


def _boxes_of_intervals(ax: Axes, shown: Sequence[Standing]) -> list[Box]:
    """Boxes over the intervals of time and loss, in pixels, as far as they are in sight."""
    low, high = ax.get_ylim()
    boxes = []
    for point in shown:
        seconds, share = _place(point)
        if point.seconds is not None and point.loss:
            ends = max(point.loss.low, low), min(point.loss.high, high)
            boxes += covered(ax, [(seconds, end) for end in ends], 2.0, step=6.0)
        if point.low is not None and point.high is not None:
            boxes += covered(ax, [(point.low, share), (point.high, share)], 2.0, step=6.0)
    return boxes
