"""This machine's CPU as a Device: what this process may use of it, not what the machine has."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kernels.cpu import target
from kernels.device import Device
from probes.harness.devices import board as boards
from probes.harness.devices import cpuinfo, jetson, kinds, sizes, topology
from probes.harness.devices.cores import core_name, core_numbers
from probes.harness.devices.limits import memory, quota_cores
from probes.harness.devices.reading import list_text, read

NORMALLY_POWERSAVE = ("intel_pstate", "amd-pstate-epp")
"""Drivers whose "powersave" is the normal governor (Linux' admin guide)."""

NO_NAME = re.compile(r"(ARM|AArch64|ARMv)\w* Processor", re.IGNORECASE)
"""Names that old Arm kernels give every core."""

Reported = Mapping[int, Sequence[topology.Cache]]
"""The data caches that the machine reports of each core, by its CPU, nearest first."""


def detect(root: Path = Path("/"), allowed: Iterable[int] | None = None) -> Device:
    """The CPU as a process sees it that may run on the CPUs ``allowed`` (None: this process).

    root: the folder that holds its proc and sys.
    """
    if allowed is None:
        allowed = _affinity()
    usable = topology.online(root, allowed)
    cores = topology.physical(root, usable)
    quota = quota_cores(root)
    units = len(cores)
    if quota:
        units = max(1, min(units, int(quota)))
    measured = cores[:units]

    blocks = cpuinfo.blocks(root, usable)
    first_block = next((blocks[cpu] for cpu in measured if blocks[cpu]), {})
    caches = {cpu: topology.caches(root, cpu) for cpu in measured}
    core_kinds = kinds.kinds(root, blocks, caches)
    core_names = {kind.name for kind in core_kinds}
    last_cache_bytes, last_cache_doubts = _last_cache(root, caches, core_kinds)
    total, free = memory(root)

    listed = cpuinfo.features(blocks[cpu] for cpu in measured)
    features = compiled_features(listed) if root == Path("/") else listed
    concerned = target.concerned_here()
    unused = [name for name in listed if name in concerned and name not in features]

    warnings = kinds.warnings(core_kinds)
    for kind in core_kinds:
        warnings += sizes.own_doubts(kind.name, kind.sizes)
    warnings += last_cache_doubts
    warnings += unused_features(unused)
    warnings += _limited(quota, len(cores), units)
    warnings += _slowed(root, measured)
    device = Device(
        kind="cpu",
        index=0,
        name=_name(first_block, root),
        arch=core_names.pop() if len(core_names) == 1 else "",
        units=units,
        clock_hz=max((kind.clock_hz for kind in core_kinds if kind.clock_hz), default=None),
        last_cache_bytes=last_cache_bytes,
        memory_bytes=total,
        memory_free_bytes=free,
        features=features,
        facts={
            "cpus": measured,
            "logical_cpus": len(usable),
            "smt": any(len(topology.siblings(root, cpu)) > 1 for cpu in cores),
            "sockets": topology.sockets(root, usable),
            "numa_nodes": topology.memory_nodes(root, usable),
            "caches": _caches(root, caches, core_kinds),
            "cgroup_quota_cores": quota,
            "model": core_numbers(first_block),
            "core_kinds": [kind.facts() for kind in core_kinds],
            "not_compiled": unused,
            "machine": platform.machine(),
        },
        warnings=tuple(warnings),
    )
    return jetson.enrich_cpu(device, root)


def compiled_features(listed: tuple[str, ...]) -> tuple[str, ...]:
    """The features that kernels may ask for: of those listed, what the compiler uses too.

    Beside them stands how long the registers of SVE are. Where the system lists none that matters
    to the compiler, as an emulator may, the compiler has them from the CPU itself.
    """
    usable = (*target.usable(listed), *target.sve_feature())
    if target.concerned_here() & set(listed):
        return usable
    return (*usable, *sorted(target.compiled()))


def unused_features(names: Sequence[str]) -> list[str]:
    """A warning if there are features of this CPU that the compiler does not use."""
    if not names:
        return []
    way_out = "update llvmlite and numba, or unset NUMBA_CPU_NAME and NUMBA_CPU_FEATURES"
    return [f"the compiler does not use {', '.join(names)}, which this CPU has: {way_out}"]


def _affinity() -> Iterable[int]:
    """The CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)


def _name(block: Mapping[str, str], root: Path) -> str:
    """The model's name. Where Arm's kernels give none, it is that of the board or the core.

    Old ones give the architecture's, ``ARMv8 Processor rev 0 (v8l)``, as the name of every core.
    """
    name = block.get("model name", "")
    if name and not NO_NAME.match(name):
        return name
    board = boards.find(root)
    model = (board.model if board else "") or read(root / "proc/device-tree/model")
    if model:
        return f"{model} CPU"
    if board and board.module:
        return f"{board.module.name} CPU"
    return core_name(block) or platform.machine()


def _limited(quota: float | None, cores: int, units: int) -> list[str]:
    """A warning if a quota leaves this process less than all cores."""
    if quota is None or quota >= cores:
        return []
    warning = f"a control group limits this process to {quota:g} of {cores} cores: {units} measured"
    if quota < units:
        warning += ", and is stopped for part of the time"
    return [warning]


def _slowed(root: Path, cores: Iterable[int]) -> list[str]:
    """A warning if the frequency governor of a core may keep its clock low."""
    for cpu in cores:
        folder = root / topology.CPUS / f"cpu{cpu}/cpufreq"
        governor = read(folder / "scaling_governor")
        driver = read(folder / "scaling_driver")
        if governor == "powersave" and driver not in NORMALLY_POWERSAVE:
            return ["the frequency governor is powersave: the clock may stay low"]
    return []


def _core_of(core_kinds: Sequence[kinds.Kind], cpu: int) -> str:
    """Name of the kind of core that this CPU is."""
    return next((kind.name for kind in core_kinds if cpu in kind.cpus), "")


def _last_cache(
    root: Path, caches: Reported, core_kinds: Sequence[kinds.Kind]
) -> tuple[int | None, list[str]]:
    """Bytes of all last-level caches that these cores reach, and sentences on impossible ones.

    Two dies of 32 MiB are 64 MiB. Where a report is impossible, what may be there counts: arrays
    that are too large cost time, but too small ones would measure a cache.
    """
    last_by_level: dict[int, dict[int, topology.Cache]] = {}
    for cpu, cpu_caches in caches.items():
        if cpu_caches:
            last = cpu_caches[-1]
            last_by_level.setdefault(last.level, {})[cpu] = last
    total = 0
    doubts: list[str] = []
    for level, cache_by_cpu in last_by_level.items():
        for sharers, size in topology.distinct(root, cache_by_cpu).items():
            users = [cpu for cpu in caches if cpu in sharers]
            core = _core_of(core_kinds, users[0])
            sharing_cores = len(topology.physical(root, topology.existing(root, sharers)))
            possible_bytes = sizes.possible_bytes(core, level, size, sharing_cores, len(users))
            doubts += sizes.last_doubts(core, level, size, sharing_cores, possible_bytes)
            total += possible_bytes
    return total or None, list(dict.fromkeys(doubts))


def _caches(root: Path, caches: Reported, core_kinds: Sequence[kinds.Kind]) -> list[dict[str, Any]]:
    """The data caches as a run's file holds them, nearest first.

    Of each level it is that of the core with the smallest: what fits there fits every core's.
    """
    levels: dict[tuple[int, str], dict[int, topology.Cache]] = {}
    for cpu, cpu_caches in caches.items():
        for cache in cpu_caches:
            levels.setdefault((cache.level, cache.kind), {})[cpu] = cache
    rows = []
    for (level, kind), cache_by_cpu in sorted(levels.items()):
        cpu, smallest = min(cache_by_cpu.items(), key=lambda item: item[1].size)
        groups = topology.distinct(root, cache_by_cpu)
        sharers = next(group for group in groups if cpu in group)
        served = _served(root, sharers, cpu, level, _core_of(core_kinds, cpu))
        rows.append(
            {
                "level": level,
                "type": kind,
                "size_bytes": smallest.size,
                "shared_by": list_text(served),
            }
        )
    return rows


def _served(root: Path, sharers: Iterable[int], cpu: int, level: int, core: str) -> list[int]:
    """Those of ``sharers`` that the same cache as this CPU's can serve.

    Where more are reported than a cache of this kind of core can serve, they are its neighbours in
    number.
    """
    cores = topology.physical(root, topology.existing(root, sharers))
    most = sizes.served(core, level, len(cores))
    if most == len(cores):
        return sorted(sharers)
    place = next(k for k, other in enumerate(cores) if cpu in topology.siblings(root, other))
    first = place // most * most
    neighbours = cores[first : first + most]
    threads = frozenset().union(*(topology.siblings(root, other) for other in neighbours))
    return sorted(threads & set(sharers))
