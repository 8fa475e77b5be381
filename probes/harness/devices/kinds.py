"""The kinds of core a machine has: two with one name may still differ in clock, size and caches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probes.harness.devices import topology
from probes.harness.devices.cores import core_name, core_numbers, identity
from probes.harness.devices.reading import list_text

# Chips of Intel's and AMD's rate the best cores of one kind some percent higher than the others.
NEAR = {"x86": 0.10, "arm": 0.02}


@dataclass
class Kind:
    """Cores between which no fact makes a difference. None is unknown, and agrees with anything."""

    name: str
    """A name of the core tables; empty if unknown, and for efficiency cores that share the other
    kind's numbers.
    """
    numbers: str
    """Its vendor's numbers, in words."""
    part: str | None
    """Arm's number of the core, as /proc/cpuinfo writes it."""
    known: tuple[Any, ...] | None
    """Vendor's numbers that tell kinds apart."""
    efficient: bool | None
    clock_hz: float | None
    capacity: int | None
    sizes: dict[int, int]
    """Bytes of its own caches, by level."""
    cpus: list[int] = field(default_factory=list)

    def agrees(self, other: Kind) -> bool:
        """True if no fact known of both differs."""
        near = NEAR["arm" if self.part or other.part else "x86"]
        return (
            _same(self.known, other.known)
            and _same(self.efficient, other.efficient)
            and _near(self.clock_hz, other.clock_hz, near)
            and _near(self.capacity, other.capacity, near)
            and all(size == other.sizes.get(level, size) for level, size in self.sizes.items())
        )

    def add(self, other: Kind) -> None:
        """Take another's CPUs in, and what is known of them only."""
        self.cpus += other.cpus
        self.name, self.numbers, self.part = (
            self.name or other.name,
            self.numbers or other.numbers,
            self.part or other.part,
        )
        self.known = self.known or other.known
        self.efficient = other.efficient if self.efficient is None else self.efficient
        self.clock_hz = max(filter(None, (self.clock_hz, other.clock_hz)), default=None)
        self.capacity = max(filter(None, (self.capacity, other.capacity)), default=None)
        self.sizes = other.sizes | self.sizes

    def facts(self) -> dict[str, Any]:
        """As a run's file holds it."""
        return {
            "core": self.name,
            "model": self.numbers,
            "part": self.part,
            "efficient": self.efficient,
            "clock_hz": self.clock_hz,
            "capacity": self.capacity,
            "cores": len(self.cpus),
            "cpus": list_text(self.cpus),
        }


def _same(one: Any, other: Any) -> bool:
    return one is None or other is None or one == other


def _near(one: float | None, other: float | None, share: float) -> bool:
    return not one or not other or abs(one - other) <= share * max(one, other)


def kinds(
    root: Path,
    blocks: Mapping[int, Mapping[str, str]],
    caches: Mapping[int, Iterable[topology.Cache]],
) -> list[Kind]:
    """The kinds among the cores that have these caches, fastest first; ``blocks``: of
    /proc/cpuinfo, by CPU.
    """
    small = topology.efficient(root)
    found: list[Kind] = []
    for cpu, own in caches.items():
        one = _kind(root, blocks.get(cpu, {}), cpu, own, small)
        like = next((kind for kind in found if kind.agrees(one)), None)
        if like:
            like.add(one)
        else:
            found.append(one)
    by_name = sorted(found, key=lambda kind: kind.name, reverse=True)
    return sorted(
        by_name,
        key=lambda kind: (bool(kind.efficient), -(kind.capacity or 0), -(kind.clock_hz or 0.0)),
    )


def _kind(
    root: Path,
    block: Mapping[str, str],
    cpu: int,
    own: Iterable[topology.Cache],
    small: frozenset[int],
) -> Kind:
    """What is known of one core."""
    efficient = cpu in small if small else None
    return Kind(
        name="" if efficient else core_name(block),
        numbers=core_numbers(block),
        part=block.get("CPU part"),
        known=identity(block),
        efficient=efficient,
        clock_hz=topology.max_clock(root, cpu),
        capacity=topology.capacity(root, cpu),
        sizes={cache.level: cache.size for cache in own if cache.level < topology.SHARED},
        cpus=[cpu],
    )


def warnings(found: list[Kind]) -> list[str]:
    """One sentence if there are several kinds: their names, and their clocks where these are
    known.
    """
    if len(found) < 2:
        return []
    names = list(dict.fromkeys(kind.name or "another" for kind in found))
    clocks = [f"{kind.clock_hz / 1e9:.4g}" for kind in found if kind.clock_hz]
    rated = f", rated {', '.join(clocks)} GHz" if len(set(clocks)) > 1 else ""
    meaning = "no one theoretical peak holds for them"
    if len(names) == 1 and names != ["another"]:
        meaning = "a theoretical peak at the rated clock is that of the fastest"
    return [f"the cores are of several kinds ({', '.join(names)}){rated}: {meaning}"]
