"""The bandwidth probe: sizes adapt to small memory or are refused, and every point is asked."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from kernels import bulk
from kernels.access.cuda import AccessKernel
from kernels.bulk.cuda import BulkKernel
from kernels.device import Device
from probes import bandwidth
from probes.harness.case import Probe
from probes.harness.devices import limits
from probes.harness.plan import chosen
from probes.harness.task import MEMORY_SHARE, RESERVE, Task, tasks
from probes.records.measurement import SKIPPED
from tests.devices import CPU, GPU
from tests.probes.harness.devices.trees import write

MIB, GIB = 1 << 20, 1 << 30
SMALL_GPU = replace(GPU, last_cache_bytes=60 * MIB, memory_free_bytes=2 * GIB)
SMALL_MACHINE = replace(
    CPU, last_cache_bytes=64 * MIB, memory_bytes=2 * GIB, memory_free_bytes=int(1.6 * GIB)
)


def free_below(tmp_path: Path, limit: int) -> int | None:
    """Free bytes in a control group with this limit, which uses 64 MiB of a machine of 64 GiB."""
    files = {
        "proc/meminfo": "MemTotal: 67108864 kB\nMemAvailable: 62914560 kB\n",
        "proc/self/cgroup": "0::/box\n",
        "sys/fs/cgroup/box/memory.max": f"{limit}\n",
        "sys/fs/cgroup/box/memory.current": f"{64 * MIB}\n",
    }
    _, free = limits.memory(write(tmp_path, files))
    return free


def tasks_on(device: Device) -> list[Task]:
    """What the probe asks of a device, the points of a full run too."""
    return tasks([Probe("bandwidth", "?", bandwidth.cases)], device, "2030-01-02T03:04:05Z")


@pytest.mark.parametrize(
    "device", [SMALL_GPU, SMALL_MACHINE], ids=["gpu with 2 GB free", "machine with 2 GB"]
)
def test_sizes_adapt_to_small_memory_and_stay_past_the_cache(device: Device) -> None:
    size = bandwidth.array_bytes(device)
    free = device.memory_free_bytes or 0
    cache = device.last_cache_bytes or 0
    assert size < bandwidth.PAST_CACHE[device.kind] * cache
    assert size >= bandwidth.LEAST_PAST_CACHE[device.kind] * cache
    assert 3 * size <= MEMORY_SHARE * free
    assert not [task.row.reason for task in tasks_on(device) if not task.open]


def test_a_control_group_below_the_buffer_shrinks_it(tmp_path: Path) -> None:
    free = free_below(tmp_path, 512 * MIB)
    assert free == 448 * MIB
    device = replace(CPU, last_cache_bytes=16 * MIB, memory_bytes=64 * GIB, memory_free_bytes=free)
    assert 64 * MIB <= bandwidth.array_bytes(device) <= 0.8 * 448 * MIB / 3
    todo = tasks_on(device)
    assert all(task.open for task in todo)
    cases = [task.case for task in todo]
    needs = [case.kernel.memory_bytes(case.dtype, case.params) for case in cases]
    free_later = free - bandwidth.OWN_BYTES
    assert max(needs) <= MEMORY_SHARE * (free_later - RESERVE), "also when its turn comes"


def test_a_control_group_below_the_cache_refuses_with_the_numbers(tmp_path: Path) -> None:
    free = free_below(tmp_path, 512 * MIB)
    device = replace(CPU, last_cache_bytes=384 * MIB, memory_free_bytes=free)
    assert bandwidth.array_bytes(device) == 4 * 384 * MIB, "smaller would measure the cache"
    todo = tasks_on(device)
    assert {task.row.status for task in todo} == {SKIPPED}
    reasons = {task.row.ceiling: task.row.reason for task in todo}
    assert reasons["bandwidth/dram/triad"] == "needs 4.83 GB of memory, and 0.47 GB are free"
    assert not any(task.open for task in todo)


@pytest.mark.parametrize(
    "device", [GPU, SMALL_GPU, SMALL_MACHINE, CPU, replace(CPU, last_cache_bytes=None)]
)
def test_scattered_arrays_are_powers_of_two_past_the_cache(device: Device) -> None:
    size = bandwidth.scattered_bytes(device)
    assert size & (size - 1) == 0
    assert size >= bandwidth.LEAST_PAST_CACHE[device.kind] * (device.last_cache_bytes or 0)
    assert 2 * size <= MEMORY_SHARE * (device.memory_free_bytes or 0)
    assert device.kind == "cpu" or size <= bandwidth.SCATTERED_BYTES


@pytest.mark.parametrize("device", [CPU, GPU], ids=["cpu", "gpu"])
def test_a_plain_run_asks_for_the_streams_alone(device: Device) -> None:
    asked = [("bandwidth", case) for case in bandwidth.cases(device)]
    plain = [case for _, case in chosen(asked, full=False, quick=False)]
    assert {case.ceiling for case in plain} == {
        f"bandwidth/dram/{op}" for op in ("copy", "scale", "add", "triad", "read", "write")
    }


def test_a_full_run_on_a_gpu_asks_for_every_ladder() -> None:
    full = [case for case in bandwidth.cases(GPU) if case.full]
    points = Counter(case.ceiling for case in full)
    assert points == {
        **{f"bandwidth/dram/{op}/{width}B": 1 for op in ("read", "copy") for width in (4, 8, 16)},
        **{f"bandwidth/dram/{path}": 1 for path in ("memcpy", "bulk-read")},
        **{f"sweep/bandwidth/blocks-per-sm/{op}": 4 for op in ("read", "copy")},
        "sweep/bandwidth/stride/read-fp32": 6,
        "sweep/bandwidth/gather/read": 9,
    }
    cases = bandwidth.cases(GPU)
    x = [case.x or 0 for case in cases if case.ceiling.endswith("gather/read")]
    assert sorted(x) == [4, 32, 64, 128, 256, 512, 1024, 2048, 4096]


@pytest.mark.parametrize(
    ("units", "x"),
    [(1, [1]), (2, [1, 2]), (6, [1, 2, 3, 4, 6]), (20, [1, 2, 3, 4, 6, 8, 12, 16, 20])],
)
def test_a_full_run_on_a_cpu_climbs_to_all_its_cores(units: int, x: list[int]) -> None:
    full = [case for case in bandwidth.cases(replace(CPU, units=units)) if case.full]
    for op in ("read", "copy"):
        points = [case for case in full if case.ceiling == f"sweep/bandwidth/threads/{op}"]
        assert [case.x for case in points] == x
        assert [case.params["threads"] for case in points] == x
    assert {case.backend for case in full} == {"cpu"}


def test_blocks_an_sm_cannot_hold_are_skipped_with_the_reason() -> None:
    device = replace(GPU, facts={"threads_per_multiprocessor": 1536})
    skips = {
        case.x: case.skip
        for case in bandwidth.cases(device)
        if case.ceiling == "sweep/bandwidth/blocks-per-sm/copy"
    }
    assert skips == {
        1: "",
        2: "",
        4: "",
        8: "a multiprocessor holds 1536 threads, not 8 blocks of 256",
    }


@pytest.mark.parametrize("device", [GPU, SMALL_GPU])
def test_every_gpu_launch_divides_its_array(device: Device) -> None:
    for case in bandwidth.cases(device):
        if case.kernel is bulk.READ:
            BulkKernel(device, case.dtype, case.params).validate()
        elif case.full and case.backend == "raw":
            op = case.kernel.name.removeprefix("access_")
            kernel = AccessKernel(op, device, case.dtype, case.params)
            kernel.validate()
            assert kernel.blocks > 0
            assert kernel.defines()["WIDTH"] in (4, 8, 16)
