"""Ranges: a bracket for each method, what the chosen one clips, the most sensitive first."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from analysis.draw.plan import ranges
from analysis.draw.plan.ranges import (
    MOST_BINS,
    MOST_PICTURES,
    PANELS,
    clipping_in_words,
    figure,
    left_out,
    most_sensitive_first,
    pages_of,
    together,
)
from tests.analysis.draw.plan.seeing import faults, lines, texts
from tests.analysis.plan_rows import METHOD, METHODS, Made, range_rows, tensor_name

ACROSS = 9.6
ROWS = range_rows(11)


def full(count: int = PANELS) -> list[Any]:
    return list(ranges.in_full(ROWS).values())[:count]


@pytest.mark.parametrize("count", [1, 2, 5, PANELS])
def test_no_word_covers_another(count: int) -> None:
    picture = figure(full(count), METHOD, "net", "1 of 1", ACROSS, ["A note."])
    assert not faults(picture)
    assert len(texts(picture, "activation")) == count


def test_each_method_has_a_bracket_from_end_to_end() -> None:
    (row,) = full(1)
    picture = figure([row], METHOD, "net", "", ACROSS)
    for place, method in enumerate(METHODS):
        (bracket,) = lines(picture, f"range/{method}")
        assert tuple(bracket.get_xdata()) == row.threshold_of[method]
        assert set(bracket.get_ydata()) == {place}
    named = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert named[0] == "MinMax" and "percentile 99.99 %" in named and "MSE" in named
    weights = {method: lines(picture, f"range/{method}")[0].get_linewidth() for method in METHODS}
    assert max(weights, key=lambda method: weights[method]) == METHOD


def test_what_the_chosen_method_clips_is_shaded_and_told() -> None:
    row = next(row for row in full() if row.least < row.threshold_of[METHOD][0] < 0)
    low, high = row.threshold_of[METHOD]
    assert high < row.most
    picture = figure([row], METHOD, "net", "", ACROSS)
    _, histogram = picture.axes
    shades = [patch for patch in histogram.patches if patch.get_gid() == "clipped"]
    edges = []
    for shade in shades:
        corners = histogram.transData.inverted().transform(shade.get_window_extent().corners())
        edges += sorted({round(float(x), 6) for x, _ in corners})
    edges.sort()
    assert edges[1:3] == pytest.approx([low, high], rel=1e-4)
    assert texts(picture, "clipping") == [clipping_in_words(row, METHOD)]
    unclipped = figure([row], "minmax", "net", "", ACROSS)
    assert not [patch for patch in unclipped.axes[1].patches if patch.get_gid() == "clipped"]
    assert texts(unclipped, "clipping") == ["clips nothing"]


def test_before_a_method_is_chosen_nothing_is_shaded() -> None:
    picture = figure(full(1), "", "net", "", ACROSS)
    assert not [
        patch for ax in picture.axes for patch in ax.patches if patch.get_gid() == "clipped"
    ]
    assert "Shaded" not in " ".join(text.get_text() for text in picture.texts)


def test_shares_are_told_in_words() -> None:
    row = full(1)[0]
    for share, said in (
        (0.0, "clips nothing"),
        (1e-7, "clips < 0.001 %"),
        (0.0123, "clips 1.2 %"),
    ):
        clipped = dataclasses.replace(row, clipped=json.dumps({METHOD: share}))
        assert clipping_in_words(clipped, METHOD) == said


def test_bins_are_taken_together_and_none_is_lost() -> None:
    counts = [float(i % 7) for i in range(2048)]
    fewer = together(counts)
    assert len(fewer) == MOST_BINS
    assert sum(fewer) == pytest.approx(sum(counts))
    assert together([1.0, 2.0]) == [1.0, 2.0]
    assert together([0.0] * 1000 + [5.0])[-1] == pytest.approx(5.0)


def test_an_activation_that_is_one_number_is_drawn() -> None:
    row = dataclasses.replace(
        full(1)[0],
        least=0.0,
        most=0.0,
        thresholds=json.dumps({METHOD: [0.0, 0.0]}),
        histogram=json.dumps([16.0]),
    )
    assert not faults(figure([row], METHOD, "net", "", ACROSS))


def test_the_most_sensitive_come_first_and_the_rest_stays_in_order() -> None:
    network = Made(12)
    stages, errors = network.stage_rows(), network.error_rows()
    ordered = most_sensitive_first(ROWS, stages, errors)
    worst = min(network.sqnr_db, key=lambda name: network.sqnr_db[name])
    place = network.names.index(worst)
    assert {row.tensor for row in ordered[:2]} == {tensor_name(place), tensor_name(place + 1)} & {
        row.tensor for row in ordered
    }
    unknown = most_sensitive_first(ROWS, stages, [])
    assert [row.tensor for row in unknown] == [tensor_name(i) for i in range(12)]


def test_a_handful_of_pictures_and_a_note_on_the_rest() -> None:
    many = full(1) * (PANELS * MOST_PICTURES + 1)
    assert [len(page) for page in pages_of(many)] == [PANELS] * MOST_PICTURES
    assert left_out(many) == [
        "Of 49 activations the 48 most sensitive are drawn; all are in ranges.csv."
    ]
    assert not left_out(many[1:])
    assert pages_of([]) == []


def test_long_names_stay_different() -> None:
    rows = [
        dataclasses.replace(row, tensor=f"/model/backbone/stage/block_{i}/conv/Conv_output_0")
        for i, row in enumerate(full(3))
    ]
    picture = figure(rows, METHOD, "net", "", ACROSS)
    assert len(set(texts(picture, "activation"))) == 3
    assert not faults(picture)
