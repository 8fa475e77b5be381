"""A product of a sparse matrix in rows of its non-zeros (CSR) and a dense one.

It is the product of the family "zeros" of ``kernels.layers.pruned`` with its zeros left out: the
same weights, and activations as many.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from kernels.base import Work
from kernels.layers.pruned import weights_with_zeros
from kernels.onnx.net import SEED

TOLERANCE = {"fp32": 2e-5}
"""What so many additions lose, over the largest output."""
ITEM, INDEX = 4, 4
"""Bytes of a number, and of its column."""


def work(dtype: str, rows: int, width: int, zeros: int, **_: Any) -> Work:
    """A multiply-add for each non-zero and row of activations; each non-zero with its column."""
    kept = non_zeros(width, zeros)
    dense_bytes = 2 * rows * width * ITEM
    return Work(2.0 * kept * rows, kept * (ITEM + INDEX) + (width + 1) * INDEX + dense_bytes)


@lru_cache
def non_zeros(width: int, zeros: int) -> int:
    """How many of the weights are not zero."""
    return int(np.count_nonzero(weights_with_zeros(width, zeros)))


@lru_cache(maxsize=1)
def activations(rows: int, width: int) -> np.ndarray:
    """Activations, one column a row of the dense product: (width, rows), FP32."""
    return np.random.default_rng(SEED + 1).standard_normal((width, rows), dtype=np.float32)


def reference(dtype: str, repeat: int, rows: int, width: int, zeros: int, **_: Any) -> np.ndarray:
    """The dense product, in double precision, (width, rows)."""
    weights = weights_with_zeros(width, zeros).T.astype(np.float64)
    return weights @ activations(rows, width)
