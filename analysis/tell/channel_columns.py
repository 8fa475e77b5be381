"""The tables of fewer channels: whole networks as predicted and measured, and groups alone."""

from __future__ import annotations

import math

from analysis.prune.channels import CurvePoint, Forecast
from analysis.prune.times import Range
from analysis.tell.columns import PAGE, TERMINAL, Column, shown_in
from analysis.tell.plan_columns import decibels, loss_cell
from analysis.units import UNKNOWN, si, whole_percent
from probes.records.given import shortened
from probes.records.precision import MOST_DB

LONGEST_NAME = 30
"""Letters of the name of a group."""
NO_NOISE = 10 ** (-MOST_DB / 10)


def decibels_of(noise: float | None) -> float | None:
    """Signal-to-noise ratio of this noise over signal."""
    return None if noise is None else -10 * math.log10(max(noise, NO_NOISE))


def span_in_decibels(noise: Range | None) -> str:
    """``8 to 14 dB``: the interval of a predicted signal-to-noise ratio."""
    if noise is None:
        return UNKNOWN
    most = decibels_of(noise.low)
    if noise.high == math.inf:
        return f"below {most:.0f} dB"
    least = decibels_of(noise.high)
    assert least is not None and most is not None
    if least >= 80:
        return "no noise"
    return f"{least:.0f} to {min(most, 99):.0f} dB"


def span_in_seconds(seconds: Range | None) -> str:
    """``71 to 94 µs``: the interval of a predicted time."""
    if seconds is None:
        return UNKNOWN
    return f"{si(seconds.low, 's')} to {si(seconds.high, 's')}"


def _holds(forecast: Forecast) -> str:
    """What was not as predicted."""
    wrong = []
    if forecast.time_holds is False:
        wrong.append("time")
    if forecast.noise_holds is False:
        wrong.append("error")
    if wrong:
        return f"{' and '.join(wrong)} outside"
    if forecast.time_holds is None or forecast.noise_holds is None:
        return "not all known"
    return "as predicted"


def _loss(forecast: Forecast) -> float | None:
    return forecast.point.loss.share if forecast.point.loss else None


FORECAST_COLUMNS: tuple[Column[Forecast], ...] = (
    Column(name="network", computed=lambda row: row.name, shown=(TERMINAL, PAGE)),
    Column(
        name="weights left",
        computed=lambda row: row.share_left,
        text=lambda row: whole_percent(row.share_left),
        number=True,
        shown=(PAGE,),
    ),
    Column(
        name="time predicted",
        computed=lambda row: row.seconds.value if row.seconds else None,
        text=lambda row: span_in_seconds(row.seconds),
        shown=(TERMINAL, PAGE),
        may_go=3,
    ),
    Column(
        name="time",
        computed=lambda row: row.point.seconds,
        unit=lambda row: "s",
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="SQNR predicted",
        computed=lambda row: decibels_of(row.noise.value) if row.noise else None,
        text=lambda row: span_in_decibels(row.noise),
        shown=(TERMINAL, PAGE),
        may_go=2,
    ),
    Column(
        name="SQNR",
        computed=lambda row: decibels_of(row.measured_noise),
        text=lambda row: decibels(decibels_of(row.measured_noise)),
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(
        name="loss",
        computed=_loss,
        text=lambda forecast: loss_cell(_loss(forecast)),
        number=True,
        shown=(TERMINAL, PAGE),
    ),
    Column(name="verdict", computed=_holds, shown=(TERMINAL, PAGE), may_go=1),
)
"""A column of the table of networks with fewer channels is one entry here."""

FORECASTS_ON_TERMINAL = shown_in(TERMINAL, FORECAST_COLUMNS)
FORECASTS_ON_PAGE = shown_in(PAGE, FORECAST_COLUMNS)


def _time_in_words(point: CurvePoint) -> str:
    return UNKNOWN if point.share_of_time is None else whole_percent(point.share_of_time)


def _l1_in_words(point: CurvePoint) -> str:
    return UNKNOWN if point.row.l1_kept is None else whole_percent(point.row.l1_kept)


GROUP_COLUMNS: tuple[Column[CurvePoint], ...] = (
    Column(
        name="group",
        computed=lambda point: shortened(point.row.group, LONGEST_NAME),
        shown=(PAGE,),
    ),
    Column(
        name="layers",
        computed=lambda point: len(point.row.layer_names),
        number=True,
        shown=(PAGE,),
    ),
    Column(name="channels", computed=lambda point: point.row.channels, number=True, shown=(PAGE,)),
    Column(name="left", computed=lambda point: point.row.kept, number=True, shown=(PAGE,)),
    Column(
        name="L1 kept",
        computed=lambda point: point.row.l1_kept,
        text=_l1_in_words,
        number=True,
        shown=(PAGE,),
    ),
    Column(
        name="SQNR of the answer",
        computed=lambda point: point.row.sqnr_db,
        text=lambda point: decibels(point.row.sqnr_db),
        number=True,
        shown=(PAGE,),
    ),
    Column(
        name="loss",
        computed=lambda point: point.row.loss,
        text=lambda point: loss_cell(point.row.loss),
        number=True,
        shown=(PAGE,),
    ),
    Column(
        name="time of its layers",
        computed=lambda point: point.share_of_time,
        text=_time_in_words,
        number=True,
        shown=(PAGE,),
    ),
)
"""A column of the table of groups is one entry here."""

GROUPS_ON_PAGE = shown_in(PAGE, GROUP_COLUMNS)
