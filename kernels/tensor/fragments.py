"""Which thread of a warp holds which element: the fragment layouts of mma.sync and wgmma, in NumPy.

Operands are packed on the host in the layout that the PTX ISA documents ("Matrix fragments for
mma", "Register fragments" and "Shared memory matrix layout" of wgmma), so that kernels only load
words. All shapes but Volta's share one rule: in units of words (a register: 32 bits, 64 for
doubles), lane 4 g + t holds words t, t + 4, ... of rows g and g + 8. G and T are g and t of every
lane, and an array of registers has one row a register, one column a lane.
"""

from __future__ import annotations

import numpy as np

LANES = np.arange(32)
G, T = LANES >> 2, LANES & 3
SWIZZLE_ROW = 128  # bytes of a row under the 128-byte swizzle


def operand_a(words: np.ndarray) -> np.ndarray:
    """Words of A, (m, words) with m 8 or 16, as registers (register, lane)."""
    m, words_per_row = words.shape
    halves = m // 8  # rows g, and rows g + 8 if there are as many
    registers: list[np.ndarray] = []
    for first_word in range(0, words_per_row, 4):
        registers.extend(words[G + 8 * half, first_word + T] for half in range(halves))
    return np.stack(registers)


def operand_b(words: np.ndarray) -> np.ndarray:
    """Words of B given by columns, (n = 8, words), as registers (register, lane)."""
    _, words_per_column = words.shape
    return np.stack([words[G, first_word + T] for first_word in range(0, words_per_column, 4)])


def accumulator(values: np.ndarray) -> np.ndarray:
    """Accumulator values (..., value, lane) as matrices (..., m, n).

    A thread has two of them for eight rows and eight columns, four for sixteen rows and eight
    columns: two neighbours of row g, then two of row g + 8.
    """
    per_lane = values.shape[-2]
    m, n = min(8 * per_lane // 2, 16), max(8, 8 * per_lane // 4)
    out = np.empty((*values.shape[:-2], m, n), values.dtype)
    for i in range(per_lane):
        row = G + 8 * ((i >> 1) & 1)
        column = 8 * (i >> 2) + 2 * T + (i & 1)
        out[..., row, column] = values[..., i, :]
    return out


def volta_a(words: np.ndarray) -> np.ndarray:
    """Operand A (or B by columns) of m8n8k4, shape (8, 2 words).

    Each of four quad pairs multiplies its own copy.
    """
    return words[(LANES & 3) + 4 * (LANES >> 4)].T


def volta_accumulator(values: np.ndarray, wide: bool) -> np.ndarray:
    """Accumulators (..., 8, lane) of m8n8k4 as matrices (..., 8, 8) of the first quad pair.

    wide: they are FP32.
    """
    out = np.empty((*values.shape[:-2], 8, 8), values.dtype)
    lanes = np.r_[0:4, 16:20]
    high = 4 * (lanes >> 4)
    for i in range(8):
        if wide:
            row, column = (lanes & 1) + (i & 2) + high, (i & 4) + (lanes & 2) + (i & 1)
        else:
            row, column = (lanes & 3) + high, np.full(8, i)
        out[..., row, column] = values[..., i, lanes]
    return out


def metadata(codes: np.ndarray, selector_pair: bool) -> np.ndarray:
    """2:4 sparse metadata of 16 rows as one register a lane.

    codes: of 4 bits, (16, groups): the positions in its group of the two elements that are not
    zero, 2 bits each, ascending. selector_pair: eight groups a row (16- and 32-bit types): lanes
    4 g and 4 g + 1 hold row g in their low and row g + 8 in their high half, four groups each. Else
    sixteen groups (8-bit types): lanes 4 g .. 4 g + 3 hold eight groups each, of rows g, g + 8, g,
    g + 8.
    """
    groups_per_part = 4 if selector_pair else 8
    shifts = 4 * np.arange(groups_per_part, dtype=np.uint64)
    parts = (codes.reshape(16, -1, groups_per_part).astype(np.uint64) << shifts).sum(axis=2)
    if not selector_pair:
        return parts[G + 8 * (T & 1), T >> 1].astype(np.uint32)
    low = parts[G, T & 1]
    high = parts[G + 8, T & 1] << np.uint64(16)
    return (low | high).astype(np.uint32)


def swizzled(rows: np.ndarray) -> np.ndarray:
    """Rows of 128 bytes, (rows, 128), as the 128-byte swizzle lays them in shared memory.

    Pieces of 16 bytes change places in their row by its number modulo eight.
    """
    count = rows.shape[0]
    pieces = rows.reshape(count, 8, 16)
    row_numbers = np.arange(count)[:, None]
    places = np.arange(8) ^ (row_numbers & 7)
    return pieces[row_numbers, places].reshape(count, SWIZZLE_ROW)
