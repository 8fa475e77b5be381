"""What one device is: facts, and nothing measured.

Standard library only, since whoever reads a run needs it, on any machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

MOST_OF_CACHE = 0.75
"""The largest working set that surely stays in a cache, over the size of that cache."""
LEAST_OF_SMALLER = 2.0
"""The smallest of which no large part stays in the next smaller cache, over that one's size."""
LONGEST_SLUG = 60
"""Letters: as many of any alphabet, of four bytes at most, fit into the 255 bytes of a name."""
ONE_MEMORY_SINCE = 7.0
"""Compute capability of Volta, from which L1 and shared memory are one."""


@dataclass(frozen=True)
class Cache:
    """One level of cache as the device reports it."""

    level: str
    """``l1``, ``l2``, ``l3``."""
    bytes: int
    """Its size."""
    units: int
    """How many of the device's units share it."""


@dataclass(frozen=True)
class Device:
    """What one CUDA GPU, Jetson or CPU is. ``None`` is unknown."""

    kind: str
    """``cuda`` or ``cpu``."""
    index: int
    """Number of the CUDA device; 0 of a CPU."""
    name: str
    """What the driver calls the GPU, or the CPU itself."""
    arch: str
    """Compute capability (``9.0``) or CPU core (``zen4``); empty if unknown."""
    units: int
    """Streaming multiprocessors, or the physical cores that this process may use."""
    clock_hz: float | None = None
    """Rated maximum clock of those units."""
    memory_clock_hz: float | None = None
    """Clock of the memory."""
    memory_bus_bits: int | None = None
    """Width of the memory's bus."""
    memory_transfers: int | None = None
    """Transfers per memory clock and pin: 2 for DDR."""
    memory_range: tuple[float, ...] = ()
    """Least and most B/s of the memory, where it is not known which of several modules this is, or
    in which of its power modes; else empty.
    """
    memory_limit: float | None = None
    """B/s that the memory cannot exceed in any power mode, whichever module it is; None if its
    clock and width tell.
    """
    system_cache_bytes: int | None = None
    """Size of a cache between all units and memory that no driver reports; None if there is none.
    """
    last_cache_bytes: int | None = None
    """Size of the cache nearest to memory; of a CPU, of all such caches that its cores reach."""
    memory_bytes: int | None = None
    """Size of the memory."""
    memory_free_bytes: int | None = None
    """How much of it was free when the device was found."""
    features: tuple[str, ...] = ()
    """Instruction sets (``avx512f``) or traits (``integrated``)."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Everything else, JSON values only."""
    warnings: tuple[str, ...] = ()
    """What a user should know before believing its numbers, a sentence each."""

    @property
    def slug(self) -> str:
        """Name of the folder of this device's runs: lower case, words joined by ``-``."""
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return "-".join(words)[:LONGEST_SLUG].rstrip("-") or self.kind

    @property
    def caches(self) -> tuple[Cache, ...]:
        """Data caches as reported, smallest first; empty if unknown.

        A GPU reports no L1: from Volta on it is one memory with shared memory, whose largest size
        stands for it. On an older GPU it is unknown.
        """
        if self.kind == "cuda":
            one_memory = float(self.arch or 0) >= ONE_MEMORY_SINCE
            shared = self.facts.get("shared_bytes_per_multiprocessor") if one_memory else None
            sizes = ("l1", shared, 1), ("l2", self.last_cache_bytes, self.units)
            return tuple(Cache(name, size, units) for name, size, units in sizes if size)
        cpus = self.facts.get("cpus") or []
        caches = []
        for row in self.facts.get("caches", ()):
            if row["type"] == "Instruction":
                continue
            units = _count_sharing(row.get("shared_by", ""), cpus)
            caches.append(Cache(f"l{row['level']}", row["size_bytes"], units))
        return tuple(sorted(caches, key=lambda cache: cache.bytes))

    def stays_in_core(self, set_bytes: float) -> bool:
        """True if a working set of ``set_bytes`` stays in the L1 or L2 of a CPU core alone.

        Loads from there always take as many cycles, unless someone shares the core. A set as large
        as its cache does not stay in it, since whatever else a core touches needs some lines, too;
        of one that is hardly larger than the next smaller cache, a part stays there.
        """
        if self.kind != "cpu":
            return False
        smaller_bytes = 0
        for cache in self.caches:
            is_private = cache.units == 1 and cache.level in ("l1", "l2")
            least = LEAST_OF_SMALLER * smaller_bytes
            most = MOST_OF_CACHE * cache.bytes
            if is_private and least <= set_bytes <= most:
                return True
            smaller_bytes = cache.bytes
        return False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Device:
        """Rebuild a device from ``run.json``; unknown keys of newer versions are ignored."""
        values: dict[str, Any] = {}
        for device_field in fields(cls):
            if device_field.name in data:
                value = data[device_field.name]
                # JSON has lists for the tuples of a device.
                values[device_field.name] = tuple(value) if isinstance(value, list) else value
        return cls(**values)


def _count_sharing(shared_by: str, cpus: Sequence[int]) -> int:
    """How many of ``cpus`` a list like ``0-3,8`` names; 1 where it names none, as an empty one."""
    spans = []
    for part in shared_by.split(","):
        if part.strip():
            ends = part.split("-")
            spans.append(range(int(ends[0]), int(ends[-1]) + 1))
    sharing = [cpu for cpu in cpus if any(cpu in span for span in spans)]
    return max(1, len(sharing))
