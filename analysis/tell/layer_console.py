"""The layers of a run on a few lines of a terminal: those that take most of the time, and what they
add up to.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.draw.labels import cut
from analysis.layers.groups import LayerSweep, Network
from analysis.layers.placement import Placement, set_of
from analysis.layers.words import headline, saturated, unknown
from analysis.tell.columns import Column
from analysis.units import percent, si, unit_of_operations

LINES = 20
LONGEST = 44  # letters of a name; more where that tells two of them apart


Named = tuple[str, Placement]  # a layer, after the name that tells it from the others of the table


def _rate(named: Named) -> str:
    """The rate of a layer, or its bandwidth where it computes nothing."""
    _, p = named
    return si(p.rate, unit_of_operations(p.dtype)) if p.rate else si(p.bandwidth, "B/s")


COLUMNS: tuple[Column[Named], ...] = (
    Column(name="layer", text=lambda named: named[0], least=18),
    Column(name="type", text=lambda named: named[1].dtype, may_go=3),
    Column(name="time", text=lambda named: si(named[1].seconds, "s"), number=True),
    Column(name="rate or bandwidth", text=_rate, number=True, may_go=1),
    Column(name="of roof", text=lambda named: percent(named[1].share), number=True, may_go=5),
    Column(name="bound", text=lambda named: named[1].bound or "–", least=11, may_go=4),
    Column(name="remark", text=lambda named: named[1].remark, least=20, may_go=2),
)


def lines(placed: Sequence[Placement], n: int = LINES) -> list[tuple[str, ...]]:
    """The longest layers of every network or sweep, as many of each, in the order of COLUMNS."""
    groups: dict[str, list[Placement]] = {}
    for point in sorted(placed, key=lambda p: -p.seconds):
        groups.setdefault(set_of(point), []).append(point)
    order = list(dict.fromkeys(map(set_of, placed)))
    places = {name: place for place, name in enumerate(order)}
    turns = sorted(
        (turn, places[name]) for name, group in groups.items() for turn in range(len(group))
    )[:n]
    shown = [
        (order[group], groups[order[group]][turn])
        for group, turn in sorted((g, t) for t, g in turns)
    ]
    names = cut([f"{group}: {point.layer}" for group, point in shown], LONGEST)
    return [
        tuple(column.text((name, point)) for column in COLUMNS)
        for (_, point), name in zip(shown, names, strict=True)
    ]


def _unknown(net: Network) -> str:
    """Operations that no table knows, never counted as zero in silence."""
    named = ", ".join(
        f"{op} ({layers}, {percent(part)} of the time)"
        for op, layers, part, _ in unknown(net.layers)
    )
    return f"Of unknown FLOPs, so not placed: {named}."


def sentences(
    placed: Sequence[Placement], networks: Sequence[Network], sweeps: Sequence[LayerSweep]
) -> list[str]:
    """What follows the table: where all the layers are, a headline for every network, and the
    sweeps there are.
    """
    more = len(placed) - len(lines(placed))
    said = [f"… all {len(placed)} layers in placements.csv"] if more else []
    for net in networks:
        said += [headline(net), *[_unknown(net)] * bool(unknown(net.layers))]
    said += saturated(placed)
    names = ", ".join(f"{sweep.name} ({len(sweep.layers)})" for sweep in sweeps)
    return said + ([f"Sweeps over layers: {names}."] if names else [])
