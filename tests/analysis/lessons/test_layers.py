"""Rules on layers in integers and on pruned ones: each can hold, fail, and leave it open."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from analysis.lessons import (
    around_network,
    half_bytes,
    int8_slower,
    misaligned_cut,
    qdq_borders,
    sparse_24,
    zeros_dense,
)
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import FAILS, HOLDS, UNDECIDED, UNTRIED
from kernels.device import Device
from probes.records.measurement import Measurement
from tests.analysis.lessons.rows import evidence, layer, skipped
from tests.devices import CPU, GPU, measurement


def verdict(lesson: Lesson, rows: Sequence[Measurement], device: Device = CPU) -> str:
    """What these rows say of a lesson."""
    return lesson.trial(evidence(rows, device)).verdict


def in_both(kind: str, floats: float, integers: float) -> list[Measurement]:
    """A kind of layer in FP32 and in INT8, with its microseconds."""
    return [
        layer("integers", kind, 1, floats),
        layer("integers", kind, 1, integers, dtype="int8"),
    ]


def test_one_layer_that_integers_slow_down_is_enough() -> None:
    rows = [*in_both("conv", 100, 30), *in_both("MaxPool", 10, 200)]
    trial = int8_slower.LESSON.trial(evidence(rows))
    assert trial.verdict == HOLDS
    assert "MaxPool 20" in trial.evidence and "1 of 2 kinds" in trial.evidence
    assert verdict(int8_slower.LESSON, in_both("conv", 100, 30)) == FAILS
    assert verdict(int8_slower.LESSON, in_both("conv", 100, 105)) == UNDECIDED


def test_a_provider_without_integers_leaves_it_untried() -> None:
    floats, integers = in_both("conv", 100, 30)
    trial = int8_slower.LESSON.trial(evidence([floats, skipped(integers, "no INT8 here")]))
    assert trial.verdict == UNTRIED and trial.reason == "no INT8 here"


def chains(floats: float, between_alone: float, between_chain: float) -> list[Measurement]:
    """Chains of one and of eight; one convolution takes so long in floats."""
    rows = []
    for depth, between in ((1, between_alone), (8, between_chain)):
        rows.append(layer("borders", qdq_borders.FLOATS, depth, floats * depth))
        rows.append(layer("borders", qdq_borders.INT8, depth, floats * depth / 2, dtype="int8"))
        rows.append(layer("borders", qdq_borders.BETWEEN, depth, between, dtype="int8"))
    return rows


def test_borders_cost_where_a_chain_gains_more_than_one_layer() -> None:
    assert verdict(qdq_borders.LESSON, chains(100, 110, 450)) == HOLDS
    assert verdict(qdq_borders.LESSON, chains(100, 40, 450)) == FAILS
    assert verdict(qdq_borders.LESSON, chains(100, 65, 440)) == UNDECIDED


def ladder(misaligned: float, aligned: float) -> list[Measurement]:
    """64, 57 and 48 channels in INT8; 64 take 100 microseconds."""
    steps = ((64, 100.0), (57, misaligned), (48, aligned))
    return [
        layer("pruned", "Conv 3x3", c, time, dtype="int8", flops=float(c * c)) for c, time in steps
    ]


def test_misaligned_channels_gain_nothing_where_aligned_ones_do() -> None:
    trial = misaligned_cut.LESSON.trial(evidence(ladder(130, 50)))
    assert trial.verdict == HOLDS
    assert "79 %" in trial.evidence and "130 %" in trial.evidence
    assert verdict(misaligned_cut.LESSON, ladder(60, 50)) == FAILS
    assert verdict(misaligned_cut.LESSON, ladder(130, 87)) == HOLDS
    assert verdict(misaligned_cut.LESSON, ladder(130, 150)) == FAILS
    assert verdict(misaligned_cut.LESSON, ladder(130, 130)) == UNDECIDED
    assert verdict(misaligned_cut.LESSON, ladder(90, 50)) == UNDECIDED


def products(many_zeros: float, sparse: Sequence[tuple[int, float]]) -> list[Measurement]:
    """A dense product without and with 90 % zeros, and one that leaves them out."""
    rows = [layer("zeros", zeros_dense.DENSE, 0, 100)]
    rows.append(layer("zeros", zeros_dense.DENSE, 90, many_zeros))
    rows += [layer("zeros", zeros_dense.SPARSE, zeros, time) for zeros, time in sparse]
    return rows


def test_zeros_save_nothing_when_dense_and_pay_late_when_left_out() -> None:
    trial = zeros_dense.LESSON.trial(evidence(products(100, [(50, 500), (90, 110), (99, 10)])))
    assert trial.verdict == HOLDS
    assert "faster from 99 % zeros on: 10 times" in trial.evidence
    assert verdict(zeros_dense.LESSON, products(15, [(50, 500), (99, 10)])) == FAILS
    assert verdict(zeros_dense.LESSON, products(100, [(50, 40), (99, 10)])) == FAILS


def test_without_a_sparse_product_the_dense_one_is_judged_alone() -> None:
    rows = products(100, [(50, 500)])
    rows[-1] = skipped(rows[-1], "scipy is not installed")
    trial = zeros_dense.LESSON.trial(evidence(rows))
    assert trial.verdict == HOLDS
    assert "scipy is not installed" in trial.evidence


def steps(network_ms: float) -> list[Measurement]:
    """Each step takes a millisecond, the network so many."""
    rows = [
        measurement(
            f"sweep/overhead/step/{step}", probe="around", dtype="fp32", seconds_median=1e-3
        )
        for step in around_network.STEPS
    ]
    row = measurement("recipe/mobilenet/cpu", probe="around", seconds_median=network_ms * 1e-3)
    return [*rows, row]


@pytest.mark.parametrize(("network_ms", "expected"), [(1, HOLDS), (3, UNDECIDED), (9, FAILS)])
def test_steps_outweigh_a_network_that_takes_less_time(network_ms: float, expected: str) -> None:
    assert verdict(around_network.LESSON, steps(network_ms)) == expected


def sparse_products(small: float, large: float) -> list[Measurement]:
    """Dense products of 100 microseconds, and sparse ones."""
    rows = []
    for side, time in ((256, small), (4096, large)):
        for path, microseconds in (("gemm", 100.0), ("gemm_sp", time)):
            seconds = microseconds * 1e-6
            rows.append(
                measurement(
                    f"sweep/compute/side/fp16-{path}",
                    probe="sparse_gemm",
                    dtype="fp16",
                    x=float(side),
                    seconds_median=seconds,
                    seconds_low=0.99 * seconds,
                    seconds_high=1.01 * seconds,
                )
            )
    return rows


def test_two_of_four_pays_for_large_products_only() -> None:
    assert verdict(sparse_24.LESSON, sparse_products(105, 60), GPU) == HOLDS
    assert verdict(sparse_24.LESSON, sparse_products(60, 60), GPU) == FAILS
    assert verdict(sparse_24.LESSON, sparse_products(105, 100), GPU) == FAILS
    assert verdict(sparse_24.LESSON, [], CPU) == UNTRIED


def light(gain: float) -> list[Measurement]:
    """Light layers in FP32 and FP16."""
    rows = []
    for series in half_bytes.SERIES:
        rows.append(layer("light", series, half_bytes.PLACE, 100))
        rows.append(layer("light", series, half_bytes.PLACE, 100 / gain, dtype="fp16", bytes=5e5))
    return rows


def test_half_of_the_bytes_must_be_nearly_half_of_the_time() -> None:
    trial = half_bytes.LESSON.trial(evidence(light(1.9), GPU))
    assert trial.verdict == HOLDS
    assert "50 %" in trial.evidence
    assert verdict(half_bytes.LESSON, light(1.1), GPU) == FAILS
    assert verdict(half_bytes.LESSON, light(1.9), CPU) == UNTRIED


@pytest.mark.parametrize(
    ("lesson", "rows", "device"),
    [
        (int8_slower.LESSON, in_both("conv", 100, 30), CPU),
        (qdq_borders.LESSON, chains(100, 110, 450), CPU),
        (misaligned_cut.LESSON, ladder(130, 50), CPU),
        (zeros_dense.LESSON, products(100, [(50, 500), (99, 10)]), CPU),
        (around_network.LESSON, steps(1), CPU),
        (sparse_24.LESSON, sparse_products(105, 60), GPU),
        (half_bytes.LESSON, light(1.9), GPU),
    ],
)
def test_any_row_may_be_missing(
    lesson: Lesson, rows: Sequence[Measurement], device: Device
) -> None:
    for place in range(len(rows)):
        rest = [*rows[:place], *rows[place + 1 :]]
        assert verdict(lesson, rest, device) in (HOLDS, UNDECIDED, UNTRIED)
        absent = skipped(rows[place], "absent")
        assert verdict(lesson, [*rest, absent], device) in (HOLDS, UNDECIDED, UNTRIED)
