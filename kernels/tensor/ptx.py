"""A row of the table as PTX: the macros that make ``tensor.cu`` or ``wgmma.cu`` its kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

import kernels.tensor.fragments as fragments
from kernels.formats import FORMATS
from kernels.tensor.table import Instruction

PTX = {
    "fp64": "f64",
    "fp32": "f32",
    "fp16": "f16",
    "int32": "s32",
    "int8": "s8",
    "int4": "s4",
}  # others: as named
REGISTER = {
    "fp64": ("double", "d", np.float64),
    "fp32": ("float", "f", np.float32),
    "fp16": ("unsigned", "r", np.uint32),
    "int32": ("int", "r", np.int32),
}
ORDERED = "ORDERED_METADATA"
"""The macro of ``tensor.cu`` that says in a sparse instruction that its metadata is in order."""


def ptx(element: str) -> str:
    """A format's name in PTX."""
    return PTX.get(element, element)


def counts(row: Instruction) -> tuple[int, int, int]:
    """Registers of A, B and the accumulator in one thread."""
    bits, word = FORMATS[row.format].bits, word_bits(row)
    lanes = 32 // row.copies
    stored = row.k // 2 if row.sparse else row.k
    a, b = row.m * stored * bits // (lanes * word), row.n * row.k * bits // (lanes * word)
    if row.path == "wmma" and row.dtype == "fp16":
        a = b = 8  # its fragments hold every element twice
    lanes = 128 if row.warpgroup else lanes
    return a, b, row.m * row.n * FORMATS[row.accumulator].bits // (lanes * accumulator_bits(row))


def word_bits(row: Instruction) -> int:
    """Bits of an operand register."""
    return 64 if row.dtype == "fp64" else 32


def accumulator_bits(row: Instruction) -> int:
    """Bits of an accumulator register: two FP16 share one."""
    return 64 if row.accumulator == "fp64" else 32


def registers(first: int, count: int) -> str:
    """``{%4, %5}``."""
    return "{" + ", ".join(f"%{i}" for i in range(first, first + count)) + "}"


def multiply(row: Instruction, a_registers: bool = False) -> str:
    """The instruction as text of an asm statement: accumulators first, then A, B, metadata."""
    if row.warpgroup:
        return _wgmma(row, a_registers)
    a, b, c = counts(row)
    types = f"{ptx(row.accumulator)}.{ptx(row.format)}.{ptx(row.format)}.{ptx(row.accumulator)}"
    d, rest = registers(0, c), f"{registers(c, a)}, {registers(c + a, b)}, {registers(0, c)}"
    if row.path == "wmma":
        types = types if row.dtype != "fp16" else f"{ptx(row.accumulator)}.{ptx(row.accumulator)}"
        return f"wmma.mma.sync.aligned.row.col.{row.shape}.{types} {d}, {rest};"
    if row.sparse:
        return (
            f"mma.sp{ORDERED}.sync.aligned.{row.shape}.row.col.{types} {d}, {rest}, "
            f"%{c + a + b}, 0x0;"
        )
    return f"mma.sync.aligned.{row.shape}.row.col.{types} {d}, {rest};"


def _wgmma(row: Instruction, a_registers: bool) -> str:
    c = counts(row)[2]
    a = registers(c, 4) if a_registers else f"%{c}"
    b = c + (4 if a_registers else 1)
    types = f"{ptx(row.accumulator)}.{ptx(row.format)}.{ptx(row.format)}"
    kept = f", %{b + 1}, 0" if row.sparse else ""
    # scale-d, then the signs of A and B (floats), then whether they are transposed (16-bit types; A
    # only from memory)
    scales = "" if row.accumulator == "int32" else ", 1, 1"
    if row.format in ("fp16", "bf16"):
        scales += ", 0" if a_registers else ", 0, 0"
    name = f"wgmma.mma_async{'.sp' if row.sparse else ''}.sync.aligned.{row.shape}.{types}"
    return (
        "{ .reg .pred p; setp.eq.u32 p, 0, 0; "
        + f"{name} {registers(0, c)}, {a}, %{b}{kept}, p{scales}; "
        + "}"
    )


def defines(row: Instruction, params: Mapping[str, Any], arch: str) -> dict[str, object]:
    """The macros that make ``tensor.cu`` or ``wgmma.cu`` this row's kernel on ``arch`` (``90``)."""
    a, b, c = counts(row)
    kind, letter, _ = REGISTER[row.accumulator]
    common: dict[str, object] = {
        "MULTIPLY": text(multiply(row, params.get("a") == "registers")),
        "ACCUMULATOR": kind,
        "ACCUMULATOR_KIND": text(letter),
        "C_COUNT": c,
        "STEPS": params["steps"],
        "BLOCKS_PER_SM": params["blocks_per_sm"],
        **({"SPARSE": 1} if row.sparse else {}),
        **({"EMULATED": 1} if row.opcode(arch).startswith("~") else {}),
    }
    if row.warpgroup:
        return common | _shared_defines(row, params)
    common |= {
        "WORD": "double" if row.dtype == "fp64" else "unsigned",
        "WORD_KIND": text("d" if row.dtype == "fp64" else "r"),
        "A_COUNT": a,
        "B_COUNT": b,
        "CHAINS": params["chains"],
        "WARPS": params["warps"],
        "TILE_WORDS": row.m
        * row.n
        * row.copies
        * FORMATS[row.accumulator].bits
        // accumulator_bits(row),
    }
    return common | (_wmma_defines(row) if row.path == "wmma" else {})


def text(value: str) -> str:
    """A C string; names of macros in it that the .cu file defines are left to its preprocessor."""
    return f'"{value}"'.replace(ORDERED, f'" {ORDERED} "')


def _wmma_defines(row: Instruction) -> dict[str, object]:
    a, b, c = counts(row)
    load = f"wmma.load.{{}}.sync.aligned.{{}}.{row.shape}.{ptx(row.format)} {{}}, [%{{}}], {row.k};"
    store = (
        f"wmma.store.d.sync.aligned.row.{row.shape}.{ptx(row.accumulator)} [%0], "
        f"{registers(1, c)}, {row.n};"
    )
    return {
        "LOAD_A": text(load.format("a", "row", registers(0, a), a)),
        "LOAD_B": text(load.format("b", "col", registers(0, b), b)),
        "STORE": text(store),
        "A_WORDS": row.m * row.k * FORMATS[row.format].bits // word_bits(row),
    }


# Shared memory of wgmma: two A (64 rows of 128 bytes), then B in panels (256 rows of 128 bytes),
# 128-byte swizzle.
ROW_BYTES = fragments.SWIZZLE_ROW
A_BYTES = 64 * ROW_BYTES
B_START = 2 * A_BYTES
# Descriptor (PTX ISA, "Matrix descriptor format"), but for the address: leading offset 1 (unused
# when swizzled), stride of 1024 bytes between groups of eight rows, mode 1 = 128-byte swizzle;
# offsets in units of 16 bytes.
FIELDS = 1 << 62 | (8 * ROW_BYTES >> 4) << 32 | 1 << 16


def b_slice(row: Instruction) -> int:
    """Bytes of k that one instruction reads of a column of B."""
    return row.k * FORMATS[row.format].bits // 8


def image_bytes(row: Instruction) -> int:
    """Shared memory a block uses."""
    return B_START + row.slices * b_slice(row) * row.n


def _shared_defines(row: Instruction, params: Mapping[str, Any]) -> dict[str, object]:
    return {
        "GROUPS": params["warps"] // 4,
        "SLICES": row.slices,
        "N": row.n,
        "A_BYTES": A_BYTES,
        "A_SLICE": 32,
        "B_START": B_START,
        "B_SLICE": b_slice(row),
        "IMAGE_BYTES": image_bytes(row),
        "FIELDS": f"{FIELDS}ULL",
        **({"A_IN_REGISTERS": 1} if params.get("a") == "registers" else {}),
    }
