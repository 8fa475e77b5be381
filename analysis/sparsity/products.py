"""What plain products of the sizes of layers took, dense and 2:4 sparse, where they were timed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.records.layer import read_params
from probes.records.measurement import OK, Measurement
from probes.records.patterns import PatternRow
from probes.records.tag import PRODUCT, Tag

STEP = 16
"""Places of an output are rounded up to a multiple of this: sparse products take no others."""
Key = tuple[int, int, int, str]
"""(m, n, k, type of the numbers)."""


@dataclass
class Product:
    """One product in both forms."""

    dense_seconds: float | None = None
    """By the vendor's dense kernels; None where that was not timed."""
    sparse_seconds: float | None = None
    """By its sparse ones."""
    reason: str = ""
    """Why it has no sparse time."""

    @property
    def gain(self) -> float | None:
        """Dense over sparse time; None where one is unknown."""
        if not self.dense_seconds or not self.sparse_seconds:
            return None
        return self.dense_seconds / self.sparse_seconds


def size_of(row: PatternRow) -> tuple[int, int, int] | None:
    """The product that a layer is: (m output channels, n places, k weights); None with groups."""
    if row.groups > 1 or not row.rows:
        return None
    places = row.written_elements // row.rows
    return row.rows, STEP * max(1, -(-places // STEP)), row.columns


def products(rows: Iterable[Measurement]) -> dict[Key, Product]:
    """The products that were timed, by size and type."""
    by_key: dict[Key, Product] = {}
    for row in rows:
        if row.quantity != PRODUCT or not isinstance(row.tag, Tag):
            continue
        params = read_params(row.params)
        key = int(params["m"]), int(params["n"]), int(params["k"]), row.dtype
        product = by_key.setdefault(key, Product())
        seconds = row.seconds_median if row.status == OK and row.trusted else None
        if row.tag.is_sparse:
            product.sparse_seconds = seconds
            product.reason = row.reason if row.status != OK else row.doubt
        else:
            product.dense_seconds = seconds
    return by_key


def product_of(row: PatternRow, precision: str, known: Mapping[Key, Product]) -> Product | None:
    """The product of a layer's size in a precision; None where it was not timed."""
    size = size_of(row)
    return None if size is None else known.get((*size, precision))
