"""The intrinsics that Numba CUDA kernels are made of, one PTX instruction each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from kernels.cpu.intrinsic import intrinsic_of
from kernels.cuda.numba.pieces import WIDTH, Pieces

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value


def native(dtype: str) -> Pieces:
    """The pieces for this type."""
    from numba import types

    i64 = ir.IntType(64)
    scalar = ir.FloatType() if dtype == "fp32" else ir.DoubleType()
    ours = types.float32 if dtype == "fp32" else types.float64
    width, suffix, letter = (
        WIDTH[dtype],
        f"v{WIDTH[dtype]}.f{128 // WIDTH[dtype]}",
        "f" if dtype == "fp32" else "d",
    )
    size = 16 // width

    def tuple_of(b: IRBuilder, values: Sequence[Any], kind: Any) -> Any:
        made = ir.Constant(ir.ArrayType(kind, len(values)), ir.Undefined)
        for k, value in enumerate(values):
            made = b.insert_value(made, value, k)
        return made

    def parts(b: IRBuilder, packed: Value, count: int) -> list[Any]:
        return [b.extract_value(packed, k) for k in range(count)]

    def address(b: IRBuilder, base: Value, index: Value, stride: int) -> Any:
        return b.add(base, b.mul(index, ir.Constant(i64, stride)))

    def load(b: IRBuilder, base: Value, index: Value) -> Any:
        outputs = ", ".join(f"${k}" for k in range(width))
        kind = ir.FunctionType(ir.LiteralStructType([scalar] * width), [i64])
        text = f"ld.global.{suffix} {{{outputs}}}, [${width}];"
        got = b.asm(
            kind,
            text,
            ",".join([f"={letter}"] * width + ["l"]),
            [address(b, base, index, 16)],
            True,
        )
        return tuple_of(b, parts(b, got, width), scalar)

    def store(b: IRBuilder, base: Value, index: Value, values: Any) -> None:
        inputs = ", ".join(f"${k + 1}" for k in range(width))
        kind = ir.FunctionType(ir.VoidType(), [i64] + [scalar] * width)
        given = [address(b, base, index, 16), *parts(b, values, width)]
        b.asm(
            kind,
            f"st.global.{suffix} [$0], {{{inputs}}};",
            ",".join(["l"] + [letter] * width),
            given,
            True,
        )

    def put_as(kind: Any, stride: int) -> Callable[..., None]:
        def put(b: IRBuilder, base: Value, index: Value, value: Value) -> None:
            b.store(value, b.inttoptr(address(b, base, index, stride), kind.as_pointer()))

        return put

    def starts(count: int) -> Any:
        values = [ir.Constant(scalar, 1 + k / 1024) for k in range(count)]
        return intrinsic_of(lambda b: tuple_of(b, values, scalar), types.UniTuple(ours, count), [])

    def advance(count: int, steps: int) -> Any:
        def write(b: IRBuilder, packed: Value, m: Value, c: Value) -> Any:
            x = parts(b, packed, count)
            for _ in range(steps):
                x = [b.fma(v, m, c) for v in x]
            return tuple_of(b, x, scalar)

        chains = types.UniTuple(ours, count)
        return intrinsic_of(write, chains, [chains, ours, ours])

    def put(count: int) -> Any:
        def write(b: IRBuilder, out: Value, thread: Value, threads: Value, packed: Value) -> None:
            for k, value in enumerate(parts(b, packed, count)):
                index = b.add(thread, b.mul(threads, ir.Constant(i64, k)))
                put_as(scalar, size)(b, out, index, value)

        return intrinsic_of(write, types.void, [types.int64] * 3 + [types.UniTuple(ours, count)])

    def scaled(b: IRBuilder, factor: Value, a: Value) -> Any:
        return tuple_of(b, [b.fmul(factor, v) for v in parts(b, a, width)], scalar)

    def added(b: IRBuilder, a: Value, other: Value) -> Any:
        pairs = zip(parts(b, a, width), parts(b, other, width), strict=True)
        return tuple_of(b, [b.fadd(v, w) for v, w in pairs], scalar)

    def summed(b: IRBuilder, a: Value) -> Any:
        first, *rest = parts(b, a, width)
        for value in rest:
            first = b.fadd(first, value)
        return first

    def register(name: str) -> Any:
        kind = ir.FunctionType(i64, [])
        return intrinsic_of(
            lambda b: b.asm(kind, f"mov.u64 $0, %{name};", "=l", [], True), types.int64, []
        )

    vector, integer = types.UniTuple(ours, width), types.int64
    return Pieces(
        starts=starts,
        advance=advance,
        put=put,
        put_clock=intrinsic_of(put_as(i64, 8), types.void, [integer] * 3),
        cycles=register("clock64"),
        nanoseconds=register("globaltimer"),
        load=intrinsic_of(load, vector, [integer] * 2),
        store=intrinsic_of(store, types.void, [integer, integer, vector]),
        put_sum=intrinsic_of(
            put_as(ir.DoubleType(), 8), types.void, [integer, integer, types.float64]
        ),
        scaled=intrinsic_of(scaled, vector, [ours, vector]),
        added=intrinsic_of(added, vector, [vector, vector]),
        summed=intrinsic_of(summed, ours, [vector]),
        same=intrinsic_of(lambda b, v: tuple_of(b, [v] * width, scalar), vector, [ours]),
    )
