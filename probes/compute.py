"""How many multiply-adds per second can the scalar and vector units do, in each precision?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import fma
from probes.harness.case import Case, run_alone
from probes.harness.records import Device

DTYPES = ("fp64", "fp32")
CUDA_DTYPES = (*DTYPES, "fp16", "bf16", "int32", "int8")
NUMBA_DTYPES = DTYPES  # what Numba CUDA can say


def cases(device: Device) -> Iterator[Case]:
    """One case per precision and backend."""
    if device.kind == "cuda":
        return (case for dtype in CUDA_DTYPES for case in _cuda(device, dtype))
    return (_cpu(device, dtype) for dtype in DTYPES)


def _cuda(device: Device, dtype: str) -> Iterator[Case]:
    from kernels import fma_cuda

    params, skip = fma_cuda.shape(device, dtype) | fma.TIMED[dtype], fma_cuda.missing(device, dtype)
    for backend in ("raw", "numba") if dtype in NUMBA_DTYPES else ("raw",):
        yield Case(fma.kernel(dtype), dtype, backend, f"compute/{dtype}", params, skip)


def _cpu(device: Device, dtype: str) -> Case:
    from kernels import fma_cpu

    params = fma_cpu.shape(device.features, dtype) | {"threads": device.units} | fma.TIMED[dtype]
    return Case(fma.kernel(dtype), dtype, "cpu", f"compute/{dtype}", params)


if __name__ == "__main__":
    run_alone(__file__)
