"""Draw a network at several precisions: the time now and the least time the measured roofs allow.
Only draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from analysis.draw.canvas import NOTE, caption, colour_of, heading, page, plain
from analysis.draw.labels import clipped, width
from analysis.draw.naming import SMALL, SOFT
from analysis.layers.groups import Network
from analysis.layers.missing import how_many, left_out
from analysis.units import percent, si

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, BOTTOM, TOP, ROW = (
    1.5,
    0.85,
    0.8,
    0.5,
)  # inches: beside, under and above the axes, and of one precision


def several(networks: Iterable[Network]) -> dict[str, list[Network]]:
    """Networks that ran at several precisions, or with several providers, by name."""
    found: dict[str, list[Network]] = {}
    for net in networks:
        found.setdefault(net.name, []).append(net)
    return {name: nets for name, nets in found.items() if len(nets) > 1}


def figure(name: str, nets: Sequence[Network], device: str, across: float) -> Figure:
    """A figure ``across`` inches wide, as high as it needs, with a bar for each of these runs of
    one network.
    """
    notes = [note for net in nets for note in left_out(net)]
    bottom = BOTTOM + NOTE * len(notes)
    down = TOP + bottom + ROW * len(nets)
    made = page((across, down))
    right = max(width(_said(net), SMALL) for net in nets) / 72 + 0.3
    ax = made.add_axes(
        (LEFT / across, bottom / down, 1 - (LEFT + right) / across, 1 - (TOP + bottom) / down)
    )
    _frame(ax, nets)
    for place, net in enumerate(nets):
        _bar(ax, place, net)
    heading(made, f"{name} on {device}", "Time now, and the least time the measured roofs allow")
    caption(
        made,
        "Solid: speed of light; pale: its layers timed alone; line: the whole network in one go.",
        notes,
    )
    return made


def _frame(ax: Axes, nets: Sequence[Network]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    plain(ax)
    ax.grid(False, axis="y")
    ax.set(
        xlim=(0, 1.02 * max(max(net.light.seconds, net.seconds) for net in nets)),
        ylim=(len(nets) - 0.5, -0.5),
    )
    ax.xaxis.set_major_locator(MaxNLocator(6))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: si(x, "s") if x else "0"))
    providers = len({net.provider for net in nets}) > 1
    ax.set_yticks(range(len(nets)), [_name(net, providers) for net in nets])
    ax.set_xlabel("Time", fontsize=9.5)


def _name(net: Network, providers: bool) -> str:
    """Precision, provider where there are several, and how many layers where some are missing, a
    line each.
    """
    lines = [
        clipped(net.precision.upper(), 16),
        *[clipped(net.provider, 16)] * providers,
        *[how_many(net)] * bool(net.skipped),
    ]
    return "\n".join(lines)


def _said(net: Network) -> str:
    if net.refused:
        return f"{si(net.seconds, 's')}; the whole could not be timed"
    return f"{si(net.seconds, 's')}, least {si(net.light.least_seconds, 's')}: {percent(net.share)}"


def _bar(ax: Axes, place: int, net: Network) -> None:
    """Layers alone, over it the speed of light, and across both the time of the whole; hatched
    where layers miss.
    """
    colour, hatch = colour_of(net.precision), "//" if net.skipped else None
    look: dict[str, Any] = {
        "height": 0.62,
        "color": colour,
        "hatch": hatch,
        "edgecolor": "white",
        "linewidth": 0,
    }
    ax.barh(place, net.light.seconds, alpha=0.3, gid="alone", **look)
    if not net.refused:
        ax.barh(place, net.light.least_seconds, gid="least", **look)
    if net.whole:
        ax.plot(
            [net.seconds] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2.0, gid="whole"
        )
    ax.annotate(
        _said(net),
        (1.0, place),
        (8, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        fontsize=SMALL,
        color=SOFT,
        va="center",
        annotation_clip=False,
        gid="said",
    )
