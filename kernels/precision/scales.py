"""Scales of integers and of FP8: of a range of floats, and of weights.

A float is about scale · (integer - zero point), and zero is an integer exactly.
"""

from __future__ import annotations

import numpy as np

from kernels.base import Unavailable
from kernels.precision.integer import LARGEST_INT8, integers

U8, S8, FP8 = "u8", "s8", "fp8"
"""Forms of activations: uint8 with a zero point, int8 around zero, float8 e4m3 around zero."""
LARGEST_UINT8 = 255
LARGEST_FP8 = 448
"""Of e4m3fn, which has no infinity."""
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""Smaller ones lose bits, and some runtimes take them for zero."""
CHANNEL, TENSOR, BLOCK = "channel", "tensor", "block"
"""What has a scale of its own in weights."""
BLOCK_SIZE = 32


def scale_of(low: float, high: float, form: str) -> tuple[np.float32, int]:
    """The scale and the zero point of floats from ``low`` to ``high``.

    The range is widened to hold zero. A range of nothing but zero, or too small for a scale, gets
    scale 1. Raises ValueError for ends that are not finite and for an unknown form.
    """
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"a range from {low} to {high} has no scale")
    low, high = min(float(low), 0.0), max(float(high), 0.0)
    largest = max(-low, high)
    size_of = {U8: high - low, S8: largest, FP8: largest}
    steps_of = {U8: LARGEST_UINT8, S8: LARGEST_INT8, FP8: LARGEST_FP8}
    if form not in steps_of:
        raise ValueError(f"{form!r} is none of {', '.join(steps_of)}")
    size = size_of[form] / steps_of[form]
    if size < SMALLEST_SCALE:
        return np.float32(1), 0
    scale = np.float32(size)
    if form != U8:
        return scale, 0
    zero_point = round(-low / float(scale))
    return scale, min(zero_point, LARGEST_UINT8)


def quantized_weights(
    values: np.ndarray, granularity: str, axis: int = 0, block: int = BLOCK_SIZE
) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int8 around zero, of the same shape, and their FP32 scales.

    granularity: ``tensor`` (a scale of no dimension), ``channel`` (one for each place along
    ``axis``) or ``block`` (one for each ``block`` neighbours along ``axis``, the last block may be
    shorter: the shape of the weights, with their number of blocks for ``axis``). Axis and scales
    are those of DequantizeLinear. Raises Unavailable for weights that are not finite.
    """
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise Unavailable("no int8 of weights that are not finite")
    # what is too small to have a scale is zero
    values = np.where(np.abs(values) < LARGEST_INT8 * SMALLEST_SCALE, np.float32(0), values)
    if granularity == TENSOR:
        return integers(values)
    if granularity == CHANNEL:
        return integers(values, axis)
    if granularity == BLOCK:
        return _in_blocks(values, axis, block)
    raise ValueError(f"{granularity!r} is none of {TENSOR}, {CHANNEL}, {BLOCK}")


def _in_blocks(values: np.ndarray, axis: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    last = np.moveaxis(values, axis, -1)
    length = last.shape[-1]
    blocks = -(-length // block)
    padding = [(0, 0)] * (last.ndim - 1) + [(0, blocks * block - length)]
    padded = np.pad(last, padding)
    numbers, scales = integers(padded.reshape(-1, block), 0)
    whole = numbers.reshape(padded.shape)[..., :length]
    scales_of_blocks = scales.reshape(*last.shape[:-1], blocks)
    numbers_in_place = np.ascontiguousarray(np.moveaxis(whole, -1, axis))
    return numbers_in_place, np.ascontiguousarray(np.moveaxis(scales_of_blocks, -1, axis))
