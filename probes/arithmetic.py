"""How many slow operations per second: functions, divisions, conversions, shuffles?

Each counts results. Plain runs ask those that layers of neural networks need.
"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import arithmetic
from kernels.arithmetic import cuda as arithmetic_cuda
from kernels.device import Device
from probes.harness.case import Case, run_alone
from probes.records.tag import ARITHMETIC, Tag


def cases(device: Device) -> Iterator[Case]:
    """Each operation that this kind of device is asked; on a CPU by all cores, and by one alone."""
    if device.kind == "cuda":
        yield from _cuda(device)


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


if __name__ == "__main__":
    run_alone(__file__)
