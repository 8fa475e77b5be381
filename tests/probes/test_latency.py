"""A chase leaves every cache behind, in a quick run too, and stays in the memory there is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.device import Device
from probes.harness.plan import chosen
from probes.latency import cases
from tests.devices import CPU, GPU

MIB, GIB = 1 << 20, 1 << 30
CLEAR = 1.4
"""Times the last cache: from there on it holds too little of a set to be seen."""


def machine(last_cache: int, free: int) -> Device:
    """A CPU with a last cache and free memory of so many bytes."""
    caches = [{"level": 3, "type": "Unified", "size_bytes": last_cache, "shared_by": "0-1"}]
    return replace(CPU, memory_free_bytes=free, facts={"cpus": [0, 1], "caches": caches})


def working_sets(device: Device, quick: bool = False) -> list[int]:
    """Bytes of the working sets that a run asks for."""
    asked = chosen([("latency", case) for case in cases(device)], full=False, quick=quick)
    return [int(case.x) for _, case in asked if case.x is not None]


@pytest.mark.parametrize("quick", [False, True], ids=["plain", "quick"])
@pytest.mark.parametrize("last_mib", [4, 8, 12, 16, 24, 30, 32, 36, 48, 64, 96, 260, 384])
def test_three_points_lie_in_memory(last_mib: int, quick: bool) -> None:
    sizes = working_sets(machine(last_mib * MIB, 64 * GIB), quick)
    assert sum(size > CLEAR * last_mib * MIB for size in sizes) >= 3


def test_a_small_machine_keeps_most_of_its_memory() -> None:
    assert max(working_sets(machine(384 * MIB, GIB))) <= GIB // 8


@pytest.mark.parametrize("quick", [False, True], ids=["plain", "quick"])
@pytest.mark.parametrize("last_mib", [1, 4, 6, 24, 40, 48, 50, 60, 64, 72, 96, 126])
def test_three_points_lie_in_the_memory_of_a_gpu(last_mib: int, quick: bool) -> None:
    gpu = replace(GPU, last_cache_bytes=last_mib * MIB, memory_free_bytes=64 * GIB)
    sizes = working_sets(gpu, quick)
    assert sum(size > CLEAR * last_mib * MIB for size in sizes) >= 3
    assert max(sizes) <= 5 * last_mib * MIB, "no farther than needed"
