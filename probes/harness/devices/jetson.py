"""What makes a CUDA device a Jetson: one memory for CPU and GPU, a power mode, and clocks to be
read from sysfs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kernels.device import Device
from probes.harness.devices import nvpmodel
from probes.harness.devices.limits import number, read

# L4T release -> JetPack, from NVIDIA's JetPack archive. What is not here is unknown.
JETPACK = {
    "32.5.0": "4.5",
    "32.5.1": "4.5.1",
    "32.5.2": "4.5.1",
    "32.6.1": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "32.7.4": "4.6.4",
    "32.7.5": "4.6.5",
    "32.7.6": "4.6.6",
    "34.1.0": "5.0 DP",
    "34.1.1": "5.0.1 DP",
    "35.1.0": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "35.6.1": "5.1.5",
    "35.6.2": "5.1.5",
    "36.2.0": "6.0 DP",
    "36.3.0": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "38.2.0": "7.0",
    "38.2.1": "7.0",
    "38.2.2": "7.0",
    "38.4.0": "7.1",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
    "39.2.2": "7.2.2",
}
# devfreq nodes of the integrated GPU: Maxwell and Pascal, Volta, Ampere (.gpu since JetPack 6),
# Blackwell.
GPU_NODE = re.compile(r"(gm20b|gp10b|gv11b|ga10b|\d+\.gpu|gpu-gpc-\d+)$")
# the memory controller, for root; Thor shows it to all as bwmgr
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
BWMGR = "sys/class/devfreq/bwmgr"
EMC_CAP = "sys/kernel/nvpmodel_emc_cap/emc_iso_cap"


def _jtop() -> Any:
    """jetson-stats' monitor; raises where it is not installed or its service does not answer."""
    from jtop import jtop

    return jtop()


def enrich(device: Device, root: Path = Path("/"), monitor: Callable[[], Any] = _jtop) -> Device:
    """``device`` with the Jetson's facts; the same device where it is not a Jetson's own GPU.

    monitor: opens jetson-stats, which is asked only for what sysfs does not show to this user. The
    clocks are sysfs' own: the driver calls a GPU clock the memory's (612 MHz on Orin, 1377 MHz on
    Xavier), and Thor's GPU slower than it runs (1049 of 1575 MHz).
    """
    model = read(root / "proc/device-tree/model")
    release = read(root / "etc/nv_tegra_release")
    if "integrated" not in device.features or not (release or "jetson" in model.lower()):
        return device
    l4t = _l4t(release)
    found = {
        "jetson": model,
        "l4t": l4t,
        "jetpack": JETPACK.get(l4t),
        "power_mode": nvpmodel.current(root),
    }
    found |= _gpu_clocks(root) | _memory_clocks(root)
    facts = _completed({key: value for key, value in found.items() if value}, monitor)
    return replace(
        device,
        name=model or device.name,
        clock_hz=facts.get("gpu_clock_max_hz") or device.clock_hz,
        memory_clock_hz=facts.get("emc_clock_max_hz") or facts.get("emc_clock_cap_hz"),
        memory_bus_bits=_bus_bits(device),
        features=(*device.features, "jetson"),
        facts=device.facts | facts,
        warnings=(
            *device.warnings,
            *nvpmodel.warnings(root, facts.get("power_mode", "")),
            *_capped(facts),
        ),
    )


def _l4t(release: str) -> str:
    """``# R36 (release), REVISION: 4.0, ...`` becomes ``36.4.0``."""
    found = re.search(r"R(\d+).*?REVISION:\s*(\d+)(?:\.(\d+))?", release)
    return f"{found[1]}.{found[2]}.{found[3] or 0}" if found else ""


def _bus_bits(device: Device) -> int | None:
    """The bus as the driver states it, but for Orin's drivers of CUDA 11: they say 64 bits of twice
    as wide a bus.
    """
    old = float(device.facts.get("driver_version") or 0) < 12
    return None if device.arch == "8.7" and old else device.memory_bus_bits


def _gpu_clocks(root: Path) -> dict[str, Any]:
    nodes = [
        *(root / "sys/class/devfreq").glob("*"),
        *(root / "sys/devices/gpu.0/devfreq").glob("*"),
    ]
    node = next((n for n in sorted(nodes) if GPU_NODE.search(n.name)), None)
    if node is None:
        return {}
    steps = [int(v) for v in read(node / "available_frequencies").split() if v.isdecimal()]
    return {
        "gpu_clock_hz": number(node / "cur_freq"),
        "gpu_clock_cap_hz": number(node / "max_freq"),
        "gpu_clock_max_hz": max(steps, default=None) or number(node / "max_freq"),
    }


def _memory_clocks(root: Path) -> dict[str, Any]:
    """Clocks of the memory controller now and at most, and what the power mode leaves of them."""
    now = number(root / EMC / "rate") or number(root / BWMGR / "cur_freq")
    most = number(root / EMC / "max_rate") or number(root / BWMGR / "max_freq")
    caps = [clock for clock in (number(root / EMC_CAP), most) if clock]
    return {
        "emc_clock_hz": now,
        "emc_clock_max_hz": most,
        "emc_clock_cap_hz": min(caps, default=None),
    }


def _completed(facts: dict[str, Any], monitor: Callable[[], Any]) -> dict[str, Any]:
    """``facts`` with what jetson-stats knows beyond them, and a word where the memory clock stays
    unknown.
    """
    if "emc_clock_hz" in facts and "power_mode" in facts:
        return facts
    facts = _jetson_stats(monitor) | facts
    if "emc_clock_hz" not in facts:
        facts["emc_clock"] = "not readable: run as root, or install jetson-stats"
    return facts


def _jetson_stats(monitor: Callable[[], Any]) -> dict[str, Any]:
    try:
        with monitor() as board:
            emc = board.memory.get("EMC", {})  # kHz; its maximum is that of the power mode
            mode = {"power_mode": str(board.nvpmodel)} if board.nvpmodel else {}
            clocks = {"emc_clock_hz": emc.get("cur"), "emc_clock_cap_hz": emc.get("max")}
            return mode | {key: khz * 1000 for key, khz in clocks.items() if khz}
    except Exception:  # no package, no service or no right to it
        return {}


def _capped(facts: dict[str, Any]) -> list[str]:
    said = []
    for what, key in (("GPU", "gpu"), ("memory", "emc")):
        cap, most = facts.get(f"{key}_clock_cap_hz"), facts.get(f"{key}_clock_max_hz")
        if cap and most and cap < most:
            said.append(
                f"the {what} clock is capped at {cap / 1e6:.0f} MHz of {most / 1e6:.0f} MHz"
            )
    return said
