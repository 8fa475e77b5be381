"""Stages: harm against gain, what is quantized seen at once, the most notable named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from analysis.analyse import INCHES, model
from analysis.draw.plan.stages import drawable, figure, look_of, notable
from analysis.plan.verdict import PASSES, StageVerdict
from probes.records.precision import MOST_DB
from tests.analysis.draw.plan.seeing import faults, lines, texts
from tests.analysis.plan_rows import Made


def verdict(name: str, gain: float, ratio: float, precision: str = "fp32") -> StageVerdict:
    return StageVerdict(
        stage=name,
        title=name,
        op="Conv",
        precision=precision,
        narrow="int8",
        sqnr_db=ratio,
        gain_seconds=gain,
        float_seconds=2 * abs(gain) or 1e-6,
        measured=True,
    )


def drawn(verdicts: Sequence[StageVerdict]) -> Any:
    picture = figure(verdicts, "net", "Made-up GPU", INCHES)
    picture.canvas.draw()
    return picture


THREE = (
    verdict("fast", 4e-5, 40.0, "int8"),
    verdict("slow", -2e-5, 45.0),
    verdict("frail", 3e-5, 9.0),
)


@pytest.mark.parametrize("count", [4, 54])
def test_no_word_covers_another(count: int) -> None:
    network = Made(count)
    plan = model(network.run(), network.known()).plan
    assert plan
    picture = drawn(plan.verdicts)
    assert not faults(picture)
    for stage in drawable(plan.verdicts):
        (dot,) = lines(picture, f"stage/{stage.stage}")
        assert dot.get_xydata().tolist() == [[stage.gain_seconds, stage.sqnr_db]]


def test_colour_and_marker_are_those_of_the_precision() -> None:
    picture = drawn(THREE)
    for stage in THREE:
        (dot,) = lines(picture, f"stage/{stage.stage}")
        assert (dot.get_color(), dot.get_marker()) == look_of(stage.precision)
    said = [text.get_text() for text in picture.texts]
    assert "FP32: 2" in said and "INT8: 1" in said


def test_what_gains_and_is_harmless_enough_is_shaded() -> None:
    picture = drawn(THREE)
    (shade,) = [patch for patch in picture.axes[0].patches if patch.get_gid() == "quantized"]
    box = shade.get_bbox()
    assert box.x0 == 0
    assert 9.0 < box.y0 < 40.0
    assert not drawn(THREE[1:]).axes[0].patches


def test_area_is_time() -> None:
    stages = [verdict(f"stage {i}", 1e-6 * i, 30.0 + i) for i in range(10, 20)]
    picture = drawn(stages)
    sizes = [lines(picture, f"stage/{stage.stage}")[0].get_markersize() for stage in stages]
    assert sizes[-1] ** 2 / sizes[0] ** 2 == pytest.approx(19 / 10)


def test_a_stage_without_error_stands_above_all_others_and_is_said_so() -> None:
    picture = drawn([*THREE, verdict("exact", 1e-5, MOST_DB)])
    (dot,) = lines(picture, "stage/exact")
    assert 45.0 < dot.get_ydata()[0] < 100.0
    assert any(text.get_text() == "no error" for text in picture.axes[0].texts)


def test_few_that_gain_far_more_do_not_hide_the_others() -> None:
    many = [verdict(f"stage {i}", 1e-6 * (i - 5), 20.0 + i) for i in range(11)]
    picture = drawn([*many, verdict("giant", 5e-3, 30.0)])
    ax = picture.axes[0]
    assert ax.get_xscale() == "symlog"
    places = ax.transData.transform([(-1e-6, 30), (1e-6, 30)])
    assert places[1][0] - places[0][0] > 20, "in pixels"
    assert not faults(picture)


def test_what_is_not_known_is_counted_and_what_passes_numbers_on_is_not() -> None:
    unknown = dataclasses.replace(verdict("unknown", 0.0, 0.0), sqnr_db=None)
    passing = dataclasses.replace(verdict("pool", 0.0, 50.0), why=PASSES)
    assert drawable([unknown, passing]) == []
    picture = drawn([*THREE, unknown, passing])
    assert texts(picture, "note") == ["Not drawn: 1 stage of unknown error or gain."]


def test_the_notable_are_those_that_gain_that_harm_and_that_cost_most() -> None:
    names = [stage.stage for stage in notable([*THREE, verdict("dull", 0.0, 41.0)])]
    assert names[0] == "frail"
    assert set(names) == {"fast", "slow", "frail"} | {"dull"}
    many = [verdict(f"dull {i}", 1e-7, 50.0) for i in range(20)]
    named = [stage.stage for stage in notable([*THREE, *many])]
    assert {"fast", "slow", "frail"} <= set(named)
    assert len(named) <= 9
