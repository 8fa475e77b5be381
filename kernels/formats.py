"""Number formats of matrix units in NumPy: values to bit patterns and back, rounded as the hardware
rounds.

bfloat16, TF32, FP8 and packed 4-bit integers have no NumPy type; a table of a few lines saves a
dependency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True)
class Format:
    """One element format. bits: of an element in memory; integer: whether it counts in whole
    numbers; encode(values as doubles) -> bit patterns, to nearest, ties to even; decode: back to
    doubles."""

    bits: int
    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]
    integer: bool = False


def _native(kind: type, bits: type) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    return lambda x: np.asarray(x).astype(kind).view(bits), lambda codes: codes.view(kind).astype(
        np.float64
    )


def _shortened(dropped: int) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """Single precision without its last ``dropped`` fraction bits, left in place."""
    mask = (1 << 32) - (1 << dropped)

    def encode(x: np.ndarray) -> np.ndarray:
        bits = np.asarray(x).astype(np.float32).view(np.uint32).astype(np.uint64)
        half = (1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1)
        return ((bits + half) & mask).astype(np.uint32)

    return encode, lambda codes: codes.astype(np.uint32).view(np.float32).astype(np.float64)


def _bf16() -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    encode, decode = _shortened(16)
    return lambda x: (encode(x) >> 16).astype(np.uint16), lambda codes: decode(
        codes.astype(np.uint32) << 16
    )


@cache
def _positive(exponent_bits: int, last: int) -> np.ndarray:
    """Values of the codes 0 .. last of an 8-bit float, ascending."""
    fraction_bits = 7 - exponent_bits
    code = np.arange(last + 1)
    exponent, fraction = (
        code >> fraction_bits,
        (code & ((1 << fraction_bits) - 1)) / (1 << fraction_bits),
    )
    bias = (1 << (exponent_bits - 1)) - 1
    return np.where(
        exponent > 0, (1 + fraction) * 2.0 ** (exponent - bias), fraction * 2.0 ** (1 - bias)
    )


def _fp8(
    exponent_bits: int, last: int
) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    """8-bit floats of the OCP specification OFP8; ``last`` is the code of the largest number, where
    they saturate.
    """

    def encode(x: np.ndarray) -> np.ndarray:
        table, size = _positive(exponent_bits, last), np.abs(x)
        above = np.clip(np.searchsorted(table, size), 1, last)
        low, high = size - table[above - 1], table[above] - size
        nearer = np.where(low == high, above & ~1, np.where(low < high, above - 1, above))
        return (nearer | np.where(np.signbit(x), 0x80, 0)).astype(np.uint8)

    def decode(codes: np.ndarray) -> np.ndarray:
        table = np.concatenate([_positive(exponent_bits, last), np.full(127 - last, np.nan)])
        return np.where(codes & 0x80, -1.0, 1.0) * table[codes & 0x7F]

    return encode, decode


def _integer(kind: type) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    return lambda x: np.asarray(x).astype(kind), lambda codes: codes.astype(np.float64)


def _int4() -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
    signed = lambda codes: ((codes.astype(np.int64) & 15) ^ 8) - 8.0  # noqa: E731
    return lambda x: (np.asarray(x).astype(np.int8) & 15).astype(np.uint8), signed


FORMATS = {
    "fp64": Format(64, *_native(np.float64, np.uint64)),
    "fp32": Format(32, *_native(np.float32, np.uint32)),
    "fp16": Format(16, *_native(np.float16, np.uint16)),
    "bf16": Format(16, *_bf16()),
    "tf32": Format(32, *_shortened(13)),
    "e4m3": Format(8, *_fp8(4, 0x7E)),
    "e5m2": Format(8, *_fp8(5, 0x7B)),
    "int32": Format(32, *_integer(np.int32), integer=True),
    "int8": Format(8, *_integer(np.int8), integer=True),
    "int4": Format(4, *_int4(), integer=True),
}


def rounded(element: str, values: np.ndarray) -> np.ndarray:
    """The values as this format holds them."""
    form = FORMATS[element]
    return form.decode(form.encode(np.asarray(values, np.float64)))


def packed(element: str, values: np.ndarray, word: type = np.uint32) -> np.ndarray:
    """Rows of values as memory holds them, the first in the lowest bits, seen as words: (..., k) ->
    (..., words).
    """
    codes = np.ascontiguousarray(FORMATS[element].encode(np.asarray(values, np.float64)))
    if FORMATS[element].bits == 4:
        codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
    return np.ascontiguousarray(codes).view(word)


def unpacked(element: str, words: np.ndarray) -> np.ndarray:
    """Back from words to values, for formats of whole bytes."""
    form = FORMATS[element]
    kind = {"int32": np.int32, "int8": np.int8}.get(element, np.dtype(f"u{form.bits // 8}"))
    return form.decode(np.ascontiguousarray(words).view(kind))
