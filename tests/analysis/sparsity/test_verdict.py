"""2:4 pays above the ridge, and each layer where it does not says the right reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.sparsity.verdict import (
    LAUNCH,
    MEMORY,
    NO_PATTERN,
    NO_UNIT,
    NOT_TAKEN,
    PAYS,
    UNKNOWN,
    SparseVerdict,
    sparse_verdicts,
)
from analysis.sparsity.words import on_layer
from tests import devices
from tests.analysis.sparsity.rows import (
    DENSE,
    DRAM,
    LARGE,
    ROOFS,
    ROWS,
    SPARSE,
    US,
    layers_with_zeros,
    measurement,
)


def by_layer(verdicts: list[SparseVerdict]) -> dict[str, SparseVerdict]:
    return {verdict.row.layer: verdict for verdict in verdicts}


def test_each_layer_has_the_verdict_that_its_roofs_give() -> None:
    verdicts = by_layer(sparse_verdicts(layers_with_zeros()))
    assert {layer: verdict.why for layer, verdict in verdicts.items()} == {
        "large": PAYS,
        "narrow": NOT_TAKEN,
        "pointwise": MEMORY,
        "tiny": LAUNCH,
        "depthwise": NO_PATTERN,
    }


def test_the_predicted_time_is_the_measured_one_less_what_the_roofs_spare() -> None:
    verdict = by_layer(sparse_verdicts(layers_with_zeros()))["large"]
    assert LARGE.flops is not None
    spared = LARGE.flops / DENSE - LARGE.flops / SPARSE
    assert verdict.predicted_seconds == pytest.approx(30 * US - spared)
    assert verdict.saved_seconds == pytest.approx(spared)
    assert verdict.ridge == pytest.approx(DENSE / DRAM)
    assert not verdict.runs_here


def test_a_bound_layer_saves_nothing_whatever_the_units_could() -> None:
    verdicts = by_layer(sparse_verdicts(layers_with_zeros()))
    for name in ("narrow", "pointwise", "tiny", "depthwise"):
        assert verdicts[name].saved_seconds == 0


def test_reasons_are_told_with_their_numbers() -> None:
    verdicts = by_layer(sparse_verdicts(layers_with_zeros()))
    sentence = on_layer(verdicts["large"])
    assert "2:4 keeps 75 % of L1 (9.2 dB)" in sentence
    assert "predicted: cuda has no such kernel" in sentence
    assert "64 channels" in on_layer(verdicts["narrow"])
    assert "TensorRT#3849" in on_layer(verdicts["narrow"])
    assert "below the ridge of 233" in on_layer(verdicts["pointwise"])
    assert "bound by the launch" in on_layer(verdicts["tiny"])
    assert on_layer(verdicts["depthwise"]) == "depthwise: no neighbours"


def test_a_cpu_and_a_type_without_sparse_units_gain_nothing() -> None:
    on_cpu = layers_with_zeros(
        device=devices.CPU,
        precision="fp32",
        roofs=(measurement("compute/fp32", 1e12), measurement("bandwidth/dram/copy", 1e11)),
    )
    whys = {verdict.why for verdict in sparse_verdicts(on_cpu)}
    assert whys == {NO_UNIT, NO_PATTERN}
    in_fp32 = sparse_verdicts(layers_with_zeros(precision="fp32"))
    assert {verdict.why for verdict in in_fp32} == {NO_UNIT, NO_PATTERN}
    assert "no unit for 2:4 takes FP32" in on_layer(by_layer(in_fp32)["large"])


def test_the_provider_of_tensorrt_has_such_kernels() -> None:
    layers = replace(layers_with_zeros(), provider="tensorrt")
    assert all(verdict.runs_here for verdict in sparse_verdicts(layers))


def test_without_times_or_roofs_nothing_is_claimed() -> None:
    untimed = replace(layers_with_zeros(), placements=())
    assert {verdict.why for verdict in sparse_verdicts(untimed)} == {NO_UNIT, NO_PATTERN}
    blind = layers_with_zeros(roofs=tuple(row for row in ROOFS if "dram" not in row.ceiling))
    assert by_layer(sparse_verdicts(blind))["large"].why == UNKNOWN


def test_a_sparse_roof_that_cannot_be_trusted_is_no_missing_unit() -> None:
    loud = tuple(
        replace(row, trusted=False, doubt="loud") if "_sp" in row.ceiling else row for row in ROOFS
    )
    verdict = by_layer(sparse_verdicts(layers_with_zeros(roofs=loud)))["large"]
    assert verdict.why == UNKNOWN
    assert "cannot be trusted" in on_layer(verdict)


def test_groups_and_odd_sizes_are_refused_with_their_source() -> None:
    grouped = replace(LARGE, groups=2)
    odd = replace(LARGE, rows=500)
    for row, why in ((grouped, "TensorRT#4054"), (odd, "no multiples of 16")):
        layers = layers_with_zeros((row, *ROWS[1:]))
        verdict = by_layer(sparse_verdicts(layers))["large"]
        assert verdict.why == NOT_TAKEN
        assert why in on_layer(verdict)
