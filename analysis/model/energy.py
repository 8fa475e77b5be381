"""What an operation and a byte cost in joules: the roofline read as energy. Pure arithmetic.

Choi, Bedard, Fowler, Vuduc, A Roofline Model of Energy, IPDPS 2013: time overlaps, energy adds up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import MAIN, Roofline
from analysis.naming import name_of
from probes.records.tag import Tag

PICOJOULES = 1e12  # of a joule


@dataclass(frozen=True)
class EnergyRoof:
    """What a unit or a memory does for a joule when it alone is busy."""

    tag: str
    """The tag of its ceiling."""
    unit: str
    """What is counted: ``FLOP``, ``OP`` or ``B``."""
    joules: float
    """Energy of one of these, with all that the device draws meanwhile."""
    watts: float
    """Mean power under that load."""

    @property
    def per_joule(self) -> float:
        """How many of these a joule pays."""
        return 1 / self.joules

    @property
    def seconds(self) -> float:
        """Time of one of these under that load."""
        return self.joules / self.watts

    @property
    def picojoules(self) -> float:
        """Energy of one of these in pJ."""
        return self.joules * PICOJOULES

    @property
    def label(self) -> str:
        """What the roof is called."""
        return name_of(Tag.parse(self.tag))

    def beyond(self, idle_w: float) -> float:
        """Joules of one of these beyond what the device would draw without a load."""
        return max(0.0, self.joules - idle_w * self.seconds)


@dataclass(frozen=True)
class EnergyModel:
    """The energy roofs of a device."""

    source: str = ""
    """What told the power; empty if nothing did."""
    why_unknown: str = ""
    """Why nothing did, in words."""
    idle_w: float | None = None
    """Power without a load, right after one; None if unknown."""
    memory: EnergyRoof | None = None
    """Main memory; None if its energy is unknown."""
    compute: tuple[EnergyRoof, ...] = ()
    """Dense roofs of arithmetic, the most efficient first."""
    unknown: tuple[str, ...] = ()
    """Loads that were tried and whose power is unknown, each with its reason."""

    @property
    def is_known(self) -> bool:
        """True if the energy of anything is known."""
        return self.memory is not None or bool(self.compute)

    def balance(self, roof: EnergyRoof) -> float | None:
        """Operations per byte at which bytes cost as much as operations; None if unknown."""
        return self.memory.joules / roof.joules if self.memory else None

    def per_joule(self, roof: EnergyRoof, intensity: float) -> float | None:
        """Operations that a joule pays in a kernel of this intensity that wastes no time.

        Operations and bytes each cost their own, and the power of no load is paid for the longer
        time of the two. Both ends are as measured; None without memory or that power.
        """
        if self.memory is None or self.idle_w is None:
            return None
        own = roof.beyond(self.idle_w) + self.memory.beyond(self.idle_w) / intensity
        seconds = max(roof.seconds, self.memory.seconds / intensity)
        return 1 / (own + self.idle_w * seconds)


def energy(
    ceilings: Mapping[str, Ceiling], model: Roofline, power: Mapping[str, Any]
) -> EnergyModel:
    """The energy roofs of the roofs of a run. power: as the run's file tells of it."""
    dense = [roof.tag for roof in model.compute if not roof.is_sparse]
    compute = list(_known(ceilings[tag] for tag in dense))
    compute.sort(key=lambda roof: roof.joules)
    main_memory = ceilings.get(MAIN)
    is_roof = any(roof.tag == MAIN for roof in model.bandwidth)
    memory = list(_known([main_memory])) if main_memory and is_roof else []
    idle = power.get("idle_w")
    return EnergyModel(
        source=str(power.get("source") or ""),
        why_unknown=str(power.get("why_unknown") or ""),
        idle_w=float(idle) if isinstance(idle, int | float) and idle > 0 else None,
        memory=memory[0] if memory else None,
        compute=tuple(compute),
        unknown=_texts(power.get("unknown")),
    )


def _texts(listed: Any) -> tuple[str, ...]:
    """The texts in a list; none of anything else, which a file may hold."""
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _known(ceilings: Iterable[Ceiling]) -> Iterable[EnergyRoof]:
    """The energy roofs of those of these ceilings whose energy is known."""
    for ceiling in ceilings:
        if ceiling.per_watt and ceiling.power_w:
            yield EnergyRoof(
                tag=ceiling.tag,
                unit=ceiling.unit.removesuffix("/s"),
                joules=1 / ceiling.per_watt,
                watts=ceiling.power_w,
            )
