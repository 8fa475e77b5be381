"""The streams written in Numba CUDA.

It needs Numba as it is imported: the simulator swaps ``cuda`` among a module's globals only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cuda, float64

from kernels.cuda.numba.choose import pieces
from kernels.cuda.numba.pieces import Pieces
from kernels.stream.work import NUMBA_READS as READS


@cache
def streams(op: str, dtype: str, block: int) -> Any:
    """Kernel ``(x, y, z, sums, vectors, s, written)``: a thread has one vector, or eight."""
    return _kernel(op, pieces(dtype), block)


def _kernel(op: str, piece: Pieces, block: int) -> Any:
    """The kernel of one stream operation; ``block`` threads a block."""
    load, store, put_sum = piece.load, piece.store, piece.put_sum
    scaled, added, summed, same = piece.scaled, piece.added, piece.summed, piece.same

    def copy(x, y, z, sums, vectors, s, written):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < vectors:
            store(z, i, load(x, i))

    def scale(x, y, z, sums, vectors, s, written):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < vectors:
            store(z, i, scaled(s, load(x, i)))

    def add(x, y, z, sums, vectors, s, written):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < vectors:
            store(z, i, added(load(x, i), load(y, i)))

    def triad(x, y, z, sums, vectors, s, written):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < vectors:
            store(z, i, added(load(x, i), scaled(s, load(y, i))))

    def write(x, y, z, sums, vectors, s, written):  # type: ignore[no-untyped-def]
        i = cuda.grid(1)
        if i < vectors:
            store(z, i, same(written))

    def read(x, y, z, sums, vectors, s, written):  # type: ignore[no-untyped-def]
        part = cuda.shared.array(block, float64)
        i = cuda.blockIdx.x * block * READS + cuda.threadIdx.x
        total = 0.0
        for _ in range(READS):
            if i < vectors:
                total += summed(load(x, i))
            i += block
        part[cuda.threadIdx.x] = total
        half = block // 2
        while half > 0:
            cuda.syncthreads()
            if cuda.threadIdx.x < half:
                part[cuda.threadIdx.x] += part[cuda.threadIdx.x + half]
            half //= 2
        if cuda.threadIdx.x == 0:
            put_sum(sums, cuda.blockIdx.x, part[0])

    kernels = {
        "copy": copy,
        "scale": scale,
        "add": add,
        "triad": triad,
        "write": write,
        "read": read,
    }
    return cuda.jit(kernels[op])
