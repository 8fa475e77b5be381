"""A matrix product whose first operand is 2:4 sparse, by the vendor's library.

The first operand has m rows of k elements, of which two of each four neighbours are zero; the
second has n rows of k elements. Work counts the zeros, as that of all sparse rows does: beside a
dense product of the same m, n and k it says how much sooner the answer is there.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from kernels.base import Work
from kernels.formats import FORMATS
from kernels.gemm.work import PERIOD, element, itemsize, tile

GROUP, KEPT_OF_GROUP = 4, 2
"""Two of each four neighbours are kept (PTX ISA, "Sparse matrix storage")."""
POSITION_BYTES = 2 / 8
"""Of each kept element: two bits say where it stands in its group."""
PLACES = np.array(
    [
        [place in pair for place in range(GROUP)]
        for pair in combinations(range(GROUP), KEPT_OF_GROUP)
    ]
)
"""The six ways to keep two of four."""
OUTPUT = {"fp16": "fp16", "bf16": "bf16", "int8": "int32"}
"""Type of the product by that of the operands."""
TOLERANCE = {"fp16": 2e-3, "bf16": 1e-2, "int8": 0.0}
"""Relative to the largest entry looked at: the last bits of the product's type."""
MULTIPLES = {"fp16": 16, "bf16": 16, "int8": 32}
"""What m and k must be multiples of: PyTorch's check before it calls the library
(torch/sparse/semi_structured.py)."""
DENSE_MULTIPLES = {"fp16": 8, "bf16": 8, "int8": 16}
"""What n must be a multiple of, from the same place."""
LOOKED_AT = 48
"""Rows, and columns, of the product that a check computes again."""
SEED = 24


def product_itemsize(dtype: str) -> int:
    """Bytes of an element of the product."""
    return FORMATS[OUTPUT[dtype]].bits // 8


def work(dtype: str, m: int, n: int, k: int, **_: Any) -> Work:
    """Operations with those of the zeros; bytes of the kept elements and where they stand."""
    kept = m * k * KEPT_OF_GROUP // GROUP
    first = kept * (itemsize(dtype) + POSITION_BYTES)
    second = n * k * itemsize(dtype)
    return Work(2.0 * m * n * k, first + second + m * n * product_itemsize(dtype))


def footprint(dtype: str, m: int, n: int, k: int, **_: Any) -> float:
    """Bytes of the first operand before and after it is compressed, the second and the product."""
    return 2.0 * m * k * itemsize(dtype) + work(dtype, m, n, k).bytes


def misfit(dtype: str, m: int, n: int, k: int) -> str:
    """Why the library takes no product of this size; empty if it does."""
    multiple, dense_multiple = MULTIPLES[dtype], DENSE_MULTIPLES[dtype]
    if m % multiple or k % multiple:
        return f"{m} x {k} {dtype} are no multiples of {multiple}, as cuSPARSELt wants"
    if n % dense_multiple:
        return f"{n} columns of {dtype} are no multiple of {dense_multiple}, as cuSPARSELt wants"
    return ""


@cache
def _kept(m: int, k: int) -> np.ndarray:
    """Which elements of the first operand are kept: m x k booleans, by a fixed seed."""
    choices = np.random.default_rng(SEED).integers(0, len(PLACES), m * k // GROUP)
    return PLACES[choices].reshape(m, k)


def sparse_operand(dtype: str, m: int, k: int) -> np.ndarray:
    """The first operand with its zeros, m x k."""
    values = np.resize(tile(dtype, 0, "random"), m * k).reshape(m, k)
    return np.where(_kept(m, k), values, 0.0)


def looked_at(count: int) -> np.ndarray:
    """Numbers of the rows (or columns) that a check looks at: evenly spaced, first to last."""
    return np.unique(np.linspace(0, count - 1, LOOKED_AT).astype(np.int64))


def reference(dtype: str, repeat: int, m: int, n: int, k: int, **_: Any) -> np.ndarray:
    """The product at the rows and columns looked at, in double precision."""
    rows = sparse_operand(dtype, m, k)[looked_at(m)]
    places = looked_at(n)[:, None] * k + np.arange(k)
    columns = tile(dtype, 1, "random")[places % PERIOD]
    return np.asarray(rows @ columns.T)


def format_of(dtype: str) -> str:
    """Name of the operands' number format in ``kernels.formats.FORMATS``."""
    return element(dtype)
