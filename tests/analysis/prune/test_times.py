"""The time of a whole network with fewer channels, from made-up times of its layers alone."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from analysis.prune.times import (
    HANDED_OVER,
    SESSIONS_DIFFER,
    SIGMAS,
    LayerTime,
    Range,
    Whole,
    layer_time,
    start_of_run,
    whole_after,
)
from tests.devices import measurement

START = 2e-6
WIDE = [LayerTime(seconds=10e-6, passes=2, elements=1000) for _ in range(2)]
"""Layers that change the layout of what they read and write, as they are alone."""
HALF = [replace(layer, seconds=4e-6, elements=500) for layer in WIDE]
ODD = [LayerTime(seconds=12e-6, elements=400) for _ in WIDE]
"""The same with a number of channels that fits no layout."""
ALONE = START + 20e-6


def after(
    layers: list[LayerTime],
    seconds: float,
    error: float = 0.0,
    passes: tuple[int | None, int | None] = (None, None),
) -> Range:
    """seconds: of the whole as trained. passes: in it, and in the one with fewer channels."""
    whole = Whole(seconds=seconds, error=error, start=START, passes=passes[0])
    return whole_after(WIDE, layers, whole, passes[1])


def test_the_start_of_a_run_stays_however_small_layers_get() -> None:
    nothing = [replace(layer, seconds=0.0, elements=0.0) for layer in WIDE]
    assert after(nothing, ALONE).value == pytest.approx(START)
    assert after(HALF, ALONE).value == pytest.approx(START + 8e-6, rel=HANDED_OVER)


def test_what_a_whole_spares_shrinks_with_time_or_elements() -> None:
    """A whole takes 10 µs less than layers alone: it changes no layouts between them."""
    half = after(HALF, ALONE - 10e-6)
    spared_by_time, spared_by_elements = 10e-6 * 0.4, 10e-6 * 0.5
    middle = (spared_by_time + spared_by_elements) / 2
    assert half.value == pytest.approx(START + 8e-6 - middle), "all that is handed over is in it"
    error = SIGMAS * SESSIONS_DIFFER * half.value
    assert half.low == pytest.approx(START + 8e-6 - spared_by_elements - error)
    most = START + 8e-6 * (1 + 2 * HANDED_OVER)
    assert half.high == pytest.approx(most + error), "or nothing is spared"


def test_a_runtime_that_tells_its_changes_of_layout_sharpens_the_interval() -> None:
    vague = after(HALF, ALONE - 10e-6)
    same = after(HALF, ALONE - 10e-6, passes=(1, 1))
    assert same.value == vague.value
    assert same.low == vague.low
    error = SIGMAS * SESSIONS_DIFFER * same.value
    assert same.high == pytest.approx(START + 8e-6 - 4e-6 + error), "that by time at least"
    fewer = after(HALF, ALONE - 10e-6, passes=(0, 2))
    spared = (0.4 + 0.5) / 2 / 2
    handed = HANDED_OVER * (8e-6 - spared * 20e-6)
    assert fewer.value == pytest.approx(START + 8e-6 - 10e-6 * spared + handed), "two of four stay"
    none = after(HALF, ALONE - 10e-6, passes=(0, 4))
    assert none.value == pytest.approx(START + 8e-6 * (1 + HANDED_OVER))
    more = after(HALF, ALONE - 10e-6, passes=(2, 0))
    assert more.value == same.value, "no more is spared than as trained"


def test_layers_that_change_no_layout_spare_nothing() -> None:
    odd = after(ODD, ALONE - 10e-6)
    assert odd.value == pytest.approx(START + 24e-6 * (1 + HANDED_OVER))
    error = SIGMAS * SESSIONS_DIFFER * odd.value
    assert odd.low == pytest.approx(START + 24e-6 - error)
    assert odd.high == pytest.approx(START + 24e-6 * (1 + 2 * HANDED_OVER) + error)
    one = after([HALF[0], ODD[0]], ALONE - 10e-6)
    assert START + 16e-6 - 10e-6 * 0.25 < one.value < START + 16e-6


def test_where_no_layout_is_told_all_layers_spare() -> None:
    before = [replace(layer, passes=0, elements=0.0) for layer in WIDE]
    layers = [replace(layer, passes=0, elements=0.0) for layer in HALF]
    half = whole_after(before, layers, Whole(seconds=ALONE - 10e-6, start=START))
    assert half.value == pytest.approx(START + 8e-6 - 4e-6)


def test_what_a_whole_takes_more_stays_or_shrinks() -> None:
    half = after(HALF, ALONE + 10e-6)
    error = SIGMAS * SESSIONS_DIFFER * half.value
    assert half.low == pytest.approx(START + 8e-6 + 4e-6 - error)
    assert half.high == pytest.approx(START + 8e-6 + 10e-6 + error)
    assert half.value == pytest.approx(START + 8e-6 + 7e-6)


def test_medians_that_are_not_sure_widen_the_interval() -> None:
    sure = after(HALF, ALONE)
    assert after(HALF, ALONE, error=2e-6).high > sure.high
    unsure = [replace(layer, error=1e-6) for layer in HALF]
    wider = after(unsure, ALONE)
    assert wider.high > sure.high
    assert wider.low < sure.low
    assert wider.value == sure.value


def test_a_row_says_what_ran_beside_the_layer() -> None:
    params = {"launches": 3, "shape": [1, 8, 4, 4], "captured": False}
    row = measurement(
        "smaller/convolution",
        backend="cpu",
        seconds_median=5e-6,
        seconds_low=4e-6,
        seconds_high=7e-6,
        params=json.dumps(params),
    )
    time = layer_time(row, START)
    assert time.seconds == pytest.approx(3e-6)
    assert time.error == pytest.approx(1.5e-6)
    assert (time.passes, time.elements) == (2, 128)
    few_samples = replace(row, seconds_low=None, seconds_high=None)
    assert layer_time(few_samples, START).error == pytest.approx(0.2 * 5e-6)
    captured = replace(row, params=json.dumps({**params, "captured": True}))
    assert layer_time(captured, START).passes == 0, "a graph hides what it holds"
    assert layer_time(row, 9e-6).seconds == 0


def test_no_layer_takes_less_than_the_start_of_a_run() -> None:
    rows = [measurement("smaller/matmul", backend="cpu", seconds_median=s) for s in (2e-6, 3e-6)]
    assert start_of_run(5e-6, rows) == 2e-6, "the machine was slower when it was measured"
    assert start_of_run(1e-6, rows) == 1e-6
    assert start_of_run(None, rows) == 0.0
