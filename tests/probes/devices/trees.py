"""Made-up /proc and /sys trees, laid out as real machines lay theirs out."""

from __future__ import annotations

from pathlib import Path


def write(root: Path, files: dict[str, str]) -> Path:
    """Files by path below ``root``; returns ``root``."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def x86_block(cpu: int, vendor: str, family: int, model: int, name: str, flags: str) -> str:
    return (
        f"processor\t: {cpu}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n"
        f"model name\t: {name}\nflags\t\t: {flags}\n\n"
    )


def arm_block(cpu: int, part: str, implementer: str = "0x41") -> str:
    return (
        f"processor\t: {cpu}\nFeatures\t: fp asimd asimdhp asimddp\nCPU implementer\t: {implementer}\n"
        f"CPU architecture: 8\nCPU part\t: {part}\n\n"
    )


def cache(cpu: int, index: int, level: int, kind: str, size: str, shared: str) -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}"
    return {
        f"{folder}/level": f"{level}\n",
        f"{folder}/type": f"{kind}\n",
        f"{folder}/size": f"{size}\n",
        f"{folder}/shared_cpu_list": f"{shared}\n",
    }


def siblings(cpu: int, text: str) -> dict[str, str]:
    return {f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": f"{text}\n"}


MEMINFO = "MemTotal:       16384000 kB\nMemFree:         1000000 kB\nMemAvailable:    8192000 kB\n"


def xeon(root: Path) -> Path:
    """Two sockets of two cores with two threads each, a 32 MiB L3 a socket; CPUs 4-7 are the second threads."""
    files = {"proc/meminfo": MEMINFO, "proc/loadavg": "0.10 0.20 0.30 1/100 1234\n"}
    flags = "fpu sse2 avx avx2 fma avx512f avx512_vnni"
    files["proc/cpuinfo"] = "".join(
        x86_block(c, "GenuineIntel", 6, 0x6A, "Intel(R) Xeon(R) Gold 6330", flags) for c in range(8)
    )
    for cpu in range(8):
        socket = cpu % 4 // 2
        last = f"{2 * socket},{2 * socket + 1},{2 * socket + 4},{2 * socket + 5}"
        files |= siblings(cpu, f"{cpu % 4},{cpu % 4 + 4}")
        files |= cache(cpu, 0, 1, "Data", "48K", f"{cpu % 4},{cpu % 4 + 4}")
        files |= cache(cpu, 1, 1, "Instruction", "32K", f"{cpu % 4},{cpu % 4 + 4}")
        files |= cache(cpu, 2, 2, "Unified", "1280K", f"{cpu % 4},{cpu % 4 + 4}")
        files |= cache(cpu, 3, 3, "Unified", "32M", last)
        files |= {f"sys/devices/system/node/node{socket}/cpulist": "x\n"}
        files |= {f"sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq": "3100000\n"}
    return write(root, files)


def graviton(root: Path) -> Path:
    """Four Neoverse N1 cores whose kernel shows no caches."""
    cores = "".join(arm_block(c, "0xd0c") for c in range(4))
    return write(root, {"proc/meminfo": MEMINFO, "proc/cpuinfo": cores})


JETSONS = {
    "xavier": {
        "proc/device-tree/model": "Jetson-AGX\0",
        "etc/nv_tegra_release": "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64\n",
        "var/lib/nvpmodel/status": "pmode:0002\n",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=MODE_15W >\n",
        "sys/devices/gpu.0/devfreq/17000000.gv11b/cur_freq": "114750000\n",
        "sys/devices/gpu.0/devfreq/17000000.gv11b/max_freq": "670000000\n",
        "sys/devices/gpu.0/devfreq/17000000.gv11b/available_frequencies": "114750000 670000000 1377000000\n",
        "sys/kernel/debug/bpmp/debug/clk/emc/rate": "1333000000\n",
        "sys/kernel/debug/bpmp/debug/clk/emc/max_rate": "2133000000\n",
    },
    "orin": {
        "proc/device-tree/model": "NVIDIA Jetson AGX Orin Developer Kit\0",
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic, EABI: aarch64\n",
        "var/lib/nvpmodel/status": "pmode:0000\n",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=MODE_15W >\n",
        "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
        "sys/class/devfreq/17000000.gpu/max_freq": "1300500000\n",
        "sys/class/devfreq/17000000.gpu/available_frequencies": "306000000 1300500000\n",
    },
    "nano": {
        "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
        "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64\n",
        "var/lib/nvpmodel/status": "pmode:0001\n",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=25W >\n",
        "sys/class/devfreq/17000000.gpu/cur_freq": "306000000\n",
        "sys/class/devfreq/17000000.gpu/max_freq": "918000000\n",
        "sys/class/devfreq/17000000.gpu/available_frequencies": "306000000 1020000000\n",
    },
    "thor": {
        "proc/device-tree/model": "NVIDIA Jetson AGX Thor Developer Kit\0",
        "etc/nv_tegra_release": "# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, EABI: aarch64\n",
        "var/lib/nvpmodel/status": "pmode:0000\n",
        "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=1 NAME=120W >\n",
        "sys/class/devfreq/gpu-gpc-0/cur_freq": "315000000\n",
        "sys/class/devfreq/gpu-gpc-0/max_freq": "1575000000\n",
        "sys/class/devfreq/gpu-nvd-0/max_freq": "1692000000\n",
    },
}
