"""The kinds of core a machine has: two with one name may still differ in clock and caches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probes.harness.devices import topology
from probes.harness.devices.cores import core_name, core_numbers, identity
from probes.harness.devices.reading import list_text

NEAR = {"x86": 0.10, "arm": 0.02}
"""Share by which clocks of one kind may differ: Intel and AMD rate the best cores of a chip some
percent higher.
"""


@dataclass
class Kind:
    """Cores between which no known fact differs. A fact that is None is unknown."""

    name: str
    """A name of the core tables; empty if unknown, and for efficiency cores that share the other
    kind's numbers.
    """
    numbers: str
    """Its vendor's numbers, in words."""
    part: str | None
    """Arm's number of the core, as /proc/cpuinfo writes it."""
    identity: tuple[Any, ...] | None
    """Vendor and two numbers of the core, which tell kinds apart."""
    efficient: bool | None
    """True of the efficiency cores of an Intel chip."""
    clock_hz: float | None
    """Highest rated clock."""
    capacity: int | None
    """Speed as the scheduler takes it, 1024 for the fastest."""
    sizes: dict[int, int]
    """Bytes of its own caches, by level."""
    cpus: list[int] = field(default_factory=list)

    def agrees(self, other: Kind) -> bool:
        """True if no fact that is known of both differs."""
        instruction_set = "arm" if self.part or other.part else "x86"
        near = NEAR[instruction_set]
        return (
            _same(self.identity, other.identity)
            and _same(self.efficient, other.efficient)
            and _near(self.clock_hz, other.clock_hz, near)
            and _near(self.capacity, other.capacity, near)
            and all(size == other.sizes.get(level, size) for level, size in self.sizes.items())
        )

    def add(self, other: Kind) -> None:
        """Take in another's CPUs, the higher of two clocks, and facts that were unknown here."""
        self.cpus += other.cpus
        self.name = self.name or other.name
        self.numbers = self.numbers or other.numbers
        self.part = self.part or other.part
        self.identity = self.identity or other.identity
        if self.efficient is None:
            self.efficient = other.efficient
        self.clock_hz = max(filter(None, (self.clock_hz, other.clock_hz)), default=None)
        self.capacity = max(filter(None, (self.capacity, other.capacity)), default=None)
        self.sizes = other.sizes | self.sizes

    def facts(self) -> dict[str, Any]:
        """The facts as a run's file holds them."""
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
    """True if the facts are equal, or one is unknown."""
    return one is None or other is None or one == other


def _near(one: float | None, other: float | None, share: float) -> bool:
    """True if the numbers differ by no more than a share, or one is unknown."""
    return not one or not other or abs(one - other) <= share * max(one, other)


def kinds(
    root: Path,
    blocks: Mapping[int, Mapping[str, str]],
    caches: Mapping[int, Iterable[topology.Cache]],
) -> list[Kind]:
    """The kinds of core of a machine, fastest first.

    blocks: of /proc/cpuinfo, by CPU. caches: of each core, by its CPU.
    """
    efficient_cpus = topology.efficient(root)
    core_kinds: list[Kind] = []
    for cpu, cpu_caches in caches.items():
        core = _kind(root, blocks.get(cpu, {}), cpu, cpu_caches, efficient_cpus)
        kind = next((kind for kind in core_kinds if kind.agrees(core)), None)
        if kind:
            kind.add(core)
        else:
            core_kinds.append(core)
    core_kinds.sort(key=lambda kind: kind.name, reverse=True)
    core_kinds.sort(key=_slowness)
    return core_kinds


def _slowness(kind: Kind) -> tuple[bool, int, float]:
    """A key by which the fastest kind comes first."""
    return bool(kind.efficient), -(kind.capacity or 0), -(kind.clock_hz or 0.0)


def _kind(
    root: Path,
    block: Mapping[str, str],
    cpu: int,
    caches: Iterable[topology.Cache],
    efficient_cpus: frozenset[int],
) -> Kind:
    """One core as a kind of its own; ``efficient_cpus`` is empty where nothing is known of them."""
    efficient = cpu in efficient_cpus if efficient_cpus else None
    return Kind(
        name="" if efficient else core_name(block),
        numbers=core_numbers(block),
        part=block.get("CPU part"),
        identity=identity(block),
        efficient=efficient,
        clock_hz=topology.max_clock(root, cpu),
        capacity=topology.capacity(root, cpu),
        sizes={cache.level: cache.size for cache in caches if cache.level < topology.SHARED},
        cpus=[cpu],
    )


def warnings(core_kinds: list[Kind]) -> list[str]:
    """A warning if there are several kinds: their names, and their clocks where these differ."""
    if len(core_kinds) < 2:
        return []
    names = list(dict.fromkeys(kind.name or "another" for kind in core_kinds))
    clocks = [f"{kind.clock_hz / 1e9:.4g}" for kind in core_kinds if kind.clock_hz]
    rated = f", rated {', '.join(clocks)} GHz" if len(set(clocks)) > 1 else ""
    meaning = "no one theoretical peak holds for them"
    if len(names) == 1 and names != ["another"]:
        meaning = "a theoretical peak at the rated clock is that of the fastest"
    return [f"the cores are of several kinds ({', '.join(names)}){rated}: {meaning}"]
