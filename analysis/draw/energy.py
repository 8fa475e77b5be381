"""Draw the roofline as energy: operations that a joule pays, over operational intensity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from analysis.draw.canvas import (
    POINTS_PER_INCH,
    Point,
    caption,
    heading,
    page,
    pixels_of,
    write_tied,
)
from analysis.draw.labels import spread_out, width
from analysis.draw.style import FAINT, LINE_HEIGHT, SLOPE, SMALL, colour_of
from analysis.model.energy import EnergyModel, EnergyRoof
from analysis.units import brief, fraction, short, watts
from probes.records.tag import Tag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BELOW, ABOVE = 1.15, 0.8, 0.75
"""Inches around the axes."""
BESIDE_NAME = 0.6
"""Inches beside the longest name in the right margin."""
AROUND_BALANCE = 64.0
"""How far the axis goes beyond the outermost balance points, as a factor."""
AHEAD_OF_SLOPE = 24.0
"""Where memory's line has its name, over the lowest intensity."""
POINTS = 161
"""Of a curve."""
DASHED = (0, (4, 3))
USUAL_ENDS = (1 / 16, 1024.0)
"""Operations per byte that are shown where memory's energy is unknown."""


def figure(model: EnergyModel, device: str, inches: Point) -> Figure:
    """A figure of this size with every roof of arithmetic whose energy is known."""
    picture = page(inches)
    across, down = inches
    names = [name_of_roof(roof) for roof in model.compute]
    longest = max((width(name, SMALL) for name in names), default=0) / POINTS_PER_INCH
    margin = longest + BESIDE_NAME
    box = (
        LEFT / across,
        BELOW / down,
        1 - (LEFT + margin) / across,
        1 - (BELOW + ABOVE) / down,
    )
    heading(picture, f"{device}: energy", _under(model))
    caption(picture, _caption(model))
    draw(model, picture.add_axes(box))
    return picture


def name_of_roof(roof: EnergyRoof) -> str:
    """``FP32  9.71 pJ/FLOP``."""
    return f"{roof.label}  {short(roof.picojoules)} pJ/{roof.unit}"


def _under(model: EnergyModel) -> str:
    """What told the power, and what nothing costs."""
    parts = [f"power of: {model.source}"] if model.source else []
    if model.idle_w:
        parts.append(f"{watts(model.idle_w)} without a load")
    return " · ".join(parts)


def _caption(model: EnergyModel) -> str:
    ends = "Dashed: as measured with memory, or arithmetic, busy alone"
    if model.memory is None or model.idle_w is None:
        return f"{ends}."
    return f"{ends}; solid: both, by the model of Choi et al. (2013); mark: bytes cost as much."


def draw(model: EnergyModel, ax: Axes) -> None:
    """Draw ``model`` into these axes."""
    left, right = _ends(model)
    intensities = [left * (right / left) ** (i / (POINTS - 1)) for i in range(POINTS)]
    _frame(ax, model, left, right)
    if model.memory:
        slope = [model.memory.per_joule * x for x in intensities]
        ax.plot(intensities, slope, color=SLOPE, linewidth=1.0, linestyle=DASHED, gid="memory")
        _name_of_slope(ax, model.memory, left)
    for roof in model.compute:
        _draw_roof(ax, model, roof, intensities)
    _names_of_flats(ax, model.compute)


def _ends(model: EnergyModel) -> Point:
    """The lowest and the highest intensity that is shown."""
    balances = [balance for roof in model.compute if (balance := model.balance(roof))]
    if not balances:
        return USUAL_ENDS
    return min(balances) / AROUND_BALANCE, max(balances) * AROUND_BALANCE


def _frame(ax: Axes, model: EnergyModel, left: float, right: float) -> None:
    """Limits, ticks and names of axes."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    units = {roof.unit for roof in model.compute}
    unit = min(units, default="FLOP")
    highest = max((roof.per_joule for roof in model.compute), default=0.0)
    lowest = min((roof.per_joule for roof in model.compute), default=highest) / AROUND_BALANCE
    if model.memory:
        highest = highest or model.memory.per_joule * right
        lowest = model.memory.per_joule * left
    ax.set(xscale="log", yscale="log", xlim=(left, right), ylim=(lowest, 2 * highest))
    ax.xaxis.set_major_locator(LogLocator(base=4, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: fraction(x)))
    ax.xaxis.set_minor_formatter("")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: brief(y, f"{unit}/J")))
    ax.yaxis.set_minor_formatter("")
    ax.set_xlabel(f"Operational intensity ({unit}/byte)")
    integers_too = " (integers: OP)" if len(units) > 1 else ""
    ax.set_ylabel(f"Operations a joule{integers_too}")


def _draw_roof(
    ax: Axes, model: EnergyModel, roof: EnergyRoof, intensities: Sequence[float]
) -> None:
    """Draw what a joule pays at most, and at each intensity."""
    colour = colour_of(Tag.parse(roof.tag).subject)
    flat = [roof.per_joule, roof.per_joule]
    ends = [intensities[0], intensities[-1]]
    balance = model.balance(roof)
    if balance:
        ends[0] = max(ends[0], balance)
    ax.plot(ends, flat, color=colour, linewidth=1.0, linestyle=DASHED, gid=f"{roof.tag}/alone")
    values = [model.per_joule(roof, x) for x in intensities]
    known = [value for value in values if value is not None]
    if len(known) == len(intensities):
        ax.plot(intensities, known, color=colour, linewidth=1.8, gid=roof.tag)
        if balance:
            at_balance = model.per_joule(roof, balance) or math.nan
            ax.plot([balance], [at_balance], "o", color=colour, markersize=5, gid="balance")


def _name_of_slope(ax: Axes, memory: EnergyRoof, left: float) -> None:
    """Write what a byte costs left of memory's line."""
    text = f"{memory.label}  {short(memory.picojoules)} pJ/B"
    x = AHEAD_OF_SLOPE * left
    ax.annotate(
        text,
        (x, memory.per_joule * x),
        (-8, 2),
        textcoords="offset points",
        color=FAINT,
        ha="right",
        gid="name",
    )


def _names_of_flats(ax: Axes, roofs: Sequence[EnergyRoof]) -> None:
    """Write the names of roofs in the right margin, pushed apart where these lie close."""
    line = pixels_of(ax) * LINE_HEIGHT
    any_intensity = 1
    wanted = [ax.transData.transform((any_intensity, roof.per_joule))[1] for roof in roofs]
    heights = spread_out(wanted, line, ax.bbox.y0 + line / 2, ax.bbox.y1 - line / 2)
    left = ax.bbox.x1 + line
    for roof, height in zip(roofs, heights, strict=True):
        colour = colour_of(Tag.parse(roof.tag).subject)
        write_tied(ax, name_of_roof(roof), (1.0, roof.per_joule), (left, height), colour)
