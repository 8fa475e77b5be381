"""Working sets on the CPU: vector reads that carry their sums from pass to pass, and a chase through large pages."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from kernels import pattern
from kernels.asm import Spec
from kernels.base import ITEMSIZE
from kernels.cache import LINE, cycle
from kernels.cpu import CpuLaunch, Native, Vector, compile_kernel, load_argument, loop, vector
from kernels.pattern import FLOATS

SUMS = 8  # accumulators: enough to hide the latency of an addition
PAGE = 2 << 20  # bytes of a large page


def read(device: Any, dtype: str, params: Mapping[str, Any], queue: Any) -> CpuLaunch:
    """``readers`` threads, each reading ``x`` bytes of its own again and again."""
    n, threads = params["x"] // ITEMSIZE[dtype], params["readers"]
    sets = [_memory(params["x"]).view(FLOATS[dtype]) for _ in range(threads)]
    sums = np.zeros((threads, 64 * SUMS // ITEMSIZE[dtype]), FLOATS[dtype])
    queue.spread(lambda t: pattern.fill(sets[t], slice(0, n), dtype, 0) if t < threads else None)
    rows = [[a.ctypes.data, n, out.ctypes.data] for a, out in zip(sets, sums, strict=True)]
    native = _reader(vector(device.features), dtype)
    return CpuLaunch(native, rows, queue, [*sets, sums], _total, Spec(r"v?mov[au]p[sd]|v?addp[sd]|ldp|ldr|ld1"))


def _total(buffers: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([buffers[-1].sum(dtype=np.float64)])


def _memory(size: int) -> np.ndarray:
    """Bytes on large pages where the system gives them, so that a level is measured and not the reach of the TLB."""
    held = mmap.mmap(-1, -(-size // PAGE) * PAGE + PAGE)
    with contextlib.suppress(AttributeError, OSError):
        held.madvise(mmap.MADV_HUGEPAGE)
    raw = np.frombuffer(held, np.uint8)
    skip = -raw.ctypes.data % PAGE
    return raw[skip : skip + size]


@cache
def _reader(unit: Vector, dtype: str) -> Native:
    from llvmlite import ir

    lanes = unit.lanes(ITEMSIZE[dtype])
    kind = ir.VectorType(ir.FloatType() if dtype == "fp32" else ir.DoubleType(), lanes)

    def emit(b: Any, arguments: Any, repeat: Any) -> None:
        base, out = (load_argument(b, arguments, k, kind.as_pointer()) for k in (0, 2))
        n = load_argument(b, arguments, 1)
        vectors = b.udiv(n, ir.Constant(n.type, lanes))
        zero = [ir.Constant(kind, [0.0] * lanes)] * SUMS
        one_pass = lambda _, sums: loop(b, vectors, SUMS, sums, lambda i, old: _add(b, base, i, old))  # noqa: E731
        for number, value in enumerate(loop(b, repeat, 1, zero, one_pass)):
            b.store(value, b.gep(out, [ir.Constant(ir.IntType(64), number)])).align = ITEMSIZE[dtype]

    return compile_kernel(emit)


def _add(b: Any, base: Any, index: Any, sums: Sequence[Any]) -> list[Any]:
    from llvmlite import ir

    added = []
    for k, old in enumerate(sums):
        value = b.load(b.gep(base, [b.add(index, ir.Constant(index.type, k))]))
        value.align = 16
        added.append(b.fadd(old, value))
    return added


def chase(device: Any, dtype: str, params: Mapping[str, Any], queue: Any) -> CpuLaunch:
    """One thread following a random cycle through ``x`` bytes, a line a hop."""
    held = _memory(params["x"]).view(np.int64)
    order, step, begin = cycle(params["x"] // LINE["cpu"]), LINE["cpu"] // 8, held.ctypes.data
    held[order * step] = begin + np.roll(order, -1) * LINE["cpu"]
    end = np.zeros(1, np.int64)
    row = [begin + int(order[0]) * LINE["cpu"], end.ctypes.data]
    result = lambda buffers: (buffers[1] - begin) / LINE["cpu"]  # noqa: E731
    return CpuLaunch(_chaser(), [row], queue, [held, end], result, Spec(r"movq?|ldr"))


@cache
def _chaser() -> Native:
    def emit(b: Any, arguments: Any, repeat: Any) -> None:
        from llvmlite import ir

        pointer = ir.IntType(64).as_pointer()
        start, out = load_argument(b, arguments, 0), load_argument(b, arguments, 1, pointer)
        (end,) = loop(b, repeat, 1, [start], lambda _, at: [b.load(b.inttoptr(at[0], pointer))])
        b.store(end, out)

    return compile_kernel(emit)
