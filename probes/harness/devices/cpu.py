"""This machine's CPU as facts: what this process may use of it, not what the machine has."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kernels.cpu import target
from kernels.device import Device
from probes.harness.devices import cpuinfo, kinds, sizes, topology
from probes.harness.devices.cores import core_name, core_numbers
from probes.harness.devices.limits import memory, quota_cores
from probes.harness.devices.reading import list_text, read

DYNAMIC = (
    "intel_pstate",
    "amd-pstate-epp",
)  # drivers whose "powersave" is the normal governor (Linux' admin guide)

Reported = Mapping[int, Sequence[topology.Cache]]
"""The data caches of each core, by its CPU, nearest first."""


def detect(root: Path = Path("/"), allowed: Iterable[int] | None = None) -> Device:
    """The CPU below ``root`` as a process allowed on the CPUs ``allowed`` sees it."""
    usable = topology.online(root, allowed if allowed is not None else _affinity())
    cores, quota = topology.physical(root, usable), quota_cores(root)
    units = max(1, min(len(cores), int(quota))) if quota else len(cores)
    measured = cores[:units]
    blocks = cpuinfo.blocks(root, usable)
    info = next((blocks[cpu] for cpu in measured if blocks[cpu]), {})
    caches = {cpu: topology.caches(root, cpu) for cpu in measured}
    found = kinds.kinds(root, blocks, caches)
    names = {kind.name for kind in found}
    last_bytes, doubts = _last_cache(root, caches, found)
    total, free = memory(root)
    told = cpuinfo.features(blocks[cpu] for cpu in measured)
    features = _compiled(told) if root == Path("/") else told
    unused = [name for name in told if name in target.concerned_here() and name not in features]
    return Device(
        kind="cpu",
        index=0,
        name=_name(info, root),
        arch=names.pop() if len(names) == 1 else "",
        units=units,
        clock_hz=max((kind.clock_hz for kind in found if kind.clock_hz), default=None),
        last_cache_bytes=last_bytes,
        memory_bytes=total,
        memory_free_bytes=free,
        features=features,
        facts={
            "cpus": measured,
            "logical_cpus": len(usable),
            "smt": any(len(topology.siblings(root, cpu)) > 1 for cpu in cores),
            "sockets": topology.sockets(root, usable),
            "numa_nodes": topology.memory_nodes(root, usable),
            "caches": _caches(root, caches, found),
            "cgroup_quota_cores": quota,
            "model": core_numbers(info),
            "core_kinds": [kind.facts() for kind in found],
            "not_compiled": unused,
            "machine": platform.machine(),
        },
        warnings=(
            *kinds.warnings(found),
            *(said for kind in found for said in sizes.own_doubts(kind.name, kind.sizes)),
            *doubts,
            *_unused(unused),
            *_limited(quota, len(cores), units),
            *_slowed(root, measured),
        ),
    )


def _compiled(told: tuple[str, ...]) -> tuple[str, ...]:
    """The features that kernels may ask for: of those told, what the compiler of this machine uses
    too.

    Where the system tells none of this kind of CPU, as emulators may, the compiler knows them from
    the CPU.
    """
    used = target.usable(told)
    if target.concerned_here() & set(told):
        return used
    return (*used, *sorted(target.compiled()))


def _unused(names: Sequence[str]) -> list[str]:
    """A sentence on features of this CPU that the compiler does not use."""
    if not names:
        return []
    way_out = "update llvmlite and numba, or unset NUMBA_CPU_NAME and NUMBA_CPU_FEATURES"
    return [f"the compiler does not use {', '.join(names)}, which this CPU has: {way_out}"]


def _affinity() -> Iterable[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _name(info: Mapping[str, str], root: Path) -> str:
    """Model name; Arm kernels give none, so there the board's or the core's."""
    board = read(root / "proc/device-tree/model")
    return (
        info.get("model name")
        or (f"{board} CPU" if board else "")
        or core_name(info)
        or platform.machine()
    )


def _limited(quota: float | None, cores: int, units: int) -> list[str]:
    if quota is None or quota >= cores:
        return []
    stopped = ", and is stopped for part of the time" if quota < units else ""
    return [
        (
            f"a control group limits this process to {quota:g} of {cores} cores: {units} "
            f"measured{stopped}"
        )
    ]


def _slowed(root: Path, cores: Iterable[int]) -> list[str]:
    said = []
    policies = {
        (read(folder / "scaling_governor"), read(folder / "scaling_driver"))
        for folder in _clocks(root, cores)
    }
    if any(governor == "powersave" and driver not in DYNAMIC for governor, driver in policies):
        said.append("the frequency governor is powersave: the clock may stay low")
    return said


def _clocks(root: Path, cores: Iterable[int]) -> list[Path]:
    """Folders that say how each core's clock is steered."""
    return [root / topology.CPUS / f"cpu{cpu}/cpufreq" for cpu in cores]


def _core_of(found: Sequence[kinds.Kind], cpu: int) -> str:
    """Name of the kind that this CPU is of."""
    return next((kind.name for kind in found if cpu in kind.cpus), "")


def _last_cache(
    root: Path, caches: Reported, found: Sequence[kinds.Kind]
) -> tuple[int | None, list[str]]:
    """Bytes of all distinct last-level caches that these cores reach, two dies of 32 MiB being 64
    MiB, and sentences on what is not possible of them. What may be there counts: arrays too large
    cost time, too small ones measure a cache.
    """
    last: dict[int, dict[int, topology.Cache]] = {}
    for cpu, own in caches.items():
        if own:
            last.setdefault(own[-1].level, {})[cpu] = own[-1]
    total, doubts = 0, list[str]()
    for level, seen in last.items():
        for group, size in topology.distinct(root, seen).items():
            reached_by = [cpu for cpu in caches if cpu in group]
            core, sharers = (
                _core_of(found, reached_by[0]),
                len(topology.physical(root, topology.there(root, group))),
            )
            most = sizes.possible(core, level, size, sharers, len(reached_by))
            doubts += sizes.last_doubts(core, level, size, sharers, most)
            total += most
    return total or None, list(dict.fromkeys(doubts))


def _caches(root: Path, caches: Reported, found: Sequence[kinds.Kind]) -> list[dict[str, Any]]:
    """Data caches, nearest first: level, type, size and who shares it, of the core with the
    smallest one.

    What fits there fits every core's.
    """
    levels: dict[tuple[int, str], dict[int, topology.Cache]] = {}
    for cpu, own in caches.items():
        for cache in own:
            levels.setdefault((cache.level, cache.kind), {})[cpu] = cache
    rows = []
    for (level, kind), seen in sorted(levels.items()):
        cpu = min(seen, key=lambda one: seen[one].size)
        sharers = next(group for group in topology.distinct(root, seen) if cpu in group)
        served = _served(root, sharers, cpu, level, _core_of(found, cpu))
        rows.append(
            {
                "level": level,
                "type": kind,
                "size_bytes": seen[cpu].size,
                "shared_by": list_text(served),
            }
        )
    return rows


def _served(root: Path, sharers: Iterable[int], cpu: int, level: int, core: str) -> list[int]:
    """Those of these CPUs that one cache can serve: where too many are told to share it, the
    neighbours in number.
    """
    together = topology.physical(root, topology.there(root, sharers))
    most = sizes.served(core, level, len(together))
    if most == len(together):
        return sorted(sharers)
    mine = next(k for k, other in enumerate(together) if cpu in topology.siblings(root, other))
    near = together[mine // most * most :][:most]
    threads = frozenset().union(*(topology.siblings(root, other) for other in near))
    return sorted(threads & set(sharers))
