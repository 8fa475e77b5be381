"""Made-up /proc and /sys trees, laid out as real machines lay theirs out."""

from __future__ import annotations

import os
from pathlib import Path

CPUS = "sys/devices/system/cpu"


def write(root: Path, files: dict[str, str]) -> Path:
    """Files by path below ``root``; returns ``root``."""
    folders = {os.path.dirname(name) for name in files}
    for folder in folders:
        os.makedirs(os.path.join(root, folder), exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(root, name), "w") as file:
            file.write(text)
    return root


def x86_block(cpu: int, vendor: str, family: int, model: int, name: str, flags: str) -> str:
    """What /proc/cpuinfo says of one x86 CPU."""
    return (
        f"processor\t: {cpu}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
        f"model name\t: {name}\nstepping\t: 6\nflags\t\t: {flags}\n\n"
    )


def x86_blocks(cpus: int, vendor: str, family: int, model: int, name: str, flags: str) -> str:
    """The blocks of so many CPUs that are alike."""
    return "".join(x86_block(cpu, vendor, family, model, name, flags) for cpu in range(cpus))


def arm_block(cpu: int, part: str, implementer: str = "0x41") -> str:
    """What /proc/cpuinfo says of one CPU of an Arm kernel; implementer 0x41 is Arm itself."""
    return (
        f"processor\t: {cpu}\nFeatures\t: fp asimd asimdhp asimddp\n"
        f"CPU implementer\t: {implementer}\n"
        f"CPU architecture: 8\nCPU part\t: {part}\n\n"
    )


def neighbours(cpu: int, count: int) -> str:
    """The list of CPUs in which ``cpu`` lies where each ``count`` in a row belong together."""
    first = cpu // count * count
    return f"{first}-{first + count - 1}"


def cache(
    cpu: int, index: int, level: int, cache_type: str, size: str, sharers: str
) -> dict[str, str]:
    """The files of one cache of a CPU; ``sharers`` lists the CPUs that share it."""
    folder = f"{CPUS}/cpu{cpu}/cache/index{index}"
    return {
        f"{folder}/level": f"{level}\n",
        f"{folder}/type": f"{cache_type}\n",
        f"{folder}/size": f"{size}\n",
        f"{folder}/shared_cpu_list": f"{sharers}\n",
    }


def siblings(cpu: int, threads: str) -> dict[str, str]:
    """The file that lists the threads of a CPU's core."""
    return {f"{CPUS}/cpu{cpu}/topology/thread_siblings_list": f"{threads}\n"}


def clock(cpu: int, khz: int) -> dict[str, str]:
    """The file that holds a CPU's highest clock."""
    return {f"{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq": f"{khz}\n"}


MEMINFO = "MemTotal:       16384000 kB\nMemFree:         1000000 kB\nMemAvailable:    8192000 kB\n"


def xeon(root: Path) -> Path:
    """Two sockets of two cores with two threads each, and a 32 MiB L3 a socket.

    CPUs 4-7 are the second threads.
    """
    flags = "fpu sse2 avx avx2 fma avx512f avx512_vnni"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/loadavg": "0.10 0.20 0.30 1/100 1234\n",
        "proc/cpuinfo": x86_blocks(8, "GenuineIntel", 6, 0x6A, "Intel(R) Xeon(R) Gold 6330", flags),
    }
    for cpu in range(8):
        core = cpu % 4
        threads = f"{core},{core + 4}"
        socket = core // 2
        cpus_of_socket = f"{2 * socket},{2 * socket + 1},{2 * socket + 4},{2 * socket + 5}"
        files |= siblings(cpu, threads)
        files |= {f"{CPUS}/cpu{cpu}/topology/physical_package_id": f"{socket}\n"}
        files |= cache(cpu, 0, 1, "Data", "48K", threads)
        files |= cache(cpu, 1, 1, "Instruction", "32K", threads)
        files |= cache(cpu, 2, 2, "Unified", "1280K", threads)
        files |= cache(cpu, 3, 3, "Unified", "32M", cpus_of_socket)
        files |= {f"sys/devices/system/node/node{socket}/cpulist": f"{cpus_of_socket}\n"}
        files |= clock(cpu, 3100000)
    return write(root, files)


def graviton(root: Path) -> Path:
    """Four Neoverse N1 cores whose kernel shows no caches."""
    cores = "".join(arm_block(cpu, "0xd0c") for cpu in range(4))
    return write(root, {"proc/meminfo": MEMINFO, "proc/cpuinfo": cores})


def zen5(root: Path) -> Path:
    """A Ryzen of two dies with an L3 each, of two cores with two threads each.

    Threads of a core, and cores of a die, are neighbours in number.
    """
    name = "AMD Ryzen 9 9950X 16-Core Processor"
    flags = "avx2 fma avx512f avx512_bf16"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/loadavg": "0.00 0.00 0.00 1/100 1\n",
        "proc/cpuinfo": x86_blocks(8, "AuthenticAMD", 0x1A, 0x44, name, flags),
    }
    for cpu in range(8):
        core = neighbours(cpu, 2)
        die = neighbours(cpu, 4)
        files |= siblings(cpu, core)
        files |= cache(cpu, 0, 1, "Data", "48K", core)
        files |= cache(cpu, 3, 3, "Unified", "32768K", die)
    return write(root, files)


def orin_cpu(root: Path) -> Path:
    """The CPU side of an AGX Orin: A78AE cores in clusters of four with an L3 each."""
    files = {
        "proc/meminfo": MEMINFO,
        "proc/cpuinfo": "".join(arm_block(cpu, "0xd42") for cpu in range(8)),
        "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
    }
    for cpu in range(8):
        files |= siblings(cpu, f"{cpu}")
        files |= cache(cpu, 0, 1, "Data", "64K", f"{cpu}")
        files |= cache(cpu, 2, 2, "Unified", "256K", f"{cpu}")
        files |= cache(cpu, 3, 3, "Unified", "2048K", neighbours(cpu, 4))
        files |= clock(cpu, 2201600)
    return write(root, files)


def gb10(root: Path) -> Path:
    """Ten small and ten large Arm cores, in turns of five.

    Each has an L2, of two sizes, and each half of the cores has an L3.
    """
    files = {"proc/meminfo": MEMINFO, "proc/cpuinfo": ""}
    for cpu in range(20):
        is_large = cpu // 5 % 2 == 1
        if is_large:
            part, khz, l2_size = "0xd85", 3900000, "2048K"
        else:
            part, khz, l2_size = "0xd87", 2808000, "512K"
        files["proc/cpuinfo"] += arm_block(cpu, part)
        files |= siblings(cpu, f"{cpu}")
        files |= clock(cpu, khz)
        files |= cache(cpu, 0, 1, "Data", "64K", f"{cpu}")
        files |= cache(cpu, 2, 2, "Unified", l2_size, f"{cpu}")
        files |= cache(cpu, 3, 3, "Unified", "8192K", neighbours(cpu, 10))
    return write(root, files)


def core_ultra(root: Path) -> Path:
    """A Core Ultra 7 155H: six cores of two threads, and ten efficiency cores.

    Only one list tells these apart.
    """
    name = "Intel(R) Core(TM) Ultra 7 155H"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/cpuinfo": x86_blocks(22, "GenuineIntel", 6, 0xAA, name, "avx2 fma avx_vnni"),
        "sys/devices/cpu_core/cpus": "0-11\n",
        "sys/devices/cpu_atom/cpus": "12-21\n",
    }
    for cpu in range(12):
        files |= siblings(cpu, neighbours(cpu, 2))
    return write(root, files)


def cut_sockets(root: Path) -> Path:
    """Two sockets of eight cores with one 16 MiB L3 each, whose lists of sharers are cut.

    A hypervisor ends these lists at each of four memory nodes. The caches' ids are not cut.
    """
    name = "Intel(R) Xeon(R) Platinum 8375C"
    files = {
        "proc/meminfo": MEMINFO,
        "proc/cpuinfo": x86_blocks(16, "GenuineIntel", 6, 0x6A, name, "avx2 fma avx512f"),
    }
    for cpu in range(16):
        socket = cpu // 8
        node = cpu // 4
        cpus_of_node = neighbours(cpu, 4)
        files |= siblings(cpu, f"{cpu}")
        files |= cache(cpu, 0, 1, "Data", "48K", f"{cpu}")
        files |= cache(cpu, 3, 3, "Unified", "16384K", cpus_of_node)
        files |= {f"sys/devices/system/node/node{node}/cpulist": f"{cpus_of_node}\n"}
        files |= {f"{CPUS}/cpu{cpu}/topology/physical_package_id": f"{socket}\n"}
        files |= {f"{CPUS}/cpu{cpu}/cache/index3/id": f"{socket}\n"}
        files |= {f"{CPUS}/cpu{cpu}/cache/index0/id": f"{cpu}\n"}
    return write(root, files)


def one_last_cache(
    root: Path, cores: int, family: int, model: int, size: str, vendor: str = "AuthenticAMD"
) -> Path:
    """A virtual machine that shows one L3 for all its cores."""
    files = {
        "proc/meminfo": MEMINFO,
        "proc/cpuinfo": x86_blocks(cores, vendor, family, model, "A server", "avx2 fma"),
    }
    for cpu in range(cores):
        files |= siblings(cpu, f"{cpu}")
        files |= cache(cpu, 3, 3, "Unified", size, f"0-{cores - 1}")
    return write(root, files)


def release(major: int, revision: str) -> str:
    """The line of /etc/nv_tegra_release, which names a Jetson's release of Linux for Tegra."""
    return (
        f"# R{major} (release), REVISION: {revision}, GCID: 1, BOARD: generic, EABI: aarch64, "
        "DATE: now\n"
    )


def devfreq(node: str, now: int, cap: int, steps: tuple[int, ...] = ()) -> dict[str, str]:
    """The folder of one clock of a Jetson.

    Its frequency ``now``, the highest that it may take, and the ``steps`` that it lists, in Hz.
    """
    files = {f"{node}/cur_freq": f"{now}\n", f"{node}/max_freq": f"{cap}\n"}
    if steps:
        files[f"{node}/available_frequencies"] = " ".join(map(str, steps)) + "\n"
    return files


def ina3221(hwmon: int, *channels: tuple[str, int, int]) -> dict[str, str]:
    """The folder of a power monitor: name of each rail, its voltage in mV and current in mA."""
    folder = f"sys/class/hwmon/hwmon{hwmon}"
    files = {f"{folder}/name": "ina3221\n"}
    for channel, (rail, millivolts, milliamperes) in enumerate(channels, 1):
        files[f"{folder}/in{channel}_label"] = f"{rail}\n"
        files[f"{folder}/in{channel}_input"] = f"{millivolts}\n"
        files[f"{folder}/curr{channel}_input"] = f"{milliamperes}\n"
    return files


EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
"""The folder of the clock of the memory's controller (EMC), which root may read."""
DEVFREQ = "sys/class/devfreq"
