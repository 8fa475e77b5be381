"""A chase through memory on one core: each line holds the address of the next one, in random order.

On large pages: with small ones a miss would first look up the page, and the time of a far level be
the page walk's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from llvmlite import ir

from kernels.base import Audit, Work
from kernels.chase.work import cycle
from kernels.cpu import asm
from kernels.cpu.emit import Native, compile_kernel, load_argument, loop
from kernels.cpu.launch import CpuLaunch, Team
from kernels.cpu.memory import on_large_pages
from kernels.device import Device

if TYPE_CHECKING:
    from llvmlite.ir import IRBuilder, Value

HOPS = 8  # loads a trip, each waiting for the one before: the loop's own counting hides behind them
PASSES = 4  # over a set, to bring it near: caches keep few of the lines that they see once
LOAD = re.compile(r"\s+(movq\s+\((%r\w+)\), \2|ldr\s+(x\d+), \[\3\])\s*$")


class ChaseLaunch(CpuLaunch):
    """A launch that brings its set near first, and counts dependent loads in its machine code."""

    near: np.ndarray | None = None
    """A word of each line of a set that the last cache can hold, read PASSES times in order before
    every run: a chase of some milliseconds would bring in only a part of it, and time memory under
    the name of a cache."""

    def run(self, repeat: int) -> Any:
        """Bring the set near, untimed; then chase."""
        if self.near is not None:
            words = self.near
            self._team.spread(
                lambda thread: [words.sum() for _ in range(PASSES)] if thread == 0 else None
            )
        return super().run(repeat)

    def close(self) -> None:
        """Let the buffers go."""
        self.near = None
        super().close()

    def audit(self, work: Work) -> Audit:
        """The loop must hold HOPS loads whose address is what the one before them loaded."""
        loads = max(
            sum(bool(LOAD.match(line)) for line in body)
            for body in asm.loops(self._native.assembly)
        )
        found = asm.audit(self._native.assembly, self._spec, work)
        return (
            found
            if loads == HOPS
            else Audit(problem=f"the hot loop holds {loads} dependent loads, not {HOPS}")
        )


def build(device: Device, dtype: str, params: Mapping[str, Any], queue: Team) -> ChaseLaunch:
    """One thread on a random cycle through ``set_bytes``, one hop a ``line``.

    Every run goes on where the last one ended: a run that began anew would stay on the few lines it
    reaches in its time, and those fit a nearer cache.
    """
    held, line = on_large_pages(params["set_bytes"]).view(np.int64), params["line"]
    queue.spread(
        lambda thread: held.fill(0) if thread == 0 else None
    )  # first touch, beside the core that reads
    order, begin = cycle(params["set_bytes"] // line), held.ctypes.data
    held[order * (line // 8)] = begin + np.roll(order, -1) * line
    place = np.array([begin + int(order[0]) * line])
    result = lambda buffers: (buffers[1] - begin) / line  # noqa: E731
    launch = ChaseLaunch(
        _native(), [[place.ctypes.data]], queue, [held, place], result, asm.Spec("movq|ldr")
    )
    if params["set_bytes"] <= (device.last_cache_bytes or 0):
        launch.near = held[:: line // 8]
    return launch


@cache
def _native() -> Native:
    """``repeat`` hops from the address at ``place``, then the address reached is stored there."""
    pointer = ir.IntType(64).as_pointer()

    def emit(b: IRBuilder, arguments: Value, repeat: Value) -> None:
        place, one = load_argument(b, arguments, 0, pointer), ir.Constant(repeat.type, 1)
        rest = b.and_(b.sub(repeat, one), ir.Constant(repeat.type, HOPS - 1))
        _walk(
            b, place, b.add(rest, one), 1, pointer
        )  # 1 to HOPS single hops: a loop runs at least once
        whole = b.sub(b.sub(repeat, one), rest)
        with b.if_then(b.icmp_signed(">", whole, ir.Constant(whole.type, 0))):
            _walk(b, place, whole, HOPS, pointer)

    return compile_kernel(emit)


def _walk(b: IRBuilder, place: Value, hops: Any, unrolled: int, pointer: Value) -> None:
    def trip(_: Any, carried: Any) -> list[Any]:
        (at,) = carried
        for _ in range(unrolled):
            at = b.load(b.inttoptr(at, pointer))
        return [at]

    b.store(loop(b, hops, unrolled, [b.load(place)], trip)[0], place)
