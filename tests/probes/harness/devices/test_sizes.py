"""Caches as a machine reports them, and as its cores can have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes import bandwidth
from probes.harness.devices import cpu
from probes.harness.devices.cores import AMD, INTEL
from probes.harness.devices.sizes import CORES
from tests.probes.harness.devices.trees import (
    CPUS,
    cache,
    cut_sockets,
    one_last_cache,
    siblings,
    write,
    x86_blocks,
)

MIB = 1 << 20


def test_lists_that_were_cut_are_one_cache_where_its_id_says_so(tmp_path: Path) -> None:
    device = cpu.detect(cut_sockets(tmp_path), range(16))
    assert (device.last_cache_bytes, device.facts["numa_nodes"]) == (32 * MIB, 4)
    assert [(cpu_cache.level, cpu_cache.units) for cpu_cache in device.caches] == [
        ("l1", 1),
        ("l3", 8),
    ]
    assert device.warnings == ()
    assert cpu.detect(tmp_path, [0, 5, 7]).last_cache_bytes == 16 * MIB


@pytest.mark.parametrize(
    "wrong",
    [
        {f"{CPUS}/cpu3/cache/index3/id": ""},
        {f"{CPUS}/cpu{number}/cache/index3/id": f"{number}" for number in range(16)},
        {f"{CPUS}/cpu{number}/cache/index3/id": "0" for number in range(16)},
        {f"{CPUS}/cpu{number}/cache/index3/size": "8192K" for number in range(4, 8)},
    ],
    ids=[
        "one is missing",
        "one each in spite of the lists",
        "one for two sockets",
        "one of two sizes",
    ],
)
def test_where_ids_contradict_other_facts_each_list_is_a_cache(
    tmp_path: Path, wrong: dict[str, str]
) -> None:
    total_mib = 0  # of one cache a memory node, which has four CPUs
    for first_cpu in range(0, 16, 4):
        is_smaller = f"{CPUS}/cpu{first_cpu}/cache/index3/size" in wrong
        total_mib += 8 if is_smaller else 16
    device = cpu.detect(write(cut_sockets(tmp_path), wrong), range(16))
    assert device.last_cache_bytes == total_mib * MIB


def test_lists_that_overlap_are_one_cache(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for number, sharers in enumerate(("0-1", "0,1,2", "2", "3")):
        files |= cache(number, 3, 3, "Unified", "8M", sharers)
    assert cpu.detect(write(tmp_path, files), range(4)).last_cache_bytes == 16 * MIB


def test_without_lists_a_last_cache_is_a_sockets_and_the_others_a_cores(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for number in range(4):
        files |= cache(number, 2, 2, "Unified", "1M", "")
        files |= cache(number, 3, 3, "Unified", "8M", "")
        files |= {f"{CPUS}/cpu{number}/topology/physical_package_id": f"{number // 2}"}
    device = cpu.detect(write(tmp_path, files), range(4))
    assert device.last_cache_bytes == 16 * MIB
    assert [(cpu_cache.level, cpu_cache.units) for cpu_cache in device.caches] == [
        ("l2", 1),
        ("l3", 2),
    ]


@pytest.mark.parametrize(
    ("cores", "family", "model", "size", "total_mib", "served"),
    [
        (64, 0x17, 0x31, "16384K", 256, 4),
        (64, 0x17, 0x31, "256M", 256, 4),
        (16, 0x17, 0x01, "8M", 32, 4),
        (64, 0x19, 0x01, "16384K", 256, 8),
        (12, 0x19, 0x11, "32M", 64, 8),
        (96, 0x1A, 0x02, "16M", 192, 16),
    ],
)
def test_more_cores_than_one_cache_serves_have_several(
    tmp_path: Path, cores: int, family: int, model: int, size: str, total_mib: int, served: int
) -> None:
    device = cpu.detect(one_last_cache(tmp_path, cores, family, model, size), range(cores))
    assert device.last_cache_bytes == total_mib * MIB
    (warning,) = device.warnings
    sharers = f"shared by {cores} cores of {device.arch}: at most {served} do"
    assert f"{sharers}, so {total_mib} MiB may be there" in warning
    assert device.caches[-1].units == served
    assert bandwidth.array_bytes(device) >= 4 * total_mib * MIB


def test_some_cores_of_many_may_each_lie_at_a_cache_of_its_own(tmp_path: Path) -> None:
    root = one_last_cache(tmp_path, 64, 0x17, 0x31, "16M")
    assert cpu.detect(root, [0, 1, 2]).last_cache_bytes == 3 * 16 * MIB


@pytest.mark.parametrize(
    ("cores", "family", "model"), [(4, 0x17, 0x31), (8, 0x19, 0x01), (16, 0x1A, 0x11)]
)
def test_as_many_cores_as_one_cache_serves_are_believed_to_share_it(
    tmp_path: Path, cores: int, family: int, model: int
) -> None:
    device = cpu.detect(one_last_cache(tmp_path, cores, family, model, "32M"), range(cores))
    assert (device.last_cache_bytes, device.warnings) == (32 * MIB, ())


def test_each_core_of_intels_brings_its_slice_of_the_last_cache(tmp_path: Path) -> None:
    device = cpu.detect(one_last_cache(tmp_path, 32, 6, 0x6A, "16384K", "GenuineIntel"), range(32))
    assert device.last_cache_bytes == 48 * MIB
    assert "each comes with 1.5 MiB or more, so 48 MiB may be there" in device.warnings[0]


def test_a_list_may_name_cpus_that_are_not_there(tmp_path: Path) -> None:
    root = one_last_cache(tmp_path, 2, 0x19, 0x01, "32M")
    for number in range(2):
        write(root, cache(number, 3, 3, "Unified", "32M", "0-127"))
    device = cpu.detect(root, range(2))
    assert (device.last_cache_bytes, device.warnings) == (32 * MIB, ())


def test_a_cache_that_no_core_of_its_name_has_is_warned_of(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": x86_blocks(1, "GenuineIntel", 6, 0x55, "Xeon", "avx2 fma avx512f")}
    files |= siblings(0, "0")
    files |= cache(0, 0, 1, "Data", "32K", "0")
    files |= cache(0, 2, 2, "Unified", "4096K", "0")
    files |= cache(0, 3, 3, "Unified", "16384K", "0")
    device = cpu.detect(write(tmp_path, files), [0])
    assert device.warnings == (
        "the machine reports an L2 cache of 4 MiB: a core of skylake-x has 1 MiB",
    )


def test_a_last_cache_that_the_machine_does_not_report_is_assumed_with_a_warning(
    tmp_path: Path,
) -> None:
    files = {"proc/cpuinfo": x86_blocks(8, "AuthenticAMD", 0x17, 0x31, "EPYC", "avx2")}
    for number in range(8):
        files |= siblings(number, f"{number}")
        files |= cache(number, 2, 2, "Unified", "512K", f"{number}")
    device = cpu.detect(write(tmp_path, files), range(8))
    assert device.last_cache_bytes == 8 * 16 * MIB
    assert any(
        "reports no L3 cache: cores of zen2 have one" in warning for warning in device.warnings
    )


def test_every_row_of_sizes_is_a_core_that_is_recognised() -> None:
    assert set(CORES) <= {*AMD.values(), *INTEL.values()}
