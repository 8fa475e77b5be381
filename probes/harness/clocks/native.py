"""The timed call in native code: barrier, clock probe, kernel, clock probe, with the interpreter's
lock released.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from llvmlite import ir

from kernels.cpu import target
from kernels.cpu.emit import external, loop
from kernels.cpu.intrinsic import intrinsic_of
from probes.harness.clocks.record import (
    ADDS_PER_TRIP,
    CPU_END,
    CPU_START,
    PROBE_AFTER,
    PROBE_BEFORE,
    PROBE_TRIPS,
    STATUS,
    WALL_END,
    WALL_START,
)

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

MONOTONIC, THREAD_CPU = 1, 3  # CLOCK_MONOTONIC and CLOCK_THREAD_CPUTIME_ID of Linux
PATIENCE_NS = 10_000_000_000
# A register operand, since some cores fold the addition of an immediate; the flags must be
# clobbered, or the compiler carries the loop's comparison across the additions.
_ADD = {
    "x86_64": ("addq $1, $0\n", "=r,r,0,~{flags},~{dirflag},~{fpsr}"),
    "aarch64": ("add $0, $0, $1\n", "=r,r,0"),
}


@cache
def timed_run() -> Callable[..., None]:
    """``timed(address, arguments, repeat, barrier, goal, size, record)``, compiled; all arguments
    are int64.
    """
    from numba import njit, types

    target.tell_numba()
    call, now, arrive, arrived, rest, adds, put = _pieces()
    wall, cpu = MONOTONIC, THREAD_CPU
    start_wall, end_wall, start_cpu, end_cpu = WALL_START, WALL_END, CPU_START, CPU_END
    before, after, status, trips = PROBE_BEFORE, PROBE_AFTER, STATUS, PROBE_TRIPS

    @njit(nogil=True)
    def meet(barrier, goal):  # type: ignore[no-untyped-def]
        arrive(barrier)
        deadline = now(wall) + PATIENCE_NS
        spins = 0
        while arrived(barrier) < goal:
            spins += 1
            if spins % 4096 == 0:
                rest()
                if now(wall) > deadline:
                    return 1
        return 0

    @njit(nogil=True)
    def probe(trips):  # type: ignore[no-untyped-def]
        begin = now(wall)
        adds(trips)
        return now(wall) - begin

    @njit(types.void(*[types.int64] * 7), nogil=True)
    def timed(address, arguments, repeat, barrier, goal, size, record):  # type: ignore[no-untyped-def]
        put(record, status, meet(barrier, goal))
        put(record, before, probe(trips))
        put(record, status, meet(barrier, goal + size))
        put(record, start_cpu, now(cpu))
        put(record, start_wall, now(wall))
        call(address, arguments, repeat)
        put(record, end_wall, now(wall))
        put(record, end_cpu, now(cpu))
        put(record, after, probe(trips))

    return timed


def _pieces() -> tuple[Any, ...]:
    """The intrinsics the timed call is made of: each writes a few LLVM instructions."""
    from numba import types

    i64, i32 = ir.IntType(64), ir.IntType(32)
    int64, void = types.int64, types.void

    def pointer(b: IRBuilder, address: Value, kind: Any = i64) -> Any:
        return b.inttoptr(address, kind.as_pointer())

    def call(b: IRBuilder, address: Value, arguments: Value, repeat: Value) -> None:
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, i64])
        b.call(b.inttoptr(address, kind.as_pointer()), [b.inttoptr(arguments, byte), repeat])

    def now(b: IRBuilder, clock: Any) -> Any:
        spec = ir.LiteralStructType([i64, i64])
        with b.goto_entry_block():  # once: room taken in a loop that waits would fill the stack
            place = b.alloca(spec)
        read = external(b, "clock_gettime", ir.FunctionType(i32, [i32, spec.as_pointer()]))
        b.call(read, [b.trunc(clock, i32), place])
        seconds, nanos = (
            b.load(b.gep(place, [ir.Constant(i32, 0), ir.Constant(i32, f)])) for f in (0, 1)
        )
        return b.add(b.mul(seconds, ir.Constant(i64, 1_000_000_000)), nanos)

    def arrive(b: IRBuilder, barrier: Any) -> None:
        b.atomic_rmw("add", pointer(b, barrier), ir.Constant(i64, 1), "seq_cst")

    def arrived(b: IRBuilder, barrier: Any) -> Any:
        return b.load_atomic(pointer(b, barrier), "seq_cst", 8)

    def rest(b: IRBuilder) -> None:
        b.call(external(b, "sched_yield", ir.FunctionType(i32, [])), [])

    def put(b: IRBuilder, record: Any, field: Value, value: Value) -> None:
        b.store(value, b.gep(pointer(b, record), [field]))

    return (
        intrinsic_of(call, void, [int64] * 3),
        intrinsic_of(now, int64, [int64] * 1),
        intrinsic_of(arrive, void, [int64] * 1),
        intrinsic_of(arrived, int64, [int64] * 1),
        intrinsic_of(rest, void, [int64] * 0),
        intrinsic_of(_additions, void, [int64] * 1),
        intrinsic_of(put, void, [int64] * 3),
    )


def _additions(b: IRBuilder, trips: Any) -> None:
    """``trips`` x ADDS_PER_TRIP additions, each waiting for the one before."""
    i64 = ir.IntType(64)
    text, constraints = _ADD["aarch64" if target.is_arm() else "x86_64"]
    kind, one = ir.FunctionType(i64, [i64, i64]), ir.Constant(i64, 1)
    loop(
        b,
        trips,
        1,
        [one],
        lambda _, x: [b.asm(kind, text * ADDS_PER_TRIP, constraints, [one, *x], True)],
    )
