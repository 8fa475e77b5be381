"""How many multiply-adds per second can the scalar and vector units do, in each precision?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import fma
from kernels.device import Device
from kernels.fma import cpu as fma_cpu
from kernels.fma import cuda as fma_cuda
from kernels.fma import work as fma_work
from probes.harness.case import Case, run_alone
from probes.records.tag import COMPUTE, ONE_CORE, Tag

DTYPES = ("fp64", "fp32", "fp16", "bf16", "int32", "int8")
NUMBA_DTYPES = ("fp64", "fp32")  # what Numba CUDA can say


def cases(device: Device) -> Iterator[Case]:
    """Each precision with each backend; on a CPU each instruction, all cores, and one alone."""
    of_kind = _cuda if device.kind == "cuda" else _cpu
    return (case for dtype in DTYPES for case in of_kind(device, dtype))


def _cuda(device: Device, dtype: str) -> Iterator[Case]:
    skip = fma_cuda.missing(device, dtype)
    params = {**fma_cuda.shape(device, dtype), **fma_work.TIMED[dtype]}
    backends = ("raw", "numba") if dtype in NUMBA_DTYPES else ("raw",)
    for backend in backends:
        yield Case(fma.kernel(dtype), dtype, backend, Tag(COMPUTE, dtype), params, skip)


def _cpu(device: Device, dtype: str) -> Iterator[Case]:
    for path in fma_cpu.paths(dtype):
        skip = fma_cpu.missing(device.features, dtype, path)
        shape = fma_work.NOTHING if skip else fma_cpu.shape(device.features, dtype, path)
        all_cores = Tag(COMPUTE, dtype, path)
        for threads, tag in ((device.units, all_cores), (1, all_cores.with_variant(ONE_CORE))):
            params = {**fma_work.TIMED[dtype], **shape, "threads": threads}
            yield Case(fma.kernel(dtype, path), dtype, "cpu", tag, params, skip, steady=True)


if __name__ == "__main__":
    run_alone(__file__)
