"""Multiply-add chains on the CPU's vector units: the most arithmetic a core can issue, in every type it has."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kernels.asm import Spec
from kernels.cpu import (
    CpuLaunch,
    Native,
    Vector,
    compile_kernel,
    external,
    load_argument,
    loop,
    multiply_add,
    pack,
    splat,
    vector,
)
from kernels.fma import bfloat16_pair, start

STEPS = 8  # multiply-adds of each chain in one trip of the loop: 128 for 16 chains, so the loop costs nothing


@dataclass(frozen=True)
class Type:
    """One type on one instruction set.

    number: of a chain's values in memory; needs: the feature without which it does not exist (one of these);
    pattern: mnemonics that do the work; step: writes one multiply-add; products: multiply-adds into each value.
    """

    number: Any
    needs: tuple[str, ...]
    pattern: str
    step: Callable[..., Any]
    products: int = 1

    def lanes(self, bits: int) -> int:
        """Values in a register of ``bits``."""
        return bits // 8 // np.dtype(self.number).itemsize


def _fused(b: Any, unit: Vector, x: Any, m: Any, c: Any) -> Any:
    return multiply_add(b, x, m, c, unit.fma)


def _separate(b: Any, unit: Vector, x: Any, m: Any, c: Any) -> Any:
    return b.add(b.mul(x, m), c)


def _x86(name: str) -> Callable[..., Any]:
    """A dot-product intrinsic; its operands as 32-bit lanes, the form every LLVM takes."""

    def step(b: Any, unit: Vector, x: Any, m: Any, c: Any) -> Any:
        from llvmlite import ir

        words = ir.VectorType(ir.IntType(32), x.type.count)
        kind = ir.FunctionType(x.type, [x.type, words, words])
        given = [b.bitcast(value, words) for value in (m, c)]
        return b.call(external(b, f"llvm.x86.{name}.{unit.bits}", kind), [x, *given])

    return step


def _sdot(b: Any, unit: Vector, x: Any, m: Any, c: Any) -> Any:
    from llvmlite import ir

    octets = ir.VectorType(ir.IntType(8), 16)
    kind = ir.FunctionType(x.type, [x.type, octets, octets])
    given = [b.bitcast(value, octets) for value in (m, c)]
    return b.call(external(b, "llvm.aarch64.neon.sdot.v4i32.v16i8", kind), [x, *given])


_FMA_X86 = r"vfn?m(add|sub)\d+p[sdh]|v?mulp[sdh]"
X86 = {
    "fp64": Type(np.float64, ("sse2",), _FMA_X86, _fused),
    "fp32": Type(np.float32, ("sse2",), _FMA_X86, _fused),
    "fp16": Type(np.float16, ("avx512_fp16",), _FMA_X86, _fused),
    "bf16": Type(np.float32, ("avx512_bf16",), "vdpbf16ps", _x86("avx512bf16.dpbf16ps"), 2),
    "int32": Type(np.int32, ("avx512f", "avx2", "sse4_1"), "v?pmulld", _separate),
    "int8": Type(np.int32, ("avx512_vnni", "avx_vnni"), "vpdpbusd", _x86("avx512.vpdpbusd"), 4),
}
ARM = {
    "fp64": Type(np.float64, ("asimd",), "fmla|fmls|fmad", _fused),
    "fp32": Type(np.float32, ("asimd",), "fmla|fmls|fmad", _fused),
    "fp16": Type(np.float16, ("asimdhp",), "fmla|fmls|fmad", _fused),
    "int32": Type(np.int32, ("asimd",), "mla", _separate),
    "int8": Type(np.int32, ("asimddp",), "sdot", _sdot, 4),
}


def types() -> Mapping[str, Type]:
    """The types of this machine's instruction set."""
    return ARM if platform.machine() in ("aarch64", "arm64") else X86


def missing(features: Sequence[str], dtype: str) -> str:
    """Why this core has no multiply-add of this type, or nothing."""
    row = types().get(dtype)
    if row is None:
        return f"no kernel for {dtype} on {platform.machine()} yet"
    return "" if set(row.needs) & set(features) else f"this core has no {' or '.join(row.needs)}"


def shape(features: Sequence[str], dtype: str) -> dict[str, int]:
    """The params that fill this core: chains, lanes, steps and products."""
    unit, row = vector(features), types()[dtype]
    return {"chains": unit.chains, "lanes": row.lanes(unit.bits), "steps": STEPS, "products": row.products}


def build(device: Any, dtype: str, params: Mapping[str, Any], queue: Any) -> CpuLaunch:
    """A launch of ``threads`` x ``chains`` x ``lanes`` chains; each thread writes its chains' values."""
    chains, lanes, threads, row = params["chains"], params["lanes"], params["threads"], types()[dtype]
    unit = vector(device.features)
    native = _native(unit, dtype, chains, lanes, params["steps"])
    out = np.zeros((threads, chains * lanes), row.number)
    operands = [_operand(dtype, params[name]) for name in ("m", "c")]
    rows = [pack([line.ctypes.data, *operands]) for line in out]
    spec = Spec(row.pattern, 2.0 * row.products * row.lanes(128), threads)
    return CpuLaunch(native, rows, queue, [out], lambda held: held[0], spec)


def _operand(dtype: str, value: float) -> Any:
    """A multiplier or addend as every lane holds it; bfloat16 twice, one for each product."""
    return np.uint32(bfloat16_pair(value)).view(np.int32) if dtype == "bf16" else types()[dtype].number(value)


@cache
def _native(unit: Vector, dtype: str, chains: int, lanes: int, steps: int) -> Native:
    def emit(builder: Any, arguments: Any, repeat: Any) -> None:
        _loop(builder, arguments, repeat, unit, dtype, chains, lanes, steps)

    return compile_kernel(emit)


def _loop(b: Any, arguments: Any, repeat: Any, unit: Vector, dtype: str, chains: int, lanes: int, steps: int) -> None:
    """``repeat`` trips of ``steps`` multiply-adds on each of ``chains`` registers, then store them all."""
    from llvmlite import ir

    row = types()[dtype]
    scalar = scalar_type(row.number)
    kind = ir.VectorType(scalar, lanes)
    operand = ir.IntType(32) if row.products > 1 else scalar
    m, c = (splat(b, load_argument(b, arguments, index, operand), lanes) for index in (1, 2))

    def trip(_: Any, values: Any) -> Any:
        for _ in range(steps):
            values = [row.step(b, unit, x, m, c) for x in values]
        return values

    number = "fp32" if row.number is np.float32 else dtype  # a dot product starts like what it adds into
    starts = [[start(k * lanes + lane, number) for lane in range(lanes)] for k in range(chains)]
    last = loop(b, repeat, 1, [ir.Constant(kind, values) for values in starts], trip)
    out = load_argument(b, arguments, 0, kind.as_pointer())
    for index, value in enumerate(last):
        store = b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), index)]))
        store.align = np.dtype(row.number).itemsize


def scalar_type(number: Any) -> Any:
    """The LLVM type of a NumPy number."""
    from llvmlite import ir

    floats = {np.float64: ir.DoubleType(), np.float32: ir.FloatType(), np.float16: ir.HalfType()}
    return floats.get(number) or ir.IntType(32)
