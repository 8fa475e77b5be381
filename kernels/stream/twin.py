"""The launch of the streams in Numba CUDA: the same work from Python, to see what Numba leaves on
the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernels import pattern
from kernels.base import Audit, Work
from kernels.cuda import launch as cuda
from kernels.cuda.memory import Stream
from kernels.cuda.numba.fit import numba_that_fits
from kernels.device import Device
from kernels.pattern import FLOATS
from kernels.stream.cuda import Arrays, audit, blocks_of, result


def numba(
    op: str, device: Device, dtype: str, params: Mapping[str, Any], queue: Stream
) -> cuda.CudaLaunch:
    """The same stream from Numba CUDA."""
    vectors, blocks = blocks_of(dtype, params)
    with numba_that_fits():
        from kernels.cuda.numba import launch as numba_cuda
        from kernels.stream.jit import streams

        kernel = streams(op, dtype, params["block"])
    arrays = Arrays(op, dtype, params["n"], blocks, queue)
    kind = FLOATS[dtype]
    arguments = (
        *arrays.addresses,
        arrays.sums.address,
        vectors,
        kind(pattern.SCALE),
        kind(pattern.WRITTEN),
    )
    ready = kernel[blocks, params["block"], numba_cuda.stream(queue)]

    def enqueue(repeat: int) -> None:
        with numba_that_fits():  # the first launch compiles
            for _ in range(repeat):
                ready(*arguments)

    def inspected(work: Work) -> Audit:
        cubin = numba_cuda.cubin_of(kernel, cuda.sm(device))
        return audit(cubin, op, params) if cubin else Audit(note=numba_cuda.NOT_AUDITED)

    return cuda.CudaLaunch(
        queue, enqueue, arrays.all, lambda: result(op, dtype, params["n"], arrays), inspected
    )
