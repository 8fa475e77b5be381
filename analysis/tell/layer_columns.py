"""The tables of layers: ``placements.csv``, on the terminal, and those of the page."""

from __future__ import annotations

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
    Column(stored="schema_version"),
    Column(stored="device"),
    Column(stored="started"),
    Column(stored="network"),
    Column(name="network or sweep", computed=set_of, shown=(ALL,)),
    Column(
        stored="layer",
        name="layer",
        shown=(TERMINAL, ALL, POINTS),
        least=18,
    ),
    Column(stored="op", name="op", shown=(ALL, POINTS)),
    Column(stored="family", name="family", shown=(ALL,)),
    Column(stored="dtype", name="type", shown=(TERMINAL, ALL), may_go=3),
    Column(stored="provider", name="provider", shown=(ALL,)),
    Column(
        stored="flops",
        name="FLOPs",
        unit=_unit_of_work,
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="bytes",
        name="bytes",
        unit=lambda p: "B",
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="intensity",
        name="intensity",
        text=lambda p: "–" if p.intensity is None else short(p.intensity),
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="seconds",
        name="time",
        unit=lambda p: "s",
        number=True,
        shown=(TERMINAL, ALL, POINTS),
    ),
    Column(
        stored="rate",
        name="rate",
        unit=_unit_of_rate,
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="bandwidth",
        name="bandwidth",
        unit=lambda p: "B/s",
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        name="rate or bandwidth",
        computed=lambda p: p.rate or p.bandwidth,
        text=_rate_or_bandwidth,
        number=True,
        shown=(TERMINAL,),
        may_go=1,
    ),
    Column(
        name="of roof",
        computed=lambda p: p.share,
        text=lambda p: percent(p.share),
        number=True,
        shown=(TERMINAL,),
        may_go=5,
    ),
    Column(
        stored="roof",
        name="roof",
        text=lambda p: p.roof or "–",
        shown=(ALL, POINTS),
    ),
    Column(
        stored="bound",
        name="bound",
        text=lambda p: p.bound or "–",
        shown=(TERMINAL, ALL, POINTS),
        least=11,
        may_go=4,
    ),
    Column(
        stored="share",
        name="share of roof",
        text=lambda p: percent(p.share),
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="headroom_seconds",
        name="to gain",
        unit=lambda p: "s",
        number=True,
        shown=(ALL, POINTS),
    ),
    Column(
        stored="time_share",
        name="share of time",
        text=lambda p: percent(p.time_share),
        number=True,
        shown=(ALL,),
    ),
    Column(stored="params"),
    Column(
        stored="remark",
        name="remark",
        shown=(TERMINAL, ALL, POINTS),
        least=20,
        may_go=2,
    ),
    Column(stored="trusted"),
    Column(stored="doubt"),
    Column(stored="x"),
    Column(
        stored="slow_operations",
        name="slow operations",
        unit=lambda p: "OP",
        number=True,
        shown=(ALL, POINTS),
    ),
)
"""A column of a table of layers is one entry here, in the order of the file."""

LAYERS_ON_TERMINAL = shown_in(TERMINAL, LAYER_COLUMNS)
ALL_LAYERS = shown_in(ALL, LAYER_COLUMNS)
POINTS_OF_SWEEP = shown_in(POINTS, LAYER_COLUMNS)
