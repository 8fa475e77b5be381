"""What a process may use is not what the machine has: affinity, hardware threads, quotas and memory limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.harness.devices import cpu
from probes.harness.devices.cores import core_name
from probes.harness.devices.limits import cpu_list
from tests.probes.devices.trees import MEMINFO, arm_block, cache, graviton, write, x86_block, xeon

MIB = 1 << 20


def test_hardware_threads_count_as_one_core(tmp_path: Path) -> None:
    device = cpu.detect(xeon(tmp_path), range(8))
    assert device.units == 4
    assert device.facts["cpus"] == [0, 1, 2, 3]
    assert device.facts["logical_cpus"] == 8
    assert device.facts["numa_nodes"] == 2


def test_facts_of_a_two_socket_server(tmp_path: Path) -> None:
    device = cpu.detect(xeon(tmp_path), range(8))
    assert (device.name, device.arch, device.clock_hz) == ("Intel(R) Xeon(R) Gold 6330", "icelake-server", 3.1e9)
    assert "avx512_vnni" in device.features
    assert device.last_cache_bytes == 64 * MIB, "one last-level cache a socket"
    assert [c["level"] for c in device.facts["caches"]] == [1, 2, 3], "instruction caches hold no data"
    assert device.facts["caches"][1]["size_bytes"] == 1280 * 1024
    assert (device.memory_bytes, device.memory_free_bytes) == (16384000 * 1024, 8192000 * 1024)
    assert not device.warnings


def test_affinity_narrows_cores_and_caches(tmp_path: Path) -> None:
    device = cpu.detect(xeon(tmp_path), [5, 1])
    assert (device.units, device.facts["cpus"]) == (1, [1])
    assert device.last_cache_bytes == 32 * MIB


@pytest.mark.parametrize(
    ("files", "units"),
    [
        ({"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "250000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "100000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "50000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/box\n", "sys/fs/cgroup/box/cpu.max": "max 100000\n"}, 4),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/box\n",
                "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "300000\n",
                "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            },
            3,
        ),
    ],
    ids=["v2", "v2 of a parent", "less than one core", "v2 unlimited", "v1"],
)
def test_a_quota_limits_the_cores(tmp_path: Path, files: dict[str, str], units: int) -> None:
    root = write(xeon(tmp_path), files)
    if "cpu,cpuacct" in files["proc/self/cgroup"]:
        (root / "sys/fs/cgroup/cpu,cpuacct").symlink_to("cpu")
    device = cpu.detect(root, range(8))
    assert device.units == units
    assert len(device.facts["cpus"]) == units
    assert any("control group" in w for w in device.warnings) == (units < 4)


@pytest.mark.parametrize(
    "files",
    [
        {
            "proc/self/cgroup": "0::/box\n",
            "sys/fs/cgroup/box/memory.max": "3000000000\n",
            "sys/fs/cgroup/box/memory.current": "1000000000\n",
        },
        {
            "proc/self/cgroup": "4:memory:/box\n",
            "sys/fs/cgroup/memory/box/memory.limit_in_bytes": "3000000000\n",
            "sys/fs/cgroup/memory/box/memory.usage_in_bytes": "1000000000\n",
        },
    ],
    ids=["v2", "v1"],
)
def test_a_memory_limit_counts_as_the_memory(tmp_path: Path, files: dict[str, str]) -> None:
    device = cpu.detect(write(xeon(tmp_path), files), range(8))
    assert (device.memory_bytes, device.memory_free_bytes) == (3_000_000_000, 2_000_000_000)


def test_an_arm_server_with_no_cache_information(tmp_path: Path) -> None:
    device = cpu.detect(graviton(tmp_path), range(4))
    assert (device.arch, device.units, device.last_cache_bytes) == ("neoverse-n1", 4, None)
    assert "asimddp" in device.features
    assert device.clock_hz is None


def test_a_jetson_is_named_by_its_board(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/cpuinfo": arm_block(0, "0xd42"), "proc/meminfo": MEMINFO})
    write(root, {"proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0"})
    device = cpu.detect(root, [0])
    assert (device.name, device.arch) == ("NVIDIA Jetson AGX Orin Developer Kit CPU", "cortex-a78ae")


def test_a_chip_of_two_dies_has_two_last_caches(tmp_path: Path) -> None:
    files = {"proc/meminfo": MEMINFO, "proc/cpuinfo": x86_block(0, "AuthenticAMD", 0x1A, 0x44, "Ryzen 9", "avx512f")}
    for core in (0, 1):
        files |= cache(core, 0, 3, "Unified", "32768K", str(core))
    device = cpu.detect(write(tmp_path, files), [0, 1])
    assert (device.arch, device.last_cache_bytes) == ("zen5", 64 * MIB)


def test_what_falsifies_numbers_is_said(tmp_path: Path) -> None:
    root = write(xeon(tmp_path), {"proc/loadavg": "3.50 1 1 1/1 1\n"})
    write(root, {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"})
    said = " ".join(cpu.detect(root, range(8)).warnings)
    assert "load 3.50 on 4 cores" in said
    assert "powersave" in said


@pytest.mark.parametrize(
    ("vendor", "family", "model", "name"),
    [
        ("GenuineIntel", 6, 0x3F, "haswell"),
        ("GenuineIntel", 6, 0x55, "skylake-x"),
        ("GenuineIntel", 6, 0xCF, "emeraldrapids"),
        ("AuthenticAMD", 25, 17, "zen4"),
        ("AuthenticAMD", 25, 1, "zen3"),
        ("AuthenticAMD", 26, 2, "zen5"),
        ("AuthenticAMD", 26, 0x24, "zen5-mobile"),
        ("AuthenticAMD", 99, 1, ""),
        ("HygonGenuine", 25, 17, ""),
    ],
)
def test_core_names(vendor: str, family: int, model: int, name: str) -> None:
    assert core_name({"vendor_id": vendor, "cpu family": str(family), "model": str(model)}) == name


def test_cpu_lists() -> None:
    assert cpu_list("0-2,8,10-11") == [0, 1, 2, 8, 10, 11]
    assert cpu_list("") == []


def test_this_machine(tmp_path: Path) -> None:
    device = cpu.detect()
    assert 1 <= device.units == len(device.facts["cpus"])
    assert device.features
    assert device.memory_free_bytes is not None
    assert device.memory_bytes is not None
    assert 0 < device.memory_free_bytes <= device.memory_bytes
