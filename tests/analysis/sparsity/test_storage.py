"""Bytes of each format, counted by hand and by scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.sparsity.roofs import Roofs
from analysis.sparsity.storage import STORAGES, dense_bytes, smallest, storages
from kernels.sparsity.patterns import PATTERNS, Trial, counts, mask, share_of_zeros
from probes.records.patterns import PatternRow
from tests.analysis.sparsity.rows import (
    DENSE,
    DRAM,
    LARGE,
    SPARSE,
    VECTOR,
    layers_with_zeros,
    other,
    pattern_row,
)

BYTES_OF = {storage.name: storage.bytes for storage in STORAGES}


def row_of(weights: np.ndarray, pattern: str, share: float) -> tuple[PatternRow, np.ndarray]:
    """The row of masked weights, and the weights with their zeros."""
    each = next(each for each in PATTERNS if each.name == pattern)
    kept = mask(weights, Trial(each, share))
    found = counts(kept, each)
    rows, places, columns = weights.shape
    row = pattern_row(
        "layer",
        rows,
        places * columns,
        16,
        pattern=pattern,
        share_asked=share,
        block=each.rows * each.columns,
        zeros=share_of_zeros(kept),
        values=found.values,
        blocks=found.blocks,
        block_rows=found.block_rows,
        block_values=found.block_values,
    )
    return row, np.where(kept, weights, 0).reshape(rows, -1)


def held(*arrays: Any) -> int:
    """Bytes of arrays."""
    return sum(array.nbytes for array in arrays)


def test_csr_coo_and_bsr_take_the_bytes_that_scipy_takes() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    weights = np.random.default_rng(5).standard_normal((64, 1, 96)).astype(np.float32)
    row, matrix = row_of(weights, "unstructured", 0.75)
    csr = sparse.csr_array(matrix)
    assert BYTES_OF["CSR"](row, 4) == held(csr.data, csr.indices, csr.indptr)
    coo = sparse.coo_array(matrix)
    assert BYTES_OF["COO"](row, 4) == held(coo.data, *coo.coords)
    for pattern, block in (("4x4", (4, 4)), ("16x16", (16, 16)), ("1x8", (1, 8)), ("8x1", (8, 1))):
        row, matrix = row_of(weights, pattern, 0.75)
        bsr = sparse.bsr_array(matrix, blocksize=block)
        assert BYTES_OF["BSR"](row, 4) == held(bsr.data, bsr.indices, bsr.indptr), pattern


def test_two_of_four_takes_half_and_two_bits_a_number() -> None:
    assert BYTES_OF["2:4"](LARGE, 2) == 512 * 4608 / 2 * 2.25
    assert dense_bytes(LARGE, 2) == 512 * 4608 * 2


def test_each_pattern_has_the_formats_that_are_meant_for_it() -> None:
    names = {
        row.pattern: [storage.name for storage in storages(row)]
        for row in (LARGE, other(LARGE, "unstructured", 0.5), other(LARGE, "4x4", 0.5, 16))
    }
    assert names == {"2:4": ["2:4"], "unstructured": ["bitmask", "CSR", "COO"], "4x4": ["BSR"]}


def test_few_numbers_are_stored_by_index_and_many_by_mask() -> None:
    assert smallest(other(LARGE, "unstructured", 0.5), 4).name == "bitmask"
    assert smallest(other(LARGE, "unstructured", 0.99), 4).name == "CSR"


def test_only_tiles_are_left_out_by_matrix_units() -> None:
    layers = layers_with_zeros()
    roofs = layers.roofs("fp16")
    placed = layers.placed["large", "fp16"]
    assert LARGE.flops is not None

    def compute_seconds(row: PatternRow, roofs: Roofs = roofs) -> float:
        floor = roofs.floor(row, placed)
        assert floor is not None
        return floor.compute_seconds

    half = LARGE.flops / 2
    assert compute_seconds(LARGE) == pytest.approx(LARGE.flops / SPARSE)
    assert compute_seconds(other(LARGE, "unstructured", 0.5)) == pytest.approx(half / VECTOR)
    assert compute_seconds(other(LARGE, "4x4", 0.5, 16)) == pytest.approx(half / VECTOR)
    assert compute_seconds(other(LARGE, "16x16", 0.5, 256)) == pytest.approx(half / DENSE)


def test_bytes_with_their_index_set_the_intensity() -> None:
    layers = layers_with_zeros()
    row = other(LARGE, "unstructured", 0.9)
    placed = layers.placed["large", "fp16"]
    floor = layers.roofs("fp16").floor(row, placed)
    dense = layers.roofs("fp16").dense_floor(row, placed)
    assert floor is not None and dense is not None and placed.bytes is not None
    assert row.values is not None and row.flops is not None
    stored = row.values * 2 + 512 * 4608 / 8
    assert floor.bytes == placed.bytes - 512 * 4608 * 2 + stored
    assert floor.memory_seconds == pytest.approx(floor.bytes / DRAM)
    assert floor.intensity == pytest.approx(0.1 * row.flops / floor.bytes, rel=1e-6)
    assert dense.intensity == pytest.approx(row.flops / placed.bytes)


def test_vector_units_are_even_with_matrix_units_from_a_share_on() -> None:
    assert layers_with_zeros().roofs("fp16").even_share == pytest.approx(1 - VECTOR / DENSE)
    assert layers_with_zeros().roofs("int8").even_share is None
