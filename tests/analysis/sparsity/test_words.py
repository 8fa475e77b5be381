"""What is said of zeros: the answer first, each number from the rows."""

from __future__ import annotations

from dataclasses import replace

from analysis.sparsity.verdict import LITTLE
from analysis.sparsity.words import on_layer, on_network
from probes.records.precision import ACCURACY
from probes.records.tag import PRODUCT, Tag
from tests import devices
from tests.analysis.sparsity.rows import (
    DENSE,
    LARGE,
    NARROW,
    POINTWISE,
    ROWS,
    TINY,
    US,
    VECTOR,
    layers_with_zeros,
    measurement,
    other,
    pattern_row,
    point,
    study,
)
from tests.analysis.sparsity.rows import DEPTHWISE as ALONE

WITH_PATTERNS = (
    *ROWS,
    *(other(LARGE, "unstructured", share) for share in (0.5, 0.75, 0.9)),
    other(LARGE, "4x4", 0.5, 16),
)


def said(*points: object, rows: tuple = WITH_PATTERNS) -> list[str]:  # type: ignore[type-arg]
    return on_network(study(layers_with_zeros(rows), *points), ACCURACY)  # type: ignore[arg-type]


def test_what_two_of_four_could_save_comes_first_and_is_marked_predicted() -> None:
    (first, *_) = said()
    assert first.startswith("2:4 could save 11.3 µs of 94.0 µs in FP16")
    assert "predicted; cuda has no such kernels" in first
    assert "1 of 5 layers" in first
    assert "1 sparse kernels would not take, 1 are bound by memory, 1 by the launch" in first


def test_the_loss_of_magnitude_alone_is_told() -> None:
    (_, second, *_) = said(point("2:4", 0.025, weights="2:4"))
    assert "in 4 layers keeps 75 % of L1" in second
    assert second.endswith("of L1: it loses 2.5 % of accuracy.")


def test_dense_kernels_that_skip_nothing_are_named() -> None:
    dense = point("fp32", 0.0, 100 * US)
    zeros = point("unstructured 90 %", 0.9, 100.5 * US, weights="unstructured 90 %")
    (sentence,) = (text for text in said(dense, zeros) if "zeros in place" in text)
    assert "1.00 times as long as with none (measured)" in sentence
    assert "kernels of cuda multiply by them" in sentence
    faster = replace(zeros, seconds=50 * US, low=49 * US, high=51 * US)
    (sentence,) = (text for text in said(dense, faster) if "zeros in place" in text)
    assert "0.50 times" in sentence and "multiply" not in sentence
    loud = replace(zeros, trusted=False)
    (sentence,) = (text for text in said(dense, loud) if "zeros in place" in text)
    assert "other load disturbed it" in sentence


def test_free_zeros_are_held_against_blocks() -> None:
    free = point("unstructured 50 %", 0.008, weights="unstructured 50 %")
    blocks = point("4x4 50 %", 0.41, weights="4x4 50 %")
    (sentence,) = (text for text in said(free, blocks) if text.startswith("Half"))
    assert "at a loss of 0.8 %" in sentence and "at a loss of 41.0 %" in sentence


def test_bytes_name_their_formulas_and_vector_units_their_share() -> None:
    sentences = said()
    (sentence,) = (text for text in sentences if text.startswith("Bytes"))
    assert "as bitmask (n b + R K / 8)" in sentence
    (sentence,) = (text for text in sentences if text.startswith("Single zeros"))
    assert "at 93 % zeros in FP16, by roofs alone" in sentence


def test_what_units_that_skip_zeros_would_need_is_marked_predicted() -> None:
    (sentence,) = (text for text in said() if text.startswith("Units that left out"))
    # a tenth of the operations by the vector units, against all by the matrix units
    share = 0.1 / VECTOR * DENSE
    assert f"at least {100 * share:.0f} %" in sentence
    assert "in FP16" in sentence and sentence.endswith("(predicted).")


def test_a_cpu_says_that_it_has_no_such_unit() -> None:
    on_cpu = layers_with_zeros(
        device=devices.CPU,
        precision="fp32",
        roofs=(measurement("compute/fp32", 1e12), measurement("bandwidth/dram/copy", 1e11)),
    )
    (first, *_) = on_network(study(on_cpu), ACCURACY)
    assert first == "2:4 gains nothing here: no unit of this CPU skips zeros."


def test_where_nothing_pays_the_reasons_are_counted_in_the_precision_that_has_units() -> None:
    rows = (NARROW, POINTWISE, TINY)
    timed = layers_with_zeros(rows)
    in_both = replace(
        timed, placements=[*layers_with_zeros(rows, precision="fp32").placements, *timed.placements]
    )
    (first, *_) = on_network(study(in_both), ACCURACY)
    assert first == (
        "2:4 gains nothing here in FP16: of 3 layers 1 sparse kernels would not take, "
        "1 are bound by memory, 1 by the launch."
    )


def test_a_layer_far_below_its_roofs_gains_too_little() -> None:
    slow = replace(layers_with_zeros((LARGE,)).placements[0], seconds=1e-2)
    layers = replace(layers_with_zeros((LARGE,)), placements=[slow])
    (verdict,) = study(layers).verdicts
    assert verdict.why == LITTLE
    assert on_layer(verdict).endswith("the roofs spare 11.3 µs of 10.0 ms: too little")


def test_a_network_of_depthwise_layers_says_that_nothing_fits() -> None:
    (only,) = said(rows=(ALONE,))
    assert only == "2:4 fits no layer: no neighbours."


def test_measured_products_are_told_beside_predictions() -> None:
    params = '{"network": "made-up", "layer": "large", "m": 512, "n": 3136, "k": 4608}'
    dense, sparse = (
        measurement(
            str(Tag(PRODUCT, "fp16", path)),
            dtype="fp16",
            seconds_median=seconds,
            params=params,
        )
        for path, seconds in (("gemm", 30 * US), ("gemm_sp", 20 * US))
    )
    of_rows = study(layers_with_zeros(ROWS, dense, sparse))
    sentences = on_network(of_rows, ACCURACY)
    assert any(
        "1.50 to 1.50 times as fast as dense, faster in 1 of 1" in text for text in sentences
    )
    (large,) = (verdict for verdict in of_rows.verdicts if verdict.row.layer == "large")
    assert "as a plain product 1.50 times as fast (measured)" in on_layer(large)


def test_a_long_name_is_cut() -> None:
    row = pattern_row("x" * 200, 512, 4608, 3136)
    (verdict,) = study(layers_with_zeros((row,))).verdicts
    assert len(on_layer(verdict).partition(":")[0]) <= 30
