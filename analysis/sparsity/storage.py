"""How many bytes weights with zeros take, with the index that says where the others stand.

A matrix of R rows and K columns keeps n numbers of b bytes each, in B blocks of r x c. An entry of
an index has four bytes (32-bit integers: scipy.sparse, cuSPARSE).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from probes.records.patterns import TWO_OF_FOUR, PatternRow

INDEX_BYTES = 4
"""Of one entry of an index."""
POSITION_BYTES = 2 / 8
"""Of each number that 2:4 keeps: two bits say where it stands in its group (PTX ISA, "Sparse matrix
storage")."""


@dataclass(frozen=True)
class Storage:
    """A format of matrices with zeros."""

    name: str
    """``bitmask``, ``CSR``, ``BSR``."""
    formula: str
    """Its bytes; the module says what letters mean."""
    bytes: Callable[[PatternRow, float], float]
    """Bytes of the weights of a row, if a number has so many."""
    fits: Callable[[PatternRow], bool]
    """True if it is meant for such a pattern."""


def dense_bytes(row: PatternRow, number_bytes: float) -> float:
    """Bytes of the weights with their zeros."""
    return row.rows * row.columns * number_bytes


def _of_two_in_four(row: PatternRow, number_bytes: float) -> float:
    return (row.values or 0) * (number_bytes + POSITION_BYTES)


def _bitmask(row: PatternRow, number_bytes: float) -> float:
    return (row.values or 0) * number_bytes + row.rows * row.columns / 8


def _csr(row: PatternRow, number_bytes: float) -> float:
    return (row.values or 0) * (number_bytes + INDEX_BYTES) + INDEX_BYTES * (row.rows + 1)


def _coo(row: PatternRow, number_bytes: float) -> float:
    return (row.values or 0) * (number_bytes + 2 * INDEX_BYTES)


def _bsr(row: PatternRow, number_bytes: float) -> float:
    numbers = (row.block_values or 0) * number_bytes
    return numbers + INDEX_BYTES * ((row.blocks or 0) + (row.block_rows or 0) + 1)


def _is_in_groups(row: PatternRow) -> bool:
    return row.pattern == TWO_OF_FOUR


def _is_of_blocks(row: PatternRow) -> bool:
    return row.block > 1


def _is_of_single_weights(row: PatternRow) -> bool:
    return not _is_in_groups(row) and not _is_of_blocks(row)


STORAGES = (
    Storage("2:4", "n b + n / 4", _of_two_in_four, _is_in_groups),
    Storage("bitmask", "n b + R K / 8", _bitmask, _is_of_single_weights),
    Storage("CSR", "n (b + 4) + 4 (R + 1)", _csr, _is_of_single_weights),
    Storage("COO", "n (b + 8)", _coo, _is_of_single_weights),
    Storage("BSR", "B (r c b + 4) + 4 (R / r + 1)", _bsr, _is_of_blocks),
)
"""Every format that leaves zeros out. A format is one row here."""


def storages(row: PatternRow) -> list[Storage]:
    """The formats that are meant for the pattern of a row."""
    return [storage for storage in STORAGES if storage.fits(row)]


def smallest(row: PatternRow, number_bytes: float) -> Storage:
    """The format in which the weights of a row take fewest bytes."""
    return min(storages(row), key=lambda storage: storage.bytes(row, number_bytes))
