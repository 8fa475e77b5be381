"""How many multiply-adds per second can the scalar and vector units do, in each precision?"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import fma
from probes.harness.case import Case
from probes.harness.records import Device

DTYPES = ("fp64", "fp32")


def cases(device: Device) -> Iterator[Case]:
    """One case per precision and backend."""
    for dtype in DTYPES:
        yield from _cuda(device, dtype) if device.kind == "cuda" else _cpu(device, dtype)


def _cuda(device: Device, dtype: str) -> Iterator[Case]:
    from kernels import fma_cuda

    for backend in ("raw", "numba"):
        params = fma_cuda.shape(device, dtype, backend) | fma.TIMED[dtype]
        yield Case(fma.kernel(dtype), dtype, backend, f"compute/{dtype}", params)


def _cpu(device: Device, dtype: str) -> Iterator[Case]:
    from kernels import fma_cpu

    params = fma_cpu.shape(device.features, dtype) | {"threads": device.units} | fma.TIMED[dtype]
    yield Case(fma.kernel(dtype), dtype, "cpu", f"compute/{dtype}", params)
