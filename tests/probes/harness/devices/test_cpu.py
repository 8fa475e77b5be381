"""What a process may use of a CPU is not all it has: affinity, threads, quotas, memory limits."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernels.cpu import target
from probes.harness.devices import cpu
from probes.harness.devices.cores import AMD, ARM, INTEL, core_name
from tests.probes.harness.devices.trees import (
    MEMINFO,
    arm_block,
    graviton,
    orin_cpu,
    siblings,
    write,
    x86_block,
    x86_blocks,
    xeon,
    zen5,
)

MIB = 1 << 20
XEON_CORES = 4
"""Of the made-up server: two sockets of two."""
CPU0 = "sys/devices/system/cpu/cpu0"


def test_hardware_threads_count_as_one_core(tmp_path: Path) -> None:
    device = cpu.detect(xeon(tmp_path), range(8))
    assert device.units == 4
    assert device.facts["cpus"] == [0, 1, 2, 3]
    assert device.facts["logical_cpus"] == 8
    assert device.facts["smt"]
    assert (device.facts["sockets"], device.facts["numa_nodes"]) == (2, 2)


def test_a_server_of_two_sockets_is_known_by_its_files(tmp_path: Path) -> None:
    device = cpu.detect(xeon(tmp_path), range(8))
    assert (device.name, device.arch, device.clock_hz) == (
        "Intel(R) Xeon(R) Gold 6330",
        "icelake-server",
        3.1e9,
    )
    assert "avx512_vnni" in device.features
    assert device.last_cache_bytes == 64 * MIB, "one last-level cache a socket"
    assert [cache["level"] for cache in device.facts["caches"]] == [1, 2, 3], (
        "instruction caches hold no data"
    )
    assert device.facts["caches"][1]["size_bytes"] == 1280 * 1024
    assert (device.memory_bytes, device.memory_free_bytes) == (16384000 * 1024, 8192000 * 1024)
    assert not device.warnings


def test_affinity_narrows_cores_and_caches(tmp_path: Path) -> None:
    device = cpu.detect(xeon(tmp_path), [5, 1])
    assert (device.units, device.facts["cpus"]) == (1, [1])
    assert device.last_cache_bytes == 32 * MIB
    assert (device.facts["sockets"], device.facts["numa_nodes"]) == (1, 1)


def test_each_core_has_one_cpu_in_order_whatever_is_allowed(tmp_path: Path) -> None:
    assert cpu.detect(xeon(tmp_path), [7, 0, 1, 4]).facts["cpus"] == [0, 1, 7]


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
        # The same folder by the names of both controllers, as version 1 mounts them.
        (root / "sys/fs/cgroup/cpu,cpuacct").symlink_to("cpu")
    device = cpu.detect(root, range(8))
    assert device.units == units
    assert len(device.facts["cpus"]) == units
    is_limited = units < XEON_CORES
    assert any("control group" in warning for warning in device.warnings) == is_limited
    quota = device.facts["cgroup_quota_cores"]
    is_less_than_a_core = quota is not None and quota < 1
    is_warned_of_stops = any(
        "stopped for part of the time" in warning for warning in device.warnings
    )
    assert is_warned_of_stops == is_less_than_a_core


def test_a_quota_of_more_than_there_is_limits_nothing(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "800000 100000\n"}
    device = cpu.detect(write(xeon(tmp_path), files), range(8))
    assert (device.units, device.facts["cgroup_quota_cores"], device.warnings) == (4, 8.0, ())


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


def test_a_groups_file_cache_counts_as_free(tmp_path: Path) -> None:
    group = {
        "memory.max": "3000000000",
        "memory.current": "2900000000",
        "memory.stat": "anon 5\ninactive_file 900000000",
    }
    files = {f"sys/fs/cgroup/box/{name}": text for name, text in group.items()}
    files["proc/self/cgroup"] = "0::/box\n"
    device = cpu.detect(write(xeon(tmp_path), files), range(8))
    assert device.memory_free_bytes == 1_000_000_000


def test_an_arm_server_that_shows_no_caches_has_an_unknown_last_cache(tmp_path: Path) -> None:
    device = cpu.detect(graviton(tmp_path), range(4))
    assert (device.arch, device.units, device.last_cache_bytes) == ("neoverse-n1", 4, None)
    assert "asimddp" in device.features
    assert device.clock_hz is None


def test_a_jetsons_cpu_is_named_by_its_board(tmp_path: Path) -> None:
    device = cpu.detect(orin_cpu(tmp_path), range(8))
    assert (device.name, device.arch) == (
        "NVIDIA Jetson AGX Orin Developer Kit CPU",
        "cortex-a78ae",
    )
    assert (device.units, device.facts["smt"], device.clock_hz) == (8, False, 2.2016e9)
    assert device.last_cache_bytes == 4 * MIB, "one L3 a cluster"


def test_a_chip_of_two_dies_has_two_last_caches(tmp_path: Path) -> None:
    device = cpu.detect(zen5(tmp_path), range(8))
    assert (device.arch, device.units, device.facts["cpus"]) == ("zen5", 4, [0, 2, 4, 6])
    assert device.last_cache_bytes == 64 * MIB
    one_die = cpu.detect(tmp_path, range(4))
    assert one_die.last_cache_bytes == 32 * MIB


def test_cores_of_several_kinds_have_no_one_peak(tmp_path: Path) -> None:
    cores = arm_block(0, "0xd07") + arm_block(1, "0x003", "0x4e")
    device = cpu.detect(write(tmp_path, {"proc/cpuinfo": cores, "proc/meminfo": MEMINFO}), [0, 1])
    assert device.arch == ""
    assert "several kinds (denver2, cortex-a57)" in device.warnings[0]
    second_core = cpu.detect(tmp_path, [1])
    assert (second_core.arch, second_core.warnings) == ("denver2", ())


def test_efficiency_cores_are_not_taken_for_the_others(tmp_path: Path) -> None:
    files = {
        "proc/cpuinfo": x86_blocks(3, "GenuineIntel", 6, 0x97, "i5", "avx2 fma"),
        "proc/meminfo": MEMINFO,
        "sys/devices/cpu_atom/cpus": "2\n",
    }
    root = write(tmp_path, files | siblings(0, "0-1") | siblings(1, "0-1"))
    assert cpu.detect(root, [0, 1]).arch == "alderlake"
    assert cpu.detect(root, [2]).arch == ""
    mixed = cpu.detect(root, [0, 1, 2])
    assert (mixed.arch, mixed.units) == ("", 2)
    assert "alderlake, another" in mixed.warnings[0]


def test_a_machine_that_says_nothing_still_has_a_cpu(tmp_path: Path) -> None:
    device = cpu.detect(tmp_path, range(3))
    assert (device.units, device.arch, device.features) == (3, "", ())
    assert device.name
    assert (device.memory_bytes, device.last_cache_bytes, device.clock_hz) == (None, None, None)


GARBAGE = {
    "cpuinfo": {"proc/cpuinfo": "processor : zero\nCPU part : 0xzz\n\nflags\n:\nmodel : x\n\n\0"},
    "numbers": {
        "proc/cpuinfo": (
            "processor: 0\nvendor_id: GenuineIntel\ncpu family: six\nmodel: 85\nflags:\n"
        )
    },
    "meminfo": {"proc/meminfo": "MemTotal\nMemAvailable: much\nMemTotal: 12 34 kB\n: 5 kB"},
    "load": {"proc/loadavg": "busy\n"},
    "empty": {
        f"{CPU0}/topology/thread_siblings_list": "",
        f"{CPU0}/cache/index0/size": "",
        "proc/cpuinfo": "",
    },
    "lists": {
        f"{CPU0}/topology/thread_siblings_list": "a-b,--,7-2,0-99999999999",
        "sys/devices/cpu_atom/cpus": "x",
    },
    "sizes": {
        f"{CPU0}/cache/index0/level": "1",
        f"{CPU0}/cache/index0/type": "",
        f"{CPU0}/cache/index0/size": "-3K",
    },
    "clock": {f"{CPU0}/cpufreq/cpuinfo_max_freq": "<unknown>", f"{CPU0}/cpu_capacity": "-1"},
    "groups": {
        "proc/self/cgroup": "0:\nx\n0::\n:::::",
        "proc/self/mountinfo": "1 2\n - \n1 2 3 4 5 - cgroup2",
    },
    "quota": {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1000 0\n"},
    "old quota": {"proc/self/cgroup": "1:cpu:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "--5"},
    "online": {"sys/devices/system/cpu/online": "none"},
}


@pytest.mark.parametrize("files", GARBAGE.values(), ids=GARBAGE)
def test_files_of_garbage_leave_things_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    device = cpu.detect(write(tmp_path, files), range(3))
    assert (device.units, device.arch, device.features) == (3, "", ())
    assert (device.memory_bytes, device.last_cache_bytes, device.clock_hz) == (None, None, None)
    assert device.facts["cpus"] == [0, 1, 2]
    assert device.caches == ()


def test_folders_in_the_place_of_files_are_no_files(tmp_path: Path) -> None:
    for name in (
        "proc/cpuinfo",
        "proc/self/cgroup",
        f"{CPU0}/cache/index0/size",
        "sys/devices/cpu_atom/cpus",
    ):
        (tmp_path / name).mkdir(parents=True)
    assert cpu.detect(tmp_path, range(2)).units == 2


def test_cpus_that_are_switched_off_do_not_count(tmp_path: Path) -> None:
    root = write(xeon(tmp_path), {"sys/devices/system/cpu/online": "0-2,4-7\n"})
    write(root, {"sys/devices/system/cpu/cpu7/online": "0\n"})
    device = cpu.detect(root, range(8))
    assert device.facts["cpus"] == [0, 1, 2], "both threads of the fourth core are off"
    assert device.facts["logical_cpus"] == 6


def test_one_thread_of_each_core_may_be_allowed(tmp_path: Path) -> None:
    assert cpu.detect(xeon(tmp_path), [1, 4, 6, 7]).facts["cpus"] == [1, 4, 6, 7]
    assert cpu.detect(xeon(tmp_path), [2, 4, 5, 6]).facts["cpus"] == [2, 4, 5]


def test_a_core_that_only_one_of_its_threads_lists_is_one_core(tmp_path: Path) -> None:
    root = write(tmp_path, siblings(0, "") | siblings(1, "0-1") | siblings(2, "2-3"))
    assert cpu.detect(root, range(4)).facts["cpus"] == [0, 2]


def test_no_core_has_as_many_threads_as_a_wrong_list_says(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for number in range(16):
        files |= siblings(number, "0-15")
    assert cpu.detect(write(tmp_path, files), range(16)).units == 16


def test_hundreds_of_cpus_are_counted(tmp_path: Path) -> None:
    files = {"proc/cpuinfo": "".join(arm_block(number, "0xd0c") for number in range(384))}
    for number in range(384):
        files |= siblings(number, f"{number}")
    device = cpu.detect(write(tmp_path, files), range(100, 356))
    assert (device.units, device.arch) == (256, "neoverse-n1")
    assert device.facts["core_kinds"][0]["cpus"] == "100-355"


def test_only_what_all_cores_have_is_a_feature(tmp_path: Path) -> None:
    cpuinfo = x86_block(0, "GenuineIntel", 6, 0x97, "i5", "sse2 avx2 fma avx512f")
    cpuinfo += x86_block(1, "GenuineIntel", 6, 0x97, "i5", "fma avx2 sse2")
    root = write(tmp_path, {"proc/cpuinfo": cpuinfo})
    assert cpu.detect(root, [0, 1]).features == ("sse2", "avx2", "fma")
    assert "avx512f" in cpu.detect(root, [0]).features


def test_an_old_arm_kernel_describes_its_cores_once_for_all(tmp_path: Path) -> None:
    cpuinfo = (
        "Processor\t: AArch64 rev 2\nprocessor\t: 0\nprocessor\t: 1\n\n"
        "Features\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd07\n\n"
        "Hardware\t: a board\n"
    )
    device = cpu.detect(write(tmp_path, {"proc/cpuinfo": cpuinfo}), [0, 1])
    assert (device.arch, device.features) == ("cortex-a57", ("fp", "asimd"))


def test_a_container_may_count_its_cpus_anew(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/cpuinfo": arm_block(0, "0xd40") + arm_block(1, "0xd40")})
    device = cpu.detect(root, [40, 41])
    assert (device.arch, device.units, device.warnings) == ("neoverse-v1", 2, ())


def test_a_cpu_without_a_block_is_no_kind_of_its_own(tmp_path: Path) -> None:
    device = cpu.detect(write(tmp_path, {"proc/cpuinfo": arm_block(0, "0xd40")}), [0, 1])
    assert (device.arch, device.warnings, "asimd" in device.features) == ("neoverse-v1", (), True)


def test_without_affinity_all_cpus_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert cpu.detect(tmp_path).units == 5


def test_a_governor_that_saves_power_is_warned_of_unless_it_is_the_normal_one(
    tmp_path: Path,
) -> None:
    root = xeon(tmp_path)
    write(root, {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"})
    assert "powersave" in " ".join(cpu.detect(root, range(8)).warnings)
    write(root, {"sys/devices/system/cpu/cpu0/cpufreq/scaling_driver": "intel_pstate\n"})
    assert "powersave" not in " ".join(cpu.detect(root, range(8)).warnings), (
        "there it is the normal governor"
    )


@pytest.mark.parametrize(
    ("vendor", "family", "model", "name"),
    [
        ("GenuineIntel", 6, 0x3F, "haswell"),
        ("GenuineIntel", 6, 0x55, "skylake-x"),
        ("GenuineIntel", 6, 0xCF, "emeraldrapids"),
        ("GenuineIntel", 6, 0x9A, "alderlake"),
        ("GenuineIntel", 6, 0xAF, "sierraforest"),
        ("AuthenticAMD", 25, 17, "zen4"),
        ("AuthenticAMD", 25, 1, "zen3"),
        ("AuthenticAMD", 26, 2, "zen5"),
        ("AuthenticAMD", 26, 0x11, "zen5"),
        ("AuthenticAMD", 26, 0x24, "zen5-mobile"),
        ("AuthenticAMD", 26, 0x60, "zen5-mobile"),
        ("AuthenticAMD", 26, 0x70, "zen5"),
        ("AuthenticAMD", 26, 0x50, ""),
        ("AuthenticAMD", 99, 1, ""),
        ("HygonGenuine", 25, 17, ""),
    ],
)
def test_an_x86_core_is_named_by_vendor_family_and_model(
    vendor: str, family: int, model: int, name: str
) -> None:
    assert core_name({"vendor_id": vendor, "cpu family": str(family), "model": str(model)}) == name


@pytest.mark.parametrize(
    ("implementer", "part", "name"),
    [
        ("0x41", "0xd83", "neoverse-v3ae"),
        ("0x41", "0xd8e", "neoverse-n3"),
        ("0x4e", "0x004", "carmel"),
        ("0x61", "0x023", "apple-m1"),
        ("0x61", "0x022", ""),
        ("0x42", "0xd0c", ""),
    ],
)
def test_an_arm_core_is_named_by_implementer_and_part(
    implementer: str, part: str, name: str
) -> None:
    assert core_name({"CPU implementer": implementer, "CPU part": part}) == name


def test_every_core_with_a_peak_can_be_recognised() -> None:
    names = {*INTEL.values(), *AMD.values(), *ARM.values()}
    peaks = (Path(__file__).parents[4] / "analysis/theory/peaks.toml").read_text(encoding="utf-8")
    assert set(re.findall(r"^\[cpu\.(.+)\]", peaks, re.MULTILINE)) <= names


@pytest.mark.parametrize("listed", [(), ("rdrand", "another_kinds_set")])
def test_where_the_system_lists_no_instruction_sets_the_compiler_knows_them(
    listed: tuple[str, ...],
) -> None:
    known = {*listed, *target.compiled(), *target.sve_feature()}
    assert set(cpu.compiled_features(listed)) == known


def test_an_instruction_set_that_the_compiler_does_not_use_is_left_out_and_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(target, "is_arm", lambda: False)
    monkeypatch.setattr(target, "compiled", lambda: frozenset({"sse2", "avx"}))
    assert cpu.compiled_features(("sse2", "avx", "fma", "rdrand")) == ("sse2", "avx", "rdrand")
    (warning,) = cpu.unused_features(["fma"])
    assert "does not use fma, which this CPU has" in warning


def test_this_machine_has_cores_features_and_memory() -> None:
    device = cpu.detect()
    assert 1 <= device.units == len(device.facts["cpus"])
    assert device.features
    assert device.memory_free_bytes is not None
    assert device.memory_bytes is not None
    assert 0 < device.memory_free_bytes <= device.memory_bytes
