"""Working sets on the CPU: each core passes over a buffer of its own with whole registers.

The loop over a set does nothing but move and count, or loads that wait for the last cache find a
core's window full of other work. Stores are plain: those that bypass the cache would measure memory
at every size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from kernels import pattern
from kernels.base import ITEMSIZE, Audit, KernelError, Work
from kernels.cache.work import ARRAYS
from kernels.cpu import asm
from kernels.cpu.emit import Native, Vector, compile_kernel, load_argument, loop, unit_of
from kernels.cpu.launch import CpuLaunch, Team, pack
from kernels.cpu.memory import on_large_pages
from kernels.device import Device
from kernels.pattern import FLOATS

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

# registers a trip moves of each array; of a read, as many sums: enough to hide the latency of an
# addition
STEPS = 8
# a read adds integers: some cores add floats at half the rate they load
WORDS = {"fp64": np.int64, "fp32": np.int32}
PATTERNS = {"read": r"v?padd[dq]|add"} | dict.fromkeys(
    ("write", "copy"), r"v?mov([au]p|dq)\w+|st[pr]|st1"
)


class CacheLaunch(CpuLaunch):
    """A launch whose audit counts the bytes that the hot loop moves."""

    def audit(self, work: Work) -> Audit:
        """Hold the bytes of the machine code against the declared ones."""
        found = asm.audit(self._native.assembly, self._spec, Work(flops=work.bytes))
        return replace(found, problem=found.problem.replace("operations", "bytes"))


def build(
    op: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Team
) -> CacheLaunch:
    """``readers`` threads, each passing over ``set_bytes`` of its own (both arrays of a copy)."""
    unit, threads = unit_of(device, integers=op == "read"), params["readers"]
    kind = WORDS[dtype] if op == "read" else FLOATS[dtype]
    set_bytes, arrays = params["set_bytes"], ARRAYS[op]
    array_bytes = set_bytes // arrays
    trip_bytes = STEPS * unit.bits // 8
    if array_bytes % trip_bytes or not array_bytes:
        raise KernelError(
            f"a {op} of a working set of {set_bytes} bytes: take a multiple of "
            f"{trip_bytes * arrays}"
        )
    buffers = [on_large_pages(set_bytes).view(kind) for _ in range(threads)]
    sums = np.zeros((threads, trip_bytes // ITEMSIZE[dtype]), kind)

    def fill(thread: int) -> None:
        if thread < threads:
            _fill(buffers[thread], op, dtype)

    queue.spread(fill)
    vectors = array_bytes * 8 // unit.bits
    rows = []
    for buffer, out in zip(buffers, sums, strict=True):
        source = buffer.ctypes.data
        target = source + array_bytes * (arrays - 1)
        rows.append(pack([source, target, vectors, out.ctypes.data]))
    # Arm's stores, and its loads of floats, do not name their width: they are not counted
    names_width = op == "read" or "asimd" not in device.features
    bytes_per_vector_byte = 16.0 if names_width else 0.0
    spec = asm.Spec(PATTERNS[op], bytes_per_vector_byte, threads * array_bytes / trip_bytes)

    def targets(held: Sequence[np.ndarray]) -> np.ndarray:
        return _targets(held[:-1], array_bytes // ITEMSIZE[dtype])

    result = _total if op == "read" else targets
    return CacheLaunch(_native(unit, op, dtype), rows, queue, [*buffers, sums], result, spec)


def _total(buffers: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([float(buffers[-1].sum(dtype=np.int64))])


def _targets(buffers: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Samples of every thread's target: the last ``n`` elements of its buffer."""
    at = pattern.sample_indices(n, buffers[0].itemsize)
    return np.concatenate([buffer[-n:][at] for buffer in buffers])


def _fill(buffer: np.ndarray, op: str, dtype: str) -> None:
    """First touch by the thread that will use it; a target is poisoned."""
    n = len(buffer) // ARRAYS[op]
    if op != "write":
        pattern.fill(buffer, slice(0, n), dtype, 0)
    if op != "read":
        buffer[-n:] = np.nan


@cache
def _native(unit: Vector, op: str, dtype: str) -> Native:
    """``(source, target, vectors, sums)`` of each thread; ``repeat`` passes."""
    word = ir.IntType(8 * ITEMSIZE[dtype])
    number = ir.FloatType() if dtype == "fp32" else ir.DoubleType()
    scalar = word if op == "read" else number
    kind = ir.VectorType(scalar, unit.lanes(ITEMSIZE[dtype]))

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        pointer = kind.as_pointer()
        source = load_argument(b, arguments, 0, pointer)
        target = load_argument(b, arguments, 1, pointer)
        out = load_argument(b, arguments, 3, pointer)
        n = load_argument(b, arguments, 2)
        zero = ir.Constant(kind, [0] * kind.count)
        sums = [zero] * STEPS if op == "read" else []

        def trip(first: Value, sums: Sequence[Any]) -> list[Any]:
            places = [b.add(first, ir.Constant(n.type, k)) for k in range(STEPS)]
            return _move(b, unit, op, kind, source, target, places, sums)

        found = loop(b, repeat, 1, sums, lambda _, sums: loop(b, n, STEPS, sums, trip))
        for number, value in enumerate(found):
            b.store(value, b.gep(out, [ir.Constant(n.type, number)])).align = ITEMSIZE[dtype]

    return compile_kernel(emit)


def _move(
    b: IRBuilder,
    unit: Vector,
    op: str,
    kind: Any,
    source: Any,
    target: Any,
    places: Sequence[Any],
    sums: Sequence[Any],
) -> list[Any]:
    """One trip: all registers are loaded, then all added or stored."""
    written = ir.Constant(kind, [pattern.WRITTEN] * kind.count) if op == "write" else None
    values = [written or b.load(b.gep(source, [place])) for place in places]
    for value in values if op != "write" else ():
        value.align = unit.bits // 8
    if op == "read":
        return [b.add(old, value) for old, value in zip(sums, values, strict=True)]
    for place, value in zip(places, values, strict=True):
        b.store(value, b.gep(target, [place])).align = unit.bits // 8
    return []
