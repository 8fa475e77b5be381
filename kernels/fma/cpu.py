"""Multiply-add chains on the CPU's vector units: the most arithmetic a core can issue.

Arm has several instructions for some types. The usual one of each has no path; the others, matrix
products of small tiles and the registers of SVE, are rows of ``ARM_PATHS``.
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
    register_type,
    scalable,
    splat,
    splat_scalable,
    suffix,
    vector,
)
from kernels.cpu.launch import CpuLaunch, Team, pack
from kernels.device import Device
from kernels.fma.work import bfloat16_pair, start

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

SVE = "sve"
"""The path by which the usual instruction of a type takes the registers of SVE."""
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
    sve: tuple[str, ...] = ()
    """The features that it needs with the registers of SVE, which are of any length; then ``needs``
    is empty. Empty for other registers.
    """

    @property
    def integers(self) -> bool:
        """True if the chains hold whole numbers."""
        return self.number is np.int32

    def lanes(self, bits: int) -> int:
        """Values in a register of so many bits."""
        return bits // 8 // np.dtype(self.number).itemsize

    def unit(self, features: Sequence[str]) -> Vector:
        """The vector unit that computes it on a core with these features."""
        return scalable(features) if self.sve else vector(features, self.integers)

    def missing(self, features: Sequence[str]) -> str:
        """Why a core with these features does not have it; empty if it has."""
        bits = self.unit(features).bits
        if not self.sve:
            any_of = " or ".join(dict.fromkeys(self.needs.values()))
            return "" if self.needs.get(bits) in features else f"this core has no {any_of}"
        for name in self.sve:
            if name not in features:
                return f"this core has no {name}"
        if target.sve_bits(features) is None:
            return "the system does not tell how long this core's SVE registers are"
        if bits == target.NEON_BITS:
            return f"this core's SVE registers have {bits} bits, as those of NEON: the same work"
        return ""


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


def _arm(name: str) -> Callable[..., Any]:
    """The step of an intrinsic that takes its operands as bytes: ``neon.sdot``, ``sve.smmla``."""
    has_bytes_in_its_name = name.startswith("neon.")

    def step(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
        octets = register_type(unit, ir.IntType(8), unit.lanes(1))
        words = f"llvm.aarch64.{name}.{suffix(x.type)}"
        intrinsic = f"{words}.{suffix(octets)}" if has_bytes_in_its_name else words
        return _dot_product(b, intrinsic, x, m, c, octets)

    return step


def _dot_product(b: IRBuilder, name: str, x: Value, m: Value, c: Value, operand: Any) -> Any:
    """Call an intrinsic that adds the dot products of ``m`` and ``c``, as ``operand``, to ``x``."""
    kind = ir.FunctionType(x.type, [x.type, operand, operand])
    operands = [b.bitcast(m, operand), b.bitcast(c, operand)]
    return b.call(external(b, name, kind), [x, *operands])


def _bfloat(name: str) -> Callable[..., Any]:
    """The step of ``bfdot`` or ``bfmmla``.

    It is assembly, since llvmlite has no type for what their intrinsics take.
    """

    def step(b: IRBuilder, unit: Vector, x: Value, m: Value, c: Value) -> Any:
        singles, halves = ("s", "h") if unit.scalable else ("4s", "8h")
        text = f"{name} $0.{singles}, $2.{halves}, $3.{halves}"
        kind = ir.FunctionType(x.type, [x.type, m.type, c.type])
        return b.asm(kind, text, "=w,0,w,w", [x, m, c], side_effect=False)

    return step


_FMA_X86 = r"vfn?m(add|sub)\d+p[sdh]|v?mulp[sdh]"
_FMA_ARM = "fmla|fmls|fmad"
_INT_SVE = "ml[as]$|mad$"
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
    "bf16": Type(np.float32, {128: "bf16"}, "bfdot", _bfloat("bfdot"), 2),
    "int32": Type(np.int32, {128: "asimd"}, "mla", _separate),
    "int8": Type(np.int32, {128: "asimddp"}, "sdot", _arm("neon.sdot"), 4),
}


_SVE = ("sve",)
_SVE_BF16 = ("sve", "svebf16", "bf16")  # LLVM asks for the last, the core for the one before
_SVE_I8MM = ("sve", "svei8mm", "i8mm")

ARM_PATHS: Mapping[str, Mapping[str, Type]] = {
    "fp64": {SVE: Type(np.float64, {}, _FMA_ARM, _fused, 1, _SVE)},
    "fp32": {SVE: Type(np.float32, {}, _FMA_ARM, _fused, 1, _SVE)},
    "fp16": {SVE: Type(np.float16, {}, _FMA_ARM, _fused, 1, _SVE)},
    "bf16": {
        "bfmmla": Type(np.float32, {128: "bf16"}, "bfmmla", _bfloat("bfmmla"), 4),
        SVE: Type(np.float32, {}, "bfdot", _bfloat("bfdot"), 2, _SVE_BF16),
        "sve_bfmmla": Type(np.float32, {}, "bfmmla", _bfloat("bfmmla"), 4, _SVE_BF16),
    },
    "int32": {SVE: Type(np.int32, {}, _INT_SVE, _separate, 1, _SVE)},
    "int8": {
        "usdot": Type(np.int32, {128: "i8mm"}, "usdot", _arm("neon.usdot"), 4),
        "smmla": Type(np.int32, {128: "i8mm"}, "smmla", _arm("neon.smmla"), 8),
        SVE: Type(np.int32, {}, "sdot", _arm("sve.sdot"), 4, _SVE),
        "sve_smmla": Type(np.int32, {}, "smmla", _arm("sve.smmla"), 8, _SVE_I8MM),
    },
}
"""Further instructions of a type, by the path that their tags name.

``smmla`` and ``bfmmla`` multiply tiles of two rows: each value gets twice as many products as it
does of a dot product.
"""


def types() -> Mapping[str, Type]:
    """The types of this machine's instruction set, each by its usual instruction."""
    return ARM if target.is_arm() else X86


def paths(dtype: str) -> tuple[str, ...]:
    """The ways to multiply-adds of this type on this machine's kind of CPU, the usual one first."""
    return ("", *ARM_PATHS.get(dtype, ())) if target.is_arm() else ("",)


def row_of(dtype: str, path: str = "") -> Type:
    """How a type is computed by this path. Raises KeyError where there is no such way here."""
    return ARM_PATHS[dtype][path] if path else types()[dtype]


def missing(features: Sequence[str], dtype: str, path: str = "") -> str:
    """Why a core with these features has no multiply-add of this type; empty if it has one."""
    return row_of(dtype, path).missing(features)


def shape(features: Sequence[str], dtype: str, path: str = "") -> dict[str, int]:
    """The params that fill a core with these features: chains, lanes, steps and products."""
    row = row_of(dtype, path)
    unit = row.unit(features)
    return {
        "chains": unit.chains,
        "lanes": row.lanes(unit.bits),
        "steps": STEPS,
        "products": row.products,
    }


def unit_for(device: Device, dtype: str, lanes: int, path: str = "") -> Vector:
    """The vector unit that computes ``lanes`` values of this type at once here.

    Raises Unavailable where the compiler does not use what the params were made for.
    """
    row = row_of(dtype, path)
    features = target.usable(device.features)
    unit = row.unit(features)
    if reason := row.missing(features):
        raise Unavailable(reason)
    if row.sve and target.sve_bits(features) != target.sve_bits(target.sve_feature()):
        raise Unavailable(f"this process has no SVE registers of {unit.bits} bits")
    if lanes != row.lanes(unit.bits):
        here = f"this machine and its compiler have registers of {unit.bits} bits"
        raise Unavailable(
            f"{lanes} lanes of {dtype} were asked for: {here}, which hold {row.lanes(unit.bits)}"
        )
    return unit


def build(
    device: Device, dtype: str, params: Mapping[str, Any], queue: Team, path: str = ""
) -> CpuLaunch:
    """A launch of ``threads`` x ``chains`` x ``lanes`` chains.

    Each thread writes the last values of its chains; the result is [threads, chains x lanes].
    """
    row = row_of(dtype, path)
    chains = params["chains"]
    lanes = params["lanes"]
    threads = params["threads"]
    unit = unit_for(device, dtype, lanes, path)
    native = _native(unit, dtype, path, chains, lanes, params["steps"])
    out = np.zeros((threads, chains * lanes), row.number)
    starts = np.array(start(np.arange(chains * lanes), _start_dtype(row, dtype)), row.number)
    m = _operand(dtype, params["m"])
    c = _operand(dtype, params["c"])
    rows = [pack([values.ctypes.data, m, c, starts.ctypes.data]) for values in out]
    sve_bits = unit.bits if row.sve else 0
    spec = Spec(row.pattern, 2.0 * row.products * row.lanes(128), threads, sve_bits)
    return CpuLaunch(native, rows, queue, [out, starts], lambda buffers: buffers[0], spec)


def _start_dtype(row: Type, dtype: str) -> str:
    """The type whose start values the chains have: a dot product's are like what it adds into."""
    return "fp32" if row.number is np.float32 else dtype


def _operand(dtype: str, value: float) -> Any:
    """A multiplier or addend as every lane holds it; of bfloat16 two, one for each product."""
    if dtype == "bf16":
        return np.uint32(bfloat16_pair(value)).view(np.int32)
    return types()[dtype].number(value)


@cache
def _native(unit: Vector, dtype: str, path: str, chains: int, lanes: int, steps: int) -> Native:
    def emit(builder: IRBuilder, arguments: Value, repeat: Value) -> None:
        _emit_chains(builder, arguments, repeat, unit, dtype, path, chains, lanes, steps)

    return compile_kernel(emit)


def _emit_chains(
    b: IRBuilder,
    arguments: Value,
    repeat: Value,
    unit: Vector,
    dtype: str,
    path: str,
    chains: int,
    lanes: int,
    steps: int,
) -> None:
    """Emit ``repeat`` trips of ``steps`` multiply-adds on each of ``chains`` registers.

    At the end all registers are stored.
    """
    row = row_of(dtype, path)
    scalar = scalar_type(row.number)
    kind = register_type(unit, scalar, lanes)
    operand = ir.IntType(32) if row.products > 1 else scalar
    m = load_argument(b, arguments, 1, operand)
    c = load_argument(b, arguments, 2, operand)
    if unit.scalable:
        operands = register_type(unit, operand, lanes)
        m, c = (splat_scalable(b, value, operands) for value in (m, c))
    else:
        m, c = (splat(b, value, lanes) for value in (m, c))

    def trip(_: Any, values: Any) -> Any:
        for _ in range(steps):
            values = [row.step(b, unit, x, m, c) for x in values]
        return values

    if unit.scalable:
        starts = _loaded_starts(b, arguments, kind, chains, np.dtype(row.number).itemsize)
    else:
        starts = []
        for k in range(chains):
            lane_indices = range(k * lanes, (k + 1) * lanes)
            values = [start(index, _start_dtype(row, dtype)) for index in lane_indices]
            starts.append(ir.Constant(kind, values))
    results = loop(b, repeat, 1, starts, trip)
    out = load_argument(b, arguments, 0, kind.as_pointer())
    for index, value in enumerate(results):
        store = b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), index)]))
        store.align = np.dtype(row.number).itemsize


def _loaded_starts(
    b: IRBuilder, arguments: Value, kind: Any, chains: int, alignment: int
) -> list[Any]:
    """The start values of all chains from memory: LLVM has no constants of SVE's registers."""
    base = load_argument(b, arguments, 3, kind.as_pointer())
    starts = []
    for k in range(chains):
        load = b.load(b.gep(base, [ir.Constant(ir.IntType(64), k)]))
        load.align = alignment
        starts.append(load)
    return starts


def scalar_type(number: Any) -> Any:
    """The LLVM type of a NumPy type: a float, or an integer of 32 bits."""
    floats = {np.float64: ir.DoubleType(), np.float32: ir.FloatType(), np.float16: ir.HalfType()}
    return floats.get(number) or ir.IntType(32)
