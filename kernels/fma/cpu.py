"""Multiply-add chains on the CPU's vector units: the most arithmetic a core can issue, in every
type it has.
"""

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
    """One type on one instruction set."""

    number: Any
    """Of a chain's values in memory."""
    needs: Mapping[int, str]
    """The feature without which it does not exist, by the bits of a register."""
    pattern: str
    """Mnemonics that do the work."""
    step: Callable[..., Any]
    """Writes one multiply-add."""
    products: int = 1
    """Multiply-adds into each value."""

    @property
    def integers(self) -> bool:
        """True if the chains hold whole numbers."""
        return self.number is np.int32

    def lanes(self, bits: int) -> int:
        """Values in a register of ``bits``."""
        return bits // 8 // np.dtype(self.number).itemsize


def _fused(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    return multiply_add(b, x, m, c, unit.fma)


def _separate(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    return b.add(b.mul(x, m), c)


def _x86(name: str) -> Callable[..., Any]:
    """A dot-product intrinsic; its operands as 32-bit lanes, the form every LLVM takes."""

    def step(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
        words = ir.VectorType(ir.IntType(32), x.type.count)
        kind = ir.FunctionType(x.type, [x.type, words, words])
        given = [b.bitcast(value, words) for value in (m, c)]
        return b.call(external(b, f"llvm.x86.{name}.{unit.bits}", kind), [x, *given])

    return step


def _sdot(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    octets = ir.VectorType(ir.IntType(8), 16)
    kind = ir.FunctionType(x.type, [x.type, octets, octets])
    given = [b.bitcast(value, octets) for value in (m, c)]
    return b.call(external(b, "llvm.aarch64.neon.sdot.v4i32.v16i8", kind), [x, *given])


def _bfdot(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
    """As text: llvmlite has no type for what the intrinsic takes."""
    kind = ir.FunctionType(x.type, [x.type, m.type, c.type])
    return b.asm(kind, "bfdot $0.4s, $2.8h, $3.8h", "=w,0,w,w", [x, m, c], side_effect=False)


_FMA_X86 = r"vfn?m(add|sub)\d+p[sdh]|v?mulp[sdh]"
X86 = {
    "fp64": Type(np.float64, dict.fromkeys((128, 256, 512), "sse2"), _FMA_X86, _fused),
    "fp32": Type(np.float32, dict.fromkeys((128, 256, 512), "sse2"), _FMA_X86, _fused),
    "fp16": Type(np.float16, {512: "avx512_fp16"}, _FMA_X86, _fused),
    "bf16": Type(np.float32, {512: "avx512_bf16"}, "vdpbf16ps", _x86("avx512bf16.dpbf16ps"), 2),
    "int32": Type(np.int32, {512: "avx512f", 256: "avx2", 128: "sse4_1"}, "v?pmulld", _separate),
    "int8": Type(
        np.int32, {512: "avx512_vnni", 256: "avx_vnni"}, "vpdpbusd", _x86("avx512.vpdpbusd"), 4
    ),
}
ARM = {
    "fp64": Type(np.float64, {128: "asimd"}, "fmla|fmls|fmad", _fused),
    "fp32": Type(np.float32, {128: "asimd"}, "fmla|fmls|fmad", _fused),
    "fp16": Type(np.float16, {128: "asimdhp"}, "fmla|fmls|fmad", _fused),
    "bf16": Type(np.float32, {128: "bf16"}, "bfdot", _bfdot, 2),
    "int32": Type(np.int32, {128: "asimd"}, "mla", _separate),
    "int8": Type(np.int32, {128: "asimddp"}, "sdot", _sdot, 4),
}


def types() -> Mapping[str, Type]:
    """The types of this machine's instruction set."""
    return ARM if target.is_arm() else X86


def missing(features: Sequence[str], dtype: str) -> str:
    """Why this core has no multiply-add of this type, or nothing."""
    row = types().get(dtype)
    if row is None:
        return f"no kernel for {dtype} on this kind of CPU yet"
    needed = row.needs.get(vector(features, row.integers).bits)
    if needed in features:
        return ""
    return f"this core has no {' or '.join(dict.fromkeys(row.needs.values()))}"


def shape(features: Sequence[str], dtype: str) -> dict[str, int]:
    """The params that fill this core: chains, lanes, steps and products."""
    row = types()[dtype]
    unit = vector(features, row.integers)
    return {
        "chains": unit.chains,
        "lanes": row.lanes(unit.bits),
        "steps": STEPS,
        "products": row.products,
    }


def unit_for(device: Device, dtype: str, lanes: int) -> Vector:
    """The unit that computes this type here, so many lanes at once.

    Raises Unavailable where the compiler does not use what the params were written for.
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
    """A launch of ``threads`` x ``chains`` x ``lanes`` chains; each thread writes its chains'
    values.
    """
    chains, lanes, threads, row = (
        params["chains"],
        params["lanes"],
        params["threads"],
        types()[dtype],
    )
    unit = unit_for(device, dtype, lanes)
    native = _native(unit, dtype, chains, lanes, params["steps"])
    out = np.zeros((threads, chains * lanes), row.number)
    operands = [_operand(dtype, params[name]) for name in ("m", "c")]
    rows = [pack([line.ctypes.data, *operands]) for line in out]
    spec = Spec(row.pattern, 2.0 * row.products * row.lanes(128), threads)
    return CpuLaunch(native, rows, queue, [out], lambda held: held[0], spec)


def _operand(dtype: str, value: float) -> Any:
    """A multiplier or addend as every lane holds it; bfloat16 twice, one for each product."""
    return (
        np.uint32(bfloat16_pair(value)).view(np.int32)
        if dtype == "bf16"
        else types()[dtype].number(value)
    )


@cache
def _native(unit: Vector, dtype: str, chains: int, lanes: int, steps: int) -> Native:
    def emit(builder: IRBuilder, arguments: Value, repeat: Value) -> None:
        _loop(builder, arguments, repeat, unit, dtype, chains, lanes, steps)

    return compile_kernel(emit)


def _loop(
    b: IRBuilder,
    arguments: Value,
    repeat: Value,
    unit: Vector,
    dtype: str,
    chains: int,
    lanes: int,
    steps: int,
) -> None:
    """``repeat`` trips of ``steps`` multiply-adds on each of ``chains`` registers, then store them
    all.
    """
    row = types()[dtype]
    scalar = scalar_type(row.number)
    kind = ir.VectorType(scalar, lanes)
    operand = ir.IntType(32) if row.products > 1 else scalar
    m, c = (splat(b, load_argument(b, arguments, index, operand), lanes) for index in (1, 2))

    def trip(_: Any, values: Any) -> Any:
        for _ in range(steps):
            values = [row.step(b, unit, x, m, c) for x in values]
        return values

    number = (
        "fp32" if row.number is np.float32 else dtype
    )  # a dot product starts like what it adds into
    starts = [[start(k * lanes + lane, number) for lane in range(lanes)] for k in range(chains)]
    last = loop(b, repeat, 1, [ir.Constant(kind, values) for values in starts], trip)
    out = load_argument(b, arguments, 0, kind.as_pointer())
    for index, value in enumerate(last):
        store = b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), index)]))
        store.align = np.dtype(row.number).itemsize


def scalar_type(number: Any) -> Any:
    """The LLVM type of a NumPy number."""
    floats = {np.float64: ir.DoubleType(), np.float32: ir.FloatType(), np.float16: ir.HalfType()}
    return floats.get(number) or ir.IntType(32)
