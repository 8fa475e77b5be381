"""Access to memory that is no plain stream: narrow elements, strides, scattered segments. Real layers do all three.

Bytes are USEFUL bytes, those the operation asked for: a stride of 8 that makes memory deliver eight times as much shows
as an eighth of the rate. Every kernel reads each of its elements exactly once a repetition, so one sum checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kernels import pattern
from kernels.base import ITEMSIZE, Kernel, KernelError, Launch, Work
from kernels.device import Device

FACTORS = (0x9E3779B1, 0x85EBCA77)
"""Odd, so that multiplying by them modulo a power of two loses nothing; the first is 2**32 over the golden ratio."""


def bits(dtype: str, n: int, segment: int) -> int:
    """Bits that number the segments of ``segment`` bytes in ``n`` elements. Raises KernelError for part segments."""
    size = n * ITEMSIZE[dtype]
    count = size // segment
    if size % segment or count < 4 or count & (count - 1) or count >= 1 << 32:
        raise KernelError(f"a gather of {size} bytes in segments of {segment}: take a power of two, 4 segments or more")
    return count.bit_length() - 1


def places(number_bits: int, visits: np.ndarray) -> np.ndarray:
    """Which segment each visit of a gather reads: a bijection of ``number_bits``-bit numbers without a pattern.

    Two multiplications by odd numbers around an exclusive-or with the number shifted right, each of them reversible:
    neither a list of indices, which would be traffic too, nor an even step, which prefetchers would learn.
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
    """Sum of every ``stride``-th of ``n`` elements, exact. The pattern's prime length makes it visit the whole tile."""
    count = -(-n // stride)
    rest = pattern.values(dtype, 0, np.arange(count % pattern.LENGTH) * stride).astype(np.float64)
    return count // pattern.LENGTH * pattern.total(dtype, 0, pattern.LENGTH) + float(rest.sum())


def _bytes(dtype: str, n: int, **_: Any) -> float:
    return float(n * ITEMSIZE[dtype])


def _total(dtype: str, repeat: int, n: int, **_: Any) -> np.ndarray:
    return np.array([pattern.total(dtype, 0, n)])


def _copied(dtype: str, repeat: int, n: int, **_: Any) -> np.ndarray:
    return pattern.values(dtype, 0, pattern.sample_indices(n, ITEMSIZE[dtype]))


def _kernel(op: str, work: Callable[..., Work], reference: Callable[..., np.ndarray], *backends: str) -> Kernel:
    def prepare(device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        from kernels import access_cuda

        access_cuda.prepare(device, op, dtype, params)

    def footprint(dtype: str, n: int, **_: Any) -> float:
        return (2 if op == "copy" else 1) * _bytes(dtype, n)

    built = {name: _builder(op, name) for name in backends}
    return Kernel(f"access_{op}", work, reference, built, footprint=footprint, prepare=prepare)


def _builder(op: str, backend: str) -> Callable[..., Launch]:
    def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Any) -> Launch:
        if backend == "cpu":
            from kernels import access_cpu

            return getattr(access_cpu, op)(device, dtype, params, queue)
        from kernels import access_cuda

        return access_cuda.raw(device, op, dtype, params, queue)

    return build


READ = _kernel("read", lambda dtype, **p: Work(0, _bytes(dtype, **p)), _total, "raw")
"""Reads ``n`` elements in pieces of ``width`` bytes, ``vecs`` of them in flight in each thread."""

COPY = _kernel("copy", lambda dtype, **p: Work(0, 2 * _bytes(dtype, **p)), _copied, "raw")
"""Copies ``n`` elements likewise."""

STRIDE = _kernel(
    "stride",
    lambda dtype, n, x, **_: Work(0, _bytes(dtype, n // x)),
    lambda dtype, repeat, n, x, **_: np.array([strided_total(dtype, n, x)]),
    "raw", "cpu",
)  # fmt: skip
"""Reads every ``x``-th of ``n`` elements, one at a time. Its bytes are those of the elements read, no others."""

GATHER = _kernel("gather", lambda dtype, **p: Work(0, _bytes(dtype, **p)), _total, "raw", "cpu")
"""Reads ``n`` elements in segments of ``x`` bytes, each segment once, in an order without a pattern."""
