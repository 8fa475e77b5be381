"""Draw what a sustained load did: rate, clock, power and temperature over time, one above the
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import page
from analysis.units import brief
from probes.records.measurement import Moment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = (
    ("rate", "rate", ""),
    ("clock_hz", "clock", "Hz"),
    ("power_w", "power", "W"),
    ("temperature_c", "temperature", "°C"),
)
COLOUR = "#0072B2"


def figure(moments: Sequence[Moment], title: str, unit: str) -> Figure:
    """A figure with a panel for every quantity that the device told."""
    shown = [panel for panel in PANELS if any(getattr(m, panel[0]) is not None for m in moments)]
    made = page((7.2, 1.0 + 1.25 * len(shown)), layout="constrained")
    axes = made.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for ax, (key, name, own) in zip(axes, shown, strict=True):
        _panel(ax, moments, key, name, own or unit)
    axes[0].set_title(title, loc="left", fontweight="bold", fontsize="medium")
    axes[-1].set_xlabel("seconds")
    return made


def _panel(ax: Axes, moments: Sequence[Moment], key: str, name: str, unit: str) -> None:
    points = [(m.seconds, getattr(m, key)) for m in moments if getattr(m, key) is not None]
    ax.plot([p[0] for p in points], [p[1] for p in points], color=COLOUR, linewidth=1.4)
    ax.set_ylabel(name)
    ax.set_ylim(0, 1.15 * max(p[1] for p in points) or 1)
    plain = unit in ("W", "°C")
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g} {unit}" if plain else brief(y, unit))
    ax.grid(True, color="#E6E6E6", linewidth=0.7)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
