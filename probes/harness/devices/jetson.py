"""What makes a CUDA device a Jetson: memory shared with the CPU, a power mode, clocks in sysfs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kernels.device import Device
from probes.harness.devices import nvpmodel
from probes.harness.devices.reading import number, read

# JetPack by its L4T release, from NVIDIA's JetPack archive. What is not here is unknown.
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
# clocks of the memory controller, which root may read; Thor shows them to all as bwmgr
EMC = "sys/kernel/debug/bpmp/debug/clk/emc"
BWMGR = "sys/class/devfreq/bwmgr"
EMC_CAP = "sys/kernel/nvpmodel_emc_cap/emc_iso_cap"  # what the power mode leaves of them


def _jtop() -> Any:
    """jetson-stats' monitor; raises where it is not installed or its service does not answer."""
    from jtop import jtop

    return jtop()


def enrich(device: Device, root: Path = Path("/"), monitor: Callable[[], Any] = _jtop) -> Device:
    """``device`` with the Jetson's facts; the same device where it is not a Jetson's own GPU.

    monitor: opens jetson-stats, which is asked only for what sysfs does not show to this user. The
    clocks are those of sysfs, since the driver's are wrong: its clock of the memory is one of the
    GPU (612 MHz on Orin, 1377 MHz on Xavier), and its clock of Thor's GPU is lower than the GPU
    runs (1049 of 1575 MHz).
    """
    model = read(root / "proc/device-tree/model")
    release = read(root / "etc/nv_tegra_release")
    is_jetson = release or "jetson" in model.lower()
    if "integrated" not in device.features or not is_jetson:
        return device
    l4t = _l4t(release)
    from_files = {
        "jetson": model,
        "l4t": l4t,
        "jetpack": JETPACK.get(l4t),
        "power_mode": nvpmodel.current(root),
        **_gpu_clocks(root),
        **_memory_clocks(root),
    }
    known = {key: value for key, value in from_files.items() if value}
    facts = _completed(known, monitor)
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
    match = re.search(r"R(\d+).*?REVISION:\s*(\d+)(?:\.(\d+))?", release)
    if not match:
        return ""
    major, minor, patch = match.groups(default="0")
    return f"{major}.{minor}.{patch}"


def _bus_bits(device: Device) -> int | None:
    """The width of the bus as the driver states it; None where the driver is wrong.

    Orin's drivers of CUDA 11 say 64 bits of a bus that is twice as wide.
    """
    cuda_of_driver = float(device.facts.get("driver_version") or 0)
    if device.arch == "8.7" and cuda_of_driver < 12:
        return None
    return device.memory_bus_bits


def _gpu_clocks(root: Path) -> dict[str, Any]:
    """The GPU's clock now, its highest in this power mode (cap), and its highest at all (max)."""
    nodes = [
        *(root / "sys/class/devfreq").glob("*"),
        *(root / "sys/devices/gpu.0/devfreq").glob("*"),
    ]
    node = next((node for node in sorted(nodes) if GPU_NODE.search(node.name)), None)
    if node is None:
        return {}
    cap = number(node / "max_freq")
    words = read(node / "available_frequencies").split()
    steps = [int(word) for word in words if word.isdecimal()]
    return {
        "gpu_clock_hz": number(node / "cur_freq"),
        "gpu_clock_cap_hz": cap,
        "gpu_clock_max_hz": max(steps, default=None) or cap,
    }


def _memory_clocks(root: Path) -> dict[str, Any]:
    """The memory's clock now, its highest at all, and its highest in this power mode (cap)."""
    now = number(root / EMC / "rate") or number(root / BWMGR / "cur_freq")
    highest = number(root / EMC / "max_rate") or number(root / BWMGR / "max_freq")
    caps = [clock for clock in (number(root / EMC_CAP), highest) if clock]
    return {
        "emc_clock_hz": now,
        "emc_clock_max_hz": highest,
        "emc_clock_cap_hz": min(caps, default=None),
    }


def _completed(facts: dict[str, Any], monitor: Callable[[], Any]) -> dict[str, Any]:
    """``facts`` and what jetson-stats knows beyond them.

    Where the memory's clock stays unknown, ``emc_clock`` says what to do.
    """
    if "emc_clock_hz" in facts and "power_mode" in facts:
        return facts
    completed = _jetson_stats(monitor) | facts
    if "emc_clock_hz" not in completed:
        completed["emc_clock"] = "not readable: run as root, or install jetson-stats"
    return completed


def _jetson_stats(monitor: Callable[[], Any]) -> dict[str, Any]:
    """Power mode and clocks of the memory by jetson-stats; empty where it does not answer."""
    facts: dict[str, Any] = {}
    try:
        with monitor() as board:
            emc = board.memory.get("EMC", {})  # kHz; its maximum is that of the power mode
            if board.nvpmodel:
                facts["power_mode"] = str(board.nvpmodel)
            if emc.get("cur"):
                facts["emc_clock_hz"] = emc["cur"] * 1000
            if emc.get("max"):
                facts["emc_clock_cap_hz"] = emc["max"] * 1000
    except Exception:  # no package, no service or no right to it
        return {}
    return facts


def _capped(facts: dict[str, Any]) -> list[str]:
    """Warnings of clocks that the power mode holds below their highest."""
    warnings = []
    for what, key in (("GPU", "gpu"), ("memory", "emc")):
        cap = facts.get(f"{key}_clock_cap_hz")
        highest = facts.get(f"{key}_clock_max_hz")
        if cap and highest and cap < highest:
            warnings.append(
                f"the {what} clock is capped at {cap / 1e6:.0f} MHz of {highest / 1e6:.0f} MHz"
            )
    return warnings
