"""Multiply-add chains on CUDA cores: the kernel ``fma.cu``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kernels.fma.work as fma_work
from kernels.base import Audit, Work
from kernels.cuda import sass
from kernels.cuda.kernel import sm
from kernels.cuda.nvrtc import Cubin
from kernels.cuda.wave import WaveKernel, one_wave
from kernels.device import Device
from kernels.fma.work import bfloat16_pair

FULL_RATE_OVERHEAD = 0.008
"""Largest share of the issue slots that may go to instructions beside the multiply-adds."""


@dataclass(frozen=True)
class Type:
    """One scalar type: how registers of ``fma.cu`` look from outside, and what it must become."""

    operand: Any
    """NumPy type of the kernel's arguments ``m`` and ``c``, and of an output register."""
    lane: Any
    """NumPy type by which the lanes of an output register are read."""
    opcode: str
    """The instruction, as a regular expression. Architectures name some of them differently."""
    lanes: int = 1
    """Values in one register."""
    products: int = 1
    """Multiply-adds into each value: four for a dot product of bytes."""
    since: float = 5.0
    """First compute capability that has it."""
    chains: int = 8
    """Chains of a thread."""
    trip: int = 1024
    """Instructions of a thread in one trip of the loop: so many that the loop's own stay below
    FULL_RATE_OVERHEAD."""


TYPES = {
    "fp64": Type(np.float64, np.float64, "DFMA"),
    "fp32": Type(np.float32, np.float32, "FFMA"),
    "fp16": Type(np.uint32, np.float16, r"HFMA2(\.MMA)?$", lanes=2, since=5.3, trip=2048),
    "bf16": Type(np.uint32, np.uint16, r"HFMA2(\.MMA)?\.BF16", lanes=2, since=8.0, trip=2048),
    "int32": Type(np.int32, np.int32, r"IMAD$|XMAD"),
    "int8": Type(np.int32, np.int32, r"IDP\.4A", products=4, since=6.1),
}


def missing(device: Device, dtype: str) -> str:
    """Why this device has no multiply-add of this type, or nothing."""
    since = TYPES[dtype].since
    if float(device.arch) >= since:
        return ""
    return f"sm_{sm(device)} has no {dtype} multiply-add (since {since})"


def shape(device: Device, dtype: str) -> dict[str, int]:
    """Params of one wave of blocks that fills the device."""
    row = TYPES[dtype]
    return {
        "chains": row.chains,
        "steps": row.trip // row.chains,
        **one_wave(device),
        "lanes": row.lanes,
        "products": row.products,
    }


def operand(dtype: str, value: float) -> Any:
    """A multiplier or addend as the kernel takes it: packed twice for types of two lanes."""
    if dtype == "fp16":
        return np.uint32(int(np.float16(value).view(np.uint16)) * 0x10001)
    if dtype == "bf16":
        return np.uint32(bfloat16_pair(value))
    return TYPES[dtype].operand(value)


class FmaKernel(WaveKernel):
    """Chains in all threads of one wave of blocks. One launch does all repetitions."""

    source = Path(__file__).with_name("fma.cu")
    entry = "chains"

    def defines(self) -> dict[str, object]:
        """The type, and how chains lie over threads and blocks."""
        macros: dict[str, object] = {f"KIND_{self.dtype.upper()}": 1}
        for name in ("chains", "steps", "block", "blocks_per_sm"):
            macros[name.upper()] = self.params[name]
        return macros

    def work(self) -> Work:
        """That of all chains."""
        return fma_work.work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The hot loop must hold the declared multiply-adds and hardly anything else."""
        return sass.audit(cubin, self.spec(), work)

    def spec(self) -> sass.Spec:
        """What the hot loop must hold."""
        row = TYPES[self.dtype]
        per_warp = 2 * row.lanes * row.products * sass.WARP  # a multiply-add is two operations
        warps = self.params["threads"] / sass.WARP
        return sass.Spec(row.opcode, per_warp, warps, FULL_RATE_OVERHEAD)

    def allocate(self) -> None:
        """Room for a register of every chain, and for the two clocks of each block."""
        registers = self.params["chains"] * self.params["threads"]
        self.out = self.new(registers, TYPES[self.dtype].operand)
        self.clocks = self.new(2 * self.blocks, np.uint64)
        self.out.poison()  # so that a value that no thread wrote is found to be wrong
        self.operands = [operand(self.dtype, self.params[name]) for name in ("m", "c")]

    def run(self, repeat: int) -> None:
        """One launch; a repetition is a trip of its loop."""
        self.launch(
            self.blocks,
            self.params["block"],
            self.out.pointer,
            self.clocks.pointer,
            np.int32(repeat),
            *self.operands,
        )

    def fetch(self) -> np.ndarray:
        """The values of all chains, shape (threads, chains * lanes)."""
        threads, chains = self.params["threads"], self.params["chains"]
        row = TYPES[self.dtype]
        values = self.out.download().view(row.lane)
        if self.dtype == "bf16":  # the upper half of a float's bits
            values = (values.astype(np.uint32) << 16).view(np.float32)
        by_chain = values.reshape(chains, threads, row.lanes)
        return by_chain.transpose(1, 0, 2).reshape(threads, chains * row.lanes)
