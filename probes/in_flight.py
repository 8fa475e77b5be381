"""How many independent multiply-adds must a core have in flight to reach its peak?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kernels import fma
from kernels.device import Device
from kernels.fma import cpu as fma_cpu
from kernels.fma import cuda as fma_cuda
from kernels.fma import work as fma_work
from probes.harness.case import Case, run_alone
from probes.records.tag import CHAINS, COMPUTE, ONE_CORE, Sweep

DEFAULT = FULL = False
DTYPE = "fp32"
NUMBERS = (1, 2, 4, 8)
"""Chains of a thread. A core's pipes take eight to ten instructions, and that is the most here."""
BLOCK = 128
"""Threads of the one block on a multiprocessor: a warp for each of its four schedulers."""


def cases(device: Device) -> Iterator[Case]:
    """One core, or one warp a scheduler, with more and more chains, each waiting for itself."""
    is_cpu = device.kind == "cpu"
    backend = "cpu" if is_cpu else "raw"
    skip = _missing(device)
    tag = Sweep(COMPUTE, CHAINS, f"{DTYPE}-{ONE_CORE}" if is_cpu else DTYPE)
    for chains in NUMBERS:
        params = fma_work.TIMED[DTYPE] | _shape(device, chains, bool(skip))
        yield Case(fma.kernel(DTYPE), DTYPE, backend, tag, params, skip, x=chains, steady=is_cpu)


def _missing(device: Device) -> str:
    """Why this device has no such multiply-add, or nothing."""
    if device.kind == "cpu":
        return fma_cpu.missing(device.features, DTYPE)
    return fma_cuda.missing(device, DTYPE)


def _shape(device: Device, chains: int, is_missing: bool) -> dict[str, Any]:
    """The launch with so many chains, and as many multiply-adds in a trip of the loop as usual."""
    if is_missing:
        return {**fma_work.NOTHING, "threads": 1}
    if device.kind == "cpu":
        usual = fma_cpu.shape(device.features, DTYPE) | {"threads": 1}
    else:
        usual = fma_cuda.shape(device, DTYPE)
        usual |= {"block": BLOCK, "blocks_per_sm": 1, "threads": device.units * BLOCK}
    return usual | {"chains": chains, "steps": usual["steps"] * usual["chains"] // chains}


if __name__ == "__main__":
    run_alone(__file__)
