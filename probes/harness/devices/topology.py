"""How a machine's CPUs hang together, from sysfs: hardware threads, sockets, memory nodes and
caches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from probes.harness.devices.reading import cpu_list, number, read, whole

CPUS = "sys/devices/system/cpu"
NODES = "sys/devices/system/node"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
SHARED = 3  # level from which a cache is shared by cores, where nothing says who shares it
MOST_THREADS = 8  # of a core: a list of more siblings is not believed


@dataclass(frozen=True)
class Cache:
    """One cache as one CPU sees it."""

    level: int
    kind: str
    size: int
    """Bytes."""
    cpus: frozenset[int]
    """Those that share it; empty if unknown."""
    number: int | None
    """The kernel's ``id`` of it, the same for all CPUs that share it; None if unknown."""


def online(root: Path, cpus: Iterable[int]) -> list[int]:
    """Those of these CPUs that are switched on; all of them where none is said to be."""
    asked = sorted(set(cpus))
    on = set(cpu_list(read(root / CPUS / "online"))) or set(asked)
    running = [cpu for cpu in asked if cpu in on and read(root / CPUS / f"cpu{cpu}/online") != "0"]
    return running or asked


def siblings(root: Path, cpu: int) -> frozenset[int]:
    """The hardware threads of this CPU's core, itself among them."""
    for name in (
        "thread_siblings_list",
        "core_cpus_list",
    ):  # the older name, and what it is called today
        threads = cpu_list(read(root / CPUS / f"cpu{cpu}/topology/{name}"))
        if cpu in threads and len(threads) <= MOST_THREADS:
            return frozenset(threads)
    return frozenset({cpu})


def there(root: Path, cpus: Iterable[int]) -> list[int]:
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
    """The efficiency cores of an Intel chip with two kinds of core; they share the other kind's
    model number.
    """
    return frozenset(cpu_list(read(root / "sys/devices/cpu_atom/cpus")))


def max_clock(root: Path, cpu: int) -> float | None:
    """Highest rated clock of a CPU in Hz; None where the machine does not say."""
    khz = number(root / CPUS / f"cpu{cpu}/cpufreq/cpuinfo_max_freq")
    return khz * 1e3 if khz and khz > 0 else None


def capacity(root: Path, cpu: int) -> int | None:
    """What the scheduler takes a CPU's speed for, 1024 for the machine's fastest; None where it
    does not say.
    """
    return number(root / CPUS / f"cpu{cpu}/cpu_capacity") or None


def caches(root: Path, cpu: int) -> list[Cache]:
    """Data and unified caches of one CPU whose level and size are told, nearest first."""
    found = []
    for folder in (root / CPUS / f"cpu{cpu}/cache").glob("index[0-9]*"):
        kind, size, level = (
            read(folder / "type"),
            _bytes(read(folder / "size")),
            number(folder / "level"),
        )
        if kind == "Instruction" or size <= 0 or level is None:
            continue
        shared = frozenset(cpu_list(read(folder / "shared_cpu_list")))
        found.append(Cache(level, kind, size, shared, number(folder / "id")))
    return sorted(found, key=lambda cache: (cache.level, cache.kind))


def _bytes(text: str) -> int:
    """``32768K`` in bytes; 0 for what is no size."""
    digits, unit = (text[:-1], UNITS[text[-1]]) if text[-1:] in UNITS else (text, 1)
    return (whole(digits) or 0) * unit


def distinct(root: Path, seen: Mapping[int, Cache]) -> dict[frozenset[int], int]:
    """Bytes of each different cache among those that CPUs see at one level, by the CPUs that share
    it.

    A hypervisor may end the list of sharers at a memory node, while the ids still tell which lists
    are one cache.
    """
    if _told_by_ids(root, seen):
        numbers = {cache.number for cache in seen.values()}
        groups = [
            {cpu for cpu, cache in seen.items() if cache.number == number} for number in numbers
        ]
    else:
        groups = _by_lists(root, seen)
    found = {}
    for group in groups:
        listed = [seen[cpu].cpus for cpu in group]
        found[frozenset(group).union(*listed)] = max(seen[cpu].size for cpu in group)
    return found


def _told_by_ids(root: Path, seen: Mapping[int, Cache]) -> bool:
    """True if every CPU has an id, and no two facts contradict each other: CPUs of one list have
    one id, and CPUs of one id have one size and one socket."""
    facts: dict[int, tuple[int, int | None]] = {}
    for cpu, cache in seen.items():
        if cache.number is None:
            return False
        if any(other in seen and seen[other].number != cache.number for other in cache.cpus):
            return False
        if facts.setdefault(cache.number, (cache.size, package(root, cpu))) != (
            cache.size,
            package(root, cpu),
        ):
            return False
    return True


def _by_lists(root: Path, seen: Mapping[int, Cache]) -> list[set[int]]:
    """The CPUs in groups whose lists have a CPU in common.

    Without a list, a cache near to the core is its own, and one further away is its socket's.
    """
    groups: list[set[int]] = []
    reaches: list[set[object]] = []
    for cpu, cache in seen.items():
        reach: set[object] = set(cache.cpus) or {
            ("socket", package(root, cpu)) if cache.level >= SHARED else cpu
        }
        group = {cpu}
        for at in reversed([k for k, other in enumerate(reaches) if other & reach]):
            group |= groups.pop(at)
            reach |= reaches.pop(at)
        groups.append(group)
        reaches.append(reach)
    return groups
