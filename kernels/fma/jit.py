"""The chains written in Numba CUDA.

It needs Numba as it is imported: the simulator swaps ``cuda`` among a module's globals only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cuda

from kernels.cuda.numba.choose import pieces


@cache
def chains(dtype: str, count: int, steps: int) -> Any:
    """Kernel ``(out, clocks, trips, m, c)``: a trip is ``steps`` on each of ``count`` chains."""
    piece = pieces(dtype)
    begin, advance = piece.starts(count), piece.advance(count, steps)
    put, put_clock, cycles, nanoseconds = (
        piece.put(count),
        piece.put_clock,
        piece.cycles,
        piece.nanoseconds,
    )

    @cuda.jit
    def kernel(out, clocks, trips, m, c):  # type: ignore[no-untyped-def]
        x = begin()
        cuda.syncthreads()
        begin_ns = nanoseconds()
        first = cycles()
        for _ in range(trips):
            x = advance(x, m, c)
        cuda.syncthreads()
        last = cycles()
        end_ns = nanoseconds()
        if cuda.threadIdx.x == 0:
            put_clock(clocks, 2 * cuda.blockIdx.x, last - first)
            put_clock(clocks, 2 * cuda.blockIdx.x + 1, end_ns - begin_ns)
        put(out, cuda.grid(1), cuda.gridsize(1), x)

    return kernel
