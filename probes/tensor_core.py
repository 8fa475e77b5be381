"""How many multiply-adds per second can the matrix units do, in each precision and by each way to
them?
"""

from __future__ import annotations

from collections.abc import Iterator

from kernels import tensor
from kernels.device import Device
from kernels.tensor import table as tensor_table
from kernels.tensor import work as tensor_work
from kernels.tensor.table import Instruction
from probes.harness.case import Case, run_alone
from probes.records.tag import ZEROS, Tag


def cases(device: Device) -> Iterator[Case]:
    """Each path with random operands, which draw the roof, and with zeros, its upper bound.

    Between them the two check a path's numbers with whole numbers, exactly, and with random ones.
    """
    if device.kind == "cuda":
        for row in tensor_table.choose(device.arch):
            yield from _cases(device, row)


def _cases(device: Device, row: Instruction) -> Iterator[Case]:
    shape = tensor_work.launch_shape(row, device.arch.replace(".", ""))
    params = {"shape": row.shape, **shape, "blocks": device.units * shape["blocks_per_sm"]}
    skip = row.missing(device.arch)
    random = Tag.parse(row.tag)
    zeros = random.with_variant(ZEROS)
    for operands, tag, check in (("random", random, "integers"), ("zeros", zeros, "independent")):
        kernel = tensor.kernel(row, check)
        yield Case(kernel, row.dtype, "raw", tag, {**params, "operands": operands}, skip)


if __name__ == "__main__":
    run_alone(__file__)
