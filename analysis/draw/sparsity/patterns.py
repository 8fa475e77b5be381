"""Draw what zeros in the weights of a network cost and spare, by pattern and share of zeros.

On the left what the answers lose, on the right the bytes that weights take with their index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import Point, caption, heading, page
from analysis.draw.style import AXIS_NAME, CATEGORIES, FAINT, MARKERS, SMALL
from analysis.sparsity.trials import TrialOutcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP, BETWEEN = 0.8, 0.25, 1.12, 0.78, 0.85
"""Inches around the panels, and between them."""
KEY_UP = 0.37
"""Inches from the lower edge to the key."""
MARKER_SIZE = 6.0
LEAST_SPAN = 0.02
"""The least that the axis of the loss spans."""
ROOM = 0.06
"""Empty part of an axis at each end."""
MEANING = "What has the smallest magnitude goes first; nothing was trained again."


def drawable(outcomes: Sequence[TrialOutcome]) -> list[TrialOutcome]:
    """The outcomes whose loss is known."""
    return [outcome for outcome in outcomes if outcome.point and outcome.point.loss]


def figure(
    outcomes: Sequence[TrialOutcome], network: str, loss_name: str, sentence: str, inches: Point
) -> Figure:
    """A figure of this size. loss_name: of the left axis. sentence: below the title."""
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
    _panel(panels[0], shown, _loss)
    _panel(panels[1], shown, lambda outcome: outcome.bytes_share)
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
    heading(picture, f"{network}: what zeros in weights cost and spare", sentence)
    caption(picture, MEANING)
    return picture


def _loss(outcome: TrialOutcome) -> float:
    """The share that is lost."""
    assert outcome.point and outcome.point.loss
    return outcome.point.loss.share


def _panel(
    ax: Axes, outcomes: Sequence[TrialOutcome], height: Callable[[TrialOutcome], float]
) -> None:
    """Draw a line for each pattern over the share of zeros."""
    from matplotlib.ticker import PercentFormatter

    by_pattern: dict[str, list[TrialOutcome]] = {}
    for outcome in outcomes:
        by_pattern.setdefault(outcome.pattern, []).append(outcome)
    for place, (pattern, series) in enumerate(by_pattern.items()):
        ordered = sorted(series, key=lambda outcome: outcome.zeros)
        ax.plot(
            [outcome.zeros for outcome in ordered],
            [height(outcome) for outcome in ordered],
            color=CATEGORIES[place % len(CATEGORIES)],
            marker=MARKERS[place % len(MARKERS)],
            markersize=MARKER_SIZE,
            markeredgecolor="white",
            markeredgewidth=0.5,
            linewidth=1.3,
            label=pattern,
            gid=f"{pattern}/line",
        )
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    ax.set_xlabel("Zeros among all weights", fontsize=AXIS_NAME)


def _frame_of_losses(ax: Axes, outcomes: Sequence[TrialOutcome]) -> None:
    """Limits from no loss to the largest."""
    losses = [_loss(outcome) for outcome in outcomes]
    least, most = min(0.0, *losses), max(LEAST_SPAN, *losses)
    room = ROOM * (most - least)
    ax.set_ylim(least - room, most + room)
    ax.axhline(0, color=FAINT, linewidth=0.8, zorder=0.9)


def _frame_of_bytes(ax: Axes, outcomes: Sequence[TrialOutcome]) -> None:
    """Limits from nothing to all bytes, and the line of the numbers alone, without an index."""
    most = max(1.0, *(outcome.bytes_share for outcome in outcomes))
    ax.set_ylim(0, most * (1 + ROOM))
    ax.axhline(1, color=FAINT, linewidth=0.8, zorder=0.9)
    ax.plot([0, 1], [1, 0], color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.9)
    ax.text(0.04, 0.90, "numbers alone,\nwithout an index", color=FAINT, fontsize=SMALL, va="top")
