"""What zeros do to a small network is what NumPy says, and a planted dead half costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from kernels.onnx.graph import graph_of
from kernels.onnx.net import Net
from kernels.onnx.protos import copy_of
from kernels.precision.stages import stages
from kernels.sparsity.patterns import TWO_OF_FOUR, Trial, trials
from probes.accuracy.inputs import read_inputs
from probes.accuracy.pattern_errors import layers, masked_model, pattern_rows
from probes.accuracy.split import split
from probes.accuracy.study import Study
from probes.records.measurement import OK, SKIPPED
from probes.records.patterns import (
    PATTERNS_FILE,
    PatternRow,
    read_patterns,
    row_problem,
)
from probes.records.precision import MOST_DB
from probes.records.run import csv_text

HALF = Trial(TWO_OF_FOUR, 0.5)


def network(half_dead: bool = False) -> Any:
    """Three layers: 8 channels to 32, depthwise, and 10 classes."""
    net = Net()
    x = net.input(1, 8, 6, 6)
    first = net.add("Relu", net.conv(x, 8, 32, 3))
    deep = net.conv(first, 32, 32, 3, groups=32)
    pooled = net.add("Flatten", net.add("GlobalAveragePool", deep))
    model = net.model(net.add("Softmax", net.gemm(pooled, 32, 10)))
    if half_dead:
        _kill_half(model)
    return model


def _kill_half(model: Any) -> None:
    """Make every other input channel's weight of each layer zero, in place."""
    import onnx

    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor).copy()
        if array.ndim == 4 and array.shape[1] > 1:
            array[:, ::2] = 0
        elif array.ndim == 2:
            array[::2] = 0
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def study_of(model: Any, folder: Path) -> Study:
    x = np.random.default_rng(1).standard_normal((48, 8, 6, 6)).astype(np.float32)
    np.savez(folder / "data.npz", x=x)
    graph = graph_of(copy_of(model))
    inputs = read_inputs(folder / "data.npz", graph.inputs, None, None)
    return Study("net", model, stages(graph), inputs, split(inputs))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[PatternRow]:
    study = study_of(network(), tmp_path_factory.mktemp("net"))
    return list(pattern_rows(study, trials()))


def test_every_layer_has_a_row_for_every_trial(rows: list[PatternRow]) -> None:
    assert len(rows) == 3 * len(trials())
    assert not any(map(row_problem, rows))
    assert {row.status for row in rows if row.groups == 1 and row.pattern == "2:4"} == {OK}
    assert {row.status for row in rows if row.groups > 1} == {SKIPPED}
    first = rows[0]
    assert (first.rows, first.columns, first.in_channels) == (32, 72, 8)
    assert (first.read_elements, first.written_elements) == (8 * 36, 32 * 36)


def test_more_zeros_are_a_larger_error(rows: list[PatternRow]) -> None:
    own = {row.trial: row.own_sqnr_db for row in rows[: len(trials())]}
    ratios = [own[f"unstructured {share} %"] for share in (50, 75, 90)]
    assert None not in ratios
    assert ratios == sorted(ratios, reverse=True)  # type: ignore[type-var]
    two_of_four, free = own["2:4"], own["unstructured 50 %"]
    assert two_of_four is not None and free is not None and two_of_four < free


def test_only_two_of_four_is_followed_to_the_answer(rows: list[PatternRow]) -> None:
    found = {row.pattern for row in rows if row.sqnr_db is not None}
    assert found == {"2:4"}


def test_a_layer_too_small_for_its_blocks_says_so(rows: list[PatternRow]) -> None:
    reasons = {row.trial: row.reason for row in rows if row.op == "Gemm"}
    assert "too small for 16x16 90 %" in reasons["16x16 90 %"]


def test_weights_that_are_zero_already_cost_nothing(tmp_path: Path) -> None:
    study = study_of(network(half_dead=True), tmp_path)
    for row in pattern_rows(study, [HALF]):
        if row.status == OK:
            assert row.own_sqnr_db == row.sqnr_db == MOST_DB
            assert row.l1_kept == pytest.approx(1.0)
    model = masked_model(study.model, study.stages, HALF)
    whole = study.recipe_row("2:4", model)
    assert whole.loss == 0 and whole.sqnr_db == MOST_DB


def test_a_masked_network_has_zeros_in_all_layers_that_fit(tmp_path: Path) -> None:
    study = study_of(network(), tmp_path)
    model = masked_model(study.model, study.stages, HALF)
    masked = {layer.name: layer.numbers for layer in layers(study_of(model, tmp_path))}
    zeros = {name: float((numbers == 0).mean()) for name, numbers in masked.items()}
    assert sorted(zeros.values()) == [0.0, 0.5, 0.5]


def test_rows_are_read_back_and_damaged_ones_named(rows: list[PatternRow], tmp_path: Path) -> None:
    path = tmp_path / PATTERNS_FILE
    path.write_text(csv_text(rows, PatternRow), encoding="utf-8")
    damage: list[str] = []
    assert read_patterns(tmp_path, True, damage) == rows and not damage
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[1] = lines[1].replace(",0.5,", ",half,", 1)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(read_patterns(tmp_path, True, damage)) == len(rows) - 1
    assert "line 2" in damage[0] and "half" in damage[0]
