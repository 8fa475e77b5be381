"""Multiply-add chains on the CPU's vector units: the most arithmetic a core can issue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from kernels.base import Unavailable
from kernels.cpu import target
from kernels.cpu.asm import Spec
from kernels.cpu.emit import (
    Native,
    Vector,
    compile_kernel,
    external,
    load_argument,
    loop,
    multiply_add,
    splat,
    unit_of,
    vector,
)
from kernels.cpu.launch import CpuLaunch, Team, pack
from kernels.device import Device
from kernels.fma.work import bfloat16_pair, start

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

# multiply-adds of each chain in one trip of the loop: 128 for 16 chains, so the loop costs nothing
STEPS = 8


@dataclass(frozen=True)
class Type:
    """How one type is computed on one instruction set."""

    number: Any
    """NumPy type of a chain's values in memory."""
    needs: Mapping[int, str]
    """The feature that has its multiply-add, by the bits of a register."""
    pattern: str
    """Regular expression of the mnemonics that do the work."""
    step: Callable[..., Any]
    """``step(builder, unit, x, m, c)`` emits one multiply-add on a register and returns it."""
    products: int = 1
    """Multiply-adds into each value by one instruction: four in a dot product of bytes."""

    @property
    def integers(self) -> bool:
        """True if the chains hold whole numbers."""
        return self.number is np.int32

    def lanes(self, bits: int) -> int:
        """Values in a register of so many bits."""
        return bits // 8 // np.dtype(self.number).itemsize


def _fused(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    return multiply_add(b, x, m, c, unit.fma)


def _separate(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    return b.add(b.mul(x, m), c)


def _x86(name: str) -> Callable[..., Any]:
    """The step of a dot-product intrinsic.

    It takes its operands as 32-bit lanes, the form that every version of LLVM accepts.
    """

    def step(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
        words = ir.VectorType(ir.IntType(32), x.type.count)
        return _dot_product(b, f"llvm.x86.{name}.{unit.bits}", x, m, c, words)

    return step


def _sdot(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    octets = ir.VectorType(ir.IntType(8), 16)
    return _dot_product(b, "llvm.aarch64.neon.sdot.v4i32.v16i8", x, m, c, octets)


def _dot_product(b: IRBuilder, name: str, x: Value, m: Value, c: Value, operand: Any) -> Any:
    """Call an intrinsic that adds the dot products of ``m`` and ``c``, as ``operand``, to ``x``."""
    kind = ir.FunctionType(x.type, [x.type, operand, operand])
    operands = [b.bitcast(m, operand), b.bitcast(c, operand)]
    return b.call(external(b, name, kind), [x, *operands])


def _bfdot(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    """Assembly, since llvmlite has no type for what the intrinsic takes."""
    kind = ir.FunctionType(x.type, [x.type, m.type, c.type])
    return b.asm(kind, "bfdot $0.4s, $2.8h, $3.8h", "=w,0,w,w", [x, m, c], side_effect=False)


_FMA_X86 = r"vfn?m(add|sub)\d+p[sdh]|v?mulp[sdh]"
_FMA_ARM = "fmla|fmls|fmad"
_SSE2 = dict.fromkeys((128, 256, 512), "sse2")
X86 = {
    "fp64": Type(np.float64, _SSE2, _FMA_X86, _fused),
    "fp32": Type(np.float32, _SSE2, _FMA_X86, _fused),
    "fp16": Type(np.float16, {512: "avx512_fp16"}, _FMA_X86, _fused),
    "bf16": Type(np.float32, {512: "avx512_bf16"}, "vdpbf16ps", _x86("avx512bf16.dpbf16ps"), 2),
    "int32": Type(np.int32, {512: "avx512f", 256: "avx2", 128: "sse4_1"}, "v?pmulld", _separate),
    "int8": Type(
        np.int32, {512: "avx512_vnni", 256: "avx_vnni"}, "vpdpbusd", _x86("avx512.vpdpbusd"), 4
    ),
}
ARM = {
    "fp64": Type(np.float64, {128: "asimd"}, _FMA_ARM, _fused),
    "fp32": Type(np.float32, {128: "asimd"}, _FMA_ARM, _fused),
    "fp16": Type(np.float16, {128: "asimdhp"}, _FMA_ARM, _fused),
    "bf16": Type(np.float32, {128: "bf16"}, "bfdot", _bfdot, 2),
    "int32": Type(np.int32, {128: "asimd"}, "mla", _separate),
    "int8": Type(np.int32, {128: "asimddp"}, "sdot", _sdot, 4),
}


def types() -> Mapping[str, Type]:
    """The types of this machine's instruction set."""
    return ARM if target.is_arm() else X86


def missing(features: Sequence[str], dtype: str) -> str:
    """Why a core with these features has no multiply-add of this type; empty if it has one."""
    row = types().get(dtype)
    if row is None:
        return f"no kernel for {dtype} on this kind of CPU yet"
    bits = vector(features, row.integers).bits
    if row.needs.get(bits) in features:
        return ""
    any_of = dict.fromkeys(row.needs.values())
    return f"this core has no {' or '.join(any_of)}"


def shape(features: Sequence[str], dtype: str) -> dict[str, int]:
    """The params that fill a core with these features: chains, lanes, steps and products."""
    row = types()[dtype]
    unit = vector(features, row.integers)
    return {
        "chains": unit.chains,
        "lanes": row.lanes(unit.bits),
        "steps": STEPS,
        "products": row.products,
    }


def unit_for(device: Device, dtype: str, lanes: int) -> Vector:
    """The vector unit that computes ``lanes`` values of this type at once here.

    Raises Unavailable where the compiler does not use what the params were made for.
    """
    row = types()[dtype]
    unit = unit_of(device, row.integers)
    if reason := missing(target.usable(device.features), dtype):
        raise Unavailable(reason)
    if lanes != row.lanes(unit.bits):
        here = f"this machine and its compiler have registers of {unit.bits} bits"
        raise Unavailable(
            f"{lanes} lanes of {dtype} were asked for: {here}, which hold {row.lanes(unit.bits)}"
        )
    return unit


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """A launch of ``threads`` x ``chains`` x ``lanes`` chains.

    Each thread writes the last values of its chains; the result is [threads, chains x lanes].
    """
    row = types()[dtype]
    chains = params["chains"]
    lanes = params["lanes"]
    threads = params["threads"]
    unit = unit_for(device, dtype, lanes)
    native = _native(unit, dtype, chains, lanes, params["steps"])
    out = np.zeros((threads, chains * lanes), row.number)
    m = _operand(dtype, params["m"])
    c = _operand(dtype, params["c"])
    rows = [pack([values.ctypes.data, m, c]) for values in out]
    spec = Spec(row.pattern, 2.0 * row.products * row.lanes(128), threads)
    return CpuLaunch(native, rows, queue, [out], lambda buffers: buffers[0], spec)


def _operand(dtype: str, value: float) -> Any:
    """A multiplier or addend as every lane holds it; of bfloat16 two, one for each product."""
    if dtype == "bf16":
        return np.uint32(bfloat16_pair(value)).view(np.int32)
    return types()[dtype].number(value)


@cache
def _native(unit: Vector, dtype: str, chains: int, lanes: int, steps: int) -> Native:
    def emit(builder: IRBuilder, arguments: Value, repeat: Value) -> None:
        _emit_chains(builder, arguments, repeat, unit, dtype, chains, lanes, steps)

    return compile_kernel(emit)


def _emit_chains(
    b: IRBuilder,
    arguments: Value,
    repeat: Value,
    unit: Vector,
    dtype: str,
    chains: int,
    lanes: int,
    steps: int,
) -> None:
    """Emit ``repeat`` trips of ``steps`` multiply-adds on each of ``chains`` registers.

    At the end all registers are stored.
    """
    row = types()[dtype]
    scalar = scalar_type(row.number)
    kind = ir.VectorType(scalar, lanes)
    operand = ir.IntType(32) if row.products > 1 else scalar
    m = splat(b, load_argument(b, arguments, 1, operand), lanes)
    c = splat(b, load_argument(b, arguments, 2, operand), lanes)

    def trip(_: Any, values: Any) -> Any:
        for _ in range(steps):
            values = [row.step(b, unit, x, m, c) for x in values]
        return values

    # a dot product starts like what it adds into
    start_dtype = "fp32" if row.number is np.float32 else dtype
    starts = []
    for k in range(chains):
        values = [start(k * lanes + lane, start_dtype) for lane in range(lanes)]
        starts.append(ir.Constant(kind, values))
    results = loop(b, repeat, 1, starts, trip)
    out = load_argument(b, arguments, 0, kind.as_pointer())
    for index, value in enumerate(results):
        store = b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), index)]))
        store.align = np.dtype(row.number).itemsize


def scalar_type(number: Any) -> Any:
    """The LLVM type of a NumPy type: a float, or an integer of 32 bits."""
    floats = {np.float64: ir.DoubleType(), np.float32: ir.FloatType(), np.float16: ir.HalfType()}
    return floats.get(number) or ir.IntType(32)
