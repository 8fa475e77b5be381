"""This machine's CPU as facts: what this process may use of it, not what the machine has."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path

from probes.harness.devices import topology
from probes.harness.devices.cores import core_name, core_numbers
from probes.harness.devices.limits import memory, number, quota_cores, read
from probes.harness.records import Device

BUSY = 0.5  # load average over cores from which other work is worth a warning
DYNAMIC = ("intel_pstate", "amd-pstate-epp")  # drivers whose "powersave" is the normal governor (Linux' admin guide)


def detect(root: Path = Path("/"), allowed: Iterable[int] | None = None) -> Device:
    """The CPU below ``root`` as a process allowed on the CPUs ``allowed`` sees it."""
    usable = sorted(allowed if allowed is not None else _affinity())
    blocks = _cpuinfo(root, usable)
    info, kinds = blocks[0], _kinds(root, blocks)
    cores, quota = topology.physical(root, usable), quota_cores(root)
    units = max(1, min(len(cores), int(quota))) if quota else len(cores)
    total, free = memory(root)
    clock = number(root / topology.CPUS / f"cpu{usable[0]}/cpufreq/cpuinfo_max_freq")
    return Device(
        kind="cpu",
        index=0,
        name=_name(info, root),
        arch=kinds[0] if len(kinds) == 1 else "",
        units=units,
        clock_hz=clock * 1e3 if clock else None,
        last_cache_bytes=topology.last_cache(root, usable),
        memory_bytes=total,
        memory_free_bytes=free,
        features=tuple((info.get("flags") or info.get("Features") or "").split()),
        facts={
            "cpus": cores[:units],
            "logical_cpus": len(usable),
            "smt": any(len(topology.siblings(root, cpu)) > 1 for cpu in cores),
            "sockets": topology.sockets(root, usable),
            "numa_nodes": topology.memory_nodes(root, usable),
            "caches": topology.caches(root, usable[0]),
            "cgroup_quota_cores": quota,
            "model": core_numbers(info),
            "machine": platform.machine(),
        },
        warnings=(*_mixed(kinds), *_limited(quota, len(cores), units), *_slowed(root, units, usable[0])),
    )


def _affinity() -> Iterable[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _cpuinfo(root: Path, usable: list[int]) -> list[dict[str, str]]:
    """The blocks of /proc/cpuinfo of the CPUs this process may use; one empty block where there are none."""
    blocks = []
    for text in read(root / "proc/cpuinfo").split("\n\n"):
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        blocks.append({key.strip(): value.strip() for key, value in pairs})
    mine = {str(cpu) for cpu in usable}
    return [block for block in blocks if block.get("processor") in mine] or blocks[:1]


def _kinds(root: Path, blocks: list[dict[str, str]]) -> list[str]:
    """The names of the cores among these CPUs; an efficiency core of Intel's is one without a name."""
    small = {str(cpu) for cpu in topology.efficient(root)}
    return sorted({"" if block.get("processor") in small else core_name(block) for block in blocks})


def _name(info: dict[str, str], root: Path) -> str:
    """Model name; Arm kernels give none, so there the board's or the core's."""
    board = read(root / "proc/device-tree/model")
    return info.get("model name") or (f"{board} CPU" if board else "") or core_name(info) or platform.machine()


def _mixed(kinds: list[str]) -> list[str]:
    if len(kinds) == 1:
        return []
    names = ", ".join(name or "another" for name in reversed(kinds))
    return [f"the cores are of several kinds ({names}): no one theoretical peak holds for them"]


def _limited(quota: float | None, cores: int, units: int) -> list[str]:
    if quota is None or quota >= cores:
        return []
    stopped = ", and is stopped for part of the time" if quota < units else ""
    return [f"a control group limits this process to {quota:g} of {cores} cores: {units} measured{stopped}"]


def _slowed(root: Path, units: int, cpu: int) -> list[str]:
    said = []
    folder = root / topology.CPUS / f"cpu{cpu}/cpufreq"
    if read(folder / "scaling_governor") == "powersave" and read(folder / "scaling_driver") not in DYNAMIC:
        said.append("the frequency governor is powersave: the clock may stay low")
    load = read(root / "proc/loadavg").split()
    if load and float(load[0]) > BUSY * units:
        said.append(f"other work is running: load {load[0]} on {units} cores")
    return said
