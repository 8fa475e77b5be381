"""Draw what a sustained load did: rate, clock, power and temperature over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from analysis.draw.canvas import page
from analysis.draw.style import CATEGORIES
from analysis.units import brief
from probes.records.measurement import Moment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Panel(NamedTuple):
    """One quantity over time."""

    field: str
    """Of a Moment."""
    name: str
    unit: str
    """Empty: that of the rate."""
    takes_prefix: bool = True
    """False for a unit that is read without one: 1500 W, not 1.5 kW."""


PANELS = (
    Panel("rate", "rate", ""),
    Panel("clock_hz", "clock", "Hz"),
    Panel("power_w", "power", "W", takes_prefix=False),
    Panel("temperature_c", "temperature", "°C", takes_prefix=False),
)
ACROSS = 7.2
"""Inches."""
AROUND, PANEL_HEIGHT = 1.0, 1.25
"""Inches above and below all panels, and of each."""
TYPE = 10
"""Size of the title and the numbers, in points."""


def figure(moments: Sequence[Moment], title: str, unit: str) -> Figure:
    """A figure with a panel for every quantity that the device told. unit: of the rate."""
    panels = [panel for panel in PANELS if _points(moments, panel)]
    picture = page((ACROSS, AROUND + PANEL_HEIGHT * len(panels)), layout="constrained")
    axes = picture.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for ax, panel in zip(axes, panels, strict=True):
        _draw(ax, _points(moments, panel), panel, panel.unit or unit)
    axes[0].set_title(title, fontsize=TYPE)
    axes[-1].set_xlabel("seconds")
    return picture


def _points(moments: Sequence[Moment], panel: Panel) -> list[tuple[float, float]]:
    """(seconds, value) of every moment at which the value is known."""
    points = [(moment.seconds, getattr(moment, panel.field)) for moment in moments]
    return [(seconds, value) for seconds, value in points if value is not None]


def _draw(ax: Axes, points: Sequence[tuple[float, float]], panel: Panel, unit: str) -> None:
    seconds = [point[0] for point in points]
    values = [point[1] for point in points]

    def in_words(value: float, _: object) -> str:
        return brief(value, unit) if panel.takes_prefix else f"{value:g} {unit}"

    ax.plot(seconds, values, color=CATEGORIES[0], linewidth=1.4)
    ax.set_ylabel(panel.name)
    ax.set_ylim(0, 1.15 * max(values) or 1)
    ax.yaxis.set_major_formatter(in_words)
    ax.tick_params(labelsize=TYPE)
