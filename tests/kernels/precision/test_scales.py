"""Scales of ranges and of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from kernels.base import Unavailable
from kernels.precision.scales import (
    BLOCK,
    CHANNEL,
    FP8,
    S8,
    TENSOR,
    U8,
    quantized_weights,
    scale_of,
)
from kernels.runtime.answers import PLAIN, answers

RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("low", "high", "form", "scale", "zero_point"),
    [
        (0, 255, U8, 1, 0),
        (-255, 0, U8, 1, 255),
        (-1, 3, U8, 4 / 255, 64),
        (2, 5.1, U8, 0.02, 0),  # zero is part of every range
        (-254, 100, S8, 2, 0),
        (0, 127, S8, 1, 0),
        (-896, 1, FP8, 2, 0),
        (0, 0, U8, 1, 0),
        (0, 1e-44, S8, 1, 0),
    ],
)
def test_a_range_has_this_scale(
    low: float, high: float, form: str, scale: float, zero_point: int
) -> None:
    assert scale_of(low, high, form) == (np.float32(scale), zero_point)


@pytest.mark.parametrize("form", [U8, S8])
def test_the_ends_of_a_range_are_codes(form: str) -> None:
    first, last = (0, 255) if form == U8 else (-127, 127)
    for low, high in [(-0.3, 8.7), (-7, 0.001), (-1e-30, 1e-30), (-3e38, 3e38)]:
        scale, zero_point = scale_of(low, high, form)
        assert first <= zero_point <= last
        codes = np.rint(np.array([low, 0, high]) / float(scale)) + zero_point
        assert (codes >= first - 1).all()
        assert (codes <= last + 1).all()


@pytest.mark.parametrize(("low", "high"), [(np.nan, 1), (-1, np.inf)])
def test_a_range_without_an_end_has_no_scale(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="no scale"):
        scale_of(low, high, U8)


def test_a_form_must_be_known() -> None:
    with pytest.raises(ValueError, match="'int4' is none of"):
        scale_of(-1, 1, "int4")


@pytest.mark.parametrize(("granularity", "axis"), [(TENSOR, 0), (CHANNEL, 1), (BLOCK, 0)])
def test_weights_come_back_within_half_a_step(granularity: str, axis: int) -> None:
    values = RANDOM.normal(size=(40, 6)) * np.geomspace(0.01, 100, 6)
    numbers, scales = quantized_weights(values, granularity, axis, block=16)
    assert numbers.dtype == np.int8
    assert np.abs(numbers).max() == 127
    floats = decoded(numbers, scales, granularity, axis)
    assert floats.shape == values.shape
    step = {TENSOR: scales, CHANNEL: scales[None], BLOCK: np.repeat(scales, 16, 0)[:40]}
    assert (np.abs(floats - values) <= step[granularity] * 0.501).all()


@pytest.mark.parametrize("granularity", [TENSOR, CHANNEL, BLOCK])
def test_runtime_decodes_them_alike(granularity: str) -> None:
    axis = 1
    numbers, scales = quantized_weights(RANDOM.normal(size=(3, 32, 2)), granularity, axis, block=16)
    attributes: dict[str, Any] = {}
    if granularity != TENSOR:
        attributes["axis"] = axis
    if granularity == BLOCK:
        assert scales.shape == (3, 2, 2)
        attributes["block_size"] = 16
    node = onnx.helper.make_node("DequantizeLinear", ["w", "s"], ["y"], **attributes)
    stored = [
        onnx.numpy_helper.from_array(numbers, "w"),
        onnx.numpy_helper.from_array(scales, "s"),
    ]
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [3, 32, 2])
    graph = onnx.helper.make_graph([node], "decode", [], [result], stored)
    opset = [onnx.helper.make_opsetid("", 21)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=10)
    (floats,) = answers(model, {}, PLAIN)
    assert np.array_equal(floats, decoded(numbers, scales, granularity, axis))


@pytest.mark.parametrize("granularity", [TENSOR, CHANNEL, BLOCK])
def test_weights_of_zero_and_too_small_ones_are_zero(granularity: str) -> None:
    numbers, scales = quantized_weights(np.full((2, 3), 1e-40), granularity)
    assert not numbers.any()
    assert (scales > 0).all()


def test_weights_must_be_finite() -> None:
    with pytest.raises(Unavailable, match="not finite"):
        quantized_weights(np.array([1, np.nan]), TENSOR)


def test_a_granularity_must_be_known() -> None:
    with pytest.raises(ValueError, match="none of"):
        quantized_weights(np.ones(3), "row")


def decoded(numbers: np.ndarray, scales: np.ndarray, granularity: str, axis: int) -> np.ndarray:
    """The floats that the integers stand for, in blocks of 16."""
    if granularity == CHANNEL:
        shape = [1] * numbers.ndim
        shape[axis] = -1
        scales = scales.reshape(shape)
    if granularity == BLOCK:
        scales = np.repeat(scales, 16, axis)
        scales = np.take(scales, range(numbers.shape[axis]), axis)
    return numbers.astype(np.float32) * scales
