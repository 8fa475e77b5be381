"""What makes a CUDA device a Jetson: one memory for CPU and GPU, a power mode, and clocks to be read from sysfs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from probes.harness.devices.limits import number, read
from probes.harness.records import Device

# L4T release -> JetPack, from NVIDIA's Jetson Linux archive.
JETPACK = {
    "32.5": "4.5", "32.6": "4.6", "32.7": "4.6.x", "34.1": "5.0", "35.1": "5.0.2", "35.2": "5.1", "35.3": "5.1.1",
    "35.4": "5.1.2", "35.5": "5.1.3", "35.6": "5.1.4", "36.2": "6.0 DP", "36.3": "6.0", "36.4": "6.1", "38.1": "7.0",
    "38.2": "7.0", "38.4": "7.1",
}  # fmt: skip
# devfreq nodes of the integrated GPU: Maxwell and Pascal, Volta, Ampere, Blackwell.
GPU_NODE = re.compile(r"(gp10b|gm20b|gv11b|ga10b|gb10b|gpu-gpc-\d|\d+\.gpu)$")
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"


def enrich(device: Device, root: Path = Path("/")) -> Device:
    """``device`` with the Jetson's facts; the same device where this is no Jetson."""
    model = read(root / "proc/device-tree/model")
    release = read(root / "etc/nv_tegra_release")
    if device.kind != "cuda" or not (release or "jetson" in model.lower()):
        return device
    facts = {
        "jetson": model or None,
        "l4t": _l4t(release),
        "jetpack": JETPACK.get(_l4t(release).rpartition(".")[0]),
        "power_mode": _power_mode(root),
        **_gpu_clocks(root),
        **_memory_clocks(root),
        **_jetson_stats(),
    }
    known = {key: value for key, value in facts.items() if value not in (None, "")}
    return replace(
        device,
        name=model or device.name,
        clock_hz=device.clock_hz or known.get("gpu_clock_max_hz"),
        memory_clock_hz=known.get("emc_clock_max_hz") or device.memory_clock_hz,
        features=tuple(dict.fromkeys((*device.features, "integrated", "jetson"))),
        facts=device.facts | known,
        warnings=(*device.warnings, *_warnings(known)),
    )


def _l4t(release: str) -> str:
    """``# R36 (release), REVISION: 4.0, ...`` becomes ``36.4.0``."""
    found = re.search(r"R(\d+).*?REVISION:\s*([\d.]+)", release)
    return f"{found[1]}.{found[2]}" if found else ""


def _power_mode(root: Path) -> str:
    """Name of the current mode: its number is in nvpmodel's status, its name in nvpmodel's table."""
    status = re.search(r"pmode:(\d+)", read(root / "var/lib/nvpmodel/status"))
    if not status:
        return ""
    table = read(root / "etc/nvpmodel.conf")
    name = re.search(rf"<\s*POWER_MODEL\s+ID={int(status[1])}\s+NAME=(\S+)\s*>", table)
    return name[1] if name else str(int(status[1]))


def _gpu_clocks(root: Path) -> dict[str, Any]:
    nodes = [*(root / "sys/class/devfreq").glob("*"), *(root / "sys/devices/gpu.0/devfreq").glob("*")]
    node = next((n for n in sorted(nodes) if GPU_NODE.search(n.name)), None)
    if node is None:
        return {}
    steps = [int(v) for v in read(node / "available_frequencies").split() if v.isdecimal()]
    return {
        "gpu_clock_hz": number(node / "cur_freq"),
        "gpu_clock_max_hz": max(steps, default=None) or number(node / "max_freq"),
        "gpu_clock_cap_hz": number(node / "max_freq"),
    }


def _memory_clocks(root: Path) -> dict[str, Any]:
    """The memory controller's clock; the kernel shows it to root only."""
    now, most = number(root / EMC / "rate"), number(root / EMC / "max_rate")
    if most is None:
        return {"emc_clock": "not readable: run as root to see it"}
    return {"emc_clock_hz": now, "emc_clock_max_hz": most}


def _jetson_stats() -> dict[str, Any]:
    """What jetson-stats adds where it is installed and its service runs."""
    try:
        from jtop import jtop

        with jtop() as monitor:
            return {"jetson_clocks": bool(monitor.jetson_clocks), "power_mode": str(monitor.nvpmodel)}
    except Exception:  # no package, no service or no right to it
        return {}


def _warnings(facts: dict[str, Any]) -> list[str]:
    said = []
    if (mode := facts.get("power_mode")) and not str(mode).upper().startswith(("MAXN", "0")):
        said.append(f"the power mode is {mode}: peaks are lower than in MAXN (sudo nvpmodel -m 0)")
    cap, most = facts.get("gpu_clock_cap_hz"), facts.get("gpu_clock_max_hz")
    if cap and most and cap < most:
        said.append(f"the GPU clock is capped at {cap / 1e6:.0f} MHz of {most / 1e6:.0f} MHz")
    return said
