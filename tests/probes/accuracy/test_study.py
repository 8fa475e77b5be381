"""Lower precision costs real networks what it is known to cost, and planted faults are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import trained

if missing := trained.missing():
    pytest.skip(f"{missing} is not installed", allow_module_level=True)
pytest.importorskip("onnxslim")

from kernels.onnx.file import without_weights
from kernels.onnx.graph import graph_of
from kernels.onnx.net import Net
from kernels.precision.clean import cleaned
from kernels.precision.stages import stages
from probes.accuracy.inputs import Inputs, slots_of
from probes.accuracy.split import Split, split
from probes.accuracy.stage_errors import expected_seconds, stage_errors
from probes.accuracy.study import Study, best_method, ranges_by_method
from probes.records.measurement import FAILED, OK, SKIPPED, RidgelineError
from probes.records.paired import difference
from probes.records.precision import (
    CHANNEL,
    RANKING,
    TENSOR,
    TEST,
    ErrorRow,
    RangeRow,
    row_problem,
)

QUICK = ("minmax", "percentile-99.99", "mse")
"""Methods without entropy, which takes about a second an activation."""


def study_of(
    folder: Path, model: Any, inputs: np.ndarray, labels: np.ndarray | None = None
) -> Study:
    path = folder / "inputs.npz"
    arrays = {"x": inputs} if labels is None else {"x": inputs, "labels": labels}
    np.savez(path, **arrays)  # type: ignore[arg-type]
    clean = cleaned(model)
    given = Inputs(path, slots_of(clean))
    graph = graph_of(without_weights(clean))
    return Study("net", clean, stages(graph), given, ranked_by_stages(split(given)))


def ranked_by_stages(shares: Split) -> Split:
    """The same inputs, of which those alone rank that find the errors of stages."""
    others = set(shares.ranking) - set(shares.stages)
    test = tuple(sorted((*others, *shares.test)))
    return replace(shares, ranking=shares.stages, test=test)


@pytest.fixture(scope="module")
def direction(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The direction classifier with 332 words, of which 300 are for the test."""
    model = trained.bound(trained.direction_path(), 1, 3, 48, 192)
    return study_of(tmp_path_factory.mktemp("direction"), model, *trained.direction_data(332, 5))


@pytest.fixture(scope="module")
def range_rows(direction: Study) -> list[RangeRow]:
    return direction.range_rows(methods=QUICK)


def digits(folder: Path, outlier: float = 0.0, n: int = 432, batch: int = 1) -> Study:
    """The network of digits, and digits that it was not trained on."""
    inputs, labels = trained.digits_data()
    unseen = slice(trained.TRAINED_ON, trained.TRAINED_ON + n)
    model = trained.digits_network(batch, outlier)
    return study_of(folder, model, inputs[unseen], labels[unseen])


def test_int8_costs_the_direction_classifier_what_it_is_known_to_cost(
    direction: Study, range_rows: list[RangeRow]
) -> None:
    ranges = ranges_by_method(range_rows, False)["minmax"]
    model = direction.with_precisions(direction.all_int8(), ranges)
    row = direction.recipe_row("int8", model, TEST, "minmax", CHANNEL)
    assert row.status == OK and row.labelled == row.answers == 300
    assert row.right_in_fp32 is not None and 0.95 < row.right_in_fp32 / 300 < 1
    assert row.gained is not None and row.lost is not None
    low, high = difference(row.right_in_fp32, row.gained, row.lost, 300)
    # 97.5 to 96.5 %, n = 600, symmetric; the interval of 300 is ±1.5 points
    assert low < 0.01 < high + 0.01 and row.loss is not None and row.loss < 0.03
    assert row.sqnr_db is not None and 15 < row.sqnr_db < 45
    assert row_problem(row) == ""


def test_every_activation_has_a_range_and_some_show_what_fewer_inputs_change(
    direction: Study, range_rows: list[RangeRow]
) -> None:
    of_all = [row for row in range_rows if row.histogram]
    assert [row.tensor for row in of_all] == direction.activations()
    assert all(row.inputs == 16 and row.batch == 1 for row in of_all)
    assert all(row_problem(row) == "" for row in range_rows)
    fewer = {(row.inputs, row.batch) for row in range_rows if not row.histogram}
    assert fewer == {(1, 1), (2, 1), (4, 1), (8, 1), (16, 16)}
    for row in of_all:
        low, high = row.threshold_of["minmax"]
        assert low == min(row.least, 0) and high == max(row.most, 0)
    widest = {row.tensor: row.most - row.least for row in of_all}
    assert all(row.most - row.least <= widest[row.tensor] * 1.0001 for row in range_rows)


def test_the_error_of_a_stage_is_that_of_the_whole_network_with_it(
    direction: Study, range_rows: list[RangeRow]
) -> None:
    ranges = ranges_by_method(range_rows, False)["minmax"]
    some = replace_stages(direction, step=29)
    rows = list(stage_errors(some, ["int8", "fp16", "bf16", "fp8"], "minmax", ranges))
    assert {row.precision for row in rows} == {"int8", "fp16", "bf16", "fp8"}
    # noise is counted before the last Softmax: alone in FP16 it has none there
    softmax = {stage.name for stage in direction.stages if stage.op == "Softmax"}
    for row in rows:
        if row.stage in softmax:
            continue
        model = direction.with_precisions({row.stage: row.precision}, ranges)
        whole = direction.recipe_row("one", model)
        assert row.status == OK
        assert row.sqnr_db == pytest.approx(whole.sqnr_db, abs=0.05)
        assert row.same == whole.same
        assert row.own_sqnr_db is not None and row.own_cosine is not None
        least = 5 if row.precision in ("int8", "fp8") else 35
        assert row.own_sqnr_db > least


def replace_stages(study: Study, step: int) -> Study:
    """The study with a few of its stages."""
    return Study(
        study.network, study.model, study.stages[::step], study.inputs, study.split, study.form
    )


def test_without_room_for_what_is_alive_the_errors_are_the_same(
    direction: Study, range_rows: list[RangeRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges = ranges_by_method(range_rows, False)["minmax"]
    some = replace_stages(direction, step=40)
    expected = list(stage_errors(some, ["int8"], "minmax", ranges))
    monkeypatch.setattr("probes.accuracy.frontier.LIVE_BYTES", 0)
    monkeypatch.setattr("probes.accuracy.study.KEPT_BYTES", 0)
    bare = replace_stages(direction, step=40)
    for row, other in zip(stage_errors(bare, ["int8"], "minmax", ranges), expected, strict=True):
        assert (row.stage, row.same) == (other.stage, other.same)
        assert row.sqnr_db == pytest.approx(other.sqnr_db, abs=0.05)


def test_stages_whose_errors_are_found_side_by_side_have_the_same_errors(
    direction: Study, range_rows: list[RangeRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    ranges = ranges_by_method(range_rows, False)["minmax"]
    monkeypatch.setattr("probes.accuracy.stage_errors.MOST_STAGE_LANES", 1)
    expected = list(stage_errors(replace_stages(direction, step=20), ["int8"], "minmax", ranges))
    monkeypatch.setattr("probes.accuracy.stage_errors.MOST_STAGE_LANES", 4)
    monkeypatch.setattr("probes.accuracy.stage_errors.processors", lambda: 16)
    steps = []
    rows = stage_errors(
        replace_stages(direction, step=20),
        ["int8"],
        "minmax",
        ranges,
        on_step=lambda done, total, what: steps.append(done),
    )
    for row, other in zip(rows, expected, strict=True):
        assert (row.stage, row.same) == (other.stage, other.same)
        assert row.sqnr_db == pytest.approx(other.sqnr_db, abs=0.05)
    assert steps == list(range(len(expected) + 1))


def test_a_channel_of_outliers_costs_one_scale_for_all_weights_and_not_one_a_channel(
    tmp_path: Path,
) -> None:
    study = digits(tmp_path, outlier=300.0)
    rows = study.range_rows(methods=QUICK)
    ranges = ranges_by_method(rows, False)["minmax"]
    accuracy: dict[str, float] = {}
    for granularity in (CHANNEL, TENSOR):
        model = study.with_precisions(study.all_int8(), ranges, granularity)
        row = study.recipe_row("int8", model, TEST, "minmax", granularity)
        assert row.accuracy is not None
        accuracy[granularity] = row.accuracy
        in_fp32 = (row.right_in_fp32 or 0) / row.labelled
    assert in_fp32 > 0.9
    assert accuracy[CHANNEL] > in_fp32 - 0.02
    assert accuracy[TENSOR] < in_fp32 - 0.1
    errors = list(study.method_rows(rows))
    assert [row.granularity for row in errors] == [CHANNEL] * len(QUICK) + [TENSOR]
    assert errors[-1].method == best_method(errors) == study.best(errors, rows)[0]
    assert (errors[-1].sqnr_db or 0) < min(row.sqnr_db or 0 for row in errors[:-1]) - 10


def test_rows_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    study = digits(tmp_path)
    ranges = ranges_by_method(study.range_rows(methods=QUICK), False)["mse"]
    steps: list[tuple[int, int]] = []
    rows = list(
        stage_errors(
            study, ["int8", "fp16"], "mse", ranges, on_step=lambda *step: steps.append(step[:2])
        )
    )
    assert [row.method for row in rows[:2]] == ["mse", ""]  # floats have no ranges
    assert steps == [(done, len(rows)) for done in range(len(rows) + 1)]
    failed = replace(rows[-1], status=FAILED)
    done = [*rows[1:-1], failed]
    again = list(stage_errors(study, ["int8", "fp16"], "mse", ranges, done=done))
    assert again == [rows[0], rows[-1]]
    assert list(stage_errors(study, ["int8", "fp16"], "mse", ranges, done=rows)) == []
    assert expected_seconds(study, ["int8", "fp16"]) > 0


def test_a_fixed_batch_is_counted_in_inputs(tmp_path: Path) -> None:
    study = digits(tmp_path, batch=4)
    row = study.recipe_row("fp32", study.model, RANKING)
    assert (row.inputs, row.answers, row.same, row.labelled) == (16, 16, 16, 16)
    assert row.loss == 0


def test_a_stage_that_passes_numbers_on_has_no_error(direction: Study) -> None:
    passing = [stage for stage in direction.stages if stage.passes]
    assert passing
    some = Study("net", direction.model, passing, direction.inputs, direction.split)
    assert list(stage_errors(some, ["int8"], "minmax", {})) == []


def test_a_recipe_that_cannot_be_followed_is_a_row_with_its_reason(tmp_path: Path) -> None:
    study = digits(tmp_path)
    row = study.recipe_row("int8", None, reason="no int8")
    assert (row.status, row.reason) == (SKIPPED, "no int8")
    missing_range = next(stage_errors(study, ["int8"], "minmax", {}))
    assert missing_range.status in (FAILED, SKIPPED) and missing_range.reason


def test_labels_must_fit_the_classes(tmp_path: Path) -> None:
    inputs, labels = trained.digits_data()
    with pytest.raises(RidgelineError, match="knows the classes 0 to 9: count them from 0"):
        study_of(tmp_path, trained.digits_network(), inputs[:60], labels[:60] + 1)


def test_stages_are_rows_that_can_be_stored(direction: Study) -> None:
    rows = direction.stage_rows()
    assert len(rows) == len(direction.stages)
    assert all(row_problem(row) == "" for row in rows)
    assert rows[0].node_names == direction.stages[0].nodes


def test_the_best_method_has_least_noise_with_a_scale_a_channel() -> None:
    def row(method: str, db: float, granularity: str = CHANNEL) -> ErrorRow:
        return ErrorRow(
            schema_version=1,
            network="net",
            recipe="int8",
            method=method,
            granularity=granularity,
            sqnr_db=db,
        )

    rows = [row("minmax", 20), row("mse", 30), row("entropy", 40, TENSOR)]
    assert best_method(rows) == "mse"
    assert best_method([]) == ""


def test_a_network_that_answers_with_nan_is_refused(tmp_path: Path) -> None:
    net = Net()
    product = net.add("MatMul", net.input(1, 8), net.weight(8, 4, fan_in=8))
    model = net.model(net.add("Log", product))
    inputs = np.random.default_rng(0).normal(size=(6, 8)).astype(np.float32)
    with pytest.raises(RidgelineError, match=r"answers input \d with NaN in y: leave that input"):
        study_of(tmp_path, model, inputs)


def test_after_a_rest_the_answers_are_the_same(tmp_path: Path) -> None:
    inputs, labels = trained.digits_data()
    study = study_of(tmp_path, trained.digits_network(), inputs[:30], labels[:30])
    before = study.recipe_row("fp32", study.model)
    first = study.expected(study.split.ranking[0])
    study.rest()
    assert not study._feeds and not study._expected and "_exact" not in study.__dict__
    assert study.recipe_row("fp32", study.model) == before
    again = study.expected(study.split.ranking[0])
    assert all(np.array_equal(array, again[name]) for name, array in first.items())
