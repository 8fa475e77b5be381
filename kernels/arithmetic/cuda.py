"""Slow arithmetic of a GPU: the special function unit, conversions, shuffles and the rest.

A new operation is one row of ``ROWS``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kernels.arithmetic.work as arithmetic_work
from kernels.arithmetic.work import LANES_OF_WARP, Operation, division, of_function
from kernels.base import Audit, Work
from kernels.cuda import sass
from kernels.cuda.kernel import sm
from kernels.cuda.nvrtc import Cubin
from kernels.cuda.wave import WaveKernel, one_wave
from kernels.device import Device

CHAINS = 8
"""Chains of a thread."""
STEPS = 16
"""Steps on each chain in one trip of the loop."""
LOOP_SHARE = 0.03
"""Largest part of the hot loop that may be none of a step's own instructions."""


@dataclass(frozen=True)
class Row:
    """One operation as a GPU does it."""

    operation: Operation
    """What is computed."""
    ptx: str
    """One step: ``%0`` is x, ``%1`` is m and ``%2`` is c."""
    opcode: str
    """The instruction that is counted, as a regular expression."""
    beside: int = 1
    """The most instructions of a step that are not counted, on any architecture."""
    by_one: int = 1
    """Results of that instruction in a thread."""
    steps: int = STEPS
    """Steps on each chain in one trip of the loop: fewer of what takes many instructions."""
    has_routine: bool = False
    """True if rare operands, which no chain meets, go through a routine."""
    since: float = 5.0
    """First compute capability that has it."""


def _float(ptx: str) -> str:
    """A function of %0, then the multiply-add of a step."""
    return f"{ptx} %0, %0; fma.rn.f32 %0, %0, %1, %2;"


def _high(x: Any, m: Any, c: Any) -> Any:
    high = (x.astype(np.uint64) * np.uint64(m)) >> np.uint64(32)
    return high.astype(np.uint32) + c


def _rotate(x: Any, m: Any, c: Any) -> Any:
    return (x << m) | (x >> np.uint32(32 - int(m)))


def _count_bits(x: Any, m: Any, c: Any) -> Any:
    bits = np.unpackbits(x[..., None].view(np.uint8), axis=-1).sum(axis=-1)
    return bits.astype(np.uint32) * m + c


def _exchange(x: Any, m: Any, c: Any) -> Any:
    lanes = np.arange(LANES_OF_WARP) ^ int(m)
    return x[lanes] + c


def _to_integer(x: Any, m: Any, c: Any) -> Any:
    """Bits of a float in, the next of such bits out: its value plus c, below 2**23."""
    whole = np.rint(x.view(np.float32).astype(np.float64)).astype(np.int64).astype(np.uint32)
    return ((whole + c) & np.uint32(0x7FFFFF)) | m


def _to_float(x: Any, m: Any, c: Any) -> Any:
    return x.astype(np.float32).view(np.uint32) * m + c


def _to_halves(x: Any, m: Any, c: Any) -> Any:
    """A float in, the bits of its half twice out, those that make a float from 1 to 2 of them."""
    with np.errstate(all="ignore"):
        half = x.view(np.float32).astype(np.float16).view(np.uint16).astype(np.uint32)
    return ((half << np.uint32(16) | half) & m) | c


def _through_double(x: Any, m: Any, c: Any) -> Any:
    return x.astype(np.float32).astype(np.float64) + c


def _integer(name: str, step: Any, m: int, c: int) -> Operation:
    return Operation(name, "int32", step, m, c, in_bits=True)


# 0xea of lop3 is (a & b) | c
ROWS: tuple[Row, ...] = (
    # its values become small, and its error does not
    Row(
        of_function("exp2", np.exp2, 0.0, np.log(2.0), tolerance=2e-3, needed=True),
        _float("ex2.approx.ftz.f32"),
        r"MUFU\.EX2",
    ),
    Row(
        of_function("log2", np.log2, 2.0, 0.5 / np.log(2.0)),
        _float("lg2.approx.ftz.f32"),
        r"MUFU\.LG2",
    ),
    Row(
        of_function("sin", np.sin, 0.0, 1.0, tolerance=2e-3),
        _float("sin.approx.ftz.f32"),
        r"MUFU\.SIN",
        2,
    ),
    Row(
        of_function("rsqrt", lambda x: x**-0.5, 1.0, -0.5, needed=True),
        _float("rsqrt.approx.ftz.f32"),
        r"MUFU\.RSQ",
    ),
    Row(of_function("sqrt", np.sqrt, 1.0, 0.5), _float("sqrt.approx.ftz.f32"), r"MUFU\.", 2),
    Row(
        of_function("reciprocal", lambda x: 1 / x, 1.0, -1.0),
        _float("rcp.approx.ftz.f32"),
        r"MUFU\.RCP",
    ),
    Row(
        division("divide", needed=True),
        "div.approx.ftz.f32 %0, %1, %0; add.rn.f32 %0, %0, %2;",
        r"MUFU\.RCP",
        6,
    ),
    Row(
        division("divide-ieee", needed=False),
        "div.rn.f32 %0, %1, %0; add.rn.f32 %0, %0, %2;",
        "FCHK",
        14,
        steps=4,
        has_routine=True,
    ),
    Row(
        of_function("sqrt-ieee", np.sqrt, 1.0, 0.5),
        _float("sqrt.rn.f32"),
        r"MUFU\.RSQ",
        14,
        steps=4,
        has_routine=True,
    ),
    # its relative error is 2**-11 at every step
    Row(
        of_function("tanh", np.tanh, 0.0, 1.0, tolerance=0.05, needed=True),
        _float("tanh.approx.f32"),
        r"MUFU\.TANH",
        since=7.5,
    ),
    Row(
        _integer("multiply-high", _high, 0xF8000001, 0x9E3779B9),
        "mul.hi.u32 %0, %0, %1; add.u32 %0, %0, %2;",
        r"IMAD\.HI",
        since=7.0,
    ),
    Row(_integer("shift", _rotate, 7, 0), "shf.l.wrap.b32 %0, %0, %0, %1;", "SHF", 0),
    Row(
        _integer("popcount", _count_bits, 0x9E3779B1, 0x3FB09ECD),  # a cycle of twelve values
        "popc.b32 %0, %0; mad.lo.u32 %0, %0, %1, %2;",
        "POPC",
    ),
    Row(
        _integer("shuffle", _exchange, 5, 3),
        "shfl.sync.bfly.b32 %0, %0, %1, 31, -1; add.u32 %0, %0, %2;",
        "SHFL",
    ),
    Row(
        _integer("from-fp32", _to_integer, 0x4B000000, 3),
        "{ .reg .f32 f; mov.b32 f, %0; cvt.rni.s32.f32 %0, f; add.u32 %0, %0, %2; "
        "lop3.b32 %0, %0, 0x7fffff, %1, 0xea; }",
        "F2I",
        3,
    ),
    Row(
        Operation("from-int32", "fp32", _to_float, 3, 0x01234567, in_bits=True),
        "{ .reg .f32 f; cvt.rn.f32.u32 f, %0; mov.b32 %0, f; mad.lo.u32 %0, %0, %1, %2; }",
        "I2F",
    ),
    Row(
        Operation("from-fp32", "fp16", _to_halves, 0x7FFFFF, 0x3F800000, results=2, in_bits=True),
        "{ .reg .f32 f; mov.b32 f, %0; cvt.rn.f16x2.f32 %0, f, f; lop3.b32 %0, %0, %1, %2, 0xea; }",
        "F2FP",
        by_one=2,
        since=8.0,
    ),
    Row(
        Operation("to-and-from-fp32", "fp64", _through_double, 0.0, 1.0, results=2),
        "{ .reg .f64 d; cvt.f64.f32 d, %0; cvt.rn.f32.f64 %0, d; add.rn.f32 %0, %0, %2; }",
        r"F2F\.F64\.F32|F2F\.F32\.F64",
    ),
)
"""The table. A new operation is one row."""
BY_TAG: Mapping[tuple[str, str], Row] = {
    (row.operation.dtype, row.operation.name): row for row in ROWS
}


def missing(device: Device, row: Row) -> str:
    """Why this device does not have an operation, or nothing."""
    if float(device.arch) >= row.since:
        return ""
    return f"sm_{sm(device)} has no {row.operation.name} (since {row.since})"


def shape(device: Device, row: Row) -> dict[str, Any]:
    """Params of one wave of blocks that fills the device."""
    return {
        "operation": row.operation.name,
        "chains": CHAINS,
        "steps": row.steps,
        "results": row.operation.results,
        **one_wave(device),
    }


class ArithmeticKernel(WaveKernel):
    """Chains in all threads of one wave of blocks. One launch does all repetitions."""

    source = Path(__file__).with_name("arithmetic.cu")
    entry = "chains"

    @property
    def row(self) -> Row:
        """The operation that is timed."""
        return BY_TAG[self.dtype, self.params["operation"]]

    def defines(self) -> dict[str, object]:
        """The step, and how chains lie over threads and blocks."""
        macros: dict[str, object] = {"STEP": f'"{self.row.ptx}"'}
        if not self.row.operation.in_bits:
            macros["FLOATS"] = 1
        for name in ("chains", "steps", "block", "blocks_per_sm"):
            macros[name.upper()] = self.params[name]
        return macros

    def work(self) -> Work:
        """That of all chains."""
        return arithmetic_work.work(self.dtype, **self.params)

    def inspect(self, cubin: Cubin, work: Work) -> Audit:
        """The hot loop must hold the declared operations, and little beside them."""
        warps = self.params["threads"] / sass.WARP
        others = self.row.beside / (1 + self.row.beside)
        spec = sass.Spec(
            self.row.opcode,
            self.row.by_one * sass.WARP,
            warps,
            others + LOOP_SHARE,
            self.row.has_routine,
        )
        return sass.audit(cubin, spec, work)

    def allocate(self) -> None:
        """Start values, room for a register of every chain, and the two clocks of each block."""
        operation = self.row.operation
        chains = self.params["chains"]
        number = np.uint32 if operation.in_bits else np.float32
        self.first = self.new(chains, number)
        self.first.upload(operation.start(1, chains)[0].astype(number))
        self.out = self.new(chains * self.params["threads"], number)
        self.clocks = self.new(2 * self.blocks, np.uint64)
        self.out.poison()  # so that a value that no thread wrote is found to be wrong
        self.operands = [number(value) for value in operation.constants()]

    def run(self, repeat: int) -> None:
        """One launch; a repetition is a trip of its loop."""
        self.launch(
            self.blocks,
            self.params["block"],
            self.out.pointer,
            self.clocks.pointer,
            self.first.pointer,
            np.int32(repeat),
            *self.operands,
        )

    def fetch(self) -> np.ndarray:
        """The values of all chains, shape (threads, chains)."""
        return self.out.download().reshape(self.params["chains"], -1).T
