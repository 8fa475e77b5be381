"""Stored numbers of a network in INT8 and FP8: weights, biases and operands.

NumPy only: what is made here is what the file holds, so a test can hold one against the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.base import Unavailable
from kernels.precision.flow import Scale
from kernels.precision.quantize import LARGEST_BIAS
from kernels.precision.scales import (
    BLOCK,
    CHANNEL,
    LARGEST_FP8,
    LARGEST_UINT8,
    SMALLEST_SCALE,
    TENSOR,
    U8,
    quantized_weights,
)

LEAST_INT8, MOST_INT8 = -128, 127


def codes_of(values: np.ndarray, scale: Scale, form: str) -> np.ndarray:
    """Floats as QuantizeLinear makes integers of them: u8 or s8.

    It rounds halves to even, adds the zero point, and saturates.
    """
    numbers = np.rint(np.asarray(values, np.float32) / scale.scale) + scale.zero_point
    if form == U8:
        return np.asarray(np.clip(numbers, 0, LARGEST_UINT8), np.uint8)
    return np.asarray(np.clip(numbers, LEAST_INT8, MOST_INT8), np.int8)


def scaled_part(
    op: str, dimensions: int, attributes: Mapping[str, Any], granularity: str
) -> tuple[str, int]:
    """What has a scale of its own in the weights of an operation, and along which axis.

    Channels are those of the output, as runtimes want it; blocks lie along what a product sums
    over. Convolutions have channels where blocks are asked for, and a batch of matrices has one
    scale where channels are.
    """
    if granularity == TENSOR or dimensions < 2:
        return TENSOR, 0
    if op == "Conv":
        return CHANNEL, 0
    if op == "ConvTranspose":
        # a channel of each group shares a scale: the file format has no axis for groups
        return CHANNEL, 1
    is_turned = op == "Gemm" and bool(attributes.get("transB"))
    if granularity == BLOCK:
        return BLOCK, 1 if is_turned else dimensions - 2
    if dimensions > 2:
        return TENSOR, 0
    return CHANNEL, 0 if is_turned else 1


def with_bias(
    values: np.ndarray,
    part: tuple[str, int],
    bias: np.ndarray,
    input_scale: np.float32,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weights as int8 with their scales, and the bias as int32 with its own.

    part: as ``scaled_part`` says, a tensor or channels. A bias is in the units of the accumulator,
    the scale of the input times that of the weights. Where weights are so small that the bias would
    not fit, their scale is larger.
    """
    granularity, axis = part
    numbers, scales = quantized_weights(values, granularity, axis)
    needed = np.abs(bias.astype(np.float64)) / (float(input_scale) * LARGEST_BIAS)
    if granularity == TENSOR:
        needed = np.asarray(needed.max(initial=0))
    if (needed > scales).any():
        # a part in a million more, so that rounding to FP32 does not make it too small again
        scales = np.maximum(scales, needed * (1 + 1e-6)).astype(np.float32)
        shape = [1] * values.ndim
        if granularity == CHANNEL:
            shape[axis] = -1
        quotients = np.asarray(values, np.float32) / scales.reshape(shape)
        numbers = np.rint(quotients).astype(np.int8)
    # NumPy's product of two scalars is no array
    bias_scales = np.asarray(np.float32(input_scale) * scales, np.float32)
    bias_scales = np.maximum(bias_scales, np.float32(SMALLEST_SCALE))
    bias_numbers = np.rint(bias.astype(np.float64) / bias_scales)
    clipped = np.clip(bias_numbers, -LARGEST_BIAS, LARGEST_BIAS).astype(np.int32)
    return numbers, scales, clipped, bias_scales


def fp8_weights(values: np.ndarray, part: tuple[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Weights as float8 e4m3fn, and their FP32 scales. Raises Unavailable without ml_dtypes."""
    granularity, axis = part
    largest: Any = np.abs(values).max(initial=0)
    if granularity == CHANNEL:
        others = tuple(other for other in range(values.ndim) if other != axis)
        largest = np.abs(values).max(axis=others, keepdims=True, initial=0)
    scales = np.asarray(largest, np.float32) / np.float32(LARGEST_FP8)
    scales = np.where(scales < SMALLEST_SCALE, np.float32(1), scales)
    quotients = np.clip(values / scales, -LARGEST_FP8, LARGEST_FP8).astype(np.float32)
    return as_fp8(quotients), scales.reshape(() if granularity == TENSOR else -1)


def as_fp8(values: Any) -> np.ndarray:
    """Floats within the range of e4m3fn, in that type. Raises Unavailable without ml_dtypes."""
    try:
        import ml_dtypes
    except ImportError as missing:
        raise Unavailable("fp8 weights need ml_dtypes, which newer onnx brings") from missing
    return np.asarray(values).astype(ml_dtypes.float8_e4m3fn)
