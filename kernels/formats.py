"""Number formats of matrix units: values to bits and back, rounded as the hardware rounds.

bfloat16 and FP8 are types of ``ml_dtypes``. TF32 and packed 4-bit integers are nobody's: a few
lines here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

TF32_DROPPED_BITS = 13
"""Last fraction bits of single precision that TF32 does not have."""


@dataclass(frozen=True)
class Format:
    """One element format."""

    bits: int
    """Of an element in memory."""
    encode: Callable[[np.ndarray], np.ndarray]
    """Values as doubles to bit patterns: to nearest, ties to even."""
    decode: Callable[[np.ndarray], np.ndarray]
    """Bit patterns back to doubles."""
    integer: bool = False
    """Whether it counts in whole numbers."""


def _float(kind: type, code: type) -> Format:
    """A floating-point type of NumPy; ``code`` is the unsigned integer of the same size."""

    def encode(values: np.ndarray) -> np.ndarray:
        return np.asarray(values).astype(kind).view(code)

    def decode(codes: np.ndarray) -> np.ndarray:
        return codes.view(kind).astype(np.float64)

    return Format(8 * np.dtype(code).itemsize, encode, decode)


def _short_float(kind: type, code: type, saturates: bool) -> Format:
    """A type of ``ml_dtypes``, which rounds from single precision as conversions on a GPU do.

    saturates: what is too large becomes the largest number, infinity included; otherwise infinity.
    NaN stays NaN.
    """
    largest = float(ml_dtypes.finfo(kind).max)

    def encode(values: np.ndarray) -> np.ndarray:
        within = np.clip(values, -largest, largest) if saturates else np.asarray(values)
        return within.astype(np.float32).astype(kind).view(code)

    def decode(codes: np.ndarray) -> np.ndarray:
        return codes.astype(code).view(kind).astype(np.float64)

    return Format(8 * np.dtype(code).itemsize, encode, decode)


def _tf32() -> Format:
    """Single precision whose last fraction bits are zero."""
    mask = (1 << 32) - (1 << TF32_DROPPED_BITS)
    below_half = (1 << (TF32_DROPPED_BITS - 1)) - 1

    def encode(values: np.ndarray) -> np.ndarray:
        bits = np.asarray(values).astype(np.float32).view(np.uint32).astype(np.uint64)
        last_bit = (bits >> TF32_DROPPED_BITS) & 1  # a tie goes up only from an odd fraction
        return ((bits + below_half + last_bit) & mask).astype(np.uint32)

    def decode(codes: np.ndarray) -> np.ndarray:
        return codes.astype(np.uint32).view(np.float32).astype(np.float64)

    return Format(32, encode, decode)


def _integer(kind: type) -> Format:
    """A signed integer of NumPy, which is its own bit pattern."""

    def encode(values: np.ndarray) -> np.ndarray:
        return np.asarray(values).astype(kind)

    def decode(codes: np.ndarray) -> np.ndarray:
        return codes.astype(np.float64)

    return Format(8 * np.dtype(kind).itemsize, encode, decode, integer=True)


def _int4() -> Format:
    """Signed integers of 4 bits, each in the low half of a byte."""

    def encode(values: np.ndarray) -> np.ndarray:
        return (np.asarray(values).astype(np.int8) & 15).astype(np.uint8)

    def decode(codes: np.ndarray) -> np.ndarray:
        low_half = codes.astype(np.int64) & 15
        return (low_half ^ 8) - 8.0  # bit 3 is the sign: 8 to 15 are -8 to -1

    return Format(4, encode, decode, integer=True)


FORMATS = {
    "fp64": _float(np.float64, np.uint64),
    "fp32": _float(np.float32, np.uint32),
    "fp16": _float(np.float16, np.uint16),
    "bf16": _short_float(ml_dtypes.bfloat16, np.uint16, saturates=False),
    "tf32": _tf32(),
    "e4m3": _short_float(ml_dtypes.float8_e4m3fn, np.uint8, saturates=True),
    "e5m2": _short_float(ml_dtypes.float8_e5m2, np.uint8, saturates=True),
    "int32": _integer(np.int32),
    "int8": _integer(np.int8),
    "int4": _int4(),
}


def rounded(element: str, values: np.ndarray) -> np.ndarray:
    """The values, as doubles, after rounding to the format ``element``."""
    element_format = FORMATS[element]
    codes = element_format.encode(np.asarray(values, np.float64))
    return element_format.decode(codes)


def packed(element: str, values: np.ndarray, word: type = np.uint32) -> np.ndarray:
    """Rows of values as memory holds them, seen as words: (..., k) values -> (..., words).

    The first value is in the lowest bits of the first word.
    """
    element_format = FORMATS[element]
    codes = np.ascontiguousarray(element_format.encode(np.asarray(values, np.float64)))
    if element_format.bits == 4:
        low_halves, high_halves = codes[..., 0::2], codes[..., 1::2]
        codes = low_halves | (high_halves << 4)
    return np.ascontiguousarray(codes).view(word)


def unpacked(element: str, words: np.ndarray) -> np.ndarray:
    """Words back to values, as doubles. The format takes whole bytes."""
    element_format = FORMATS[element]
    code: Any = f"u{element_format.bits // 8}"
    if element_format.integer:
        code = f"i{element_format.bits // 8}"
    return element_format.decode(np.ascontiguousarray(words).view(code))
