"""How many multiply-adds per second can the scalar and vector units do, in each precision?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import fma
from kernels.device import Device
from kernels.fma import cpu as fma_cpu
from kernels.fma import cuda as fma_cuda
from kernels.fma import work as fma_work
from probes.harness.case import Case, run_alone

DTYPES = ("fp64", "fp32", "fp16", "bf16", "int32", "int8")
NUMBA_DTYPES = ("fp64", "fp32")  # what Numba CUDA can say


def cases(device: Device) -> Iterator[Case]:
    """Each precision with each backend; on a CPU all cores together, and one alone."""
    of_kind = _cuda if device.kind == "cuda" else _cpu
    return (case for dtype in DTYPES for case in of_kind(device, dtype))


def _cuda(device: Device, dtype: str) -> Iterator[Case]:
    params, skip = (
        fma_cuda.shape(device, dtype) | fma_work.TIMED[dtype],
        fma_cuda.missing(device, dtype),
    )
    for backend in ("raw", "numba") if dtype in NUMBA_DTYPES else ("raw",):
        yield Case(fma.kernel(dtype), dtype, backend, f"compute/{dtype}", params, skip)


def _cpu(device: Device, dtype: str) -> Iterator[Case]:
    skip = fma_cpu.missing(device.features, dtype)
    params = fma_work.TIMED[dtype] | (
        fma_cpu.shape(device.features, dtype) if not skip else fma_work.NOTHING
    )
    for threads, variant in ((device.units, ""), (1, "/1core")):
        given = params | {"threads": threads}
        yield Case(
            fma.kernel(dtype), dtype, "cpu", f"compute/{dtype}{variant}", given, skip, steady=True
        )


if __name__ == "__main__":
    run_alone(__file__)
