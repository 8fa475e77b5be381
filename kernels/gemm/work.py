"""A large matrix product by the vendor's library: what the best software reaches.

Not a peak of ours: beside the ceilings of the units it says how much of them the best known program
gets.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kernels.base import Work
from kernels.formats import FORMATS, rounded

FORMAT = {"fp8": "e4m3"}  # the format of a type's operands where it has another name
OUTPUT = {
    "fp64": "fp64",
    "fp32": "fp32",
    "tf32": "fp32",
    "fp16": "fp16",
    "bf16": "bf16",
    "fp8": "bf16",
    "int8": "int32",
}
# Relative to the largest entry looked at: the last bit of the output's format, or what k additions
# lose.
TOLERANCE = {
    "fp64": 1e-12,
    "fp32": 2e-5,
    "tf32": 2e-3,
    "fp16": 2e-3,
    "bf16": 1e-2,
    "fp8": 1e-2,
    "int8": 0.0,
}
PERIOD = 1_000_003  # prime, so that no two rows of a matrix are alike
LOOKED_AT = 48  # rows and columns of the product that a check computes again


def element(dtype: str) -> str:
    """Name of the operands' number format in ``kernels.formats.FORMATS``."""
    return FORMAT.get(dtype, dtype)


def itemsize(dtype: str) -> int:
    """Bytes of an operand's element."""
    return FORMATS[element(dtype)].bits // 8


def work(dtype: str, n: int, **_: Any) -> Work:
    """A square product of size ``n``: n cubed multiply-adds, two operands read, one written."""
    return Work(2.0 * n**3, n * n * (2 * itemsize(dtype) + FORMATS[OUTPUT[dtype]].bits // 8))


@cache
def tile(dtype: str, which: int, operands: str) -> np.ndarray:
    """The part of a matrix that repeats: PERIOD values, zeros or normal (integers: uniform)."""
    if operands == "zeros":
        return np.zeros(PERIOD)
    dice = np.random.default_rng(which)
    if FORMATS[element(dtype)].integer:
        return dice.integers(-128, 128, PERIOD).astype(np.float64)
    return rounded(element(dtype), dice.standard_normal(PERIOD))


def looked_at(n: int) -> np.ndarray:
    """Numbers of the rows (and columns) that a check looks at: evenly spaced, first to last."""
    return np.unique(np.linspace(0, n - 1, LOOKED_AT).astype(np.int64))


def reference(dtype: str, repeat: int, n: int, operands: str, **_: Any) -> np.ndarray:
    """Entries of A times B transposed at the rows and columns looked at, in double precision."""
    at = looked_at(n)
    rows = at[:, None] * n + np.arange(n)
    a, b = (tile(dtype, which, operands)[rows % PERIOD] for which in (0, 1))
    return a @ b.T
