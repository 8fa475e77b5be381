"""How a machine's CPUs hang together, from sysfs: threads, sockets, memory nodes and caches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from probes.harness.devices.reading import cpu_list, number, read, whole

CPUS = "sys/devices/system/cpu"
NODES = "sys/devices/system/node"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
SHARED = 3
"""Level from which on a cache is shared by cores, where nothing says who shares it."""
MOST_THREADS = 8  # hardware threads of a core: a longer list of siblings is not believed


@dataclass(frozen=True)
class Cache:
    """One cache as one CPU sees it."""

    level: int
    kind: str
    """``Data`` or ``Unified``."""
    size: int
    """Bytes."""
    cpus: frozenset[int]
    """CPUs that share it; empty if unknown."""
    number: int | None
    """The kernel's ``id`` of it, the same for all CPUs that share it; None if unknown."""


def online(root: Path, cpus: Iterable[int]) -> list[int]:
    """Those of these CPUs that are switched on; all of them where the machine says that none is."""
    asked = sorted(set(cpus))
    listed = set(cpu_list(read(root / CPUS / "online"))) or set(asked)
    running = []
    for cpu in asked:
        switch = read(root / CPUS / f"cpu{cpu}/online")
        if cpu in listed and switch != "0":
            running.append(cpu)
    return running or asked


def siblings(root: Path, cpu: int) -> frozenset[int]:
    """The hardware threads of this CPU's core, itself among them."""
    # the older name, and what it is called today
    for name in ("thread_siblings_list", "core_cpus_list"):
        threads = cpu_list(read(root / CPUS / f"cpu{cpu}/topology/{name}"))
        if cpu in threads and len(threads) <= MOST_THREADS:
            return frozenset(threads)
    return frozenset({cpu})


def existing(root: Path, cpus: Iterable[int]) -> list[int]:
    """Those of these CPUs that the machine has."""
    return [cpu for cpu in sorted(cpus) if (root / CPUS / f"cpu{cpu}").exists()]


def physical(root: Path, usable: Iterable[int]) -> list[int]:
    """One CPU of each physical core: hardware threads share its vector units."""
    cores: list[int] = []
    taken: set[int] = set()
    for cpu in sorted(usable):
        threads = siblings(root, cpu)
        if not threads & taken:
            cores.append(cpu)
        taken |= threads
    return cores


def package(root: Path, cpu: int) -> int | None:
    """The socket of a CPU; None where the machine does not say."""
    return number(root / CPUS / f"cpu{cpu}/topology/physical_package_id")


def sockets(root: Path, usable: Iterable[int]) -> int:
    """Packages these CPUs are in; 1 where the machine does not say."""
    return len({package(root, cpu) for cpu in usable})


def memory_nodes(root: Path, usable: Iterable[int]) -> int:
    """Memory nodes these CPUs are in; 1 where the machine does not say."""
    mine = set(usable)
    lists = (root / NODES).glob("node[0-9]*/cpulist")
    return sum(1 for file in lists if mine & set(cpu_list(read(file)))) or 1


def efficient(root: Path) -> frozenset[int]:
    """CPUs that are efficiency cores of an Intel chip with two kinds of core.

    They have the same model number as the other kind.
    """
    return frozenset(cpu_list(read(root / "sys/devices/cpu_atom/cpus")))


def max_clock(root: Path, cpu: int) -> float | None:
    """Highest rated clock of a CPU in Hz; None where the machine does not say."""
    khz = number(root / CPUS / f"cpu{cpu}/cpufreq/cpuinfo_max_freq")
    return khz * 1e3 if khz and khz > 0 else None


def capacity(root: Path, cpu: int) -> int | None:
    """A CPU's speed as the scheduler takes it, 1024 for the machine's fastest; None if unknown."""
    return number(root / CPUS / f"cpu{cpu}/cpu_capacity") or None


def caches(root: Path, cpu: int) -> list[Cache]:
    """Data and unified caches of one CPU, nearest first; one without level or size is left out."""
    data_caches = []
    for folder in (root / CPUS / f"cpu{cpu}/cache").glob("index[0-9]*"):
        kind = read(folder / "type")
        size = _bytes(read(folder / "size"))
        level = number(folder / "level")
        if kind == "Instruction" or size <= 0 or level is None:
            continue
        sharers = frozenset(cpu_list(read(folder / "shared_cpu_list")))
        data_caches.append(Cache(level, kind, size, sharers, number(folder / "id")))
    return sorted(data_caches, key=lambda cache: (cache.level, cache.kind))


def _bytes(text: str) -> int:
    """``32768K`` in bytes; 0 for what is no size."""
    unit = UNITS.get(text[-1:])
    if unit is None:
        return whole(text) or 0
    return (whole(text[:-1]) or 0) * unit


def distinct(root: Path, cache_by_cpu: Mapping[int, Cache]) -> dict[frozenset[int], int]:
    """Bytes of each different cache among those of one level, by the CPUs that share it.

    cache_by_cpu: as each CPU sees it. A hypervisor may end the list of sharers at a memory node,
    while the ids still tell which lists are one cache.
    """
    if _ids_agree(root, cache_by_cpu):
        groups = _by_ids(cache_by_cpu)
    else:
        groups = _by_lists(root, cache_by_cpu)
    size_by_sharers = {}
    for group in groups:
        lists = [cache_by_cpu[cpu].cpus for cpu in group]
        sharers = frozenset(group).union(*lists)
        size_by_sharers[sharers] = max(cache_by_cpu[cpu].size for cpu in group)
    return size_by_sharers


def _ids_agree(root: Path, cache_by_cpu: Mapping[int, Cache]) -> bool:
    """True if every cache has an id, and no other fact contradicts the ids.

    CPUs of one list must have one id, and CPUs of one id must have one size and one socket.
    """
    facts_by_id: dict[int, tuple[int, int | None]] = {}
    for cpu, cache in cache_by_cpu.items():
        if cache.number is None:
            return False
        for sharer in cache.cpus:
            if sharer in cache_by_cpu and cache_by_cpu[sharer].number != cache.number:
                return False
        facts = (cache.size, package(root, cpu))
        if facts_by_id.setdefault(cache.number, facts) != facts:
            return False
    return True


def _by_ids(cache_by_cpu: Mapping[int, Cache]) -> list[set[int]]:
    """The CPUs in groups whose caches have one id."""
    groups: dict[int | None, set[int]] = {}
    for cpu, cache in cache_by_cpu.items():
        groups.setdefault(cache.number, set()).add(cpu)
    return list(groups.values())


def _by_lists(root: Path, cache_by_cpu: Mapping[int, Cache]) -> list[set[int]]:
    """The CPUs in groups whose lists of sharers have a CPU in common.

    Without a list, a cache near to the core is the core's own, and one further away its socket's.
    """
    groups: list[set[int]] = []
    reaches: list[set[object]] = []  # of each group, all that its lists name
    for cpu, cache in cache_by_cpu.items():
        group = {cpu}
        reach: set[object] = set(cache.cpus)
        if not reach and cache.level >= SHARED:
            reach = {("socket", package(root, cpu))}
        elif not reach:
            reach = {cpu}
        joined = [k for k, other in enumerate(reaches) if other & reach]
        for k in reversed(joined):
            group |= groups.pop(k)
            reach |= reaches.pop(k)
        groups.append(group)
        reaches.append(reach)
    return groups
