"""Made-up file trees of Jetsons, laid out as real ones are, for users and root, with and without a
container.

Paths and values follow public listings of boards with JetPack 4 to 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kernels.device import Device
from tests.devices import GPU
from tests.probes.harness.devices.trees import (
    CPUS,
    DEVFREQ,
    EMC,
    MEMINFO,
    arm_block,
    devfreq,
    ina3221,
    release,
    write,
)

MHZ = 1_000_000
NO_CAP = -1
"""How nvpmodel's table writes a clock that a mode does not cap."""
OLD_CPUINFO = "processor\t: {cpu}\nmodel name\t: ARMv8 Processor rev 0 (v8l)\n"
ORIN_NODE = f"{DEVFREQ}/17000000.ga10b"
ORIN_NODE_6 = f"{DEVFREQ}/17000000.gpu"
ORIN_STEPS = (306, 408, 510, 612, 714, 816, 918)


@dataclass(frozen=True)
class Mode:
    """A power mode as nvpmodel's table has it."""

    name: str
    gpu_mhz: int = NO_CAP
    emc_mhz: int = NO_CAP
    mask: int | None = None
    cores: int = 0
    cpu_khz: int = NO_CAP


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What a board's files say."""

    compatible: str
    model: str
    l4t: tuple[int, str]
    mode: int
    modes: tuple[Mode, ...]
    gpu_node: str
    gpu_mhz: tuple[float, float]
    """Now and the cap."""
    gpu_steps: tuple[float, ...] = ()
    emc_mhz: tuple[float, float] = (0, 0)
    """Now and the highest, which root may read; or a Thor's, which all may."""
    emc_cap_mhz: float | None = None
    emc_cap_file: str = "sys/kernel/nvpmodel_clk_cap/emc"
    mask: int | None = None
    cpus: tuple[int, int] = (8, 8)
    """On, and there."""
    cpu_khz: tuple[int, int] = (2_201_600, 2_201_600)
    """The cap and the highest."""
    part: str = "0xd42"
    rails: tuple[tuple[str, int, int], ...] = (("VDD_IN", 5000, 1000),)
    driver: Device

    def write(self, root: Path, as_root: bool = False, container: bool = False) -> Path:
        """Write the files that this user sees, in a container or not; returns ``root``."""
        files = {"proc/meminfo": MEMINFO, "proc/cpuinfo": self._cpuinfo()}
        files |= self._sysfs()
        if as_root:
            files |= self._of_root()
        if not container:
            major, revision = self.l4t
            files |= {
                "proc/device-tree/model": f"{self.model}\0",
                "proc/device-tree/compatible": self.compatible.replace(" ", "\0") + "\0",
                "etc/nv_tegra_release": release(major, revision),
                "etc/nvpmodel.conf": table(self.modes, self.cpus[1]),
                "var/lib/nvpmodel/status": f"pmode:{self.mode:04d} fmode:quiet\n",
            }
        return write(root, files)

    def _cpuinfo(self) -> str:
        implementer = "0x4e" if self.part == "0x004" else "0x41"
        blocks = [arm_block(cpu, self.part, implementer) for cpu in range(self.cpus[0])]
        if self.l4t[0] == 35:
            for cpu, block in enumerate(blocks):
                numbered = f"processor\t: {cpu}\n"
                blocks[cpu] = block.replace(numbered, OLD_CPUINFO.format(cpu=cpu))
        return "".join(blocks)

    def _sysfs(self) -> dict[str, str]:
        """What every user reads."""
        now, cap = (round(mhz * MHZ) for mhz in self.gpu_mhz)
        steps = tuple(round(mhz * MHZ) for mhz in self.gpu_steps)
        files = devfreq(self.gpu_node, now, cap, steps)
        files[f"{self.gpu_node}/min_freq"] = f"{steps[0] if steps else 0}\n"
        if self.mask is not None:
            files["sys/devices/platform/gpu.0/tpc_pg_mask"] = f"{self.mask}\n"
        if self.emc_cap_mhz is not None and "clk_cap" in self.emc_cap_file:
            files[self.emc_cap_file] = f"{round(self.emc_cap_mhz * MHZ)}\n"
        on, there = self.cpus
        files[f"{CPUS}/online"] = f"0-{on - 1}\n"
        files[f"{CPUS}/present"] = f"0-{there - 1}\n"
        cap_khz, highest_khz = self.cpu_khz
        for cpu in range(on):
            folder = f"{CPUS}/cpu{cpu}/cpufreq"
            files[f"{folder}/scaling_cur_freq"] = "729600\n"
            files[f"{folder}/scaling_min_freq"] = "729600\n"
            files[f"{folder}/scaling_max_freq"] = f"{cap_khz}\n"
            files[f"{folder}/cpuinfo_max_freq"] = f"{highest_khz}\n"
            files[f"{folder}/scaling_governor"] = "schedutil\n"
        files |= ina3221(3, *self.rails)
        files |= {
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "48500\n",
            "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
            "sys/class/thermal/thermal_zone1/temp": "46250\n",
            "sys/class/thermal/thermal_zone2/type": "cv0-thermal\n",
            "sys/class/thermal/thermal_zone2/temp": "",  # EAGAIN: the rail is off
            "sys/class/hwmon/hwmon0/name": "pwmfan\n",
            "sys/class/hwmon/hwmon0/pwm1": "58\n",
            "sys/class/hwmon/hwmon1/name": "pwm_tach\n",
            "sys/class/hwmon/hwmon1/rpm": "1786\n",
        }
        return files

    def _of_root(self) -> dict[str, str]:
        """What root alone reads."""
        now, highest = self.emc_mhz
        files = {f"{EMC}/rate": f"{round(now * MHZ)}\n"}
        files[f"{EMC}/max_rate"] = f"{round(highest * MHZ)}\n"
        if self.emc_cap_mhz is not None:
            files[self.emc_cap_file] = f"{round(self.emc_cap_mhz * MHZ)}\n"
        return files


def table(modes: Sequence[Mode], cores: int) -> str:
    """nvpmodel's table of these modes, with the sections that surround them on real boards."""
    text = (
        "# FORMAT:\n# < POWER_MODEL ID=id_num NAME=mode_name >\n"
        "< PARAM TYPE=FILE NAME=CPU_ONLINE >\nCORE_0 /sys/devices/system/cpu/cpu0/online\n\n"
        "< PARAM TYPE=CLOCK NAME=GPU >\nMAX_FREQ /sys/devices/platform/gpu.0/max_freq\n\n"
        "<PARAM TYPE=CLOCK NAME=EMC >\nMAX_FREQ /sys/kernel/nvpmodel_emc_cap/emc_iso_cap\n\n"
    )
    for number, mode in enumerate(modes):
        text += f"< POWER_MODEL ID={number} NAME={mode.name} >\n"
        for core in range(cores):
            text += f"CPU_ONLINE CORE_{core} {int(core < (mode.cores or cores))}\n"
        if mode.mask is not None:
            text += f"TPC_POWER_GATING TPC_PG_MASK {mode.mask}\n"
        text += f"CPU_A78_0 MIN_FREQ 729600\nCPU_A78_0 MAX_FREQ {mode.cpu_khz}\n"
        text += f"GPU MIN_FREQ 0\nGPU MAX_FREQ {_hertz(mode.gpu_mhz)}\n"
        text += f"EMC MAX_FREQ {_hertz(mode.emc_mhz)}\n\n"
    return text + "< PM_CONFIG DEFAULT=0 >\n"


def _hertz(mhz: int) -> int:
    return mhz if mhz == NO_CAP else mhz * MHZ


def driver(
    arch: str, units: int, gib: float, clock: float, bits: int | None, cuda: str, name: str = "Orin"
) -> Device:
    """What the CUDA driver says of a Jetson's GPU."""
    return replace(
        GPU,
        name=name,
        arch=arch,
        units=units,
        clock_hz=clock,
        memory_clock_hz=clock,
        memory_bus_bits=bits,
        memory_bytes=int(gib * (1 << 30)),
        memory_free_bytes=int(gib * (1 << 29)),
        last_cache_bytes=4 << 20,
        features=("integrated",),
        facts={"driver_version": cuda},
    )


ORIN_NANO_SUPER_MODES = (
    Mode("15W", 612, 2133, 240, 6, 1_497_600),
    Mode("25W", 918, 3199, 240, 6, 1_344_000),
    Mode("MAXN_SUPER", NO_CAP, NO_CAP, 240, 6),
)
ORIN_NX_SUPER_MODES = (
    Mode("MAXN_SUPER", NO_CAP, NO_CAP, 240, 8),
    Mode("10W", 612, 2133, 252, 4, 1_190_400),
    Mode("15W", 612, NO_CAP, 252, 4, 1_420_800),
    Mode("25W", 408, NO_CAP, 240, 8, 1_497_600),
    Mode("40W", 1173, NO_CAP, 240, 8, 1_497_600),
)
AGX_ORIN_MODES = (
    Mode("MAXN", NO_CAP, NO_CAP, 0, 12),
    Mode("MODE_15W", 408, 2133, 248, 4, 1_113_600),
    Mode("MODE_30W", 612, NO_CAP, 240, 8, 1_728_000),
    Mode("MODE_50W", 816, NO_CAP, 0, 12, 1_497_600),
)
XAVIER_NX_MODES = (
    Mode("MODE_15W_2CORE", 1109, 1600, 1, 2, 1_907_200),
    Mode("MODE_15W_4CORE", 1109, 1600, 1, 4, 1_420_800),
    Mode("MODE_15W_6CORE", 1109, 1600, 1, 6, 1_420_800),
    Mode("MODE_10W_2CORE", 803, 1600, 1, 2, 1_497_600),
    Mode("MODE_10W_4CORE", 803, 1600, 1, 4, 1_190_400),
    Mode("MODE_10W_DESKTOP", 510, 1600, 1, 4, 1_907_200),
    Mode("MODE_20W_2CORE", 1109, 1866, 1, 2, 1_907_200),
    Mode("MODE_20W_4CORE", 1109, 1866, 1, 4, 1_420_800),
    Mode("MODE_20W_6CORE", 1109, 1866, 1, 6, 1_420_800),
)
NANO_SUPER = Tree(
    compatible="nvidia,p3768-0000+p3767-0005-super nvidia,p3767-0005 nvidia,tegra234",
    model="NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super",
    l4t=(36, "4.3"),
    mode=2,
    modes=ORIN_NANO_SUPER_MODES,
    gpu_node=ORIN_NODE_6,
    gpu_mhz=(306, 1020),
    gpu_steps=(*ORIN_STEPS, 1020),
    emc_mhz=(2133, 3199),
    emc_cap_mhz=3199,
    mask=240,
    cpus=(6, 6),
    cpu_khz=(1_728_000, 1_728_000),
    driver=driver("8.7", 8, 7.4, 1020e6, 128, "12.6"),
)
NX_SUPER = Tree(
    compatible="nvidia,p3768-0000+p3767-0000-super nvidia,p3767-0000 nvidia,tegra234",
    model="NVIDIA Jetson Orin NX Engineering Reference Developer Kit Super",
    l4t=(36, "4.4"),
    mode=0,
    modes=ORIN_NX_SUPER_MODES,
    gpu_node=ORIN_NODE_6,
    gpu_mhz=(306, 1173),
    gpu_steps=(*ORIN_STEPS, 1020, 1122, 1173),
    emc_mhz=(2133, 3199),
    emc_cap_mhz=3199,
    mask=240,
    cpus=(8, 8),
    cpu_khz=(1_984_000, 1_984_000),
    driver=driver("8.7", 8, 15.3, 918e6, 256, "12.6"),
)
AGX_ORIN = Tree(
    compatible="nvidia,p3737-0000+p3701-0005 nvidia,p3701-0005 nvidia,tegra234",
    model="NVIDIA Jetson AGX Orin Developer Kit",
    l4t=(36, "4.0"),
    mode=0,
    modes=AGX_ORIN_MODES,
    gpu_node=ORIN_NODE_6,
    gpu_mhz=(306, 1300.5),
    gpu_steps=(306, 408, 612, 816, 930.75, 1300.5),
    emc_mhz=(2133, 3199),
    emc_cap_mhz=3199,
    mask=0,
    cpus=(12, 12),
    rails=(("VDD_GPU_SOC", 19000, 200), ("VDD_CPU_CV", 19000, 100), ("VIN_SYS_5V0", 5000, 900)),
    driver=driver("8.7", 16, 61.4, 1300e6, 256, "12.6"),
)
XAVIER_NX = Tree(
    compatible="nvidia,p3509-0000+p3668-0001 nvidia,p3668-0001 nvidia,tegra194",
    model="NVIDIA Jetson Xavier NX Developer Kit",
    l4t=(35, "4.1"),
    mode=2,
    modes=XAVIER_NX_MODES,
    gpu_node="sys/devices/17000000.gv11b/devfreq/17000000.gv11b",
    gpu_mhz=(114.75, 1109.25),
    gpu_steps=(114.75, 510, 803.25, 1109.25),
    emc_mhz=(1600, 1866),
    emc_cap_mhz=1600,
    emc_cap_file="sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
    mask=1,
    cpus=(6, 6),
    cpu_khz=(1_420_800, 1_907_200),
    part="0x004",
    driver=driver("7.2", 6, 6.7, 1109e6, 256, "11.4", name="Xavier"),
)
AGX_XAVIER = Tree(
    compatible="nvidia,p2972-0000 nvidia,p2888-0004 nvidia,tegra194",
    model="Jetson-AGX",
    l4t=(35, "5.0"),
    mode=2,
    modes=(
        Mode("MAXN", NO_CAP, 0, 0, 8),
        Mode("MODE_10W", 520, 1066, 1, 2, 1_200_000),
        Mode("MODE_15W", 670, 1333, 1, 4, 1_200_000),
        Mode("MODE_30W_ALL", 900, 1600, 0, 8, 1_200_000),
        Mode("MODE_30W_2CORE", 900, 1600, 0, 2, 2_100_000),
    ),
    gpu_node="sys/devices/gpu.0/devfreq/17000000.gv11b",
    gpu_mhz=(114.75, 675.75),
    gpu_steps=(114.75, 675.75, 1377),
    emc_mhz=(1333, 2133),
    emc_cap_mhz=1333,
    emc_cap_file="sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
    mask=1,
    cpus=(4, 8),
    cpu_khz=(1_190_400, 2_265_600),
    part="0x004",
    rails=(("GPU", 19000, 40), ("CPU", 19000, 30), ("SOC", 19000, 80)),
    driver=driver("7.2", 6, 30.9, 1377e6, 256, "11.4", name="Xavier"),
)
THOR = Tree(
    compatible="nvidia,p4071-0000+p3834-0008 nvidia,p3834-0008 nvidia,tegra264",
    model="NVIDIA Jetson AGX Thor Developer Kit",
    l4t=(38, "2.0"),
    mode=1,
    modes=(
        Mode("MAXN", cores=14),
        Mode("120W", 1386, cores=14),
        Mode("90W", 1000, cores=14),
        Mode("70W", 900, cores=12),
    ),
    gpu_node=f"{DEVFREQ}/gpu-gpc-0",
    gpu_mhz=(315, 1386),
    emc_cap_mhz=None,
    cpus=(14, 14),
    cpu_khz=(2_601_000, 2_601_000),
    part="0xd83",
    rails=(("VDD_GPU", 19000, -20), ("VDD_CPU_SOC_MSS", 19000, 300)),
    driver=driver("11.0", 20, 122.8, 1049e6, None, "13.0", name="NVIDIA Thor"),
)
BOARDS = {
    "Orin Nano 8GB, MAXN_SUPER": NANO_SUPER,
    "Orin Nano 8GB, 15W of Super software": replace(
        NANO_SUPER,
        mode=0,
        gpu_mhz=(306, 612),
        emc_cap_mhz=2133,
        cpu_khz=(1_497_600, 1_728_000),
    ),
    "Orin Nano 8GB, JetPack 5": replace(
        NANO_SUPER,
        compatible="nvidia,p3768-0000+p3767-0003 nvidia,p3767-0003 nvidia,tegra234",
        model="NVIDIA Orin Nano Developer Kit",
        l4t=(35, "4.1"),
        mode=0,
        modes=(Mode("15W", NO_CAP, 2133, 240, 6), Mode("7W", 408, 2133, 252, 4, 960_000)),
        gpu_node=ORIN_NODE,
        gpu_mhz=(306, 624.75),
        gpu_steps=(306, 408, 510, 624.75),
        emc_mhz=(2133, 2133),
        emc_cap_mhz=2133,
        emc_cap_file="sys/kernel/nvpmodel_emc_cap/emc_iso_cap",
        cpu_khz=(1_510_400, 1_510_400),
        driver=driver("8.7", 8, 6.6, 624e6, 64, "11.4"),
    ),
    "Orin Nano 4GB, 25W": replace(
        NANO_SUPER,
        compatible="nvidia,p3768-0000+p3767-0004-super nvidia,p3767-0004 nvidia,tegra234",
        mode=1,
        modes=(
            Mode("10W", 612, 2133, 252, 6, 1_497_600),
            Mode("25W", 1020, 3199, 252, 6, 1_728_000),
            Mode("MAXN_SUPER", NO_CAP, NO_CAP, 252, 6),
        ),
        mask=252,
        driver=driver("8.7", 4, 3.4, 1020e6, 64, "12.6"),
    ),
    "Orin NX 16GB, MAXN_SUPER": NX_SUPER,
    "Orin NX 16GB, 15W": replace(
        NX_SUPER,
        mode=2,
        gpu_mhz=(306, 612),
        mask=252,
        cpus=(4, 8),
        cpu_khz=(1_420_800, 1_984_000),
        driver=driver("8.7", 4, 15.3, 918e6, 256, "12.6"),
    ),
    "Orin NX 8GB, JetPack 6.0": replace(
        NX_SUPER,
        compatible="nvidia,p3768-0000+p3767-0001 nvidia,p3767-0001 nvidia,tegra234",
        model="NVIDIA Jetson Orin NX Engineering Reference Developer Kit",
        l4t=(36, "3.0"),
        modes=(
            Mode("MAXN", NO_CAP, NO_CAP, 240, 6),
            Mode("10W", 612, 2133, 252, 4, 1_190_400),
        ),
        gpu_mhz=(306, 765),
        gpu_steps=(306, 408, 612, 765),
        cpus=(6, 6),
        driver=driver("8.7", 8, 7.4, 765e6, 256, "12.2"),
    ),
    "AGX Orin 64GB, MAXN": AGX_ORIN,
    "AGX Orin 64GB, 15W": replace(
        AGX_ORIN,
        mode=1,
        gpu_mhz=(306, 408),
        emc_cap_mhz=2133,
        mask=248,
        cpus=(4, 12),
        cpu_khz=(1_113_600, 2_201_600),
        driver=driver("8.7", 6, 61.4, 1300e6, 256, "12.6"),
    ),
    "AGX Orin 32GB, 40W": replace(
        AGX_ORIN,
        compatible="nvidia,p3737-0000+p3701-0004 nvidia,p3701-0004 nvidia,tegra234",
        mode=3,
        modes=(
            Mode("MAXN", NO_CAP, NO_CAP, 128, 8),
            Mode("MODE_15W", 408, 2133, 248, 4, 1_113_600),
            Mode("MODE_30W", 612, NO_CAP, 240, 8, 1_728_000),
            Mode("MODE_40W", 816, NO_CAP, 128, 8, 1_497_600),
        ),
        gpu_mhz=(306, 816),
        gpu_steps=(306, 408, 612, 816, 930.75),
        mask=128,
        cpus=(8, 8),
        cpu_khz=(1_497_600, 2_188_800),
        driver=driver("8.7", 14, 29.8, 930e6, 128, "11.4"),
    ),
    "Xavier NX, 15W and 6 cores": XAVIER_NX,
    "Xavier NX, 20W and 6 cores": replace(XAVIER_NX, mode=8, emc_cap_mhz=1866),
    "AGX Xavier, 15W": AGX_XAVIER,
    "AGX Thor, 120W": THOR,
    "T4000": replace(
        THOR,
        compatible="nvidia,p4071-0000+p3834-0000 nvidia,p3834-0000 nvidia,tegra264",
        mode=0,
        gpu_mhz=(315, 1530),
        driver=driver("11.0", 12, 61.0, 1049e6, 256, "13.2", name="NVIDIA Thor"),
    ),
    "TX2, JetPack 4": replace(
        XAVIER_NX,
        compatible="nvidia,p2597-0000+p3310-1000 nvidia,jetson-tx2 nvidia,tegra186",
        model="quill",
        l4t=(32, "7.4"),
        mode=0,
        modes=(Mode("MAXN", cores=6), Mode("MAXQ", 853, 1331, None, 4)),
        gpu_node="sys/devices/gpu.0/devfreq/17000000.gp10b",
        gpu_mhz=(114.75, 1300.5),
        gpu_steps=(114.75, 1300.5),
        emc_mhz=(1600, 1866),
        emc_cap_mhz=None,
        mask=None,
        part="0xd07",
        driver=driver("6.2", 2, 7.7, 1300e6, 128, "10.2", name="NVIDIA Tegra X2"),
    ),
}
