"""Matrix units on CUDA: the kernels ``tensor.cu`` and ``wgmma.cu``, and what they must hold."""

from __future__ import annotations

import re
import subprocess
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import kernels.tensor.layout as layout
import kernels.tensor.ptx as tensor_ptx
import kernels.tensor.work as tensor_work
from kernels.base import Audit, Work
from kernels.cuda import sass
from kernels.cuda.disassembly import disassemble
from kernels.cuda.kernel import CudaKernel, sm
from kernels.cuda.memory import Buffer
from kernels.cuda.nvrtc import Cubin
from kernels.device import Device
from kernels.tensor.table import Instruction
from kernels.tensor.work import Operands

OVERHEAD = 0.03
"""Largest share of the issue slots that may go to instructions beside the matrix instructions."""
WGMMA_SLOTS = 128
"""Issue slots that a wgmma occupies its unit for: the cycles of one m64n256 at the rated speed,
2 x 64 x 256 x 16 / 4096 for FP16, others alike."""


class TensorKernel(CudaKernel):
    """Chains of one matrix instruction, a row of the table. One launch does all repetitions."""

    entry = "chains"
    clocks: Buffer

    def __init__(
        self, row: Instruction, device: Device, dtype: str, params: Mapping[str, Any]
    ) -> None:
        super().__init__(device, dtype, params)
        self.row = row

    @abstractmethod
    def inputs(self, operands: Operands) -> Sequence[np.ndarray]:
        """What the threads load, in the order of the kernel's first arguments."""

    @abstractmethod
    def overhead(self, arch: str) -> float:
        """Largest share of other instructions in the loop, which is to be OVERHEAD of the slots."""

    def defines(self) -> dict[str, object]:
        """The instruction, its registers, and how chains lie over threads."""
        return tensor_ptx.defines(self.row, self.params, sm(self.device))

    def work(self) -> Work:
        """That of all chains."""
        return tensor_work.work(self.row, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The loop must hold the declared instructions; the audit says where it emulates them."""
        if self.row.opcode(cubin.arch) == "CALL":
            audit = _routine(cubin, self.params["chains"] * self.params["steps"])
        else:
            audit = sass.audit(cubin, self.spec(cubin.arch), work)
        if not self.row.emulated(cubin.arch):
            return audit
        notes = [f"emulated with {audit.instruction or 'other instructions'}", audit.note]
        return replace(audit, note="; ".join(note for note in notes if note), emulated=True)

    def spec(self, arch: str) -> sass.Spec:
        """What the hot loop must hold on this architecture."""
        opcode = self.row.opcode(arch).lstrip("~")
        warps_of_team = layout.threads(self.row) // sass.WARP
        teams = self.params["blocks"] * tensor_work.teams(self.row, self.params["warps"])
        per_warp = operations(self.row, opcode) / warps_of_team
        warps = teams * warps_of_team
        return sass.Spec(re.escape(opcode), per_warp, warps, self.overhead(arch))

    def allocate(self) -> None:
        """Operands, what chains start from, and room for accumulators and clocks."""
        operands = tensor_work.operands(self.row, self.params["operands"])
        starts = layout.starts(self.row, self.params["chains"])
        self.loaded = [self.upload(part) for part in (*self.inputs(operands), starts)]
        _, _, register = tensor_ptx.REGISTER[self.row.accumulator]
        self.out = self.new(layout.out_registers(self.row, self.params), register)
        self.clocks = self.new(2 * self.params["blocks"], np.uint64)
        self.out.poison()

    def upload(self, values: np.ndarray) -> Buffer:
        """A buffer that holds these values."""
        flat = np.ascontiguousarray(values).reshape(-1)
        buffer = self.new(flat.size, flat.dtype)
        buffer.upload(flat)
        return buffer

    def run(self, repeat: int) -> None:
        """One launch; a repetition is a trip of its loop."""
        pointers = [buffer.pointer for buffer in (*self.loaded, self.out, self.clocks)]
        threads = sass.WARP * self.params["warps"]
        self.launch(self.params["blocks"], threads, *pointers, np.int32(repeat))

    def fetch(self) -> np.ndarray:
        """Accumulators of the first and last block, (2, tiles, m, n)."""
        return layout.decode(self.row, self.out.download(), self.params)


class WarpKernel(TensorKernel):
    """Instructions of one warp, with operands in registers."""

    source = Path(__file__).with_name("tensor.cu")

    def inputs(self, operands: Operands) -> Sequence[np.ndarray]:
        """A, B and metadata as registers."""
        a, b = layout.warp_words(self.row, operands)
        return a, b, layout.metadata_words(self.row, operands)

    def overhead(self, arch: str) -> float:
        """OVERHEAD, but for emulations, and for double precision.

        What an emulation needs besides is its own affair; between double-precision instructions
        the compiler pads with null ones while the unit is busy.
        """
        return 1.0 if self.row.emulated(arch) or self.row.dtype == "fp64" else OVERHEAD


class WarpgroupKernel(TensorKernel):
    """Hopper's instructions of four warps, with operands in shared memory."""

    source = Path(__file__).with_name("wgmma.cu")
    arch_suffix = "a"

    def __init__(
        self, row: Instruction, device: Device, dtype: str, params: Mapping[str, Any]
    ) -> None:
        super().__init__(row, device, dtype, params)
        self.shared_bytes = tensor_ptx.image_bytes(row)

    def inputs(self, operands: Operands) -> Sequence[np.ndarray]:
        """The image of shared memory, A as registers for kernels that take it so, metadata."""
        a = layout.warpgroup_words(self.row, operands)
        return layout.image(self.row, operands), a, layout.metadata_words(self.row, operands)

    def overhead(self, arch: str) -> float:
        """So many that all others together take OVERHEAD of a wgmma's WGMMA_SLOTS."""
        others = OVERHEAD / (1 - OVERHEAD) * WGMMA_SLOTS
        return 1 - 1 / (1 + others)


def operations(row: Instruction, opcode: str) -> float:
    """Operations of one machine instruction for its warp or group, by the shape in its name."""
    if row.copies > 1:  # Volta's comes in four steps (two for FP16)
        return row.operations / (4 if row.accumulator == "fp32" else 2)
    if row.warpgroup or opcode == "DMMA.16":  # of the row's own shape
        return row.operations
    if opcode == "DMMA.8":  # 8 x 8 x 4
        return 512.0
    digits = next(part for part in opcode.split(".") if part.isdigit())
    m = 16 if digits.startswith("16") else 8
    k = int(digits[len(str(m)) + 1 :])
    return 2.0 * m * 8 * k


@cache
def _routine(cubin: Cubin, calls: int) -> Audit:
    """An instruction that became a software routine: the loop must call it once for each."""
    try:
        code = disassemble(cubin)
    except (OSError, subprocess.SubprocessError) as error:
        return Audit(note=sass.why_not(cubin, error))
    loop = max(sass.loops(code), key=len, default=[])
    called = sum(i.opcode.startswith("CALL") and not i.predicated for i in loop)
    problem = ""
    if called != calls:
        problem = f"the loop calls a software routine {called} times, not {calls}"
    inside = sorted({i.opcode for i in code if "MMA" in i.opcode})
    return Audit("+".join(inside), problem, "in a software routine")
