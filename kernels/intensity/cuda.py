"""The launch of ``mixed.cu``: one load and ``k`` multiply-adds on a GPU."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kernels.intensity.work as intensity_work
from kernels.base import ITEMSIZE, Audit, KernelError, Work
from kernels.cuda import launch as cuda
from kernels.cuda import sass
from kernels.cuda.memory import Buffer, Stream, collected
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.fma import cuda as fma_cuda

SOURCE = Path(__file__).with_name("mixed.cu")
THREADS_PER_SM = 512
BLOCK, VECS = 512, 8
FULL_RATE, FULL_RATE_BLOCK, FULL_RATE_VECS = ("fp32", "fp16", "bf16"), 256, 12
"""Threads of a block, and vectors of each. Few threads with many vectors: what surrounds the
multiply-adds is issued less often. It matters most where a scheduler can issue one in every
clock."""
VECTOR = 16  # bytes
TILES_A_TRIP = 2  # of mixed.cu: one is on its way while the other is computed
REGISTER = {
    "fp64": 8,
    "fp32": 4,
    "fp16": 4,
    "bf16": 4,
    "int32": 4,
}  # bytes one multiply-add instruction takes
COLUMNS = 8  # of the matrix that a tensor core multiplies the data by, mma.m16n8k16
MMA = "mma-fp32"
TENSOR_SINCE = 8.0
PAIR = 1 + (1 << 32)  # times a register's value: the same in two


def missing(device: Device, dtype: str, path: str = "") -> str:
    """Why this device has no such kernel, or nothing."""
    if path and float(device.arch) < TENSOR_SINCE:
        return f"sm_{cuda.sm(device)} has no {dtype} mma.m16n8k16 (since {TENSOR_SINCE})"
    return fma_cuda.missing(device, dtype)


def shape(device: Device, dtype: str, path: str = "") -> dict[str, int]:
    """Params that fill the device: how registers, vectors and blocks lie over a tile (here what one
    trip reads).

    path: ``mma-fp32`` multiplies on the tensor cores, each vector by all columns of a matrix.
    """
    full = dtype in FULL_RATE and not path
    size = VECTOR if path else REGISTER[dtype]
    block, vecs = (FULL_RATE_BLOCK, FULL_RATE_VECS) if full else (BLOCK, VECS)
    return {
        **({"columns": COLUMNS} if path else {}),
        "tile": TILES_A_TRIP * block * vecs * VECTOR // ITEMSIZE[dtype],
        "lanes": size // ITEMSIZE[dtype],
        "regs": VECTOR // size,
        "block": block,
        "vecs": vecs,
        "blocks": device.units * (THREADS_PER_SM // block),
    }


def array(params: Mapping[str, int], tiles: int) -> dict[str, int]:
    """Elements in memory, a power of two of tiles near ``tiles``, and of a repetition, as many for
    every block.

    Blocks take tiles as they come, and mask a number to find its place. A rest would be one more
    tile for some.
    """
    blocks, tile = params["blocks"], params["tile"]
    held = 1 << max(round(math.log2(tiles)), (blocks - 1).bit_length())
    return {"n": held // blocks * blocks * tile, "held": held * tile}


def defines(dtype: str, params: Mapping[str, Any]) -> dict[str, object]:
    """Macros of ``mixed.cu`` for these params."""
    _, steps = intensity_work.split(params["k"])
    sizes = {k.upper(): params[k] for k in ("block", "vecs")} | {
        "BLOCKS_PER_SM": THREADS_PER_SM // params["block"]
    }
    kind = f"KIND_{dtype.upper()}{'_MMA' if 'columns' in params else ''}"
    return {kind: 1, "STEPS": steps, "EVERY": params.get("every", 1), **sizes}


def audit(cubin: Cubin, dtype: str, params: Mapping[str, Any], work: Work) -> Audit:
    """Whether the loop does the declared multiply-adds: those of a trip, or of one round where a
    tile takes more.
    """
    looped = params["k"] > 1
    rounds = TILES_A_TRIP * intensity_work.split(params["k"])[0] if looped else 1
    runs = params["n"] / params["tile"] * params["block"] / sass.WARP * rounds
    columns = params.get("columns", 0)
    opcode = "HMMA.16816.F32" if columns else fma_cuda.TYPES[dtype].opcode
    spec = sass.Spec(opcode, 2.0 * params["lanes"] * sass.WARP * (columns or 1), runs)
    return sass.audit(
        cubin,
        spec,
        Work(work.flops * (intensity_work.looped_share(params["k"]) if looped else 1), work.bytes),
    )


def prepare(device: Device, dtype: str, params: Mapping[str, Any]) -> None:
    """Compile and disassemble into the cache."""
    audit(
        cuda.build(device, SOURCE, defines(dtype, params)),
        dtype,
        params,
        intensity_work.work(dtype, **params),
    )


def _buffers(dtype: str, params: Mapping[str, Any], queue: Stream) -> list[Buffer]:
    """The array with its pattern, a sum of values and one of words for each thread, how many tiles
    are taken, and two clocks for each block."""
    data, blocks = intensity_work.elements(dtype, params["tile"]), params["blocks"]
    threads = blocks * params["block"]
    own = (threads, np.float64), (threads, np.uint32), (1, np.uint32), (2 * blocks, np.uint64)
    sizes = (params["held"], data.dtype), *own
    with collected() as held:
        for count, kind in sizes:
            held.append(Buffer(count, kind, queue))
            held[-1].poison()
        held[0].repeat(data)
    return held


def raw(device: Device, dtype: str, params: Mapping[str, Any], queue: Stream) -> cuda.CudaLaunch:
    """A launch of ``mixed.cu``; one launch does all repetitions. Raises KernelError for part
    tiles.
    """
    held, n, tile = params["held"], params["n"], params["tile"]
    tiles = held // tile
    if (
        n % tile
        or held % tile
        or tiles < 1
        or tiles & (tiles - 1)
        or held * ITEMSIZE[dtype] // VECTOR >= 1 << 31
    ):
        raise KernelError(
            f"mixed over {n} of {held} elements: hold {tile} times a power of 2, read a "
            f"multiple of {tile}"
        )
    cubin = cuda.build(device, SOURCE, defines(dtype, params))
    kernel = cuda.function(cubin.path, "mixed")
    blocks, block = params["blocks"], params["block"]
    buffers = _buffers(dtype, params, queue)
    operands = [fma_cuda.operand(dtype, v) for v in (intensity_work.M, intensity_work.C[dtype])]
    if "columns" in params:
        operands = [np.uint64(int(fma_cuda.operand(dtype, sign)) * PAIR) for sign in (1, -1)]
    _, sums, words, taken, clocks = buffers
    in_turn = not params.get("equal")
    pointers = [
        buffer.pointer if buffer is not taken or in_turn else np.uint64(0) for buffer in buffers
    ]
    trips = np.uint32(intensity_work.split(params["k"])[0])

    def enqueue(repeat: int) -> None:
        if in_turn:
            taken.clear()
        sizes = np.uint32(n // tile * repeat), np.uint32(tiles - 1), trips
        kernel((blocks,), (block,), (*pointers, *sizes, *operands), stream=queue)

    def result() -> np.ndarray:
        counted = int(words.download().sum(dtype=np.uint64)) % 2**32
        return np.array([sums.download().sum(), float(counted)])

    inspected = lambda work: audit(cubin, dtype, params, work)  # noqa: E731
    return cuda.CudaLaunch(queue, enqueue, buffers[:-1], result, inspected, clocks)
