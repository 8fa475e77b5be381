"""Streams through the CPU's memory with whole vector registers and stores that bypass the cache.

A plain store first reads the line it is about to overwrite, so a plain copy moves three bytes for
every two it counts. Non-temporal stores move just what the operation needs: they measure memory,
not the cache's habits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from kernels import pattern
from kernels.base import ITEMSIZE, KernelError
from kernels.cpu.asm import Spec
from kernels.cpu.emit import (
    Native,
    Vector,
    compile_kernel,
    from_each_part,
    load_argument,
    loop,
    multiply_add,
    splat,
    unit_of,
)
from kernels.cpu.launch import CpuLaunch, Team, pack, sum_of_sums
from kernels.cpu.memory import aligned
from kernels.device import Device
from kernels.pattern import FLOATS
from kernels.stream.work import ARRAYS

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

LINE = 64  # bytes; every thread's part starts on a cache line of its own
AHEAD = 4  # registers an iteration moves of each array
SUMS = 8  # accumulators of a read: enough to hide the latency of an addition
# parts of its array that a read walks through at once: some percent faster; what stores gains
# nothing
PLACES = 4


def build(op: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> CpuLaunch:
    """A launch of ``op`` over ``n`` elements, split evenly between ``threads`` pinned threads."""
    n, threads = params["n"], params["threads"]
    parts = _parts(n, threads, dtype)
    arrays = [aligned(n, FLOATS[dtype]) for _ in range(ARRAYS[op])]
    sums = np.zeros((threads, LINE * SUMS // ITEMSIZE[dtype]), FLOATS[dtype])
    queue.spread(
        lambda thread: _fill(arrays, parts[thread], op, dtype) if thread < threads else None
    )
    scale = FLOATS[dtype](pattern.SCALE)
    rows = []
    for part, out in zip(parts, sums, strict=True):
        addresses = [a[part].ctypes.data for a in (arrays * 3)[:3]]
        rows.append(pack([*addresses, part.stop - part.start, scale, out.ctypes.data]))
    at = pattern.sample_indices(n, ITEMSIZE[dtype])
    result = sum_of_sums if op == "read" else (lambda held: held[-2][at])
    native = _native(unit_of(device), op, dtype)
    return CpuLaunch(native, rows, queue, [*arrays, sums], result, Spec(_PATTERNS[op]))


_LOADS, _STORES = r"v?mov[au]p[sd]|v?addp[sd]|ldp|ldr|ld1", r"v?movntp[sd]|stnp"
_PATTERNS = {"read": _LOADS} | dict.fromkeys(("copy", "scale", "add", "triad", "write"), _STORES)


def _parts(n: int, threads: int, dtype: str) -> list[slice]:
    block = AHEAD * SUMS * LINE // ITEMSIZE[dtype]
    if n % block or n < block * threads:
        raise KernelError(
            f"a stream of {n} elements on {threads} threads: take a multiple of {block}"
        )
    edges = [n // block * t // threads * block for t in range(threads + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _fill(arrays: list[np.ndarray], part: slice, op: str, dtype: str) -> None:
    """First touch by the thread that will use it; the target of a stream is poisoned."""
    sources = len(arrays) if op == "read" else len(arrays) - 1
    for which, array in enumerate(arrays):
        if which < sources:
            pattern.fill(array, part, dtype, which)
        else:
            array[part] = np.nan


@cache
def _native(unit: Vector, op: str, dtype: str) -> Native:
    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        loop(b, repeat, 1, [], lambda *_: _pass(b, arguments, unit, op, dtype))
        b.fence("seq_cst")  # non-temporal stores are done only when a fence says so

    return compile_kernel(emit)


def _pass(b: IRBuilder, arguments: Value, unit: Vector, op: str, dtype: str) -> list[Any]:
    """One pass over this thread's part."""
    lanes = unit.lanes(ITEMSIZE[dtype])
    scalar = ir.FloatType() if dtype == "fp32" else ir.DoubleType()
    kind = ir.VectorType(scalar, lanes)
    x, y, z = (load_argument(b, arguments, k, kind.as_pointer()) for k in range(3))
    n, out = load_argument(b, arguments, 3), load_argument(b, arguments, 5, kind.as_pointer())
    s = splat(b, load_argument(b, arguments, 4, scalar), lanes)
    vectors = b.udiv(n, ir.Constant(n.type, lanes))
    if op == "read":
        zero = ir.Constant(kind, [0.0] * lanes)
        sums = loop(
            b,
            vectors,
            SUMS,
            [zero] * SUMS,
            lambda i, old: _read(b, x, from_each_part(b, vectors, i, SUMS, PLACES), old),
        )
        for number, value in enumerate(sums):
            b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), number)])).align = LINE // 8
        return []
    moves = {
        "copy": lambda i: (y, _load(b, x, i)),
        "scale": lambda i: (y, b.fmul(s, _load(b, x, i))),
        "add": lambda i: (z, b.fadd(_load(b, x, i), _load(b, y, i))),
        "triad": lambda i: (z, multiply_add(b, _load(b, y, i), s, _load(b, x, i), unit.fma)),
        "write": lambda i: (x, ir.Constant(kind, [pattern.WRITTEN] * lanes)),
    }
    loop(b, vectors, AHEAD, [], lambda i, _: _store(b, i, moves[op]))
    return []


def _load(b: IRBuilder, base: Value, index: Value) -> Any:
    value = b.load(b.gep(base, [index]))
    value.align = LINE // 4
    return value


def _read(b: IRBuilder, base: Value, places: Sequence[Any], sums: Sequence[Value]) -> list[Any]:
    return [b.fadd(old, _load(b, base, place)) for old, place in zip(sums, places, strict=True)]


def _store(b: IRBuilder, index: Value, move: Any) -> list[Any]:
    """AHEAD registers: all computed, then all stored past the cache."""
    places = [b.add(index, ir.Constant(index.type, k)) for k in range(AHEAD)]
    hint = b.module.add_metadata([ir.Constant(ir.IntType(32), 1)])
    for place, (target, value) in [(place, move(place)) for place in places]:
        store = b.store(value, b.gep(target, [place]))
        store.align = value.type.count * (4 if isinstance(value.type.element, ir.FloatType) else 8)
        store.set_metadata("nontemporal", hint)
    return []
