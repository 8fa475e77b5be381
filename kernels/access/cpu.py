"""Strides and scattered segments in the CPU's memory: scalar loads, and whole segments by the
widest loads that fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from kernels import pattern
from kernels.access.work import FACTORS, bits, shift
from kernels.base import ITEMSIZE, KernelError
from kernels.cpu.asm import Spec
from kernels.cpu.emit import Native, compile_kernel, load_argument, loop, unit_of
from kernels.cpu.launch import CpuLaunch, Team
from kernels.cpu.memory import aligned
from kernels.device import Device
from kernels.pattern import FLOATS

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

LINE = 64  # bytes
SUMS = 8  # accumulators: enough to hide the latency of an addition
# of SUMS additions between two moves into doubles: fp32 sums of small integers stay exact
TRIPS = 128
_PATTERN = Spec(r"v?mov[aus]?p?[sd]+|v?add[ps][sd]|ldp|ldr|ld1|fadd")


def stride(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """``threads`` threads that read every ``stride``-th of ``n`` elements between them."""
    n, step, threads = params["n"], params["stride"], params["threads"]
    edges = _edges(n // step, threads, SUMS * TRIPS)
    held = _filled(n, dtype, threads, queue)
    out = np.zeros((threads, LINE), np.float64)
    rows = [
        [held.ctypes.data + a * step * ITEMSIZE[dtype], b - a, step, row.ctypes.data]
        for (a, b), row in zip(edges, out, strict=True)
    ]
    return CpuLaunch(_strided(dtype), rows, queue, [held, out], _total, _PATTERN)


def gather(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """``threads`` threads that read each segment once between them, in the order of ``places``."""
    n, segment, threads = params["n"], params["segment_bytes"], params["threads"]
    count = bits(dtype, n, segment)
    lanes = min(unit_of(device).lanes(ITEMSIZE[dtype]), segment // ITEMSIZE[dtype])
    edges = _edges(1 << count, threads, SUMS)
    held = _filled(n, dtype, threads, queue)
    out = np.zeros((threads, SUMS * LINE // 8), np.float64)
    rows = [
        [held.ctypes.data, a, b - a, row.ctypes.data]
        for (a, b), row in zip(edges, out, strict=True)
    ]
    native = _scattered(lanes, segment // (lanes * ITEMSIZE[dtype]), count)
    return CpuLaunch(native, rows, queue, [held, out], _total, _PATTERN)


def _total(buffers: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([buffers[-1].sum()])


def _edges(count: int, threads: int, block: int) -> list[tuple[int, int]]:
    """Ranges of whole blocks, one for each thread. Raises KernelError where a block would be cut or
    a thread idle.
    """
    if count % block or count < block * threads:
        raise KernelError(
            f"{count} places on {threads} threads: take a multiple of {block}, "
            f"{block * threads} or more"
        )
    return list(pairwise(count // block * t // threads * block for t in range(threads + 1)))


def _filled(n: int, dtype: str, threads: int, queue: Team) -> np.ndarray:
    """The pattern on a cache line's boundary, first touched by all threads."""
    held = aligned(n, FLOATS[dtype])
    parts = [slice(a, b) for a, b in pairwise(n * t // threads for t in range(threads + 1))]
    queue.spread(lambda t: pattern.fill(held, parts[t], dtype, 0) if t < threads else None)
    return held


@cache
def _strided(dtype: str) -> Native:
    """The stride is known only at run time: no compiler can turn the scalar loads of stride 1 into
    vectors.
    """
    kind, wide, i64 = (
        (ir.FloatType() if dtype == "fp32" else ir.DoubleType()),
        ir.DoubleType(),
        ir.IntType(64),
    )

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        base, out = (
            load_argument(b, arguments, k, t.as_pointer()) for k, t in ((0, kind), (3, wide))
        )
        count, step = load_argument(b, arguments, 1), load_argument(b, arguments, 2)

        def block(first: Value, totals: Sequence[Value]) -> list[Any]:
            def trip(i: Any, sums: Sequence[Value]) -> list[Any]:
                at = [b.mul(b.add(b.add(first, i), ir.Constant(i64, k)), step) for k in range(SUMS)]
                return [
                    b.fadd(old, b.load(b.gep(base, [place])))
                    for old, place in zip(sums, at, strict=True)
                ]

            parts = loop(
                b, ir.Constant(i64, SUMS * TRIPS), SUMS, [ir.Constant(kind, 0.0)] * SUMS, trip
            )
            exact = [b.fpext(part, wide) if dtype == "fp32" else part for part in parts]
            return [b.fadd(old, part) for old, part in zip(totals, exact, strict=True)]

        def one_pass(*_: Any) -> list[Any]:
            _store(b, out, loop(b, count, SUMS * TRIPS, [ir.Constant(wide, 0.0)] * SUMS, block))
            return []

        loop(b, repeat, 1, [], one_pass)

    return compile_kernel(emit)


@cache
def _scattered(lanes: int, per_segment: int, number_bits: int) -> Native:
    """SUMS loads a trip, of one segment or several; a long segment is a loop of its own."""
    kind, i64 = ir.VectorType(ir.DoubleType(), lanes), ir.IntType(64)
    group = max(1, SUMS // per_segment)
    zero = [ir.Constant(kind, [0.0] * lanes)] * SUMS

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        base, out = (load_argument(b, arguments, k, kind.as_pointer()) for k in (0, 3))
        first, count = load_argument(b, arguments, 1), load_argument(b, arguments, 2)

        def visit(i: Any, sums: Sequence[Value]) -> list[Any]:
            visits = [b.add(b.add(first, i), ir.Constant(i64, k)) for k in range(group)]
            starts = [
                b.mul(_place(b, v, number_bits), ir.Constant(i64, per_segment)) for v in visits
            ]
            if per_segment > SUMS:

                def elements(k: Any, old: Sequence[Value]) -> list[Any]:
                    places = [b.add(starts[0], _plus(b, k, j)) for j in range(SUMS)]
                    return _added(b, base, places, old)

                return loop(b, ir.Constant(i64, per_segment), SUMS, sums, elements)
            return _added(
                b, base, [_plus(b, s, k) for s in starts for k in range(per_segment)], sums
            )

        def one_pass(*_: Any) -> list[Any]:
            _store(b, out, loop(b, count, group, zero, visit))
            return []

        loop(b, repeat, 1, [], one_pass)

    return compile_kernel(emit)


def _plus(b: IRBuilder, value: Value, number: int) -> Any:
    return b.add(value, ir.Constant(value.type, number))


def _place(b: IRBuilder, visit: Value, number_bits: int) -> Any:
    """``access.places`` in registers."""
    mask, half, first, second = (
        ir.Constant(visit.type, v) for v in ((1 << number_bits) - 1, shift(number_bits), *FACTORS)
    )
    mixed = b.and_(b.mul(visit, first), mask)
    return b.and_(b.mul(b.xor(mixed, b.lshr(mixed, half)), second), mask)


def _added(b: IRBuilder, base: Value, at: Sequence[Any], sums: Sequence[Any]) -> list[Any]:
    values = []
    for place in at:
        values.append(b.load(b.gep(base, [place])))
        values[-1].align = 8
    return [b.fadd(old, value) for old, value in zip(sums, values, strict=True)]


def _store(b: IRBuilder, out: Value, values: Sequence[Any]) -> None:
    for number, value in enumerate(values):
        b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), number)])).align = 8
