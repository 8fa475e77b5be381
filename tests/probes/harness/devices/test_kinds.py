"""Cores of several kinds, told by their numbers, clocks, capacity, caches or Intel's list."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.harness.devices import cpu
from tests.probes.harness.devices.trees import (
    CPUS,
    MEMINFO,
    arm_block,
    cache,
    clock,
    core_ultra,
    gb10,
    siblings,
    write,
    x86_blocks,
)

KIB = 1 << 10


def test_two_kinds_of_arm_core_are_told_apart(tmp_path: Path) -> None:
    device = cpu.detect(gb10(tmp_path), range(20))
    large, small = device.facts["core_kinds"]
    assert (large["core"], large["part"], large["clock_hz"]) == ("cortex-x925", "0xd85", 3.9e9)
    assert (small["core"], small["part"], small["clock_hz"]) == ("cortex-a725", "0xd87", 2.808e9)
    assert (large["cores"], large["cpus"], small["cpus"]) == (10, "5-9,15-19", "0-4,10-14")
    assert (device.arch, device.units, device.clock_hz) == ("", 20, 3.9e9)
    assert "several kinds (cortex-x925, cortex-a725), rated 3.9, 2.808 GHz" in device.warnings[0]


def test_a_level_is_as_large_as_its_smallest_cache(tmp_path: Path) -> None:
    device = cpu.detect(gb10(tmp_path), range(20))
    sizes = [
        (cpu_cache.level, cpu_cache.bytes // KIB, cpu_cache.units) for cpu_cache in device.caches
    ]
    assert sizes == [("l1", 64, 1), ("l2", 512, 1), ("l3", 8192, 10)]
    assert device.last_cache_bytes == 2 * 8192 * KIB
    _, l2, _ = cpu.detect(tmp_path, range(5, 10)).caches
    assert l2.bytes == 2048 * KIB, "these are large cores"


def test_a_process_on_cores_of_one_kind_has_a_cpu_of_one_kind(tmp_path: Path) -> None:
    device = cpu.detect(gb10(tmp_path), [*range(5, 10), 15])
    assert (device.arch, device.clock_hz, device.warnings) == ("cortex-x925", 3.9e9, ())


def test_a_quota_that_leaves_one_kind_leaves_one_peak(tmp_path: Path) -> None:
    limited = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"}
    device = cpu.detect(write(gb10(tmp_path), limited), range(20))
    assert (device.units, device.arch, device.clock_hz) == (4, "cortex-a725", 2.808e9)


def test_intels_list_tells_cores_apart_where_names_and_models_are_equal(tmp_path: Path) -> None:
    device = cpu.detect(core_ultra(tmp_path), range(22))
    assert (device.units, device.arch) == (16, "")
    assert "several kinds (meteorlake, another)" in device.warnings[0]
    assert [(kind["efficient"], kind["cores"]) for kind in device.facts["core_kinds"]] == [
        (False, 6),
        (True, 10),
    ]
    assert cpu.detect(tmp_path, range(12)).warnings == ()


def test_intels_list_tells_cores_apart_even_on_a_chip_without_a_name(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": x86_blocks(4, "GenuineIntel", 6, 0xFE, "New", "avx2"),
        "sys/devices/cpu_atom/cpus": "2-3",
    }
    device = cpu.detect(write(tmp_path, files), range(4))
    assert "several kinds (another)" in device.warnings[0]


TWO_ARM_CORES = {
    "proc/meminfo": MEMINFO,
    "proc/cpuinfo": arm_block(0, "0xd41") + arm_block(1, "0xd41"),
}
TWO_X86_CORES = {
    "proc/meminfo": MEMINFO,
    "proc/cpuinfo": x86_blocks(2, "AuthenticAMD", 0x19, 0x78, "Ryzen", "avx2 fma"),
}
CAPACITY = f"{CPUS}/cpu%d/cpu_capacity"
DIFFERENCES = {
    "clock": TWO_ARM_CORES | clock(0, 2000000) | clock(1, 2400000),
    "capacity": TWO_ARM_CORES | {CAPACITY % 0: "1024\n", CAPACITY % 1: "760\n"},
    "second cache": TWO_ARM_CORES
    | cache(0, 2, 2, "Unified", "512K", "0")
    | cache(1, 2, 2, "Unified", "256K", "1"),
    "first cache": TWO_X86_CORES
    | cache(0, 0, 1, "Data", "48K", "0")
    | cache(1, 0, 1, "Data", "32K", "1"),
    "dense cores": TWO_X86_CORES | clock(0, 5100000) | clock(1, 3700000),
}
"""Files of two cores of one name, by what tells them apart."""


@pytest.mark.parametrize("files", DIFFERENCES.values(), ids=DIFFERENCES)
def test_cores_of_one_name_may_still_be_of_several_kinds(
    tmp_path: Path, files: dict[str, str]
) -> None:
    device = cpu.detect(write(tmp_path, files), [0, 1])
    (name,) = {kind["core"] for kind in device.facts["core_kinds"]}
    assert len(device.facts["core_kinds"]) == 2
    assert any(f"several kinds ({name})" in warning for warning in device.warnings)
    assert device.arch == name, "what a core does in a clock is the same"


def test_favoured_cores_are_no_other_kind(tmp_path: Path) -> None:
    files = TWO_X86_CORES | clock(0, 5100000) | clock(1, 4850000)
    device = cpu.detect(write(tmp_path, files), [0, 1])
    assert (device.warnings, len(device.facts["core_kinds"])) == ((), 1)


def test_what_is_unknown_of_a_core_makes_no_difference(tmp_path: Path) -> None:
    files = (
        TWO_X86_CORES
        | clock(0, 5100000)
        | cache(1, 2, 2, "Unified", "1024K", "1")
        | cache(0, 2, 2, "Unified", "", "0")
    )
    device = cpu.detect(write(tmp_path, files), [0, 1])
    (kind,) = device.facts["core_kinds"]
    assert (kind["cpus"], kind["clock_hz"]) == ("0-1", 5.1e9)


def test_little_cores_have_names_of_their_own(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": ""}
    for number in range(6):
        is_little = number < 4
        files["proc/cpuinfo"] += arm_block(number, "0xd05" if is_little else "0xd41")
        files |= siblings(number, f"{number}")
        files[CAPACITY % number] = "325\n" if is_little else "1024\n"
    device = cpu.detect(write(tmp_path, files), range(6))
    assert "several kinds (cortex-a78, cortex-a55)" in device.warnings[0]
