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
PERIOD = 262_147  # prime, so that no two rows of a matrix are alike
WORKSPACE_BYTES = 64 << 20  # of memory that the library may use beside its operands
LOOKED_AT = 48  # rows and columns of the product that a check computes again


def element(dtype: str) -> str:
    """Name of the operands' number format in ``kernels.formats.FORMATS``."""
    return FORMAT.get(dtype, dtype)


def itemsize(dtype: str) -> int:
    """Bytes of an operand's element."""
    return FORMATS[element(dtype)].bits // 8


def product_itemsize(dtype: str) -> int:
    """Bytes of an element of the product."""
    return FORMATS[OUTPUT[dtype]].bits // 8


def work(dtype: str, m: int, n: int, k: int, **_: Any) -> Work:
    """A product of m rows and n columns: k multiply-adds for each element.

    Both operands are read once, and the product is written once.
    """
    operands = k * (m + n) * itemsize(dtype)
    product = m * n * product_itemsize(dtype)
    return Work(2.0 * m * n * k, operands + product)


def footprint(dtype: str, m: int, n: int, k: int, **_: Any) -> float:
    """Bytes of both operands, the product and the library's workspace."""
    return work(dtype, m, n, k).bytes + WORKSPACE_BYTES


@cache
def tile(dtype: str, which: int, operands: str) -> np.ndarray:
    """The part of operand number ``which`` that repeats: PERIOD values.

    operands: ``zeros``, ``constant`` (ones), or ``random``: normal, of an integer type uniform.
    """
    if operands == "zeros":
        return np.zeros(PERIOD)
    if operands == "constant":
        return np.ones(PERIOD)
    dice = np.random.default_rng(which)
    if FORMATS[element(dtype)].integer:
        return dice.integers(-128, 128, PERIOD).astype(np.float64)
    return rounded(element(dtype), dice.standard_normal(PERIOD))


def looked_at(count: int) -> np.ndarray:
    """Numbers of the rows (or columns) that a check looks at: evenly spaced, first to last."""
    return np.unique(np.linspace(0, count - 1, LOOKED_AT).astype(np.int64))


def runs_along_k(layout: str) -> tuple[bool, bool]:
    """True of each operand whose memory runs along k, the dimension that is summed over.

    layout: a letter of BLAS for each, N or T if it is transposed. Matrices lie column by column.
    """
    return layout[0] == "T", layout[1] == "N"


def reference(
    dtype: str, repeat: int, m: int, n: int, k: int, layout: str, operands: str, **_: Any
) -> np.ndarray:
    """The product at the rows and columns looked at, in double precision."""
    first_along_k, second_along_k = runs_along_k(layout)
    rows = _vectors(tile(dtype, 0, operands), m, k, first_along_k)
    columns = _vectors(tile(dtype, 1, operands), n, k, second_along_k)
    return rows @ columns.T


def _vectors(values: np.ndarray, count: int, k: int, along_k: bool) -> np.ndarray:
    """The vectors looked at, of ``count`` of k elements, in a matrix that ``values`` fill."""
    vectors = looked_at(count)[:, None]
    steps = np.arange(k)
    places = vectors * k + steps if along_k else steps * count + vectors
    return values[places % PERIOD]
