"""The columns of networks on other machines: a line a network, or one for layers that are alike."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.elsewhere.machine import Machine
from analysis.elsewhere.placed import Elsewhere
from analysis.elsewhere.predict import PlacedWork, Prediction
from analysis.tell.columns import Column
from analysis.units import UNKNOWN, percent, si

ELSEWHERE_FILE = "elsewhere.csv"

OnMachine = tuple[Elsewhere, Prediction]
"""A network on a machine."""


def _error(row: OnMachine) -> str:
    """``95 ms to 140 ms``, where there are enough devices; why a number is missing."""
    elsewhere, prediction = row
    parts = []
    if prediction.bound.seconds is None:
        parts.append(f"no bound: {prediction.bound.why_none}")
    if prediction.estimate is None:
        parts.append(f"no estimate: {prediction.why_none}")
    else:
        bars = elsewhere.error.bars(prediction.estimate)
        if bars:
            parts.append(f"{si(bars[0], 's')} to {si(bars[1], 's')}")
    return "; ".join(parts) or UNKNOWN


PREDICTIONS_ON_PAGE: tuple[Column[OnMachine], ...] = (
    Column(name="network", computed=lambda row: row[1].network.name),
    Column(name="in", computed=lambda row: row[1].network.precision.upper()),
    Column(
        name="here",
        computed=lambda row: row[1].network.seconds,
        unit=lambda row: "s",
        number=True,
    ),
    Column(
        name="share of floor here",
        computed=lambda row: row[1].share_here,
        text=lambda row: percent(row[1].share_here),
        number=True,
    ),
    Column(
        name="bound there",
        computed=lambda row: row[1].bound.seconds,
        unit=lambda row: "s",
        number=True,
    ),
    Column(name="bound by", computed=lambda row: row[1].bound.holds or UNKNOWN),
    Column(
        name="estimate there",
        computed=lambda row: row[1].estimate,
        unit=lambda row: "s",
        number=True,
    ),
    Column(name="error, or why none", computed=_error, least=20),
)
"""What the page shows of each network there."""

Row = tuple[Elsewhere, Prediction, PlacedWork]


def rows_elsewhere(placed: Sequence[Elsewhere]) -> list[Row]:
    """Each group of layers under its roofs, of each network on each machine."""
    return [
        (elsewhere, prediction, layers)
        for elsewhere in placed
        for prediction in elsewhere.predictions
        for layers in prediction.placed
    ]


def _there(row: Row) -> Machine:
    return row[0].found.machine


ELSEWHERE_COLUMNS: tuple[Column[Row], ...] = (
    Column(stored="machine", computed=lambda row: _there(row).name),
    Column(stored="basis", computed=lambda row: _there(row).basis),
    Column(stored="network", computed=lambda row: row[1].network.name),
    Column(stored="provider", computed=lambda row: row[1].network.provider),
    Column(stored="precision", computed=lambda row: row[1].network.precision),
    Column(stored="bound_seconds", computed=lambda row: row[1].bound.seconds),
    Column(stored="estimate_seconds", computed=lambda row: row[1].estimate),
    Column(stored="op", computed=lambda row: row[2].work.op),
    Column(stored="family", computed=lambda row: row[2].work.family),
    Column(stored="dtype", computed=lambda row: row[2].work.dtype),
    Column(stored="flops", computed=lambda row: row[2].work.flops),
    Column(stored="bytes", computed=lambda row: row[2].work.bytes),
    Column(stored="count", computed=lambda row: row[2].work.count),
    Column(stored="seconds_here", computed=lambda row: row[2].work.seconds),
    Column(stored="roof_here", computed=lambda row: row[2].roof_here),
    Column(stored="floor_seconds_here", computed=lambda row: row[2].floor_here),
    Column(stored="roof_there", computed=lambda row: row[2].roof_there),
    Column(stored="floor_seconds_there", computed=lambda row: row[2].floor_there),
)
"""The columns of ``elsewhere.csv``: a row for all layers of a network that are alike."""
