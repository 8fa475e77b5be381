"""Draw what fewer channels save and cost: time against error, of groups alone and of networks.

On the left each group of channels, smaller and smaller; on the right whole networks, as predicted
and as measured. Both share their axis of errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import Point, caption, heading, page
from analysis.draw.style import AXIS_NAME, CATEGORIES, FAINT, SMALL, ink
from analysis.prune.channels import ChannelStudy, Forecast
from analysis.tell.channel_columns import decibels_of
from analysis.units import si
from probes.records.given import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BOTTOM, TOP, BETWEEN = 0.8, 0.3, 0.95, 0.78, 0.8
"""Inches around the panels, and between them."""
MOST_DB_SHOWN = 40.0
"""Errors below this are drawn at it: answers do not show them."""
LEAST_DB_SHOWN = -6.0
"""Errors above this are drawn at it: nothing of the answer is left."""
NAMED = 4
"""Groups that have their name and a colour: those that save most; all others are grey."""
LONGEST_NAME = 16
MARKER_SIZE = 5.0
NAMES_AWAY = (7, -7, 19, -19)
"""Points from a network to its name, in turn: neighbours lose as much."""
MEANING = "What has the least L1 norm goes first; nothing was trained again. Bars: as predicted."
SUFFIX = "channels "
"""Left out of the names of networks."""


def drawable(study: ChannelStudy | None, found: Sequence[Forecast]) -> bool:
    """True if there are times and errors of networks with fewer channels."""
    return study is not None and bool(_shown(found))


def _shown(found: Sequence[Forecast]) -> list[Forecast]:
    return [
        forecast
        for forecast in found
        if forecast.point.seconds is not None and forecast.measured_noise is not None
    ]


def _height(noise: float | None) -> float:
    decibels = decibels_of(noise)
    if decibels is None:
        return MOST_DB_SHOWN
    return max(LEAST_DB_SHOWN, min(MOST_DB_SHOWN, decibels))


def figure(
    study: ChannelStudy,
    found: Sequence[Forecast],
    trained: float | None,
    network: str,
    device: str,
    inches: Point,
) -> Figure:
    """A figure of this size. trained: seconds of the network with all of its channels."""
    picture = page(inches)
    across, down = inches
    width = (across - LEFT - RIGHT - BETWEEN) / 2
    height = down - TOP - BOTTOM
    panels = []
    for place in range(2):
        left = LEFT + place * (width + BETWEEN)
        box = (left / across, BOTTOM / down, width / across, height / down)
        panels.append(picture.add_axes(box))
    _draw_groups(panels[0], study)
    _draw_networks(panels[1], _shown(found))
    if trained is not None:
        panels[1].axvline(trained, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0.9)
        panels[1].annotate(
            "as trained",
            (trained, 1),
            xytext=(-3, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            color=FAINT,
            fontsize=SMALL,
            ha="right",
            va="top",
        )
    limits = [panel.get_ylim() for panel in panels]
    for panel in panels:
        panel.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    panels[0].set_ylabel("Signal to noise at the outputs (dB)", fontsize=AXIS_NAME)
    title = f"{network} on {device}: what fewer channels save and cost"
    heading(picture, title, sentence(study, found))
    caption(picture, MEANING)
    return picture


def sentence(study: ChannelStudy, found: Sequence[Forecast]) -> str:
    """``26 groups alone on the left; time of 7 of 8 networks, error of 8 as predicted``."""
    parts = [f"{len(study.groups)} groups of channels, each smaller alone, on the left"]
    times = [forecast.time_holds for forecast in found if forecast.time_holds is not None]
    errors = [forecast.noise_holds for forecast in found if forecast.noise_holds is not None]
    if times:
        parts.append(f"times as predicted: {sum(times)} of {len(times)}")
    if errors:
        parts.append(f"errors as predicted: {sum(errors)} of {len(errors)}")
    return "; ".join(parts)


def _draw_groups(ax: Axes, study: ChannelStudy) -> None:
    """A line for each group, over the share of its layers' time in that of all layers."""
    total = sum(study.as_trained.values())
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in study.curves:
        if point.saved is None or not total or point.row.noise is None:
            continue
        place = (100 * point.saved / total, _height(point.row.noise))
        curves.setdefault(point.row.group, []).append(place)
    best = sorted(curves, key=lambda group: max(curves[group])[0], reverse=True)[:NAMED]
    for group, places in curves.items():
        is_named = group in best
        colour = CATEGORIES[best.index(group)] if is_named else FAINT
        ax.plot(
            [saved for saved, _ in places],
            [decibels for _, decibels in places],
            color=colour,
            marker="o",
            markersize=MARKER_SIZE if is_named else MARKER_SIZE / 2,
            linewidth=1.3 if is_named else 0.7,
            alpha=1 if is_named else 0.6,
            gid=f"group/{group}",
            label=shortened(group, LONGEST_NAME) if is_named else None,
            zorder=2 if is_named else 1,
        )
    ax.axvline(0, color=FAINT, linewidth=0.8, zorder=0.9)
    ax.set_xlabel("Time saved, % of all layers alone", fontsize=AXIS_NAME)
    if best:
        ax.legend(fontsize=SMALL, frameon=False, loc="upper right")


def _draw_networks(ax: Axes, found: Sequence[Forecast]) -> None:
    """Networks as measured, with bars of what was predicted."""
    from matplotlib.ticker import FuncFormatter

    by_time = sorted(found, key=lambda forecast: forecast.point.seconds or 0.0)
    for place, forecast in enumerate(by_time):
        seconds, decibels = forecast.point.seconds or 0.0, _height(forecast.measured_noise)
        colour = CATEGORIES[place % len(CATEGORIES)]
        if forecast.seconds and forecast.noise:
            x, y = forecast.seconds.value, _height(forecast.noise.value)
            ax.plot(
                [forecast.seconds.low, forecast.seconds.high],
                [y, y],
                color=colour,
                linewidth=1.2,
                alpha=0.55,
            )
            ends = [_height(forecast.noise.high), _height(forecast.noise.low)]
            ax.plot([x, x], ends, color=colour, linewidth=1.2, alpha=0.55)
        ax.plot(
            [seconds],
            [decibels],
            color=colour,
            marker="o",
            markersize=MARKER_SIZE + 1,
            linestyle="none",
            gid=f"network/{forecast.name}",
        )
        away = NAMES_AWAY[place % len(NAMES_AWAY)]
        ax.annotate(
            forecast.name.removeprefix(SUFFIX),
            (seconds, decibels),
            xytext=(0, away),
            textcoords="offset points",
            ha="center",
            va="bottom" if away > 0 else "top",
            color=ink(colour),
            fontsize=SMALL - 1,
        )
    ax.set_xlabel("Time of one run", fontsize=AXIS_NAME)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: si(seconds, "s")))
    ax.margins(x=0.12, y=0.1)
    ax.locator_params(axis="x", nbins=5)
