"""The timed call in native code: barrier, clock probe, kernel, clock probe.

It runs with the interpreter's lock released.
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

MONOTONIC = 1
"""CLOCK_MONOTONIC of Linux."""
THREAD_CPU = 3
"""CLOCK_THREAD_CPUTIME_ID of Linux."""
PATIENCE_NS = 10_000_000_000
"""How long a thread waits for the others at the barrier."""
# A register operand, since some cores fold the addition of an immediate; the flags must be
# clobbered, or the compiler carries the loop's comparison across the additions.
_ADD = {
    "x86_64": ("addq $1, $0\n", "=r,r,0,~{flags},~{dirflag},~{fpsr}"),
    "aarch64": ("add $0, $0, $1\n", "=r,r,0"),
}


@cache
def timed_run() -> Callable[..., None]:
    """``timed(address, arguments, repeat, barrier, goal, size, record)``, compiled.

    All arguments are int64. ``size`` threads meet at the barrier twice: its count is ``goal`` when
    all have come for the first time.
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


@cache
def run_until() -> Callable[..., None]:
    """``until(address, arguments, stop, log, most)``, compiled; all arguments are int64.

    It calls the kernel with one repetition after the other until there is no 0 at ``stop``, and
    writes when each ended to ``log``, which has room for ``most`` of them: then it ends, too.
    """
    from numba import njit, types

    target.tell_numba()
    call, now, _, arrived, _, _, put = _pieces()
    wall = MONOTONIC

    @njit(types.void(*[types.int64] * 5), nogil=True)
    def until(address, arguments, stop, log, most):  # type: ignore[no-untyped-def]
        count = 0
        while count < most and arrived(stop) == 0:
            call(address, arguments, 1)
            put(log, count, now(wall))
            count += 1

    return until


def _pieces() -> tuple[Any, ...]:
    """The intrinsics the timed call is made of: each writes a few LLVM instructions."""
    from numba import types

    i64, i32 = ir.IntType(64), ir.IntType(32)
    int64, void = types.int64, types.void

    def pointer(b: IRBuilder, address: Value, kind: Any = i64) -> Any:
        return b.inttoptr(address, kind.as_pointer())

    def call(b: IRBuilder, address: Value, arguments: Value, repeat: Value) -> None:
        byte = ir.IntType(8).as_pointer()
        of_kernel = ir.FunctionType(ir.VoidType(), [byte, i64])
        function = b.inttoptr(address, of_kernel.as_pointer())
        b.call(function, [b.inttoptr(arguments, byte), repeat])

    def now(b: IRBuilder, clock: Any) -> Any:
        spec = ir.LiteralStructType([i64, i64])
        # In the entry block, so once: memory taken in a loop that waits would fill the stack.
        with b.goto_entry_block():
            place = b.alloca(spec)
        read = external(b, "clock_gettime", ir.FunctionType(i32, [i32, spec.as_pointer()]))
        b.call(read, [b.trunc(clock, i32), place])
        seconds = b.load(b.gep(place, [ir.Constant(i32, 0), ir.Constant(i32, 0)]))
        nanoseconds = b.load(b.gep(place, [ir.Constant(i32, 0), ir.Constant(i32, 1)]))
        return b.add(b.mul(seconds, ir.Constant(i64, 1_000_000_000)), nanoseconds)

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
    two_operands = ir.FunctionType(i64, [i64, i64])
    one = ir.Constant(i64, 1)

    def trip(_: Any, values: Any) -> list[Any]:
        return [b.asm(two_operands, text * ADDS_PER_TRIP, constraints, [one, *values], True)]

    loop(b, trips, 1, [one], trip)
