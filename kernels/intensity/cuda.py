"""One load and ``k`` multiply-adds on a GPU: the kernel ``mixed.cu``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kernels.intensity.work as intensity_work
from kernels.base import ITEMSIZE, Audit, KernelError, Work
from kernels.cuda import sass
from kernels.cuda.kernel import CudaKernel, sm
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.fma import cuda as fma_cuda

THREADS_PER_SM = 512
"""Threads that are to be on each multiprocessor."""
BLOCK, VECS = 512, 8
"""Threads of a block, and vectors of each in a tile."""
FULL_RATE = ("fp32", "fp16", "bf16")
"""Types of which a scheduler can issue one multiply-add in every clock."""
FULL_RATE_BLOCK, FULL_RATE_VECS = 256, 12
"""The same for them. Few threads with many vectors: what surrounds the multiply-adds is issued less
often."""
VECTOR = 16
"""Bytes of one load."""
TILES_A_TRIP = 2
"""Tiles of a trip of ``mixed.cu``: one is on its way while the other is computed."""
REGISTER = {"fp64": 8, "fp32": 4, "fp16": 4, "bf16": 4, "int32": 4}
"""Bytes that one multiply-add instruction takes of a vector."""
COLUMNS = 8
"""Of the matrix that a tensor core multiplies the data by, mma.m16n8k16."""
MMA = "mma-fp32"
"""The path through tensor cores."""
TENSOR_SINCE = 8.0
"""First compute capability that has mma.m16n8k16."""
PAIR = 1 + (1 << 32)
"""Times a register's value: the same in two registers."""


def missing(device: Device, dtype: str, path: str = "") -> str:
    """Why this device has no such kernel, or nothing."""
    if path and float(device.arch) < TENSOR_SINCE:
        return f"sm_{sm(device)} has no {dtype} mma.m16n8k16 (since {TENSOR_SINCE})"
    return fma_cuda.missing(device, dtype)


def shape(device: Device, dtype: str, path: str = "") -> dict[str, int]:
    """Params that fill the device: how registers, vectors and blocks lie over a tile.

    ``tile`` is what one trip reads here, in elements. path: MMA multiplies on the tensor cores,
    each vector by all columns of a matrix.
    """
    block, vecs = BLOCK, VECS
    if dtype in FULL_RATE and not path:
        block, vecs = FULL_RATE_BLOCK, FULL_RATE_VECS
    register = VECTOR if path else REGISTER[dtype]
    columns = {"columns": COLUMNS} if path else {}
    return {
        **columns,
        "tile": TILES_A_TRIP * block * vecs * VECTOR // ITEMSIZE[dtype],
        "lanes": register // ITEMSIZE[dtype],
        "regs": VECTOR // register,
        "block": block,
        "vecs": vecs,
        "blocks": device.units * (THREADS_PER_SM // block),
    }


def array(params: Mapping[str, int], tiles: int) -> dict[str, int]:
    """Elements in memory (``held``) and of a repetition (``n``), as many for every block.

    Memory holds a power of two of tiles near ``tiles``. Blocks take tiles as they come, and mask a
    number to find its place; a rest would be one more tile for some.
    """
    blocks, tile = params["blocks"], params["tile"]
    tiles_held = 1 << max(round(math.log2(tiles)), (blocks - 1).bit_length())
    return {"n": tiles_held // blocks * blocks * tile, "held": tiles_held * tile}


class MixedKernel(CudaKernel):
    """Passes over an array, tile by tile. One launch does all repetitions.

    Blocks take tiles as they come; with ``equal`` in the params each takes the same number.
    """

    source = Path(__file__).with_name("mixed.cu")
    entry = "mixed"
    clocks: Buffer

    @property
    def on_tensor_cores(self) -> bool:
        """True if tensor cores multiply."""
        return "columns" in self.params

    @property
    def rounds(self) -> int:
        """Rounds of the loop over a tile's multiply-adds."""
        return intensity_work.split(self.params["k"])[0]

    @property
    def tiles_held(self) -> int:
        """Tiles in memory."""
        return int(self.params["held"] // self.params["tile"])

    def validate(self) -> None:
        """Raise KernelError for part tiles, and for a number of tiles that no mask fits."""
        elements, held, tile = (self.params[name] for name in ("n", "held", "tile"))
        tiles = self.tiles_held
        whole = elements % tile == 0 and held % tile == 0
        power_of_two = tiles >= 1 and tiles & (tiles - 1) == 0
        vectors = held * ITEMSIZE[self.dtype] // VECTOR
        if not whole or not power_of_two or vectors >= 1 << 31:
            raise KernelError(
                f"mixed over {elements} of {held} elements: hold {tile} times a power of 2, read a "
                f"multiple of {tile}"
            )

    def defines(self) -> dict[str, object]:
        """The type, the multiply-adds of a round, and the shape of the launch."""
        _, steps = intensity_work.split(self.params["k"])
        kind = f"KIND_{self.dtype.upper()}"
        if self.on_tensor_cores:
            kind += "_MMA"
        return {
            kind: 1,
            "STEPS": steps,
            "EVERY": self.params.get("every", 1),
            "BLOCK": self.params["block"],
            "VECS": self.params["vecs"],
            "BLOCKS_PER_SM": THREADS_PER_SM // self.params["block"],
        }

    def work(self) -> Work:
        """That of one pass."""
        return intensity_work.work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The loop must do the declared multiply-adds.

        These are those of a trip over tiles, or of one round where a tile takes more.
        """
        params = self.params
        tiles = params["n"] / params["tile"]
        loops = tiles * params["block"] / sass.WARP
        flops = work.flops
        if params["k"] > 1:
            loops *= TILES_A_TRIP * self.rounds
            flops *= intensity_work.looped_share(params["k"])
        per_warp = 2.0 * params["lanes"] * sass.WARP
        opcode = fma_cuda.TYPES[self.dtype].opcode
        if self.on_tensor_cores:
            per_warp *= params["columns"]
            opcode = "HMMA.16816.F32"
        return sass.audit(cubin, sass.Spec(opcode, per_warp, loops), Work(flops, work.bytes))

    def allocate(self) -> None:
        """The array with its pattern, sums of each thread, a count of tiles taken, and clocks."""
        data = intensity_work.elements(self.dtype, self.params["tile"])
        blocks = self.params["blocks"]
        threads = blocks * self.params["block"]
        self.array = self.new(self.params["held"], data.dtype)
        self.sums = self.new(threads, np.float64)
        self.word_sums = self.new(threads, np.uint32)
        self.taken = self.new(1, np.uint32)
        self.clocks = self.new(2 * blocks, np.uint64)
        for buffer in (self.array, self.sums, self.word_sums, self.taken, self.clocks):
            buffer.poison()
        self.array.repeat(data)
        self.operands = self.m_and_c()

    def m_and_c(self) -> list[Any]:
        """The kernel's m and c; on tensor cores, two matrices of one value and of its negative."""
        if self.on_tensor_cores:
            values = [int(fma_cuda.operand(self.dtype, sign)) for sign in (1, -1)]
            return [np.uint64(value * PAIR) for value in values]
        constants = (intensity_work.M, intensity_work.C[self.dtype])
        return [fma_cuda.operand(self.dtype, constant) for constant in constants]

    def run(self, repeat: int) -> None:
        """One launch over the tiles of all repetitions."""
        counter = np.uint64(0)  # none: equal shares
        if not self.params.get("equal"):
            self.taken.clear()
            counter = self.taken.pointer
        tiles = self.params["n"] // self.params["tile"] * repeat
        self.launch(
            self.params["blocks"],
            self.params["block"],
            self.array.pointer,
            self.sums.pointer,
            self.word_sums.pointer,
            counter,
            self.clocks.pointer,
            np.uint32(tiles),
            np.uint32(self.tiles_held - 1),
            np.uint32(self.rounds),
            *self.operands,
        )

    def fetch(self) -> np.ndarray:
        """The sum of values, and that of words modulo 2**32."""
        words = int(self.word_sums.download().sum(dtype=np.uint64)) % 2**32
        return np.array([self.sums.download().sum(), float(words)])
