"""CPU kernels as explicit vector code: LLVM IR that says which instructions run.

Plain loops would leave the vector width, the unrolling and the kind of store to the compiler, which
picks half the width on some cores. A roof must not depend on that. Numba compiles each kernel to
one native function ``void(int64 *arguments, int64 repeat)``, which every thread of the team calls
with its own arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from kernels.cpu import target
from kernels.device import Device

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

Emit = Callable[..., None]
"""``emit(builder, arguments, repeat)`` writes the body of a kernel at the builder's position."""


@dataclass(frozen=True)
class Native:
    """A compiled kernel."""

    address: int
    assembly: str
    owner: Any
    """The object that keeps the code alive."""


@dataclass(frozen=True)
class Vector:
    """The vector unit to write for."""

    bits: int
    """Width of one register."""
    chains: int
    """Accumulators that fit into registers.

    Sixteen cover latency x pipes on every core known, and fit where there are 32 registers. With 16
    registers (AVX2) sixteen would spill, so there are twelve.
    """
    fma: bool
    """True if multiply-adds are fused."""
    scalable: bool = False
    """True for registers of SVE: the code says how many elements 128 bits hold."""

    def lanes(self, itemsize: int) -> int:
        """Elements of ``itemsize`` bytes in one register."""
        return self.bits // 8 // itemsize


def vector(features: Sequence[str], integers: bool = False) -> Vector:
    """The vector unit behind these features (names as in /proc/cpuinfo).

    integers: the unit that computes on whole numbers, which AVX alone does not. All fused
    multiply-adds of x86 are instructions of AVX or of what followed it.
    """
    if "asimd" in features:
        return Vector(128, 16, True)
    if "avx512f" in features and "fma" in features:
        return Vector(512, 16, True)
    if "avx2" in features or ("avx" in features and not integers):
        return Vector(256, 12, "fma" in features)
    return Vector(128, 12, False)


def scalable(features: Sequence[str]) -> Vector:
    """The unit behind the 32 registers of SVE, whose length these features tell.

    A64FX, whose multiply-adds take nine cycles in two pipes, needs eighteen chains.
    """
    return Vector(target.sve_bits(features) or target.NEON_BITS, 24, True, scalable=True)


class ScalableType(ir.VectorType):
    """LLVM's ``<vscale x 4 x float>``: ``count`` elements for each 128 bits of a register."""

    def _to_string(self) -> str:
        return f"<vscale x {self.count} x {self.element}>"


def register_type(unit: Vector, element: Any, lanes: int) -> Any:
    """The LLVM type of a register of this unit, which holds ``lanes`` elements."""
    if unit.scalable:
        return ScalableType(element, lanes * target.NEON_BITS // unit.bits)
    return ir.VectorType(element, lanes)


def unit_of(device: Device, integers: bool = False) -> Vector:
    """The vector unit of this machine, as far as both the device and the compiler know it."""
    return vector(target.usable(device.features), integers)


def compile_kernel(emit: Emit) -> Native:
    """Compile ``emit`` for this machine's CPU. Takes 0.05 to 0.5 s."""
    target.tell_numba()
    from numba import cfunc, types

    from kernels.cpu.intrinsic import intrinsic_of

    argument_types = [types.voidptr, types.int64]
    body = intrinsic_of(emit, types.void, argument_types)

    def entry(arguments, repeat):  # type: ignore[no-untyped-def]
        body(arguments, repeat)

    code: Any = cfunc(types.void(*argument_types))(entry)
    return Native(code.address, code._library.get_asm_str(), code)


def load_argument(builder: IRBuilder, arguments: Value, index: int, kind: Any = None) -> Any:
    """The ``index``-th 64-bit argument of this thread.

    It is an integer without ``kind``; else the pointer of this LLVM type, or its low bits as that.
    """
    i64 = ir.IntType(64)
    base = builder.bitcast(arguments, i64.as_pointer())
    value = builder.load(builder.gep(base, [ir.Constant(i64, index)]))
    if kind is None:
        return value
    if isinstance(kind, ir.PointerType):
        return builder.inttoptr(value, kind)
    float_bits = {"half": 16, "float": 32, "double": 64}
    bits = float_bits.get(str(kind)) or kind.width
    if bits < 64:
        value = builder.trunc(value, ir.IntType(bits))
    return builder.bitcast(value, kind)


def suffix(kind: Any) -> str:
    """How the names of LLVM's intrinsics write a register's type: ``v4f32``, ``nxv4i32``."""
    element = kind.element
    name = f"i{element.width}" if isinstance(element, ir.IntType) else element.intrinsic_name
    scales = "nx" if isinstance(kind, ScalableType) else ""
    return f"{scales}v{kind.count}{name}"


def splat_scalable(builder: IRBuilder, value: Value, kind: ScalableType) -> Any:
    """A register of SVE with ``value`` in every lane."""
    name = f"llvm.aarch64.sve.dup.x.{suffix(kind)}"
    return builder.call(external(builder, name, ir.FunctionType(kind, [kind.element])), [value])


def splat(builder: IRBuilder, value: Value, lanes: int) -> Any:
    """A vector with ``value`` in every lane."""
    i32 = ir.IntType(32)
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first_lane = builder.insert_element(undefined, value, ir.Constant(i32, 0))
    all_from_first = ir.Constant(ir.VectorType(i32, lanes), [0] * lanes)
    return builder.shuffle_vector(first_lane, undefined, all_from_first)


def multiply_add(builder: IRBuilder, x: Value, m: Value, c: Value, fma: bool) -> Any:
    """``x * m + c``, fused where the core has it.

    Elsewhere ``llvm.fma`` would call a library function.
    """
    if not fma:
        return builder.fadd(builder.fmul(x, m), c)
    kind = x.type  # llvmlite's own fma takes scalars only
    name = f"llvm.fma.{suffix(kind)}"
    intrinsic = external(builder, name, ir.FunctionType(kind, [kind] * 3))
    return builder.call(intrinsic, [x, m, c])


def external(builder: IRBuilder, name: str, kind: Any) -> Any:
    """An LLVM intrinsic or a C function, declared once in the builder's module."""
    module = builder.module
    return module.globals.get(name) or ir.Function(module, kind, name)


def loop(
    builder: IRBuilder,
    count: Value,
    step: int,
    carried: Sequence[Any],
    body: Callable[..., Sequence[Any]],
) -> list[Any]:
    """``for index in range(0, count, step): carried = body(index, carried)``, run at least once.

    Returns the carried values after the loop; the builder stands behind it. An empty side effect in
    the body keeps the compiler from removing the loop, but it may unroll one whose count it knows.
    """
    i64 = ir.IntType(64)
    before = builder.block
    inside = builder.append_basic_block()
    after = builder.append_basic_block()
    builder.branch(inside)
    builder.position_at_end(inside)
    index = builder.phi(i64)
    phis = [builder.phi(value.type) for value in carried]
    results = list(body(index, phis))
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)
    next_index = builder.add(index, ir.Constant(i64, step))
    end_of_body = builder.block
    index.add_incoming(ir.Constant(i64, 0), before)
    index.add_incoming(next_index, end_of_body)
    for phi, first, result in zip(phis, carried, results, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(result, end_of_body)
    builder.cbranch(builder.icmp_signed("<", next_index, count), inside, after)
    builder.position_at_end(after)
    return results


def unknown_to_compiler(builder: IRBuilder, number: int) -> Any:
    """A number that the compiler cannot see: a loop of so many trips is not unrolled."""
    i64 = ir.IntType(64)
    kind = ir.FunctionType(i64, [i64])
    return builder.asm(kind, "", "=r,0", [ir.Constant(i64, number)], side_effect=False)


def from_each_part(
    builder: IRBuilder, count: Value, index: Value, registers: int, parts: int
) -> list[Any]:
    """Numbers of the registers that one step loads, as many from each part of an array.

    The array of ``count`` registers has ``parts`` equal parts; a step loads ``registers``, and
    ``index`` runs over the whole array. A core's prefetchers follow each part on its own, and so
    ask for more lines at once than they would of one part. Where loads wait for arithmetic, nothing
    else keeps memory busy.
    """

    def number(n: int) -> Any:
        return ir.Constant(index.type, n)

    part_length = builder.udiv(count, number(parts))
    index_in_part = builder.udiv(index, number(parts))
    starts = []
    for part in range(parts):
        offset = builder.mul(part_length, number(part))
        starts.append(builder.add(index_in_part, offset))
    numbers: list[Any] = []
    for start in starts:
        numbers += [builder.add(start, number(k)) for k in range(registers // parts)]
    return numbers
