"""This machine's CPU as facts: what this process may use of it, not what the machine has."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from probes.harness.devices.cores import core_name
from probes.harness.devices.limits import cpu_list, memory, number, quota_cores, read
from probes.harness.records import Device

CPUS = "sys/devices/system/cpu"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
BUSY = 0.5  # load average over cores from which other work is worth a warning


def detect(root: Path = Path("/"), allowed: Iterable[int] | None = None) -> Device:
    """The CPU below ``root`` as a process allowed on the CPUs ``allowed`` sees it."""
    usable = sorted(allowed if allowed is not None else _affinity())
    info = _cpuinfo(root, usable)
    cores, quota = _physical(root, usable), quota_cores(root)
    units = max(1, min(len(cores), int(quota))) if quota else len(cores)
    caches = _caches(root, usable[0])
    total, free = memory(root)
    clock = number(root / CPUS / f"cpu{usable[0]}/cpufreq/cpuinfo_max_freq")
    return Device(
        kind="cpu",
        index=0,
        name=_name(info, root),
        arch=core_name(info),
        units=units,
        clock_hz=clock * 1e3 if clock else None,
        last_cache_bytes=_last_cache(root, usable),
        memory_bytes=total,
        memory_free_bytes=free,
        features=tuple((info.get("flags") or info.get("Features") or "").split()),
        facts={
            "cpus": cores[:units],
            "logical_cpus": len(usable),
            "caches": caches,
            "numa_nodes": len(list((root / "sys/devices/system/node").glob("node[0-9]*"))) or 1,
            "quota_cores": quota,
            "machine": platform.machine(),
        },
        warnings=tuple(_warnings(root, units, quota, usable[0])),
    )


def _affinity() -> Iterable[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _cpuinfo(root: Path, usable: list[int]) -> dict[str, str]:
    """The block of /proc/cpuinfo of the first CPU this process may use."""
    blocks = []
    for text in read(root / "proc/cpuinfo").split("\n\n"):
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        blocks.append({key.strip(): value.strip() for key, value in pairs})
    mine = [b for b in blocks if b.get("processor") == str(usable[0])]
    return (mine or blocks)[0]


def _name(info: dict[str, str], root: Path) -> str:
    """Model name; Arm kernels give none, so there the board's or the core's."""
    board = read(root / "proc/device-tree/model")
    return info.get("model name") or (f"{board} CPU" if board else "") or core_name(info) or platform.machine()


def _physical(root: Path, usable: list[int]) -> list[int]:
    """One CPU of each physical core: hardware threads share its vector units."""
    seen: set[frozenset[int]] = set()
    chosen = []
    for cpu in usable:
        text = read(root / CPUS / f"cpu{cpu}/topology/thread_siblings_list")
        siblings = frozenset(cpu_list(text)) or frozenset([cpu])
        if siblings not in seen:
            seen.add(siblings)
            chosen.append(cpu)
    return chosen


def _caches(root: Path, cpu: int) -> list[dict[str, Any]]:
    """Data caches of one CPU, nearest first: level, bytes, and the CPUs that share it."""
    found = []
    for folder in sorted((root / CPUS / f"cpu{cpu}/cache").glob("index[0-9]*")):
        size, level = read(folder / "size"), number(folder / "level")
        if read(folder / "type") == "Instruction" or not size or level is None:
            continue
        bytes_ = int(size[:-1]) * UNITS[size[-1]] if size[-1] in UNITS else int(size)
        found.append({"level": level, "bytes": bytes_, "shared_by": read(folder / "shared_cpu_list")})
    return sorted(found, key=lambda cache: cache["level"])


def _last_cache(root: Path, usable: list[int]) -> int | None:
    """Bytes of all distinct last-level caches that the usable CPUs reach: chips of several dies have one each."""
    last = {(c[-1]["shared_by"], c[-1]["bytes"]) for cpu in usable if (c := _caches(root, cpu))}
    return sum(size for _, size in last) or None


def _warnings(root: Path, units: int, quota: float | None, cpu: int) -> list[str]:
    said = []
    if quota is not None:
        said.append(f"a control group limits this process to {quota:g} cores: {units} are measured")
    if (governor := read(root / CPUS / f"cpu{cpu}/cpufreq/scaling_governor")) == "powersave":
        said.append(f"the frequency governor is {governor}: the clock may stay low")
    load = read(root / "proc/loadavg").split()
    if load and float(load[0]) > BUSY * units:
        said.append(f"other work is running: load {load[0]} on {units} cores")
    return said
