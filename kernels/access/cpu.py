"""Strides and scattered segments in the CPU's memory.

A stride takes scalar loads, a segment the widest loads that fit into it.
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
from kernels.cpu.launch import CpuLaunch, Team, sum_of_sums
from kernels.cpu.memory import aligned
from kernels.device import Device
from kernels.pattern import FLOATS

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

LINE = 64
"""Bytes of a cache line."""
SUMS = 8
"""Accumulators of a thread: enough to hide the latency of an addition."""
TRIPS = 128
"""Times that each accumulator adds before it moves into a double: FP32 sums of the pattern's small
integers stay exact for so long."""
_HOT_LOOP = Spec(r"v?mov[aus]?p?[sd]+|v?add[ps][sd]|ldp|ldr|ld1|fadd")


def stride(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """``threads`` threads that read every ``stride``-th of ``n`` elements between them."""
    n, step, threads = params["n"], params["stride"], params["threads"]
    ranges = _ranges(n // step, threads, SUMS * TRIPS)
    array = _filled(n, dtype, threads, queue)
    out = np.zeros((threads, LINE), np.float64)
    rows = []
    for (first, end), sums in zip(ranges, out, strict=True):
        begin = array.ctypes.data + first * step * ITEMSIZE[dtype]
        rows.append([begin, end - first, step, sums.ctypes.data])
    return CpuLaunch(_strided(dtype), rows, queue, [array, out], sum_of_sums, _HOT_LOOP)


def gather(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """``threads`` threads that read each segment once between them, in the order of ``places``.

    Of FP64 only: ``_scattered`` loads doubles.
    """
    n, segment, threads = params["n"], params["segment_bytes"], params["threads"]
    number_bits = bits(dtype, n, segment)
    lanes = min(unit_of(device).lanes(ITEMSIZE[dtype]), segment // ITEMSIZE[dtype])
    ranges = _ranges(1 << number_bits, threads, SUMS)
    array = _filled(n, dtype, threads, queue)
    out = np.zeros((threads, SUMS * LINE // 8), np.float64)
    rows = []
    for (first, end), sums in zip(ranges, out, strict=True):
        rows.append([array.ctypes.data, first, end - first, sums.ctypes.data])
    loads_per_segment = segment // (lanes * ITEMSIZE[dtype])
    native = _scattered(lanes, loads_per_segment, number_bits)
    return CpuLaunch(native, rows, queue, [array, out], sum_of_sums, _HOT_LOOP)


def _ranges(count: int, threads: int, block: int) -> list[tuple[int, int]]:
    """(first, end) of each thread's part of ``count`` places, in whole blocks.

    Raises KernelError where a block would be cut or a thread idle.
    """
    if count % block or count < block * threads:
        raise KernelError(
            f"{count} places on {threads} threads: take a multiple of {block}, "
            f"{block * threads} or more"
        )
    blocks = count // block
    edges = [blocks * thread // threads * block for thread in range(threads + 1)]
    return list(pairwise(edges))


def _filled(n: int, dtype: str, threads: int, queue: Team) -> np.ndarray:
    """The pattern on a cache line's boundary, first touched by all threads."""
    array = aligned(n, FLOATS[dtype])
    edges = [n * thread // threads for thread in range(threads + 1)]

    def fill_part(thread: int) -> None:
        if thread < threads:
            pattern.fill(array, slice(edges[thread], edges[thread + 1]), dtype, 0)

    queue.spread(fill_part)
    return array


@cache
def _strided(dtype: str) -> Native:
    """``(array, count, stride, sums)`` of each thread; ``repeat`` passes over ``count`` places.

    The stride is known only at run time, so that no compiler makes vectors of stride 1.
    """
    element = ir.FloatType() if dtype == "fp32" else ir.DoubleType()
    wide = ir.DoubleType()
    i64 = ir.IntType(64)
    places_in_block = ir.Constant(i64, SUMS * TRIPS)
    zeros = [ir.Constant(element, 0.0)] * SUMS
    wide_zeros = [ir.Constant(wide, 0.0)] * SUMS

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        base = load_argument(b, arguments, 0, element.as_pointer())
        out = load_argument(b, arguments, 3, wide.as_pointer())
        count = load_argument(b, arguments, 1)
        step = load_argument(b, arguments, 2)

        def block(first: Value, totals: Sequence[Value]) -> list[Any]:
            def trip(i: Any, sums: Sequence[Value]) -> list[Any]:
                places = []
                for k in range(SUMS):
                    visit = b.add(b.add(first, i), ir.Constant(i64, k))
                    places.append(b.mul(visit, step))
                added = []
                for old, place in zip(sums, places, strict=True):
                    value = b.load(b.gep(base, [place]))
                    added.append(b.fadd(old, value))
                return added

            parts = loop(b, places_in_block, SUMS, zeros, trip)
            if dtype == "fp32":
                parts = [b.fpext(part, wide) for part in parts]
            return [b.fadd(old, part) for old, part in zip(totals, parts, strict=True)]

        def one_pass(*_: Any) -> list[Any]:
            _store(b, out, loop(b, count, SUMS * TRIPS, wide_zeros, block))
            return []

        loop(b, repeat, 1, [], one_pass)

    return compile_kernel(emit)


@cache
def _scattered(lanes: int, per_segment: int, number_bits: int) -> Native:
    """``(array, first, count, sums)`` of each thread; ``repeat`` passes over its visits.

    lanes: doubles of one load. per_segment: loads of a segment. number_bits: bits that number the
    segments. A trip does SUMS loads, of one segment or of several; a longer segment is a loop of
    its own.
    """
    vector = ir.VectorType(ir.DoubleType(), lanes)
    i64 = ir.IntType(64)
    group = max(1, SUMS // per_segment)
    zeros = [ir.Constant(vector, [0.0] * lanes)] * SUMS

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        base = load_argument(b, arguments, 0, vector.as_pointer())
        out = load_argument(b, arguments, 3, vector.as_pointer())
        first = load_argument(b, arguments, 1)
        count = load_argument(b, arguments, 2)

        def read_group(i: Any, sums: Sequence[Value]) -> list[Any]:
            visits = [b.add(b.add(first, i), ir.Constant(i64, k)) for k in range(group)]
            starts = []
            for visit in visits:
                segment = _place(b, visit, number_bits)
                starts.append(b.mul(segment, ir.Constant(i64, per_segment)))
            if per_segment > SUMS:
                return read_long(starts[0], sums)
            places = []
            for start in starts:
                places += [_plus(b, start, k) for k in range(per_segment)]
            return _added(b, base, places, sums)

        def read_long(start: Any, sums: Sequence[Value]) -> list[Any]:
            def trip(k: Any, old: Sequence[Value]) -> list[Any]:
                places = [b.add(start, _plus(b, k, j)) for j in range(SUMS)]
                return _added(b, base, places, old)

            return loop(b, ir.Constant(i64, per_segment), SUMS, sums, trip)

        def one_pass(*_: Any) -> list[Any]:
            _store(b, out, loop(b, count, group, zeros, read_group))
            return []

        loop(b, repeat, 1, [], one_pass)

    return compile_kernel(emit)


def _plus(b: IRBuilder, value: Value, number: int) -> Any:
    return b.add(value, ir.Constant(value.type, number))


def _place(b: IRBuilder, visit: Value, number_bits: int) -> Any:
    """``access.work.places`` in registers."""
    half_bits = shift(number_bits)
    numbers = ((1 << number_bits) - 1, half_bits, *FACTORS)
    mask, half, first, second = (ir.Constant(visit.type, number) for number in numbers)
    mixed = b.and_(b.mul(visit, first), mask)
    return b.and_(b.mul(b.xor(mixed, b.lshr(mixed, half)), second), mask)


def _added(b: IRBuilder, base: Value, places: Sequence[Any], sums: Sequence[Any]) -> list[Any]:
    """Each sum plus what its place in the array holds; all are loaded before any is added."""
    values = []
    for place in places:
        value = b.load(b.gep(base, [place]))
        value.align = 8
        values.append(value)
    return [b.fadd(old, value) for old, value in zip(sums, values, strict=True)]


def _store(b: IRBuilder, out: Value, values: Sequence[Any]) -> None:
    for number, value in enumerate(values):
        b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), number)])).align = 8
