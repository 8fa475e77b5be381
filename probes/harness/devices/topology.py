"""How a machine's CPUs hang together, from sysfs: hardware threads, sockets, memory nodes and caches."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from probes.harness.devices.limits import cpu_list, number, read

CPUS = "sys/devices/system/cpu"
NODES = "sys/devices/system/node"
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def siblings(root: Path, cpu: int) -> frozenset[int]:
    """The hardware threads of this CPU's core, itself among them."""
    text = read(root / CPUS / f"cpu{cpu}/topology/thread_siblings_list")
    return frozenset(cpu_list(text)) | {cpu}


def physical(root: Path, usable: Iterable[int]) -> list[int]:
    """One CPU of each physical core: hardware threads share its vector units."""
    first = {siblings(root, cpu): cpu for cpu in sorted(usable, reverse=True)}
    return sorted(first.values())


def sockets(root: Path, usable: Iterable[int]) -> int:
    """Packages these CPUs are in; 1 where the machine does not say."""
    found = {number(root / CPUS / f"cpu{cpu}/topology/physical_package_id") for cpu in usable}
    return len(found)


def memory_nodes(root: Path, usable: Iterable[int]) -> int:
    """Memory nodes these CPUs are in; 1 where the machine does not say."""
    mine = set(usable)
    lists = (root / NODES).glob("node[0-9]*/cpulist")
    return sum(1 for file in lists if mine & set(cpu_list(read(file)))) or 1


def efficient(root: Path) -> frozenset[int]:
    """The efficiency cores of an Intel chip with two kinds of core; they share the other kind's model number."""
    return frozenset(cpu_list(read(root / "sys/devices/cpu_atom/cpus")))


def caches(root: Path, cpu: int) -> list[dict[str, Any]]:
    """Data and unified caches of one CPU, nearest first: level, type, size_bytes, and the CPUs that share it."""
    found = []
    for folder in (root / CPUS / f"cpu{cpu}/cache").glob("index[0-9]*"):
        kind, size, level = read(folder / "type"), _bytes(read(folder / "size")), number(folder / "level")
        if kind != "Instruction" and size and level is not None:
            shared = read(folder / "shared_cpu_list")
            found.append({"level": level, "type": kind, "size_bytes": size, "shared_by": shared})
    return sorted(found, key=lambda cache: cache["level"])


def _bytes(text: str) -> int:
    digits, unit = (text[:-1], UNITS[text[-1]]) if text[-1:] in UNITS else (text, 1)
    return int(digits) * unit if digits.isdecimal() else 0


def last_cache(root: Path, usable: Iterable[int]) -> int | None:
    """Bytes of all distinct last-level caches these CPUs reach: two dies of 32 MiB hold 64 MiB of a data set."""
    last = {(c[-1]["shared_by"], c[-1]["size_bytes"]) for cpu in usable if (c := caches(root, cpu))}
    return sum(size for _, size in last) or None
