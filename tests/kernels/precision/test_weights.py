"""Weights have scales along the axis that runtimes want, and a bias that fits them."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.precision.flow import Scale
from kernels.precision.weights import codes_of, scaled_part, with_bias


@pytest.mark.parametrize(
    ("op", "dimensions", "attributes", "granularity", "part"),
    [
        ("Conv", 4, {}, "channel", ("channel", 0)),
        ("Conv", 4, {}, "tensor", ("tensor", 0)),
        ("Conv", 4, {}, "block", ("channel", 0)),
        ("ConvTranspose", 4, {}, "channel", ("channel", 1)),
        ("Gemm", 2, {}, "channel", ("channel", 1)),
        ("Gemm", 2, {"transB": 1}, "channel", ("channel", 0)),
        ("Gemm", 2, {}, "block", ("block", 0)),
        ("Gemm", 2, {"transB": 1}, "block", ("block", 1)),
        ("MatMul", 2, {}, "channel", ("channel", 1)),
        ("MatMul", 3, {}, "channel", ("tensor", 0)),
        ("MatMul", 3, {}, "block", ("block", 1)),
        ("MatMul", 1, {}, "channel", ("tensor", 0)),
    ],
)
def test_scales_are_those_of_output_channels_or_of_blocks_of_a_sum(
    op: str,
    dimensions: int,
    attributes: dict[str, int],
    granularity: str,
    part: tuple[str, int],
) -> None:
    assert scaled_part(op, dimensions, attributes, granularity) == part


def test_halves_round_to_even_and_ends_saturate() -> None:
    values = np.array([-9e9, -1.5, -0.5, 0.5, 1.5, 2.5, 9e9], np.float32)
    unsigned = codes_of(values, Scale(np.float32(1), 10), "u8")
    signed = codes_of(values, Scale(np.float32(1), 0), "s8")
    assert unsigned.tolist() == [0, 8, 10, 10, 12, 12, 255]
    assert signed.tolist() == [-128, -2, 0, 0, 2, 2, 127]


def test_a_bias_is_in_units_of_the_accumulator() -> None:
    weights = np.array([[1.27, -0.5], [0.254, 0.1]], np.float32)
    bias = np.array([0.5, -0.25], np.float32)
    numbers, scales, bias_numbers, bias_scales = with_bias(
        weights, ("channel", 0), bias, np.float32(0.1)
    )
    np.testing.assert_allclose(scales, [0.01, 0.002], rtol=1e-6)
    assert numbers.tolist() == [[127, -50], [127, 50]]
    assert bias_numbers.tolist() == [500, -1250]
    np.testing.assert_allclose(bias_scales, [0.001, 0.0002], rtol=1e-6)


@pytest.mark.parametrize("part", [("channel", 0), ("tensor", 0)])
def test_the_scale_of_a_dead_channel_is_as_large_as_its_bias_needs(part: tuple[str, int]) -> None:
    weights = np.full((2, 4), 1e-14, np.float32)
    bias = np.array([0.5, 0.25], np.float32)
    _, _, numbers, scales = with_bias(weights, part, bias, np.float32(1e-3))
    np.testing.assert_allclose(numbers * scales.astype(np.float64), bias, rtol=1e-6)
