"""What one device is: facts, and nothing measured. Standard library only, so that whoever reads a
run knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

WITHIN, BEYOND = 0.75, 2.0
"""Parts of its own size, and of the size of the cache before, between which a cache surely holds a
working set.
"""
LONGEST_SLUG = 60
"""Letters: as many of any alphabet fit into the 255 bytes of a name."""
ONE_MEMORY = 7.0
"""Compute capability from which L1 and shared memory are one."""


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
    """As the driver or the processor calls itself."""
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
    last_cache_bytes: int | None = None
    """Size of the cache nearest to memory."""
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
        """Folder name of this device's runs: lower case, words joined by ``-``, as long as every
        file system takes.
        """
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return "-".join(words)[:LONGEST_SLUG].rstrip("-") or self.kind

    @property
    def caches(self) -> tuple[Cache, ...]:
        """Data caches as reported, smallest first; empty if unknown.

        A GPU reports no L1: from Volta on it is one memory with shared memory, whose largest size
        stands for it. Of an older one it is unknown.
        """
        if self.kind == "cuda":
            one_memory = float(self.arch or 0) >= ONE_MEMORY
            shared = self.facts.get("shared_bytes_per_multiprocessor") if one_memory else None
            sizes = ("l1", shared, 1), ("l2", self.last_cache_bytes, self.units)
            return tuple(Cache(name, size, units) for name, size, units in sizes if size)
        rows = [row for row in self.facts.get("caches", ()) if row["type"] != "Instruction"]
        mine = self.facts.get("cpus") or []
        found = (
            Cache(f"l{r['level']}", r["size_bytes"], _sharing(r.get("shared_by", ""), mine))
            for r in rows
        )
        return tuple(sorted(found, key=lambda cache: cache.bytes))

    def stays_in_core(self, set_bytes: float) -> bool:
        """Whether a working set of so many bytes stays in one cache of a CPU core's own, its first
        or its second.

        Loads from there always take as many cycles, unless someone shares the core. A set as large
        as its cache does not stay in it, since whatever else a core touches needs some lines, too;
        of one that is hardly larger than the cache before, a part stays there.
        """
        before = 0
        for cache in self.caches if self.kind == "cpu" else ():
            own = cache.units == 1 and cache.level in ("l1", "l2")
            if own and BEYOND * before <= set_bytes <= WITHIN * cache.bytes:
                return True
            before = cache.bytes
        return False

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Device:
        """Rebuild a device from ``run.json``; unknown keys of newer versions are ignored."""
        known = {f.name for f in fields(cls)}
        kept: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k in known
        }
        return cls(**kept)


def _sharing(cpus: str, mine: Sequence[int]) -> int:
    """How many of these processors a list like ``0-3,8`` names; at least 1."""
    ends = [part.split("-") for part in cpus.split(",") if part.strip()]
    return max(1, sum(any(int(e[0]) <= cpu <= int(e[-1]) for e in ends) for cpu in mine))
