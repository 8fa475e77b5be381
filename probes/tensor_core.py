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

SLOW_TO_FAST = "wmma", "mma", "wgmma"
"""Paths to one unit. Where a GPU has a faster one, power limits no slower one."""


def cases(device: Device) -> Iterator[Case]:
    """Each path with random operands, which draw the roof, and with zeros, its upper bound.

    Between them the two check a path's numbers with whole numbers, exactly, and with random ones.
    Zeros of a path that another outruns are of a full run.
    """
    if device.kind != "cuda":
        return
    rows = tensor_table.choose(device.arch)
    fastest: dict[tuple[str, bool], int] = {}
    for row in rows:
        if not row.missing(device.arch):
            unit = row.dtype, row.sparse
            fastest[unit] = max(_speed(row), fastest.get(unit, 0))
    for row in rows:
        is_outrun = _speed(row) < fastest.get((row.dtype, row.sparse), 0)
        yield from _cases(device, row, is_outrun)


def _speed(row: Instruction) -> int:
    """The place of a path among those to one unit: a larger one is faster."""
    return SLOW_TO_FAST.index(row.path.removesuffix("_sp"))


def _cases(device: Device, row: Instruction, is_outrun: bool) -> Iterator[Case]:
    shape = tensor_work.launch_shape(row, device.arch.replace(".", ""))
    params = {"shape": row.shape, **shape, "blocks": device.units * shape["blocks_per_sm"]}
    skip = row.missing(device.arch)
    random = Tag.parse(row.tag)
    zeros = random.with_variant(ZEROS)
    for operands, tag, check in (("random", random, "integers"), ("zeros", zeros, "independent")):
        kernel = tensor.kernel(row, check)
        full = is_outrun and tag is zeros
        yield Case(kernel, row.dtype, "raw", tag, {**params, "operands": operands}, skip, full=full)


if __name__ == "__main__":
    run_alone(__file__)
