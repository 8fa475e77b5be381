"""One load and ``k`` multiply-adds on the CPU, in whole vector registers.

Each step loads several registers, so that their chains hide each other's latency. Beyond a few
multiply-adds a core's reorder window ends before the next loads, and memory would wait for
arithmetic. So a step loads from several parts of the array, which a core's prefetchers follow
side by side. Near the ridge it also asks for lines ahead of their use.
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
    compile_kernel,
    external,
    from_each_part,
    load_argument,
    loop,
    splat,
    unknown_to_compiler,
    vector,
)
from kernels.cpu.launch import CpuLaunch, Team, pack
from kernels.cpu.memory import aligned
from kernels.device import Device
from kernels.fma import cpu as fma_cpu

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

LINE = 64  # bytes
TILE = 480 * LINE  # bytes: whole steps of every number of vectors below, in each of MANY_PARTS
SPARSE = 8  # vectors from each part where only every 2nd, 4th or 8th is computed on
VECTORS = {16: 12, 12: 10}  # of a step, by the chains that fit: the rest hold sums and operands
SUMS = {16: 4, 12: 3}  # accumulators, likewise
FEW_PARTS = 2
"""Parts of a thread's array that a step loads from where there is little arithmetic: where memory
is fast, few multiply-adds reach its rate from two parts only.
"""
MANY_PARTS = 4
"""Parts where there is more arithmetic, as many as its registers divide into; then lines are
prefetched, too.
"""
PREFETCH_FROM = 8  # multiply-adds: with fewer, prefetching delays the loads that it should help
AHEAD = 2 << 10  # bytes from a load to the line that it asks for


def shape(features: Sequence[str], dtype: str, every: int) -> dict[str, int]:
    """Params for a core with these features: its tile, lanes of a register, registers of a step."""
    unit = vector(features, fma_cpu.types()[dtype].number is np.int32)
    vecs = SPARSE if every > 1 else VECTORS[unit.chains]
    size = ITEMSIZE[dtype]
    return {"tile": TILE // size, "lanes": unit.lanes(size), "regs": 1, "block": 1, "vecs": vecs}


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """A launch over ``n`` elements, split evenly between ``threads`` pinned threads."""
    n = params["n"]
    threads = params["threads"]
    lanes = params["lanes"]
    k = params["k"]
    every = params.get("every", 1)

    parts = _parts(n, threads, params["tile"])
    data = intensity_work.elements(dtype, params["tile"])
    array = aligned(n, data.dtype)

    def fill_part(thread: int) -> None:
        if thread < threads:
            _fill(array, parts[thread], data)

    queue.spread(fill_part)

    row = fma_cpu.types()[dtype]
    unit = fma_cpu.unit_for(device, dtype, lanes)
    sums = aligned(threads * lanes, data.dtype).reshape(threads, -1)
    words = aligned(threads * unit.bits // 32, np.dtype(np.uint32)).reshape(threads, -1)
    m = row.number(intensity_work.M)
    c = row.number(intensity_work.C[dtype])
    rows = []
    for part, thread_sums, thread_words in zip(parts, sums, words, strict=True):
        length = part.stop - part.start
        outputs = (thread_sums.ctypes.data, thread_words.ctypes.data)
        rows.append(pack([array[part].ctypes.data, length, m, c, *outputs]))

    native = _native(unit, dtype, k, every, params["vecs"])
    steps = n / (lanes * _registers(params["vecs"], every))
    spec = Spec(row.pattern, 2.0 * row.lanes(128), _bodies(steps, k))
    return CpuLaunch(native, rows, queue, [array, sums, words], _result, spec)


def _bodies(steps: float, k: int) -> float:
    """How often the innermost loop would run if it did all multiply-adds of so many steps.

    Where the chains are a loop inside the step, the audit sees only that inner loop, which lacks
    the multiply-add into the accumulator.
    """
    trips, _ = intensity_work.split(k)
    inner_share = intensity_work.looped_share(k) if trips > 1 else 1.0
    return steps * trips / inner_share


def _registers(vecs: int, every: int) -> int:
    """Registers that a step loads.

    Where only some are computed on, it takes ``vecs`` from each part: the choice repeats after
    them.
    """
    return vecs if every == 1 else vecs * MANY_PARTS


def _result(buffers: Sequence[np.ndarray]) -> np.ndarray:
    """[sum of the accumulators, sum of all 32-bit words modulo 2**32]."""
    _, sums, words = buffers
    total = int(words.sum(dtype=np.uint64)) % 2**32
    return np.array([sums.sum(dtype=np.float64), float(total)])


def _parts(n: int, threads: int, tile: int) -> list[slice]:
    """Whole tiles of ``n`` elements for each thread. Raises KernelError if a thread gets none."""
    if n % tile or n < tile * threads:
        raise KernelError(
            f"mixed over {n} elements on {threads} threads: take a multiple of {tile}"
        )
    tiles = n // tile
    edges = [tiles * thread // threads * tile for thread in range(threads + 1)]
    return [slice(first, last) for first, last in pairwise(edges)]


def _fill(array: np.ndarray, part: slice, data: np.ndarray) -> None:
    """Repeat ``data`` over a part: its thread touches the pages first, and has them near."""
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
    """The code of one kernel: ``repeat`` passes over a thread's part.

    A step carries its sums and two vectors of words, in which all registers are added up.
    """

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
        self.b = b
        self.unit = unit
        self.k = k
        self.every = every
        self.registers = _registers(vecs, every)
        self.sums = SUMS[unit.chains]
        self.row = fma_cpu.types()[dtype]

        lanes = unit.lanes(ITEMSIZE[dtype])
        scalar = fma_cpu.scalar_type(self.row.number)
        self.kind = ir.VectorType(scalar, lanes)
        self.words_kind = ir.VectorType(ir.IntType(32), unit.bits // 32)

        self.x = load_argument(b, arguments, 0, self.kind.as_pointer())
        self.count = b.udiv(load_argument(b, arguments, 1), ir.Constant(ir.IntType(64), lanes))
        self.m = splat(b, load_argument(b, arguments, 2, scalar), lanes)
        self.c = splat(b, load_argument(b, arguments, 3, scalar), lanes)
        self.out = load_argument(b, arguments, 4, self.kind.as_pointer())
        self.words_out = load_argument(b, arguments, 5, self.words_kind.as_pointer())

    def emit(self, repeat: Value) -> None:
        """Emit all passes; then the sums go to memory."""

        def one_pass(_: Any, carried: Any) -> list[Any]:
            return loop(self.b, self.count, self.registers, carried, self._step)

        zeros = [ir.Constant(self.kind, None)] * self.sums
        zero_words = [ir.Constant(self.words_kind, None)] * 2
        *sums, first, second = loop(self.b, repeat, 1, [*zeros, *zero_words], one_pass)
        total = sums[0]
        for value in sums[1:]:
            total = self._plus(total, value)
        self.b.store(total, self.out).align = LINE // 8
        self.b.store(self.b.add(first, second), self.words_out).align = LINE // 8

    def _plus(self, x: Value, y: Any) -> Any:
        if self.row.integers:
            return self.b.add(x, y)
        return self.b.fadd(x, y)

    def _step(self, index: Value, carried: Any) -> list[Any]:
        """Load all registers, compute on every ``every``-th, and add them to the sums."""
        *sums, first, second = carried
        words = [first, second]
        addresses = self._addresses(index)
        if self.k >= PREFETCH_FROM:
            self._prefetch(addresses)
        values = [self._load(address) for address in addresses]
        if self.every > 1:
            for v, value in enumerate(values):
                as_words = self.b.bitcast(value, self.words_kind)
                words[v % 2] = self.b.add(words[v % 2], as_words)
        for v, x in enumerate(self._chains(values[:: self.every])):
            s = v % self.sums
            sums[s] = self.row.step(self.b, self.unit, x, self.m, sums[s])
        return [*sums, *words]

    def _addresses(self, index: Value) -> list[Any]:
        """Addresses of the registers of a step."""
        many = self.every > 1 or self.k >= PREFETCH_FROM
        parts = gcd(MANY_PARTS if many else FEW_PARTS, self.registers)
        numbers = from_each_part(self.b, self.count, index, self.registers, parts)
        return [self.b.gep(self.x, [number]) for number in numbers]

    def _load(self, address: Value) -> Any:
        value = self.b.load(address)
        value.align = self.unit.bits // 8
        return value

    def _chains(self, values: Any) -> Any:
        """``k - 1`` multiply-adds on each value."""
        trips, steps = intensity_work.split(self.k)

        def one_trip(_: Any, values: Any) -> Any:
            for _step in range(steps):
                values = [self.row.step(self.b, self.unit, x, self.m, self.c) for x in values]
            return values

        if trips == 1:
            return one_trip(None, values)
        return loop(self.b, unknown_to_compiler(self.b, trips), 1, values, one_trip)

    def _prefetch(self, addresses: Sequence[Any]) -> None:
        """Ask for the lines that a later step will load.

        A request past the end of the array is ignored.
        """
        i8 = ir.IntType(8)
        i32 = ir.IntType(32)
        i64 = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [i8.as_pointer(), i32, i32, i32])
        prefetch = external(self.b, "llvm.prefetch.p0", kind)
        read, keep_close, data = (ir.Constant(i32, value) for value in (0, 3, 1))
        registers_of_a_line = max(1, LINE * 8 // self.unit.bits)
        for address in addresses[::registers_of_a_line]:
            byte_address = self.b.bitcast(address, i8.as_pointer())
            later = self.b.gep(byte_address, [ir.Constant(i64, AHEAD)])
            self.b.call(prefetch, [later, read, keep_close, data])
