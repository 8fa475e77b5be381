"""How many slow operations per second: functions, divisions, conversions, shuffles?

Each counts results. Plain runs ask those that layers of neural networks need.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import arithmetic
from kernels.arithmetic import cpu as arithmetic_cpu
from kernels.arithmetic import cuda as arithmetic_cuda
from kernels.arithmetic.work import Operation
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import ARITHMETIC, ONE_CORE, Tag


def cases(device: Device) -> Iterator[Case]:
    """Each operation that this kind of device is asked; on a CPU by all cores, and by one alone."""
    yield from _cuda(device) if device.kind == "cuda" else _cpu(device)


def _cuda(device: Device) -> Iterator[Case]:
    for row in arithmetic_cuda.ROWS:
        operation = row.operation
        yield Case(
            arithmetic.on_gpu(operation.dtype, operation.name),
            operation.dtype,
            "raw",
            Tag(ARITHMETIC, operation.dtype, operation.name),
            arithmetic_cuda.shape(device, row),
            arithmetic_cuda.missing(device, row),
            full=not operation.needed,
        )


def _cpu(device: Device) -> Iterator[Case]:
    for row in arithmetic_cpu.ROWS:
        shape = arithmetic_cpu.shape(device.features, row)
        yield from _by_cores(device, row.operation, shape)
    yield from _by_cores(device, arithmetic_cpu.NUMBA_EXP, arithmetic_cpu.numba_shape())


def _by_cores(device: Device, operation: Operation, shape: dict[str, Any]) -> Iterator[Case]:
    """By all cores, and by one alone."""
    kernel = arithmetic.on_cpu(operation.dtype, operation.name)
    all_cores = Tag(ARITHMETIC, operation.dtype, operation.name)
    for threads, tag in ((device.units, all_cores), (1, all_cores.with_variant(ONE_CORE))):
        params = {**shape, "threads": threads}
        full = not operation.needed
        yield Case(kernel, operation.dtype, "cpu", tag, params, full=full, steady=True)


if __name__ == "__main__":
    run_alone(__file__)
