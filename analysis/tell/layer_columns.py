"""The tables of layers: ``placements.csv``, on the terminal, and those of the page."""

from __future__ import annotations

from dataclasses import replace

from analysis.layers.placement import Placement, set_of
from analysis.tell.columns import TERMINAL, Column, shown_in
from analysis.units import percent, short, si, unit_of_operations

ALL, POINTS = "all placements", "points of a sweep"
"""Tables of the page."""


def _unit_of_rate(layer: Placement) -> str:
    return unit_of_operations(layer.dtype)


def _unit_of_work(layer: Placement) -> str:
    return _unit_of_rate(layer).removesuffix("/s")


def _rate_or_bandwidth(layer: Placement) -> str:
    """The rate of a layer, or its bandwidth where it computes nothing."""
    if layer.rate:
        return si(layer.rate, _unit_of_rate(layer))
    return si(layer.bandwidth, "B/s")


LAYER_COLUMNS: tuple[Column[Placement], ...] = (
    Column(stored="schema_version", value=lambda p: p.schema_version),
    Column(stored="device", value=lambda p: p.device),
    Column(stored="started", value=lambda p: p.started),
    Column(stored="network", value=lambda p: p.network),
    Column(name="network or sweep", value=set_of, shown=(ALL,)),
    Column(
        stored="layer",
        name="layer",
        value=lambda p: p.layer,
        shown=(TERMINAL, ALL, POINTS),
        least=18,
    ),
    Column(stored="op", name="op", value=lambda p: p.op, shown=(ALL, POINTS)),
    Column(stored="family", name="family", value=lambda p: p.family, shown=(ALL,)),
    Column(stored="dtype", name="type", value=lambda p: p.dtype, shown=(TERMINAL, ALL), may_go=3),
    Column(stored="provider", name="provider", value=lambda p: p.provider, shown=(ALL,)),
    Column(
        stored="flops",
        name="FLOPs",
        value=lambda p: p.flops,
        unit=_unit_of_work,
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="bytes",
        name="bytes",
        value=lambda p: p.bytes,
        unit=lambda p: "B",
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="intensity",
        name="intensity",
        value=lambda p: p.intensity,
        text=lambda p: "–" if p.intensity is None else short(p.intensity),
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="seconds",
        name="time",
        value=lambda p: p.seconds,
        unit=lambda p: "s",
        number=True,
        shown=(TERMINAL, ALL, POINTS),
    ),
    Column(
        stored="rate",
        name="rate",
        value=lambda p: p.rate,
        unit=_unit_of_rate,
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="bandwidth",
        name="bandwidth",
        value=lambda p: p.bandwidth,
        unit=lambda p: "B/s",
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        name="rate or bandwidth",
        value=lambda p: p.rate or p.bandwidth,
        text=_rate_or_bandwidth,
        number=True,
        shown=(TERMINAL,),
        may_go=1,
    ),
    Column(
        name="of roof",
        value=lambda p: p.share,
        text=lambda p: percent(p.share),
        number=True,
        shown=(TERMINAL,),
        may_go=5,
    ),
    Column(
        stored="roof",
        name="roof",
        value=lambda p: p.roof,
        text=lambda p: p.roof or "–",
        shown=(ALL, POINTS),
    ),
    Column(
        stored="bound",
        name="bound",
        value=lambda p: p.bound,
        text=lambda p: p.bound or "–",
        shown=(TERMINAL, ALL, POINTS),
        least=11,
        may_go=4,
    ),
    Column(
        stored="share",
        name="share of roof",
        value=lambda p: p.share,
        text=lambda p: percent(p.share),
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="headroom_seconds",
        name="to gain",
        value=lambda p: p.headroom_seconds,
        unit=lambda p: "s",
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="time_share",
        name="share of time",
        value=lambda p: p.time_share,
        text=lambda p: percent(p.time_share),
        number=True,
        shown=(ALL,),
    ),
    Column(stored="params", value=lambda p: p.params),
    Column(
        stored="remark",
        name="remark",
        value=lambda p: p.remark,
        shown=(TERMINAL, ALL, POINTS),
        least=20,
        may_go=2,
    ),
    Column(stored="trusted", value=lambda p: p.trusted),
    Column(stored="doubt", value=lambda p: p.doubt),
    Column(stored="x", value=lambda p: p.x),
)
"""A column of a table of layers is one entry here, in the order of the file."""

LAYERS_ON_TERMINAL = shown_in(TERMINAL, LAYER_COLUMNS)
ALL_LAYERS = shown_in(ALL, LAYER_COLUMNS)
POINTS_OF_SWEEP = shown_in(POINTS, LAYER_COLUMNS)


def _column(name: str) -> Column[Placement]:
    return next(column for column in LAYER_COLUMNS if column.name == name)


MOST_TO_GAIN: tuple[Column[Placement], ...] = (
    _column("layer"),
    _column("op"),
    _column("time"),
    _column("share of time"),
    _column("to gain"),
    _column("bound"),
    replace(_column("remark"), name="kind of gain"),
)
"""The layers of a network with most to gain, in an order of its own."""
