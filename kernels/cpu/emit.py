"""CPU kernels as explicit vector code: Numba compiles LLVM IR that says exactly which instructions
run.

Plain loops leave the vector width, the unrolling and the kind of store to the compiler, which picks
half the width on some cores; a roof must not depend on that. Each kernel becomes one native
function ``void(int64 *arguments, int64 repeat)``, called by every thread of the team with its own
arguments.
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
    """A compiled kernel: its address, its assembly, and the object that keeps the code alive."""

    address: int
    assembly: str
    owner: Any


@dataclass(frozen=True)
class Vector:
    """The vector unit to write for: register width in bits, accumulators that fit, and fused
    multiply-add.

    Sixteen chains cover latency x pipes on every core known and fit 32 registers; with 16 registers
    (AVX2) the sixteen would spill, so twelve.
    """

    bits: int
    chains: int
    fma: bool

    def lanes(self, itemsize: int) -> int:
        """Elements of ``itemsize`` bytes in one register."""
        return self.bits // 8 // itemsize


def vector(features: Sequence[str], integers: bool = False) -> Vector:
    """The vector unit behind these instruction-set features (names as in /proc/cpuinfo);
    ``integers``: that computes on whole numbers, which AVX alone does not.

    Every form of fused multiply-add of x86 is an instruction of AVX or of what followed it.
    """
    if "asimd" in features:
        return Vector(128, 16, True)
    if "avx512f" in features and "fma" in features:
        return Vector(512, 16, True)
    if "avx2" in features or ("avx" in features and not integers):
        return Vector(256, 12, "fma" in features)
    return Vector(128, 12, False)


def unit_of(device: Device, integers: bool = False) -> Vector:
    """The vector unit of this machine as far as both the device and the compiler know it."""
    return vector(target.usable(device.features), integers)


def compile_kernel(emit: Emit) -> Native:
    """Compile ``emit`` for this machine's CPU. Takes 0.05 to 0.5 s."""
    target.tell()
    from numba import cfunc, types

    from kernels.cpu.intrinsic import intrinsic_of

    arguments = [types.voidptr, types.int64]
    body = intrinsic_of(emit, types.void, arguments)

    def entry(arguments, repeat):  # type: ignore[no-untyped-def]
        body(arguments, repeat)

    code: Any = cfunc(types.void(*arguments))(entry)
    return Native(code.address, code._library.get_asm_str(), code)


def load_argument(builder: IRBuilder, arguments: Value, index: int, kind: Any = None) -> Any:
    """The ``index``-th 64-bit argument of this thread: an integer, its low bits as ``kind``, or a
    pointer.
    """
    i64 = ir.IntType(64)
    base = builder.bitcast(arguments, i64.as_pointer())
    value = builder.load(builder.gep(base, [ir.Constant(i64, index)]))
    if kind is None:
        return value
    if isinstance(kind, ir.PointerType):
        return builder.inttoptr(value, kind)
    bits = {"half": 16, "float": 32, "double": 64}.get(str(kind)) or kind.width
    low = value if bits == 64 else builder.trunc(value, ir.IntType(bits))
    return builder.bitcast(low, kind)


def splat(builder: IRBuilder, value: Value, lanes: int) -> Any:
    """A vector with ``value`` in every lane."""
    kind = ir.VectorType(value.type, lanes)
    one = builder.insert_element(
        ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
    )
    mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), mask)


def multiply_add(builder: IRBuilder, x: Value, m: Value, c: Value, fma: bool) -> Any:
    """``x * m + c``: fused where the core has it; elsewhere ``llvm.fma`` would call a library
    function.
    """
    if not fma:
        return builder.fadd(builder.fmul(x, m), c)
    kind = x.type  # llvmlite's own fma takes scalars only
    name = f"llvm.fma.v{kind.count}{kind.element.intrinsic_name}"
    return builder.call(external(builder, name, ir.FunctionType(kind, [kind] * 3)), [x, m, c])


def external(builder: IRBuilder, name: str, kind: Any) -> Any:
    """A function of this name, declared once in the builder's module: an LLVM intrinsic or a C
    function.
    """
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


def loop(
    builder: IRBuilder,
    count: Value,
    step: int,
    carried: Sequence[Any],
    body: Callable[..., Sequence[Any]],
) -> list[Any]:
    """``for index in range(0, count, step): carried = body(index, carried)``, run at least once.

    An empty side effect in the body keeps the compiler from removing the loop; a count it knows it
    may yet write out. Returns the carried values after the loop; the builder stands behind it.
    """
    i64 = ir.IntType(64)
    before, inside, after = (
        builder.block,
        builder.append_basic_block(),
        builder.append_basic_block(),
    )
    builder.branch(inside)
    builder.position_at_end(inside)
    index, *phis = (builder.phi(kind) for kind in (i64, *(v.type for v in carried)))
    results = list(body(index, phis))
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "", [], side_effect=True)
    following = builder.add(index, ir.Constant(i64, step))
    for phi, first, then in zip(
        (index, *phis), (ir.Constant(i64, 0), *carried), (following, *results), strict=True
    ):
        phi.add_incoming(first, before)
        phi.add_incoming(then, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, count), inside, after)
    builder.position_at_end(after)
    return results


def opaque(builder: IRBuilder, number: int) -> Any:
    """A number that the compiler cannot see: a loop of so many trips stays one."""
    i64 = ir.IntType(64)
    return builder.asm(
        ir.FunctionType(i64, [i64]), "", "=r,0", [ir.Constant(i64, number)], side_effect=False
    )


def apart(builder: IRBuilder, count: Value, index: Value, registers: int, places: int) -> list[Any]:
    """Which of ``count`` registers an iteration of ``registers`` takes from each of ``places``
    equal parts of an array.

    ``index`` runs over the whole array. A core's prefetchers follow each part on its own and so ask
    for more lines at once than they would of one: where loads wait for arithmetic, nothing else
    keeps memory busy.
    """
    number, each = (lambda n: ir.Constant(index.type, n)), registers // places
    part, at = builder.udiv(count, number(places)), builder.udiv(index, number(places))
    starts = [builder.add(at, builder.mul(part, number(place))) for place in range(places)]
    return [builder.add(start, number(k)) for start in starts for k in range(each)]
