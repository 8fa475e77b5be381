"""What the number of calibration inputs and the batch change."""

from __future__ import annotations

import dataclasses
import json

import pytest

from analysis.draw.plan.inputs import (
    ALL,
    ONE,
    compared,
    figure,
    is_worth_drawing,
    limits_of,
    methods_compared,
    spreads,
)
from probes.records.precision import RangeRow
from tests.analysis.draw.plan.seeing import faults, lines, texts
from tests.analysis.plan_rows import INPUTS, METHODS, range_rows

ROWS = range_rows(6)


def row(tensor: str, inputs: int, batch: int, width: float, histogram: str = "") -> RangeRow:
    return dataclasses.replace(
        ROWS[0],
        tensor=tensor,
        inputs=inputs,
        batch=batch,
        thresholds=json.dumps({"mse": [-width / 2, width / 2]}),
        histogram=histogram,
    )


HAND = [
    row("a", 4, 1, 8.0, "[1]"),
    row("b", 4, 1, 2.0, "[1]"),
    row("a", 1, 1, 4.0),
    row("b", 1, 1, 2.0),
    row("a", 4, 4, 10.0),
    row("b", 4, 4, 2.0),
]


def test_widths_are_held_against_those_of_all_inputs() -> None:
    first, last = spreads(HAND, "mse", ONE)
    assert (first.inputs, last.inputs) == (1, 4)
    assert first.median == pytest.approx(0.75)  # of 4 / 8 and 2 / 2
    assert (first.low, first.high) == pytest.approx((0.625, 0.875))
    assert last == (4, 1.0, 1.0, 1.0)
    assert spreads(HAND, "mse", ALL)[-1].median == pytest.approx(1.125)


def test_a_range_of_nothing_tells_nothing() -> None:
    empty = [row("a", 4, 1, 0.0, "[1]"), row("a", 1, 1, 0.0)]
    assert spreads(empty, "mse", ONE) == []


def test_each_method_has_a_panel_with_a_line_and_marks_of_all_at_once() -> None:
    picture = figure(ROWS, "net", 9.6)
    assert not faults(picture)
    methods = [method for method in METHODS if method != "entropy"]
    assert len(texts(picture, "method")) == len(picture.axes) == len(methods)
    for method in methods:
        for feeding in (ONE, ALL):
            (line,) = lines(picture, f"{method}/{feeding}")
            drawn = line.get_xydata().tolist()
            known = spreads(ROWS, method, feeding)
            assert drawn == [[spread.inputs, spread.median] for spread in known]
    assert [spread.inputs for spread in spreads(ROWS, "mse", ONE)] == list(INPUTS)
    assert [spread.inputs for spread in spreads(ROWS, "mse", ALL)] == [INPUTS[-1]]
    assert lines(picture, f"mse/{ALL}")[0].get_linestyle() == "None"


def test_a_method_of_all_inputs_only_has_no_panel_and_a_note() -> None:
    assert "entropy" not in methods_compared(ROWS)
    (note,) = texts(figure(ROWS, "net", 9.6), "note")
    assert note.startswith("Not drawn: entropy, of which only")


def test_only_activations_with_something_to_compare_count() -> None:
    alone = row("c", 4, 1, 100.0, "[1]")
    assert set(compared([*HAND, alone])) == {"a", "b"}
    assert spreads([*HAND, alone], "mse", ONE) == spreads(HAND, "mse", ONE)


def test_inputs_that_are_batches_themselves_are_one_at_a_time() -> None:
    batches = [row("a", 8, 2, 8.0, "[1]"), row("a", 2, 2, 4.0), row("a", 8, 8, 16.0)]
    assert [spread.inputs for spread in spreads(batches, "mse", ONE)] == [2, 8]
    assert [spread[:3] for spread in spreads(batches, "mse", ALL)] == [(8, 2.0, 2.0)]


def test_a_small_change_looks_small_and_one_is_in_sight() -> None:
    spread, *_ = spreads([row("a", 4, 1, 8.0, "[1]"), row("a", 2, 1, 8.0)], "mse", ONE)
    low, high = limits_of([spread])
    assert low < 0.9 and high > 1.1


def test_a_picture_needs_something_to_compare() -> None:
    assert is_worth_drawing(HAND)
    assert not is_worth_drawing(HAND[:2])
    assert not is_worth_drawing([])
