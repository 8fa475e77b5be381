"""Fragment layouts against the PTX ISA's own formulas, element by element, through a warp made of
loops.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.formats import FORMATS
from kernels.tensor import fragments, layout
from kernels.tensor import work as tensor_work
from kernels.tensor.table import TABLE, Instruction


def row(path: str, dtype: str, shape: str, accumulator: str = "") -> Instruction:
    return next(
        r
        for r in TABLE
        if (r.path, r.format, r.shape) == (path, dtype, shape) and accumulator in r.accumulator
    )


def elements(register: int, format_name: str) -> list[Any]:
    """The values in one 32-bit (FP64: 64-bit) register, lowest bits first."""
    bits = FORMATS[format_name].bits
    codes = [(register >> at) & ((1 << bits) - 1) for at in range(0, max(bits, 32), bits)]
    kind = {64: np.uint64, 32: np.uint32, 16: np.uint16, 8: np.uint8, 4: np.uint8}[bits]
    array = np.array(codes, kind)
    return (
        FORMATS[format_name]
        .decode(array.view(np.int8) if format_name == "int8" else array)
        .tolist()
    )


# Row and column of element i of a lane, g = lane / 4, t = lane % 4, as the ISA writes them for each
# shape.
A = {
    ("m16n8k16", 16): lambda g, t, i: (
        g if i < 2 or 4 <= i < 6 else g + 8,
        2 * t + (i & 1) if i < 4 else 2 * t + (i & 1) + 8,
    ),
    ("m16n8k8", 16): lambda g, t, i: (g if i < 2 else g + 8, 2 * t + (i & 1)),
    ("m16n8k8", 32): lambda g, t, i: (g if i in (0, 2) else g + 8, t if i < 2 else t + 4),
    ("m16n8k32", 8): lambda g, t, i: (
        g if i < 4 or 8 <= i < 12 else g + 8,
        4 * t + (i & 3) if i < 8 else 4 * t + (i & 3) + 16,
    ),
    ("m8n8k16", 8): lambda g, t, i: (g, 4 * t + i),
    ("m16n8k64", 4): lambda g, t, i: (
        g if i < 8 or 16 <= i < 24 else g + 8,
        8 * t + (i & 7) if i < 16 else 8 * t + (i & 7) + 32,
    ),
    ("m8n8k32", 4): lambda g, t, i: (g, 8 * t + i),
    ("m8n8k4", 64): lambda g, t, i: (g, t),
    ("m16n8k16", 64): lambda g, t, i: (g if i % 2 == 0 else g + 8, t + i // 2 * 4),
}
B = {
    ("m16n8k16", 16): lambda g, t, i: (2 * t + (i & 1) + (8 if i >= 2 else 0), g),
    ("m16n8k8", 16): lambda g, t, i: (2 * t + i, g),
    ("m16n8k8", 32): lambda g, t, i: (t if i == 0 else t + 4, g),
    ("m16n8k32", 8): lambda g, t, i: (4 * t + (i & 3) + (16 if i >= 4 else 0), g),
    ("m8n8k16", 8): lambda g, t, i: (4 * t + i, g),
    ("m16n8k64", 4): lambda g, t, i: (8 * t + (i & 7) + (32 if i >= 8 else 0), g),
    ("m8n8k32", 4): lambda g, t, i: (8 * t + i, g),
    ("m8n8k4", 64): lambda g, t, i: (t, g),
    ("m16n8k16", 64): lambda g, t, i: (t + 4 * i, g),
}
DENSE = [r for r in TABLE if r.path == "mma" and r.copies == 1]


@pytest.mark.parametrize(
    "instruction", DENSE, ids=lambda r: f"{r.format}-{r.accumulator}-{r.shape}"
)
def test_registers_hold_what_the_isa_says(instruction: Instruction) -> None:
    given = tensor_work.operands(instruction, "integers")
    a, b = layout.warp_words(instruction, given)
    key = instruction.shape, FORMATS[instruction.format].bits
    found_a, found_b = np.full(given.a[1, 0].shape, np.nan), np.full(given.b[0].T.shape, np.nan)
    for lane in range(32):
        g, t = lane // 4, lane % 4
        values = [v for r in a[1][:, lane] for v in elements(int(r), instruction.format)]
        for i, value in enumerate(values):
            found_a[A[key](g, t, i)] = value
        for i, value in enumerate(
            v for r in b[:, lane] for v in elements(int(r), instruction.format)
        ):
            found_b[B[key](g, t, i)] = value
    assert (found_a == given.a[1, 0]).all()
    assert (found_b == given.b[0].T).all()


def test_accumulators_are_read_as_the_isa_says() -> None:
    for rows, per_lane in ((16, 4), (8, 2)):
        values = np.arange(per_lane * 32).reshape(per_lane, 32)
        matrix = fragments.accumulator(values)
        assert matrix.shape == (rows, 8)
        for lane in range(32):
            for i in range(per_lane):
                at = (lane // 4 + (0 if i < 2 else 8), lane % 4 * 2 + (i & 1))
                assert matrix[at] == values[i, lane]


def test_warpgroup_accumulators_are_read_as_the_isa_says() -> None:
    instruction = row("wgmma", "fp16", "m64n256k16", "fp32")
    values = np.arange(2 * 128 * 128, dtype=np.float32).reshape(
        2, 128, 128
    )  # block, register, thread
    out = layout.decode(instruction, values, {"warps": 4, "chains": 1})
    for thread in (0, 5, 37, 127):
        warp, g, t = thread // 32, thread % 32 // 4, thread % 4
        for i in (0, 1, 2, 3, 4, 70, 127):
            place = 16 * warp + g + 8 * (i // 2 % 2), i // 4 * 8 + 2 * t + i % 2
            assert out[1, 0][place] == values[1, i, thread]


def test_halves_share_a_register_as_neighbouring_columns() -> None:
    instruction = row("mma", "fp16", "m16n8k16", "fp16")
    values = np.arange(2 * 2 * 32 * 2, dtype=np.float16).reshape(
        2, 2, 32, 2
    )  # block, register, lane, half
    out = layout.decode(instruction, values.view(np.uint32), {"warps": 1, "chains": 1})
    assert out[0, 0, 0, :2].tolist() == values[0, 0, 0].tolist()
    assert out[0, 0, 9, 4:6].tolist() == values[0, 1, 6].tolist()


def test_volta_quad_pairs_hold_rows_by_lane() -> None:
    words = np.arange(16, dtype=np.uint32).reshape(8, 2)
    registers = fragments.volta_a(words)
    for lane in range(32):
        line = lane % 4 + (4 if lane >= 16 else 0)
        assert registers[:, lane].tolist() == words[line].tolist()


@pytest.mark.parametrize("wide", [True, False])
def test_volta_accumulators_fill_the_matrix(wide: bool) -> None:
    values = np.arange(8 * 32).reshape(8, 32)
    matrix = fragments.volta_accumulator(values, wide)
    assert len(set(matrix.ravel().tolist())) == 64
    assert matrix[4, 0] == values[0, 16]
    assert matrix[0, 4] == values[4, 0]
    assert matrix[(2, 0) if wide else (0, 2)] == values[2, 0]


def test_metadata_and_expansion_agree() -> None:
    """Positions written by hand: the stored pair (10, 20) at places 1 and 3, then (30, 40) at 0 and
    2, then zeros.
    """
    instruction = row("mma_sp", "fp16", "m16n8k32", "fp32")
    stored, kept = np.zeros((2, 1, 16, 16)), np.full((1, 16, 8), 0b0100)
    stored[0, 0, 9, :4] = 10, 20, 30, 40
    kept[0, 9, :2] = 0b1101, 0b1000
    full = tensor_work.expanded(stored, kept, instruction)
    assert full[0, 0, 9, :8].tolist() == [0, 10, 0, 20, 30, 0, 40, 0]
    words = fragments.metadata(kept[0], selector_pair=True)
    assert words[4] == 0x448D4444  # row 1 below, row 9 above: lane 4
    assert words[5] == 0x44444444


def test_tf32_keeps_one_of_two() -> None:
    instruction = row("mma_sp", "tf32", "m16n8k16")
    stored, kept = np.zeros((2, 1, 16, 8)), np.full((1, 16, 8), 0b0100)
    stored[0, 0, 2, :2] = 10, 20
    kept[0, 2, 1] = 0b1110
    assert tensor_work.expanded(stored, kept, instruction)[0, 0, 2, :4].tolist() == [10, 0, 0, 20]


def test_the_swizzle_moves_pieces_within_a_row() -> None:
    rows = np.arange(16 * 128, dtype=np.uint16).reshape(16, 128)
    out = fragments.swizzled(rows)
    assert sorted(out[3].tolist()) == rows[3].tolist()
    assert out[0].tolist() == rows[0].tolist()
    for line, piece in (
        (1, 0),
        (3, 5),
        (10, 7),
    ):  # where address bits 4-6 are exchanged by bits 7-9
        address = line * 128 + piece * 16
        place = address ^ (address >> 7 & 7) << 4
        assert out.ravel()[place] == rows[line, piece * 16]
