"""Access to memory that is no plain stream: narrow elements, strides, scattered segments.

Real layers do all three. Bytes are USEFUL bytes, those the operation asked for: a stride of 8 that
makes memory deliver eight times as much shows as an eighth of the rate. Every kernel reads each of
its elements exactly once a repetition, so one sum checks it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, KernelError, Work

FACTORS = (0x9E3779B1, 0x85EBCA77)
"""Odd, so that multiplying by them modulo a power of two loses nothing.

The first is 2**32 over the golden ratio.
"""


def bits(dtype: str, n: int, segment: int) -> int:
    """Bits that number the segments of ``segment`` bytes in ``n`` elements.

    Raises KernelError where they are no power of two, or fewer than four.
    """
    size = n * ITEMSIZE[dtype]
    count = size // segment
    if size % segment or count < 4 or count & (count - 1) or count >= 1 << 32:
        raise KernelError(
            f"a gather of {size} bytes in segments of {segment}: take a power of two, 4 "
            "segments or more"
        )
    return count.bit_length() - 1


def places(number_bits: int, visits: np.ndarray) -> np.ndarray:
    """The segment that each visit of a gather reads: every segment once, without a pattern.

    Two multiplications by odd numbers around an exclusive-or with the number shifted right, each of
    them reversible: neither a list of indices, which would be traffic too, nor an even step, which
    prefetchers would learn.
    """
    mask = np.uint64((1 << number_bits) - 1)
    first, second = (np.uint64(factor) for factor in FACTORS)
    mixed = visits.astype(np.uint64) * first & mask
    mixed ^= mixed >> np.uint64(shift(number_bits))
    return mixed * second & mask


def shift(number_bits: int) -> int:
    """How far ``places`` shifts: half the bits, so that the upper ones reach the lower ones."""
    return (number_bits + 1) // 2


def strided_total(dtype: str, n: int, stride: int) -> float:
    """Sum of every ``stride``-th of ``n`` elements, exact.

    The pattern has a prime length, so that any stride visits each of its values equally often.
    """
    count = -(-n // stride)
    rounds, rest = divmod(count, pattern.LENGTH)
    last = pattern.values(dtype, 0, np.arange(rest) * stride).astype(np.float64)
    return rounds * pattern.total(dtype, 0, pattern.LENGTH) + float(last.sum())


def useful_bytes(dtype: str, n: int) -> float:
    """Bytes of ``n`` elements."""
    return float(n * ITEMSIZE[dtype])


def work(op: str, dtype: str, n: int, stride: int = 1, **_: Any) -> Work:
    """One pass of ``op`` over ``n`` elements; a copy also writes them."""
    if op == "stride":
        return Work(bytes=useful_bytes(dtype, n // stride))
    arrays = 2 if op == "copy" else 1
    return Work(bytes=arrays * useful_bytes(dtype, n))


def reference(op: str, dtype: str, repeat: int, n: int, stride: int = 1, **_: Any) -> np.ndarray:
    """The sum of what is read, shape (1,); of a copy, samples of its target."""
    if op == "copy":
        return pattern.values(dtype, 0, pattern.sample_indices(n, ITEMSIZE[dtype]))
    total = strided_total(dtype, n, stride) if op == "stride" else pattern.total(dtype, 0, n)
    return np.array([total])
