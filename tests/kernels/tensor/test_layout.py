"""Fragment layouts against the PTX ISA's own formulas, element by element.

Loops stand for a warp.
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
    """The first row of the table of these; accumulator: a part of its type's name."""
    for instruction in TABLE:
        key = (instruction.path, instruction.format, instruction.shape)
        if key == (path, dtype, shape) and accumulator in instruction.accumulator:
            return instruction
    raise AssertionError(f"no {path} of {dtype} in {shape}")


def elements(register: int, format_name: str) -> list[Any]:
    """The values in one 32-bit (FP64: 64-bit) register, lowest bits first."""
    number_format = FORMATS[format_name]
    bits = number_format.bits
    mask = (1 << bits) - 1
    codes = [(register >> lowest) & mask for lowest in range(0, max(bits, 32), bits)]
    unsigned = {64: np.uint64, 32: np.uint32, 16: np.uint16, 8: np.uint8, 4: np.uint8}
    array = np.array(codes, unsigned[bits])
    if format_name == "int8":
        array = array.view(np.int8)
    return number_format.decode(array).tolist()


# Row and column of element i of a lane, by shape and by bits of an element, as the ISA writes them:
# g = lane / 4 is the lane's group, t = lane % 4 its place there.
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
DENSE = [
    instruction for instruction in TABLE if instruction.path == "mma" and instruction.copies == 1
]


def dense_id(instruction: Instruction) -> str:
    """What tells the dense instructions apart."""
    return f"{instruction.format}-{instruction.accumulator}-{instruction.shape}"


def matrix_of(words: np.ndarray, format_name: str, place: Any, shape: tuple[int, ...]) -> Any:
    """The matrix in a warp's registers [register, lane]; place: a function of A or B above."""
    matrix = np.full(shape, np.nan)
    for lane in range(32):
        group, place_in_group = divmod(lane, 4)
        values: list[Any] = []
        for register in words[:, lane]:
            values += elements(int(register), format_name)
        for i, value in enumerate(values):
            matrix[place(group, place_in_group, i)] = value
    return matrix


@pytest.mark.parametrize("instruction", DENSE, ids=dense_id)
def test_registers_hold_what_the_isa_says(instruction: Instruction) -> None:
    operands = tensor_work.operands(instruction, "integers")
    words_of_a, words_of_b = layout.warp_words(instruction, operands)
    key = instruction.shape, FORMATS[instruction.format].bits
    a = operands.a[1, 0]
    b = operands.b[0].T
    assert (matrix_of(words_of_a[1], instruction.format, A[key], a.shape) == a).all()
    assert (matrix_of(words_of_b, instruction.format, B[key], b.shape) == b).all()


def test_accumulators_are_read_as_the_isa_says() -> None:
    for rows, per_lane in ((16, 4), (8, 2)):
        values = np.arange(per_lane * 32).reshape(per_lane, 32)
        matrix = fragments.accumulator(values)
        assert matrix.shape == (rows, 8)
        for lane in range(32):
            for i in range(per_lane):
                row_of_element = lane // 4 + (0 if i < 2 else 8)
                column = lane % 4 * 2 + (i & 1)
                assert matrix[row_of_element, column] == values[i, lane]


def test_warpgroup_accumulators_are_read_as_the_isa_says() -> None:
    instruction = row("wgmma", "fp16", "m64n256k16", "fp32")
    # block, register, thread
    values = np.arange(2 * 128 * 128, dtype=np.float32).reshape(2, 128, 128)
    out = layout.decode(instruction, values, {"warps": 4, "chains": 1})
    for thread in (0, 5, 37, 127):
        warp, lane = divmod(thread, 32)
        g, t = divmod(lane, 4)
        for i in (0, 1, 2, 3, 4, 70, 127):
            row_of_element = 16 * warp + g + 8 * (i // 2 % 2)
            column = i // 4 * 8 + 2 * t + i % 2
            assert out[1, 0][row_of_element, column] == values[1, i, thread]


def test_halves_share_a_register_as_neighbouring_columns() -> None:
    instruction = row("mma", "fp16", "m16n8k16", "fp16")
    # block, register, lane, half
    values = np.arange(2 * 2 * 32 * 2, dtype=np.float16).reshape(2, 2, 32, 2)
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
    """Positions are written by hand.

    The stored pair (10, 20) stands at places 1 and 3, then (30, 40) at 0 and 2, then zeros.
    """
    instruction = row("mma_sp", "fp16", "m16n8k32", "fp32")
    stored = np.zeros((2, 1, 16, 16))
    kept = np.full((1, 16, 8), 0b0100)
    stored[0, 0, 9, :4] = 10, 20, 30, 40
    kept[0, 9, :2] = 0b1101, 0b1000
    full = tensor_work.expanded(stored, kept, instruction)
    assert full[0, 0, 9, :8].tolist() == [0, 10, 0, 20, 30, 0, 40, 0]
    words = fragments.metadata(kept[0], selector_pair=True)
    assert words[4] == 0x448D4444  # row 1 below, row 9 above: lane 4
    assert words[5] == 0x44444444


def test_tf32_keeps_one_of_two() -> None:
    instruction = row("mma_sp", "tf32", "m16n8k16")
    stored = np.zeros((2, 1, 16, 8))
    kept = np.full((1, 16, 8), 0b0100)
    stored[0, 0, 2, :2] = 10, 20
    kept[0, 2, 1] = 0b1110
    assert tensor_work.expanded(stored, kept, instruction)[0, 0, 2, :4].tolist() == [10, 0, 0, 20]


def test_the_swizzle_moves_pieces_within_a_row() -> None:
    rows = np.arange(16 * 128, dtype=np.uint16).reshape(16, 128)
    out = fragments.swizzled(rows)
    assert sorted(out[3].tolist()) == rows[3].tolist()
    assert out[0].tolist() == rows[0].tolist()
    # address bits 4-6 are changed by bits 7-9
    for line, piece in ((1, 0), (3, 5), (10, 7)):
        address = line * 128 + piece * 16
        place = address ^ (address >> 7 & 7) << 4
        assert out.ravel()[place] == rows[line, piece * 16]
