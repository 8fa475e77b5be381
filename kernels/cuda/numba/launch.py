"""The CUDA kernels again, written in Numba: the same work from Python, to see what Numba leaves on the table.

Kernels take addresses and numbers, no arrays, and touch memory through a few intrinsics that emit one PTX
instruction each; in Numba's simulator the same kernels run on arrays, with the intrinsics in plain Python. Numba is
imported at the top, so builders import this module late: the simulator swaps ``cuda`` among a module's globals only.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from numba import cuda

from kernels.base import Audit, Work
from kernels.cuda import cubins, sass
from kernels.cuda.numba import native as numba_pieces
from kernels.cuda.nvrtc import Cubin

NOT_AUDITED = "not audited: this version of Numba gives no machine code"


@cache
def stream(queue: Any) -> Any:
    """The harness's stream as Numba knows it."""
    return cuda.external_stream(queue.ptr)


@cache
def chains(dtype: str, count: int, steps: int) -> Any:
    """Kernel ``(out, clocks, trips, m, c)``: ``count`` chains, ``steps`` multiply-adds on each in one trip."""
    piece = numba_pieces.pieces(dtype)
    begin, advance = piece.starts(count), piece.advance(count, steps)
    put, put_clock, cycles, nanoseconds = piece.put(count), piece.put_clock, piece.cycles, piece.nanoseconds

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


@cache
def streams(op: str, dtype: str, block: int) -> Any:
    """Kernel ``(x, y, z, sums, vectors, s, written)``: one 16-byte vector a thread (read: eight)."""
    return numba_pieces.stream_kernel(op, numba_pieces.pieces(dtype), block)


def cubin_of(kernel: Any, arch: str) -> Cubin | None:
    """The machine code Numba made of a kernel already launched; None where this version of Numba hides it."""
    try:
        code = next(iter(kernel.overloads.values()))._codelibrary.get_cubin()
    except Exception:  # no public way to a cubin: it moves from version to version
        return None
    data = bytes(getattr(code, "code", code))
    return Cubin(cubins.kept(f"numba-{cubins.digest(data)}", lambda: data), "numba", arch, "Numba")


def audit(kernel: Any, spec: sass.Spec, work: Work, arch: str) -> Audit:
    """Hold the machine code Numba made against the declared work."""
    cubin = cubin_of(kernel, arch)
    return sass.audit(cubin, spec, work) if cubin else Audit(note=NOT_AUDITED)
