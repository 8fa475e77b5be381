"""Strides, scattered segments and narrow elements in GPU memory: the kernel ``access.cu``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import kernels.access.work as access_work
from kernels import pattern
from kernels.access.work import FACTORS, bits, shift
from kernels.base import ITEMSIZE, Audit, KernelError, Work
from kernels.cuda import sass
from kernels.cuda.kernel import CudaKernel
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.pattern import FLOATS

BLOCK = 256
"""Threads of a block."""
VECTOR = 16
"""Bytes of the widest load."""
ELEMENT = 4
"""Bytes of an element of a stride."""
PIECES, IN_FLIGHT = 8, 64
"""Pieces, and bytes, that a thread of a read loads before it uses the first: enough for memory to
be the limit.

With more the compiler begins to add before it has sent all loads."""
COPIED = 16
"""Bytes that a thread of a copy has in flight: as the best shape of the copying stream."""
RESIDENT_VECS = 2
"""Pieces in flight in a thread where the number of blocks is the question: the ladder begins low
and saturates."""
OPCODE_OF_WIDTH = {4: r"(?!.*\.(64|128))", 8: r".*\.64", 16: r".*\.128"}
"""What follows ``LDG`` or ``STG``, as a regular expression, by bytes."""
LARGEST_ARRAY = 1 << 31
"""Elements, at most."""
NO_ALLOCATE_SINCE = 7.0
"""First compute capability with ld.L1::no_allocate: PTX ISA, "ld"."""


def shape(op: str, piece: int) -> dict[str, int]:
    """Threads of a block, and pieces of ``piece`` bytes in flight in each, as params."""
    vecs = COPIED // piece if op == "copy" else min(PIECES, IN_FLIGHT // piece)
    return {"block": BLOCK, "vecs": vecs}


def resident(device: Device, blocks_per_sm: int) -> dict[str, int]:
    """The params that put so many blocks on each multiprocessor: one wave, which strides."""
    return {
        "width": VECTOR,
        "block": BLOCK,
        "vecs": RESIDENT_VECS,
        "blocks_per_sm": blocks_per_sm,
        "blocks": blocks_per_sm * device.units,
    }


def missing(device: Device, blocks_per_sm: int) -> str:
    """Why a multiprocessor cannot hold so many blocks, or nothing."""
    threads = device.facts.get("threads_per_multiprocessor")
    if threads is None or blocks_per_sm * BLOCK <= threads:
        return ""
    return f"a multiprocessor holds {threads} threads, not {blocks_per_sm} blocks of {BLOCK}"


def width(op: str, params: Mapping[str, Any]) -> int:
    """Bytes of one load: as asked, an element of a stride, or as much of a segment as it takes."""
    if op == "stride":
        return ELEMENT
    if op == "gather":
        return min(VECTOR, params["segment_bytes"])
    return int(params["width"])


class AccessKernel(CudaKernel):
    """One pass of ``op`` over an array in memory. One launch is one repetition.

    ``blocks`` of the params (default: one for each chunk) stride over the array.
    """

    source = Path(__file__).with_name("access.cu")
    entry = "access"

    def __init__(self, op: str, device: Device, dtype: str, params: Mapping[str, Any]) -> None:
        super().__init__(device, dtype, params)
        self.op = op

    @property
    def width(self) -> int:
        """Bytes of one load."""
        return width(self.op, self.params)

    @property
    def elements(self) -> int:
        """Elements that are read."""
        elements = int(self.params["n"])
        return elements // self.params["stride"] if self.op == "stride" else elements

    @property
    def chunk(self) -> int:
        """Elements of a chunk: ``vecs`` pieces of each thread of a block."""
        pieces = self.params["block"] * self.params["vecs"]
        return int(pieces * self.width // ITEMSIZE[self.dtype])

    @property
    def chunks(self) -> int:
        """Chunks of the array."""
        return self.elements // self.chunk

    @property
    def blocks(self) -> int:
        """Blocks of the launch."""
        return min(self.chunks, self.params.get("blocks", self.chunks))

    def validate(self) -> None:
        """Raise KernelError where a chunk would be cut, or the array is too long."""
        if self.elements % self.chunk or self.params["n"] > LARGEST_ARRAY:
            raise KernelError(
                f"access to {self.elements} of {self.params['n']} elements: take a multiple of "
                f"{self.chunk}, 2**31 at most"
            )

    def defines(self) -> dict[str, object]:
        """The operation, the shape of the launch, hints to the caches, and where pieces lie."""
        macros: dict[str, object] = {
            f"OP_{self.op}": 1,
            "BLOCK": self.params["block"],
            "VECS": self.params["vecs"],
            "WIDTH": self.width,
        }
        if self.op == "copy":
            macros["STORE"] = ".cs"
            return macros
        no_allocate = float(self.device.arch) >= NO_ALLOCATE_SINCE
        macros["LOAD"] = ".nc.L1::no_allocate" if no_allocate else ".nc"
        if self.op == "stride":
            macros["STRIDE"] = self.params["stride"]
        if self.op == "gather":
            segment = self.params["segment_bytes"]
            number_bits = bits(self.dtype, self.params["n"], segment)
            first, second = FACTORS
            macros["SEGMENT"] = segment
            macros["BITS"] = number_bits
            macros["SHIFT"] = shift(number_bits)
            macros["FIRST_FACTOR"] = f"{first}u"
            macros["SECOND_FACTOR"] = f"{second}u"
        return macros

    def work(self) -> Work:
        """That of one pass."""
        return access_work.work(self.op, self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The loop must hold just the declared loads and stores, each of the right width."""
        opcode = "(LDG|STG)" if self.op == "copy" else "LDG"
        opcode += OPCODE_OF_WIDTH[self.width]
        trips = self.chunks * self.params["block"] / sass.WARP
        spec = sass.Spec(opcode, self.width * sass.WARP, trips)
        return sass.audit(cubin, spec, Work(flops=work.bytes))

    def allocate(self) -> None:
        """Source, target (a copy's) and sums (a read's); what is not there takes an element."""
        number = FLOATS[self.dtype]
        elements = self.params["n"]
        self.array = self.new(elements, number)
        self.target = self.new(elements if self.op == "copy" else 1, number)
        self.sums = self.new(self.blocks, np.float64)
        self.array.fill(0, self.dtype)
        self.target.poison()
        self.sums.poison()
        buffers = (self.array, self.target, self.sums)
        self.arguments = [*(buffer.pointer for buffer in buffers), np.uint32(self.chunks)]

    def run(self, repeat: int) -> None:
        """A launch for each repetition."""
        blocks = self.blocks
        for _ in range(repeat):
            self.launch(blocks, self.params["block"], *self.arguments)

    def fetch(self) -> np.ndarray:
        """The sum of what was read; of a copy, the elements of the target that a check looks at."""
        if self.op != "copy":
            return np.array([self.sums.download().sum()])
        starts, count = pattern.sample_starts(self.params["n"], ITEMSIZE[self.dtype])
        return self.target.download_at(starts, count)
