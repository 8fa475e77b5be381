"""The launch of the chains in Numba CUDA: the same work from Python, to see what Numba leaves on
the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernels.base import Audit, Work
from kernels.cuda import launch as cuda
from kernels.cuda.memory import Stream
from kernels.cuda.numba.fit import numba_that_fits
from kernels.device import Device
from kernels.fma.cuda import TYPES, buffers, decode, spec


def numba(device: Device, dtype: str, params: Mapping[str, Any], queue: Stream) -> cuda.CudaLaunch:
    """The same chains from Numba CUDA."""
    chains, block, threads = params["chains"], params["block"], params["threads"]
    with numba_that_fits():
        from kernels.cuda.numba import launch as numba_cuda
        from kernels.fma.jit import chains as jit_chains

        kernel = jit_chains(dtype, chains, params["steps"])
    out, clocks = buffers(dtype, params, queue)
    kind = TYPES[dtype].operand

    def enqueue(repeat: int) -> None:
        stream = numba_cuda.stream(queue)
        arguments = out.address, clocks.address, repeat, kind(params["m"]), kind(params["c"])
        with numba_that_fits():  # the first launch compiles
            kernel[threads // block, block, stream](*arguments)

    def audit(work: Work) -> Audit:
        return numba_cuda.audit(kernel, spec(dtype, params), work, cuda.sm(device))

    return cuda.CudaLaunch(
        queue, enqueue, [out], lambda: decode(dtype, out.download(), threads, chains), audit, clocks
    )
