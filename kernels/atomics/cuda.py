"""Atomic additions on a GPU: the kernel ``atomics.cu``. A new type is one row of ``ROWS``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kernels.atomics.work as atomics_work
from kernels.atomics.work import GLOBAL, ONE, SHARED
from kernels.base import Audit, Work
from kernels.cuda import sass
from kernels.cuda.kernel import sm
from kernels.cuda.nvrtc import Cubin
from kernels.cuda.wave import WaveKernel, one_wave
from kernels.device import Device

STEPS = 16
"""Additions of a thread in one trip of the loop."""
OPCODES = {SHARED: r"ATOMS\.", GLOBAL: r"RED\.|REDG\."}
"""What adds in each memory. Shared memory adds floats by exchanges that are tried again."""


@dataclass(frozen=True)
class Row:
    """One type."""

    ptx: str
    """What follows ``red.shared.`` or ``red.global.`` in PTX."""
    number: Any
    """NumPy type of a word."""
    part: Any
    """NumPy type of its parts."""
    one: int | float
    """A word of what is added."""
    since: float = 5.0
    """First compute capability that has it."""


ROWS: Mapping[str, Row] = {
    "int32": Row("add.u32", np.uint32, np.uint32, 1),
    "fp32": Row("add.f32", np.float32, np.float32, 1.0),
    "fp16": Row("add.noftz.f16x2", np.uint32, np.float16, 0x38003C00, since=6.0),
}
"""The table; ``fp16`` adds two halves at once."""


def missing(device: Device, dtype: str) -> str:
    """Why this device has no atomic addition of this type, or nothing."""
    since = ROWS[dtype].since
    return "" if float(device.arch) >= since else f"sm_{sm(device)} adds no {dtype} (since {since})"


def shape(device: Device, memory: str, spread: str) -> dict[str, Any]:
    """Params of one wave of blocks that fills the device."""
    return {
        "memory": memory,
        "spread": spread,
        "steps": STEPS,
        **one_wave(device),
    }


class AtomicsKernel(WaveKernel):
    """Additions of all threads of one wave of blocks. One launch does all repetitions."""

    source = Path(__file__).with_name("atomics.cu")
    entry = "additions"

    def defines(self) -> dict[str, object]:
        """The addition, where it goes, and how threads lie in blocks."""
        memory = self.params["memory"]
        row = ROWS[self.dtype]
        macros: dict[str, object] = {"ADD": f'"red.{memory}.{row.ptx} [%0], %1;"'}
        if memory == SHARED:
            macros["IN_SHARED"] = 1
        if row.number is np.float32:
            macros["FLOATS"] = 1
        for name in ("steps", "block", "blocks_per_sm"):
            macros[name.upper()] = self.params[name]
        return macros

    def work(self) -> Work:
        """That of all threads."""
        return atomics_work.work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The code must hold every addition of a trip."""
        return sass.whole_code(cubin, {OPCODES[self.params["memory"]]: self.params["steps"]})

    def allocate(self) -> None:
        """The words, what is added to which, and the two clocks of each block."""
        row = ROWS[self.dtype]
        self.words = self.new(self.params["threads"], row.number)
        self.added = self.new(self.params["block"], row.number)
        self.added.upload(np.full(self.params["block"], row.one, row.number))
        words = self.params["block" if self.params["memory"] == SHARED else "threads"]
        places = np.arange(words, dtype=np.int32)
        if self.params["spread"] == ONE:
            places[:] = 0
        self.places = self.new(words, np.int32)
        self.places.upload(places)
        self.clocks = self.new(2 * self.blocks, np.uint64)
        self.words.clear()

    def run(self, repeat: int) -> None:
        """One launch; a repetition is a trip of its loop."""
        self.launch(
            self.blocks,
            self.params["block"],
            self.words.pointer,
            self.clocks.pointer,
            self.added.pointer,
            self.places.pointer,
            np.int32(repeat),
        )

    def fetch(self) -> np.ndarray:
        """What each word holds, shape (words, parts)."""
        row = ROWS[self.dtype]
        is_one = self.params["memory"] == GLOBAL and self.params["spread"] == ONE
        words = self.words.download(1 if is_one else None)
        return words.view(row.part).reshape(len(words), -1).astype(np.float64)
