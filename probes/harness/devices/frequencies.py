"""A Jetson's clocks of GPU, memory and CPU, and what caps them, from sysfs and debugfs.

Each file has moved between JetPack 4, 5, 6 and 7, and some are root's: what cannot be read is None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from probes.harness.devices.reading import cpu_list, number, read, whole

GPU_NODE = re.compile(r"(gm20b|gp10b|gv11b|ga10b|\d+\.gpu|gpu-gpc-\d+)$")
"""devfreq nodes of the integrated GPU: Maxwell and Pascal, Volta, Ampere (.gpu since JetPack 6),
Blackwell."""
DEVFREQ_FOLDERS = (
    "sys/class/devfreq/*",
    "sys/devices/gpu.0/devfreq/*",
    "sys/devices/*.g*/devfreq/*",
    "sys/devices/platform/gpu.0/devfreq/*",
    "sys/devices/platform/*.gpu/devfreq/*",
    "sys/devices/platform/bus@0/*.gpu/devfreq/*",
    "sys/devices/platform/*.g*b/devfreq/*",
)
"""Where the GPU's devfreq node may be."""
GPU_FOLDERS = (
    "sys/devices/gpu.0",
    "sys/devices/platform/gpu.0",
    "sys/devices/*.g*",
    "sys/devices/platform/*.g*",
    "sys/devices/platform/bus@0/*.g*",
)
"""Where the GPU's own files may be: ``tpc_pg_mask``, and ``devfreq_dev``."""
EMC_FOLDERS = ("sys/kernel/debug/bpmp/debug/clk/emc", "sys/kernel/debug/clk/emc")
"""Clocks of the memory's controller, which root may read: of JetPack 5 and newer, and of older."""
BWMGR = "sys/class/devfreq/bwmgr"
"""The memory's clocks on a Thor, which all may read."""
BWMGR_MAX = ("sys/kernel/debug/tegra_bwmgr/emc_max_rate", "sys/kernel/tegra_bwmgr/emc_max_rate")
EMC_CAPS = ("sys/kernel/nvpmodel_clk_cap/emc", "sys/kernel/nvpmodel_emc_cap/emc_iso_cap")
"""What the power mode leaves of the memory's clock: JetPack 6 and 7 for all, 5 and older for root.
Zero is no cap."""
EMC_LOCKED = "sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked"
CPUS = "sys/devices/system/cpu"
NO_CAP_HZ = 2e10
"""Clocks at and above this are no clock: devfreq writes the largest integer for no cap."""


@dataclass(frozen=True)
class Clock:
    """A clock in Hz; what is unknown is None."""

    now: float | None = None
    """As it was read."""
    least: float | None = None
    """The lowest that it may take now."""
    cap: float | None = None
    """The highest that it may take now."""
    highest: float | None = None
    """The highest that the hardware and its software know."""

    @property
    def is_pinned(self) -> bool | None:
        """True if it may take one value only; None if unknown."""
        if self.least is None or self.cap is None:
            return None
        return self.least >= self.cap


def gpu(root: Path) -> Clock:
    """The GPU's clock."""
    node = next(_gpu_nodes(root), None)
    if node is None:
        return Clock()
    words = read(node / "available_frequencies").split()
    values = [whole(word) for word in words]
    steps = [float(value) for value in values if value is not None and 0 < value < NO_CAP_HZ]
    cap = _clock(node / "max_freq")
    highest = max(steps, default=None)
    if highest and cap and cap > highest:
        cap = highest
    return Clock(
        now=_clock(node / "cur_freq"),
        least=_clock(node / "min_freq"),
        cap=cap,
        highest=highest,
    )


def has_gpu(root: Path) -> bool:
    """True if sysfs shows the clock of a Jetson's GPU, as it does in containers too."""
    return next(_gpu_nodes(root), None) is not None


def gpu_now(root: Path) -> Callable[[], tuple[float | None, float | None]]:
    """A function that reads the GPU's clock as it is and its cap; its place is looked for once."""
    node = next(_gpu_nodes(root), None)
    if node is None:
        return lambda: (None, None)
    return lambda: (_clock(node / "cur_freq"), _clock(node / "max_freq"))


def _gpu_nodes(root: Path) -> Iterator[Path]:
    """The GPU's devfreq folders, best first."""
    for pattern in DEVFREQ_FOLDERS:
        for folder in sorted(root.glob(pattern)):
            if GPU_NODE.search(folder.name):
                yield folder
    for folder in _gpu_folders(root):
        if read(folder / "devfreq_dev/cur_freq"):
            yield folder / "devfreq_dev"


def _gpu_folders(root: Path) -> Iterator[Path]:
    """The folders of the GPU itself."""
    for pattern in GPU_FOLDERS:
        for folder in sorted(root.glob(pattern)):
            if folder.name == "gpu.0" or GPU_NODE.search(folder.name):
                yield folder


def tpc_pg_mask(root: Path) -> int | None:
    """The bits of the clusters of SMs that are switched off; None if unknown."""
    devices = [node / "device" for node in _gpu_nodes(root)]
    for folder in (*_gpu_folders(root), *devices):
        text = read(folder / "tpc_pg_mask")
        mask = whole(text) if whole(text) is not None else whole(text, 0)
        if mask is not None and mask >= 0:
            return mask
    return None


def emc(root: Path) -> Clock:
    """The memory's clock. Its cap is that of the power mode."""
    now = highest = None
    for folder in EMC_FOLDERS:
        now = now or _clock(root / folder / "rate") or _clock(root / folder / "clk_rate")
        highest = highest or _clock(root / folder / "max_rate")
    now = now or _clock(root / BWMGR / "cur_freq")
    for path in (*BWMGR_MAX, f"{BWMGR}/max_freq"):
        highest = highest or _clock(root / path)
    caps = [_clock(root / path) for path in (*EMC_CAPS, f"{BWMGR}/max_freq")]
    cap = min((cap for cap in caps if cap), default=None)
    if cap and highest:
        cap = min(cap, highest)
    least = now if is_emc_locked(root) else None
    return Clock(now=now, least=least, cap=cap, highest=highest)


def is_emc_locked(root: Path) -> bool | None:
    """True if jetson_clocks holds the memory's clock; None if unknown."""
    locked = number(root / EMC_LOCKED)
    if locked is not None:
        return locked == 1
    return Clock(
        least=_clock(root / BWMGR / "min_freq"), cap=_clock(root / BWMGR / "max_freq")
    ).is_pinned


def cpus(root: Path) -> dict[int, Clock]:
    """The clock of each CPU that is on, by its number."""
    online = cpu_list(read(root / CPUS / "online"))
    if not online:
        folders = sorted((root / CPUS).glob("cpu[0-9]*"))
        online = [int(folder.name[3:]) for folder in folders if folder.name[3:].isdecimal()]
    clocks = {}
    for cpu in online:
        folder = root / CPUS / f"cpu{cpu}/cpufreq"
        clocks[cpu] = Clock(
            now=_kilohertz(folder / "scaling_cur_freq"),
            least=_kilohertz(folder / "scaling_min_freq"),
            cap=_kilohertz(folder / "scaling_max_freq"),
            highest=_kilohertz(folder / "cpuinfo_max_freq"),
        )
    return clocks


def present_cpus(root: Path) -> list[int]:
    """The CPUs that the board has, on or off."""
    return cpu_list(read(root / CPUS / "present")) or cpu_list(read(root / CPUS / "possible"))


def _clock(path: Path) -> float | None:
    """The clock in a file, in Hz; None of what is no clock."""
    hertz = number(path)
    if hertz is None or not 0 < hertz < NO_CAP_HZ:
        return None
    return float(hertz)


def _kilohertz(path: Path) -> float | None:
    """The clock in a file that holds kHz, in Hz."""
    kilohertz = number(path)
    if kilohertz is None or not 0 < kilohertz < NO_CAP_HZ / 1e3:
        return None
    return kilohertz * 1e3
