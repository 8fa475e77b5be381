"""Draw a network at several precisions: its time now, and the least that the roofs allow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import NOTE, POINTS_PER_INCH, caption, heading, page
from analysis.draw.labels import clipped, width
from analysis.draw.style import AXIS_NAME, SMALL, SOFT, colour_of
from analysis.layers.groups import Network
from analysis.layers.missing import how_many, left_out
from analysis.units import percent, si

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BOTTOM, TOP = 1.5, 0.85, 0.8
"""Inches around the axes."""
ROW = 0.5
"""Inches of one run."""
BAR = 0.62
"""Height of a bar, as a part of its row."""
MEANING = "Solid: speed of light; pale: its layers timed alone; line: the whole network in one go."
LONGEST_NAME = 16
"""Letters of a precision or a provider."""


def several(networks: Iterable[Network]) -> dict[str, list[Network]]:
    """Networks that ran at several precisions, or with several providers, by name."""
    by_name: dict[str, list[Network]] = {}
    for net in networks:
        by_name.setdefault(net.name, []).append(net)
    return {name: runs for name, runs in by_name.items() if len(runs) > 1}


def figure(name: str, runs: Sequence[Network], device: str, across: float) -> Figure:
    """A figure of this width in inches, as high as it needs, with a bar for each run."""
    notes = [note for run in runs for note in left_out(run)]
    bottom = BOTTOM + NOTE * len(notes)
    down = TOP + bottom + ROW * len(runs)
    picture = page((across, down))
    right = max(width(run_in_words(run), SMALL) for run in runs) / POINTS_PER_INCH + 0.3
    ax = picture.add_axes(
        (LEFT / across, bottom / down, 1 - (LEFT + right) / across, 1 - (TOP + bottom) / down)
    )
    _frame(ax, runs)
    for row, run in enumerate(runs):
        _bar(ax, row, run)
    heading(picture, f"{name} on {device}", "Time now, and the least time the measured roofs allow")
    caption(picture, MEANING, notes)
    return picture


def _frame(ax: Axes, runs: Sequence[Network]) -> None:
    """Limits, ticks and names of the axes."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    longest = max(max(run.light.seconds, run.seconds) for run in runs)
    ax.grid(False, axis="y")
    ax.set(xlim=(0, 1.02 * longest), ylim=(len(runs) - 0.5, -0.5))
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: si(x, "s") if x else "0"))
    several_providers = len({run.provider for run in runs}) > 1
    ax.set_yticks(range(len(runs)), [_name(run, several_providers) for run in runs])
    ax.set_xlabel("Time", fontsize=AXIS_NAME)


def _name(run: Network, with_provider: bool) -> str:
    """Precision, provider, and how many layers where some are missing, a line each."""
    lines = [clipped(run.precision.upper(), LONGEST_NAME)]
    if with_provider:
        lines.append(clipped(run.provider, LONGEST_NAME))
    if run.skipped:
        lines.append(how_many(run))
    return "\n".join(lines)


def run_in_words(run: Network) -> str:
    """``1.62 ms, least 971 µs: 59.9 %``."""
    time = si(run.seconds, "s")
    if run.refused:
        return f"{time}; the whole could not be timed"
    return f"{time}, least {si(run.light.least_seconds, 's')}: {percent(run.share)}"


def _bar(ax: Axes, row: int, run: Network) -> None:
    """Draw the time of the layers alone, over it the speed of light, and a line for the whole.

    A bar is hatched where layers are missing.
    """
    look: dict[str, Any] = {
        "height": BAR,
        "color": colour_of(run.precision),
        "hatch": "//" if run.skipped else None,
        "edgecolor": "white",
        "linewidth": 0,
    }
    ax.barh(row, run.light.seconds, alpha=0.3, gid="alone", **look)
    if not run.refused:
        ax.barh(row, run.light.least_seconds, gid="least", **look)
    if run.whole:
        ax.plot(
            [run.seconds, run.seconds],
            [row - 0.4, row + 0.4],
            color="black",
            linewidth=2.0,
            gid="whole",
        )
    ax.annotate(
        run_in_words(run),
        (1.0, row),
        (8, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        color=SOFT,
        va="center",
        annotation_clip=False,
        gid="said",
    )
