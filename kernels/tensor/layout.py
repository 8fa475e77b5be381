"""Operands of an instruction as the words that threads load, and its accumulators as matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import kernels.tensor.fragments as fragments
from kernels import formats
from kernels.formats import FORMATS
from kernels.tensor.ptx import accumulator_bits, counts
from kernels.tensor.table import Instruction
from kernels.tensor.work import Operands, teams

WARP_ROWS = 16
"""Rows of A, and of the accumulator, that one warp of a warpgroup holds."""


def warp_words(row: Instruction, operands: Operands) -> tuple[np.ndarray, np.ndarray]:
    """Both A, and B, as registers in the order in which the threads of a warp load them."""
    word = np.uint64 if row.dtype == "fp64" else np.uint32
    a = formats.packed(row.format, operands.a, word)
    b = formats.packed(row.format, operands.b, word)
    if row.path == "wmma":  # it loads whole matrices itself
        return a, b
    if row.copies > 1:
        return np.stack([fragments.volta_a(each[0]) for each in a]), fragments.volta_a(b[0])
    return np.stack([fragments.operand_a(each[0]) for each in a]), fragments.operand_b(b[0])


def warpgroup_words(row: Instruction, operands: Operands) -> np.ndarray:
    """Both A, by slices, as registers in the order in which a warpgroup loads them."""
    a = formats.packed(row.format, operands.a, np.uint32)
    slices = [part for each in a for part in each]
    return np.stack([_by_warp(fragments.operand_a, part) for part in slices])


def metadata_words(row: Instruction, operands: Operands) -> np.ndarray:
    """Metadata registers (slices, threads) of a sparse A; a single zero for a dense one."""
    if operands.kept is None:
        return np.zeros(1, np.uint32)
    pair = row.format not in ("int8", "e4m3", "e5m2")

    def registers(codes: np.ndarray) -> np.ndarray:
        return fragments.metadata(codes, pair)

    return np.stack([_by_warp(registers, codes) for codes in operands.kept])


def _by_warp(layout: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """A layout of WARP_ROWS rows applied to those of each warp: (..., thread)."""
    starts = range(0, rows.shape[0], WARP_ROWS)
    return np.concatenate([layout(rows[at : at + WARP_ROWS]) for at in starts], axis=-1)


def image(row: Instruction, operands: Operands) -> np.ndarray:
    """Shared memory of a warpgroup as bytes: each A, then each panel of B, swizzled."""
    width = fragments.SWIZZLE_ROW
    parts = [_bytes(row, np.concatenate(list(each), axis=1)) for each in operands.a]
    b = _bytes(row, np.concatenate(list(operands.b), axis=1))
    parts += [b[:, at : at + width] for at in range(0, b.shape[1], width)]
    return np.concatenate([fragments.swizzled(part).ravel() for part in parts])


def _bytes(row: Instruction, values: np.ndarray) -> np.ndarray:
    return formats.packed(row.format, values, np.uint8)


def starts(row: Instruction, chains: int) -> np.ndarray:
    """The register that each chain starts from, as bytes: chain i holds i + 1 in all elements."""
    values = np.repeat(np.arange(chains) + 1.0, per_register(row))
    return formats.packed(row.accumulator, values[None], np.uint8)


def threads(row: Instruction) -> int:
    """Threads that share an accumulator tile."""
    return 128 if row.warpgroup else 32


def tiles(row: Instruction, params: Mapping[str, Any]) -> int:
    """Accumulator tiles the kernel writes: those of the first and the last block."""
    return int(2 * teams(row, params["warps"]) * params["chains"])


def per_register(row: Instruction) -> int:
    """Accumulator elements in one register."""
    return accumulator_bits(row) // FORMATS[row.accumulator].bits


def out_registers(row: Instruction, params: Mapping[str, Any]) -> int:
    """Accumulator registers the kernel writes."""
    return tiles(row, params) * counts(row)[2] * threads(row)


def decode(row: Instruction, out: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """The kernel's output as matrices, (2, tiles, m, n)."""
    values = formats.unpacked(row.accumulator, out)
    if row.path != "wmma":  # it stores whole matrices itself
        registers = counts(row)[2]
        by_register = values.reshape(tiles(row, params), registers, threads(row), per_register(row))
        by_value = by_register.transpose(0, 1, 3, 2).reshape(tiles(row, params), -1, threads(row))
        values = _matrices(row, by_value)
    return values.reshape(2, -1, row.m, row.n)


def _matrices(row: Instruction, values: np.ndarray) -> np.ndarray:
    """Accumulators (tile, value, thread) as (tile, m, n)."""
    if row.copies > 1:
        return fragments.volta_accumulator(values, row.accumulator == "fp32")
    warps = range(0, values.shape[-1], 32)
    parts = [fragments.accumulator(values[..., at : at + 32]) for at in warps]
    return np.concatenate(parts, axis=-2)
