"""Matrix units on CUDA: operands in the order in which threads load them, the launch, and its
machine code.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import kernels.tensor.fragments as fragments
import kernels.tensor.ptx as tensor_ptx
from kernels import formats
from kernels.base import Audit, Work
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.disassembly import disassemble
from kernels.cuda.memory import Buffer, Stream
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.formats import FORMATS
from kernels.tensor.ptx import counts
from kernels.tensor.table import Instruction
from kernels.tensor.work import Operands, operands, teams
from kernels.tensor.work import work as work_of

SOURCE = Path(__file__).with_name("tensor.cu")
WARPGROUP_SOURCE = Path(__file__).with_name("wgmma.cu")
OVERHEAD = 0.03  # of the issue slots
# cycles of one m64n256 at the rated speed: 2 x 64 x 256 x 16 / 4096 for FP16, others alike
WGMMA_SLOTS = 128


def image(row: Instruction, given: Operands) -> np.ndarray:
    """Shared memory as bytes: each A and each panel of B swizzled."""
    a = [_bytes(row, np.concatenate(list(one), axis=1)) for one in given.a]
    b = _bytes(row, np.concatenate(list(given.b), axis=1))
    panels = [
        b[:, at : at + fragments.SWIZZLE_ROW] for at in range(0, b.shape[1], fragments.SWIZZLE_ROW)
    ]
    return np.concatenate([fragments.swizzled(part).ravel() for part in (*a, *panels)])


def _bytes(row: Instruction, values: np.ndarray) -> np.ndarray:
    return formats.packed(row.format, values, np.uint8)


def words(row: Instruction, given: Operands) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (both), B and metadata in the order in which threads load them."""
    word = np.uint64 if row.dtype == "fp64" else np.uint32
    a, b = formats.packed(row.format, given.a, word), formats.packed(row.format, given.b, word)
    kept = np.zeros(1, np.uint32)
    if given.kept is not None:
        pair = row.format not in ("int8", "e4m3", "e5m2")
        kept = np.stack(
            [_by_warp(lambda m: fragments.metadata(m, pair)[None], part)[0] for part in given.kept]
        )
    if row.warpgroup:
        loaded = [_by_warp(fragments.operand_a, part) for one in a for part in one]
        return np.stack(loaded), image(row, given), kept
    if row.path == "wmma":
        return a, b, kept
    if row.copies > 1:
        return np.stack([fragments.volta_a(one[0]) for one in a]), fragments.volta_a(b[0]), kept
    return np.stack([fragments.operand_a(one[0]) for one in a]), fragments.operand_b(b[0]), kept


def _by_warp(layout: Any, rows: np.ndarray) -> np.ndarray:
    """A layout of 16 rows applied to those of each warp: (..., register, thread)."""
    return np.concatenate(
        [layout(rows[at : at + 16]) for at in range(0, rows.shape[0], 16)], axis=-1
    )


def decode(row: Instruction, out: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """The kernel's output as matrices, (2, tiles, m, n)."""
    values = formats.unpacked(row.accumulator, out)
    if row.path != "wmma":  # wmma stores matrices itself
        shape = tiles(row, params), counts(row)[2], threads(row), per_word(row)
        values = values.reshape(shape).transpose(0, 1, 3, 2).reshape(shape[0], -1, shape[2])
        values = _matrices(row, values)
    return values.reshape(2, -1, row.m, row.n)


def _matrices(row: Instruction, values: np.ndarray) -> np.ndarray:
    """Accumulators (tile, value, thread) as (tile, m, n)."""
    if row.copies > 1:
        return fragments.volta_accumulator(values, row.accumulator == "fp32")
    warps = [
        fragments.accumulator(values[..., at : at + 32]) for at in range(0, values.shape[-1], 32)
    ]
    return np.concatenate(warps, axis=-2)


def raw(
    row: Instruction, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """A launch of ``tensor.cu`` or ``wgmma.cu``; one launch does all repetitions."""
    cubin = build(row, device, params)
    shared = tensor_ptx.image_bytes(row) if row.warpgroup else 0
    kernel = cuda.function(cubin.path, "chains", shared)
    given = words(row, operands(row, params["operands"]))
    chains, warps, blocks = params["chains"], params["warps"], params["blocks"]
    starts = formats.packed(
        row.accumulator, np.repeat(np.arange(chains) + 1.0, per_word(row))[None], np.uint8
    )
    inputs = [_uploaded(part, queue) for part in (*_arguments(row, given), starts)]
    _, _, register = tensor_ptx.REGISTER[row.accumulator]
    out = Buffer(tiles(row, params) * counts(row)[2] * threads(row), register, queue)
    clocks = Buffer(2 * blocks, np.uint64, queue)
    out.poison()

    def enqueue(repeat: int) -> None:
        arguments = (*(b.pointer for b in (*inputs, out, clocks)), np.int32(repeat))
        kernel((blocks,), (32 * warps,), arguments, shared_mem=shared, stream=queue)

    return cuda.CudaLaunch(
        queue,
        enqueue,
        [*inputs, out],
        lambda: decode(row, out.download(), params),
        lambda work: audit(cubin, row, params, work),
        clocks,
    )


def build(row: Instruction, device: Device, params: Mapping[str, Any]) -> Cubin:
    """The row's cubin for this device."""
    source, suffix = (WARPGROUP_SOURCE, "a") if row.warpgroup else (SOURCE, "")
    return cuda.build(device, source, tensor_ptx.defines(row, params, cuda.sm(device)), suffix)


def prepare(row: Instruction, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(build(row, device, params), row, params, work_of(row, **params))


def _arguments(
    row: Instruction, given: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, ...]:
    """Buffers in the order of the kernel's arguments: ``wgmma.cu`` takes the image of shared memory
    first.
    """
    a, b, kept = given
    return (b, a, kept) if row.warpgroup else (a, b, kept)


def _uploaded(values: np.ndarray, queue: Stream) -> Buffer:
    flat = np.ascontiguousarray(values).reshape(-1)
    buffer = Buffer(flat.size, flat.dtype, queue)
    buffer.upload(flat)
    return buffer


def threads(row: Instruction) -> int:
    """Threads that share an accumulator tile."""
    return 128 if row.warpgroup else 32


def tiles(row: Instruction, params: Mapping[str, Any]) -> int:
    """Accumulator tiles the kernel writes: those of the first and the last block."""
    return 2 * teams(row, params["warps"]) * params["chains"]


def per_word(row: Instruction) -> int:
    """Accumulator elements in one register."""
    return tensor_ptx.accumulator_bits(row) // FORMATS[row.accumulator].bits


def spec(row: Instruction, params: Mapping[str, Any], arch: str) -> sass.Spec:
    """What the hot loop must hold on this architecture."""
    opcode = row.opcode(arch).lstrip("~")
    runs, warps = params["blocks"] * teams(row, params["warps"]), threads(row) // sass.WARP
    return sass.Spec(
        re.escape(opcode), operations(row, opcode) / warps, runs * warps, _overhead(row, arch)
    )


def operations(row: Instruction, opcode: str) -> float:
    """Operations one machine instruction does for its warp or warpgroup, read from the shape in its
    name.
    """
    if row.copies > 1:  # Volta's comes in four steps (two for FP16)
        return row.operations / (4 if row.accumulator == "fp32" else 2)
    if row.warpgroup or opcode == "DMMA.16":  # of the row's own shape
        return row.operations
    if opcode == "DMMA.8":  # 8 x 8 x 4
        return 512.0
    digits = next(part for part in opcode.split(".") if part.isdigit())
    m = 16 if digits.startswith("16") else 8
    return 2.0 * m * 8 * int(digits[len(str(m)) + 1 :])


def _overhead(row: Instruction, arch: str) -> float:
    """Largest share of other instructions in the loop, which is to be OVERHEAD of the issue slots.

    A wgmma occupies the unit for 128 slots. What an emulation needs besides is its own affair, and
    between double-precision instructions the compiler pads with null ones while the unit is busy.
    """
    if row.warpgroup:
        return 1 - 1 / (1 + OVERHEAD / (1 - OVERHEAD) * WGMMA_SLOTS)
    return 1.0 if row.emulated(arch) or row.dtype == "fp64" else OVERHEAD


def audit(cubin: Cubin, row: Instruction, params: Mapping[str, Any], work: Work) -> Audit:
    """Hold the machine code against the declared work, and say where it is an emulation."""
    if row.opcode(cubin.arch) == "CALL":
        found = _routine(cubin, params["chains"] * params["steps"])
    else:
        found = sass.audit(cubin, spec(row, params, cubin.arch), work)
    if not row.emulated(cubin.arch):
        return found
    notes = [f"emulated with {found.instruction or 'other instructions'}", found.note]
    return replace(found, note="; ".join(note for note in notes if note), emulated=True)


@cache
def _routine(cubin: Cubin, calls: int) -> Audit:
    """An instruction that became a software routine: the loop must call it once for each."""
    try:
        code = disassemble(cubin)
    except (OSError, subprocess.SubprocessError) as error:
        return Audit(note=sass.why_not(cubin, error))
    loop = max(sass.loops(code), key=len, default=[])
    found = sum(i.opcode.startswith("CALL") and not i.predicated for i in loop)
    inside = sorted({i.opcode for i in code if "MMA" in i.opcode})
    problem = (
        "" if found == calls else f"the loop calls a software routine {found} times, not {calls}"
    )
    return Audit("+".join(inside), problem, "in a software routine")
