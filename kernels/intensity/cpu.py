"""One load and ``k`` multiply-adds on the CPU: whole vector registers, and lines fetched ahead of
their use.

Some registers are loaded together, so that their chains hide each other's latency. Beyond a few
multiply-adds a core's reorder window ends before the next loads, and memory would wait for
arithmetic. So each step loads from several parts of the array, which a core's prefetchers follow
side by side; near the ridge the lines are also asked for ahead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from math import gcd
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

import kernels.intensity.work as intensity_work
from kernels.base import ITEMSIZE, KernelError
from kernels.cpu.asm import Spec
from kernels.cpu.emit import (
    Native,
    Vector,
    apart,
    compile_kernel,
    external,
    load_argument,
    loop,
    opaque,
    splat,
    vector,
)
from kernels.cpu.launch import CpuLaunch, Team, pack
from kernels.cpu.memory import aligned
from kernels.device import Device
from kernels.fma import cpu as fma_cpu

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

LINE = 64  # bytes
TILE = 480 * LINE  # bytes: whole steps of every number of vectors below, in each of PLACES parts
SPARSE = 8  # vectors in each place of a step where only some are computed on: every 2nd, 4th or 8th
VECTORS = {16: 12, 12: 10}  # of a step, by the chains that fit: the others hold sums and operands
SUMS = {16: 4, 12: 3}
FEW_PLACES, PLACES = (
    2,
    4,
)  # parts of a thread's array that a step loads from, if its registers divide so
PREFETCH_FROM, AHEAD = (
    8,
    2 << 10,
)  # multiply-adds, below which it delays the loads it should help; bytes
"""Where memory is fast, few multiply-adds reach its rate from two places only, and more from four
with prefetches.
"""


def shape(features: Sequence[str], dtype: str, every: int) -> dict[str, int]:
    """Params for this core: a tile, the lanes of a register, and the registers of a step."""
    unit = vector(features, fma_cpu.types()[dtype].number is np.int32)
    vecs = SPARSE if every > 1 else VECTORS[unit.chains]
    size = ITEMSIZE[dtype]
    return {"tile": TILE // size, "lanes": unit.lanes(size), "regs": 1, "block": 1, "vecs": vecs}


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """A launch over ``n`` elements, split evenly between ``threads`` pinned threads."""
    n, threads, k, every = params["n"], params["threads"], params["k"], params.get("every", 1)
    parts = _parts(n, threads, params["tile"])
    data = intensity_work.elements(dtype, params["tile"])
    array = aligned(n, data.dtype)
    queue.spread(lambda thread: _fill(array, parts[thread], data) if thread < threads else None)
    row = fma_cpu.types()[dtype]
    unit = fma_cpu.unit_for(device, dtype, params["lanes"])
    sums = aligned(threads * params["lanes"], data.dtype).reshape(threads, -1)
    words = aligned(threads * unit.bits // 32, np.dtype(np.uint32)).reshape(threads, -1)
    operands = [row.number(v) for v in (intensity_work.M, intensity_work.C[dtype])]
    rows = [
        pack(
            [
                array[part].ctypes.data,
                part.stop - part.start,
                *operands,
                own.ctypes.data,
                counted.ctypes.data,
            ]
        )
        for part, own, counted in zip(parts, sums, words, strict=True)
    ]
    trips, _ = intensity_work.split(k)
    seen = (
        intensity_work.looped_share(k) if trips > 1 else 1.0
    )  # the audit sees the inner loop only
    runs = n / (params["lanes"] * _width(params["vecs"], every)) * trips / seen
    spec = Spec(row.pattern, 2.0 * row.lanes(128), runs)
    return CpuLaunch(
        _native(unit, dtype, k, every, params["vecs"]),
        rows,
        queue,
        [array, sums, words],
        _result,
        spec,
    )


def _width(vecs: int, every: int) -> int:
    """Registers of a step: some at each place where all are computed on, else as many as the choice
    repeats after.
    """
    return vecs if every == 1 else vecs * PLACES


def _result(held: Sequence[np.ndarray]) -> np.ndarray:
    words = int(held[2].sum(dtype=np.uint64)) % 2**32
    return np.array([held[1].sum(dtype=np.float64), float(words)])


def _parts(n: int, threads: int, tile: int) -> list[slice]:
    if n % tile or n < tile * threads:
        raise KernelError(
            f"mixed over {n} elements on {threads} threads: take a multiple of {tile}"
        )
    edges = [n // tile * t // threads * tile for t in range(threads + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _fill(array: np.ndarray, part: slice, data: np.ndarray) -> None:
    """First touch by the thread that will use it."""
    at = part.start
    while at < part.stop:
        phase = at % len(data)
        count = min(len(data) - phase, part.stop - at)
        array[at : at + count] = data[phase : phase + count]
        at += count


@cache
def _native(unit: Vector, dtype: str, k: int, every: int, vecs: int) -> Native:
    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        _Body(b, arguments, unit, dtype, k, every, vecs).emit(repeat)

    return compile_kernel(emit)


class _Body:
    """The code of one kernel: ``repeat`` passes over a thread's part."""

    def __init__(
        self,
        b: IRBuilder,
        arguments: Value,
        unit: Vector,
        dtype: str,
        k: int,
        every: int,
        vecs: int,
    ) -> None:
        self.b, self.unit, self.k, self.every, self.vecs = b, unit, k, every, vecs
        self.row, lanes = fma_cpu.types()[dtype], unit.lanes(ITEMSIZE[dtype])
        scalar = fma_cpu.scalar_type(self.row.number)
        self.kind = ir.VectorType(scalar, lanes)
        self.words_kind = ir.VectorType(ir.IntType(32), unit.bits // 32)
        self.x = load_argument(b, arguments, 0, self.kind.as_pointer())
        self.count = b.udiv(load_argument(b, arguments, 1), ir.Constant(ir.IntType(64), lanes))
        self.m, self.c = (splat(b, load_argument(b, arguments, i, scalar), lanes) for i in (2, 3))
        self.out = load_argument(b, arguments, 4, self.kind.as_pointer())
        self.words_out = load_argument(b, arguments, 5, self.words_kind.as_pointer())
        self.sums = SUMS[unit.chains]

    def emit(self, repeat: Value) -> None:
        """All passes; then the sums go to memory."""
        zeros = [ir.Constant(self.kind, None)] * self.sums + [
            ir.Constant(self.words_kind, None)
        ] * 2

        def one_pass(_: Any, carried: Any) -> list[Any]:
            return loop(self.b, self.count, _width(self.vecs, self.every), carried, self._step)

        *sums, first, second = loop(self.b, repeat, 1, zeros, one_pass)
        total = sums[0]
        for value in sums[1:]:
            total = self._plus(total, value)
        self.b.store(total, self.out).align = LINE // 8
        self.b.store(self.b.add(first, second), self.words_out).align = LINE // 8

    def _plus(self, x: Value, y: Any) -> Any:
        return self.b.add(x, y) if self.row.number is np.int32 else self.b.fadd(x, y)

    def _places(self, index: Value) -> list[Any]:
        """Of the registers of a step."""
        width = _width(self.vecs, self.every)
        places = PLACES if self.every > 1 or self.k >= PREFETCH_FROM else FEW_PLACES
        return [
            self.b.gep(self.x, [at])
            for at in apart(self.b, self.count, index, width, gcd(places, width))
        ]

    def _step(self, index: Value, carried: Any) -> list[Any]:
        """Load all its registers, compute on every ``every``-th, and bring them into the sums."""
        *sums, first, second = carried
        places = self._places(index)
        if self.k >= PREFETCH_FROM:
            self._prefetch(places)
        loaded = [self._load(place) for place in places]
        words = [first, second]
        if self.every > 1:
            for v, x in enumerate(loaded):
                words[v % 2] = self.b.add(words[v % 2], self.b.bitcast(x, self.words_kind))
        for v, x in enumerate(self._chains(loaded[:: self.every])):
            sums[v % self.sums] = self.row.step(self.b, self.unit, x, self.m, sums[v % self.sums])
        return [*sums, *words]

    def _load(self, place: Value) -> Any:
        value = self.b.load(place)
        value.align = self.unit.bits // 8
        return value

    def _chains(self, values: Any) -> Any:
        """``k - 1`` multiply-adds on each."""
        trips, steps = intensity_work.split(self.k)

        def round_of(_: Any, values: Any) -> Any:
            for _step in range(steps):
                values = [self.row.step(self.b, self.unit, x, self.m, self.c) for x in values]
            return values

        if trips == 1:
            return round_of(None, values)
        return loop(self.b, opaque(self.b, trips), 1, values, round_of)

    def _prefetch(self, places: Sequence[Any]) -> None:
        """Ask for the lines that a later step will load; past the array's end the request is
        ignored.
        """
        i8, i32 = ir.IntType(8), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [i8.as_pointer(), i32, i32, i32])
        hint = external(self.b, "llvm.prefetch.p0", kind)
        for place in places[:: max(1, LINE * 8 // self.unit.bits)]:
            later = self.b.gep(
                self.b.bitcast(place, i8.as_pointer()), [ir.Constant(ir.IntType(64), AHEAD)]
            )
            self.b.call(
                hint, [later, *(ir.Constant(i32, v) for v in (0, 3, 1))]
            )  # read, keep close, data
