"""Pictures of zeros: what stands in them, and that no words cover one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.draw.plan import front
from analysis.draw.sparsity import layers, patterns
from analysis.draw.sparsity.pictures import FRONT, LAYERS, PATTERNS, prune_figures
from analysis.outcome import PruneOutcome
from probes.records.pruning import Pruning
from tests.analysis.prune.test_plan import ERRORS, FP32, KNOWN, plan
from tests.analysis.sparsity.rows import DEVICE, ROWS, US, layers_with_zeros, other, point, study
from tests.analysis.sparsity.rows import LARGE as LARGE_ROW

INCHES = (9.6, 5.6)
MANY = (
    *ROWS,
    *(other(LARGE_ROW, "unstructured", share) for share in (0.5, 0.75, 0.9)),
    *(other(LARGE_ROW, "4x4", share, 16) for share in (0.5, 0.75, 0.9)),
)
POINTS = [
    FP32,
    point("2:4", 0.025, 101 * US, weights="2:4"),
    point("unstructured 50 %", 0.008, weights="unstructured 50 %"),
    point("unstructured 75 %", 0.3, weights="unstructured 75 %"),
    point("unstructured 90 %", 0.9, 100 * US, weights="unstructured 90 %"),
    point("4x4 50 %", 0.41, weights="4x4 50 %"),
    point("4x4 75 %", 0.9, weights="4x4 75 %"),
    point("4x4 90 %", 0.95, weights="4x4 90 %"),
]


def outcome() -> PruneOutcome:
    return PruneOutcome(
        Pruning(patterns=list(MANY), errors=ERRORS, plan=replace(plan(), chosen="fp32")),
        sparsity=study(layers_with_zeros(MANY), *POINTS),
        points=POINTS,
    )


def words_of(picture: Any) -> list[str]:
    return [
        text.get_text() for text in picture.findobj(match=lambda each: hasattr(each, "get_text"))
    ]


def gids(picture: Any) -> set[str]:
    return {str(each.get_gid()) for each in picture.findobj() if each.get_gid()}


def test_each_picture_is_drawn_where_its_data_is_known() -> None:
    assert set(prune_figures(outcome(), DEVICE, INCHES)) == {FRONT, PATTERNS, LAYERS}
    bare = PruneOutcome(Pruning(patterns=KNOWN.patterns), sparsity=study())
    assert set(prune_figures(bare, DEVICE, INCHES)) == {LAYERS}
    assert prune_figures(PruneOutcome(Pruning()), DEVICE, INCHES) == {}


def test_every_pattern_has_a_line_and_every_format_of_it() -> None:
    picture = prune_figures(outcome(), DEVICE, INCHES)[PATTERNS]()
    drawn = gids(picture)
    assert {"2:4/loss", "unstructured/loss", "4x4/loss"} <= drawn
    assert {"unstructured/bitmask", "unstructured/CSR", "unstructured/COO", "4x4/BSR"} <= drawn
    assert any("2:4 loses 2.5 %" in text for text in words_of(picture))


def test_layers_are_marked_by_their_verdict_and_the_ridge_is_drawn() -> None:
    shown = study().verdicts
    picture = layers.figure(shown, "net", DEVICE.name, INCHES)
    assert {"pays/points", "memory/points", "launch/points", "ridge"} <= gids(picture)
    assert any("in 1 of 4 layers; predicted" in text for text in words_of(picture))


def test_without_roofs_for_two_of_four_there_is_no_picture_of_layers() -> None:
    assert layers.drawable(study(layers_with_zeros(precision="fp32")).verdicts) == []


def test_pruned_networks_have_a_colour_of_their_own_on_the_front() -> None:
    picture = prune_figures(outcome(), DEVICE, INCHES)[FRONT]()
    assert any("Diamonds: pruned." in text for text in words_of(picture))
    without = front.figure(plan(), [FP32], DEVICE.name, INCHES)
    assert not any("Diamonds" in text for text in words_of(without))


@pytest.mark.parametrize("name", [PATTERNS, LAYERS])
def test_words_lie_inside_of_the_picture(name: str) -> None:
    picture = prune_figures(outcome(), DEVICE, INCHES)[name]()
    picture.canvas.draw()
    frame = picture.bbox
    for text in picture.texts:
        box = text.get_window_extent()
        assert frame.x0 - 1 <= box.x0 and box.x1 <= frame.x1 + 1, text.get_text()


def test_names_of_trials_under_the_title_are_those_that_were_run() -> None:
    assert patterns.sentence(study(layers_with_zeros(MANY), *POINTS).outcomes).startswith(
        "2:4 loses"
    )
    assert patterns.sentence([]) == ""
