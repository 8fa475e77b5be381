"""Draw what zeros in the weights of a network cost and spare, by pattern and share of zeros.

On the left what the answers lose, on the right the bytes that weights take with their index, in
each format that is meant for the pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import Point, caption, heading, page
from analysis.draw.plan.front import loss_in_words
from analysis.draw.style import AXIS_NAME, CATEGORIES, FAINT, MARKERS, SMALL, ink, tie
from analysis.sparsity.trials import TrialOutcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP, BETWEEN = 0.8, 0.25, 1.12, 0.78, 0.85
"""Inches around the panels, and between them."""
KEY_UP = 0.37
"""Inches from the lower edge to the key."""
MARKER_SIZE, SINGLE_SIZE = 6.0, 10.5
"""Of points on a line, and of one alone."""
DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)))
"""Lines of the formats of one pattern, the one of fewest bytes first."""
NAME_AWAY = 4.0
"""Points from a line to the name of its format."""
LEAST_SPAN = 0.02
"""The least that the axis of the loss spans."""
ROOM = 0.06
"""Empty part of an axis at each end."""
NAMED = {
    "2:4": "2:4 loses",
    "unstructured 50 %": "half of all weights, chosen freely,",
    "4x4 50 %": "in blocks of 4x4",
}
"""Trials that the line under the title names, and how."""
MEANING = "What has the smallest magnitude goes first; nothing was trained again."


def drawable(outcomes: Sequence[TrialOutcome]) -> list[TrialOutcome]:
    """The outcomes whose loss is known."""
    return [outcome for outcome in outcomes if outcome.point and outcome.point.loss]


def sentence(outcomes: Sequence[TrialOutcome]) -> str:
    """``2:4 loses 2.5 %, half of the weights chosen freely 0.8 %, in blocks of 4x4 41 %``."""
    by_name = {outcome.name: outcome for outcome in drawable(outcomes)}
    parts = []
    for name, words in NAMED.items():
        if name in by_name:
            parts.append(f"{words} {loss_in_words(_loss(by_name[name]))}")
    return ", ".join(parts)


def figure(outcomes: Sequence[TrialOutcome], network: str, loss_name: str, inches: Point) -> Figure:
    """A figure of this size. loss_name: of the left axis."""
    picture = page(inches)
    across, down = inches
    shown = drawable(outcomes)
    width = (across - LEFT - RIGHT - BETWEEN) / 2
    height = down - TOP - BOTTOM
    panels = []
    for place in range(2):
        left = LEFT + place * (width + BETWEEN)
        panels.append(
            picture.add_axes((left / across, BOTTOM / down, width / across, height / down))
        )
    for place, (pattern, series) in enumerate(_by_pattern(shown).items()):
        look = _look(place, len(series))
        _draw(panels[0], series, _loss, f"{pattern}/loss", label=pattern, **look)
        _draw_formats(panels[1], series, pattern, look)
    panels[0].set_ylabel(loss_name, fontsize=AXIS_NAME)
    panels[1].set_ylabel("Bytes of all weights, with index", fontsize=AXIS_NAME)
    _frame_of_losses(panels[0], shown)
    _frame_of_bytes(panels[1], shown)
    handles, names = panels[0].get_legend_handles_labels()
    picture.legend(
        handles,
        names,
        loc="lower center",
        bbox_to_anchor=(0.5, KEY_UP / down),
        ncols=len(names),
        fontsize=SMALL,
        frameon=False,
        handletextpad=0.4,
        columnspacing=1.4,
    )
    heading(picture, f"{network}: what zeros in weights cost and spare", sentence(outcomes))
    caption(picture, MEANING)
    return picture


def _loss(outcome: TrialOutcome) -> float:
    """The share that is lost on the inputs that ranked: all were run on those."""
    assert outcome.point
    loss = outcome.point.ranking or outcome.point.loss
    return loss.share if loss else 0.0


def _by_pattern(outcomes: Sequence[TrialOutcome]) -> dict[str, list[TrialOutcome]]:
    """The outcomes of each pattern, by the share of zeros."""
    by_pattern: dict[str, list[TrialOutcome]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.zeros):
        by_pattern.setdefault(outcome.pattern, []).append(outcome)
    order = list(dict.fromkeys(outcome.pattern for outcome in outcomes))
    return {pattern: by_pattern[pattern] for pattern in order}


def _look(place: int, points: int) -> dict[str, Any]:
    """Colour and marker of the pattern at this place; a single point is large, below the others."""
    is_single = points == 1
    return {
        "color": CATEGORIES[place % len(CATEGORIES)],
        "marker": MARKERS[place % len(MARKERS)],
        "markersize": SINGLE_SIZE if is_single else MARKER_SIZE,
        "zorder": 2 if is_single else 3,
        "markeredgecolor": "white",
        "markeredgewidth": 0.5,
        "linewidth": 1.3,
    }


def _draw(
    ax: Axes,
    series: Sequence[TrialOutcome],
    height: Callable[[TrialOutcome], float],
    gid: str,
    **look: Any,
) -> None:
    """Draw a line over the share of zeros."""
    zeros = [outcome.zeros for outcome in series]
    ax.plot(zeros, [height(outcome) for outcome in series], gid=gid, **look)


def _draw_formats(
    ax: Axes, series: Sequence[TrialOutcome], pattern: str, look: Mapping[str, Any]
) -> None:
    """Draw a line for each format of a pattern, and name those that are not alone."""
    formats = list(series[0].stored_bytes)
    for place, name in enumerate(formats):
        shares = [outcome.bytes_shares[name] for outcome in series]
        zeros = [outcome.zeros for outcome in series]
        style = {**look, "linestyle": DASHES[place % len(DASHES)]}
        if place:
            style["markersize"] = MARKER_SIZE / 2
        ax.plot(zeros, shares, gid=f"{pattern}/{name}", **style)
        if len(formats) > 1:
            ax.annotate(
                name,
                (zeros[0], shares[0]),
                xytext=(-NAME_AWAY, 0),
                textcoords="offset points",
                color=ink(look["color"]),
                fontsize=SMALL,
                ha="right",
                va="center",
                gid="format",
            )


def _axes_in_percent(ax: Axes) -> None:
    from matplotlib.ticker import FuncFormatter

    in_percent = FuncFormatter(lambda share, _: f"{100 * share:.0f} %")
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(in_percent)
    ax.yaxis.set_major_formatter(in_percent)
    ax.set_xlabel("Zeros among all weights", fontsize=AXIS_NAME)


def _frame_of_losses(ax: Axes, outcomes: Sequence[TrialOutcome]) -> None:
    """Limits from no loss to the largest."""
    _axes_in_percent(ax)
    losses = [_loss(outcome) for outcome in outcomes]
    least, most = min(0.0, *losses), max(LEAST_SPAN, *losses)
    room = ROOM * (most - least)
    ax.set_ylim(least - room, most + room)
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0.9)


def _frame_of_bytes(ax: Axes, outcomes: Sequence[TrialOutcome]) -> None:
    """Limits from nothing to the most, and the line of the numbers alone, without an index."""
    _axes_in_percent(ax)
    most = 1.0
    for outcome in outcomes:
        most = max(most, *outcome.bytes_shares.values())
    ax.set_ylim(0, most * (1 + ROOM))
    ax.axhline(1, color=FAINT, linewidth=0.8, zorder=0.9)
    ax.plot([0, 1], [1, 0], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.9)
    ax.annotate(
        "numbers alone,\nno index",
        (0.25, 0.75),
        xytext=(0.06, 0.4),
        color=FAINT,
        fontsize=SMALL,
        arrowprops=tie(FAINT, (1, 0), (0.5, 1)),
    )
