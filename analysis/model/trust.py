"""How far a whole run can be trusted: one line, with why and what to do. Made from facts of the run
and its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.model.ceilings import Ceiling, names_roof
from analysis.units import percent
from probes.records.measurement import OK, Measurement
from probes.records.run import Run

GOOD, FAIR, LOW = "good", "fair", "low"
FEW, MANY = 0.05, 0.25
"""Share of the rows that cannot be trusted, from which a run is fair, and from which it is low."""
SOME_LOAD, MUCH_LOAD = 0.10, 0.50
"""Share of the processors that others kept busy, likewise."""
SOME_STEAL, MUCH_STEAL = 0.02, 0.10
"""Share of the processors' time that a hypervisor gave to others, likewise."""
NAMED = 3


@dataclass(frozen=True)
class Trust:
    """What to think of a run."""

    level: str
    """``good``, ``fair`` or ``low``."""
    why: tuple[str, ...]
    """Reasons, most important first; empty of a good one."""
    remedy: str = ""
    """What to do for a better one."""

    @property
    def line(self) -> str:
        """All of it in one line."""
        reasons = f": {'; '.join(self.why)}" if self.why else ""
        return f"TRUST {self.level}{reasons}.{f' {self.remedy}' if self.remedy else ''}"


def trust(run: Run, ceilings: Mapping[str, Ceiling]) -> Trust | None:
    """How far the rows of this run can be trusted; None where it timed nothing itself.

    The rows must have been judged.
    """
    timed = [
        row
        for row in run.measurements
        if row.status == OK and row.samples and not row.probe.startswith("importers")
    ]
    if not timed:
        return None
    doubted = [row for row in timed if not row.trusted]
    roofs = [
        ceiling for ceiling in ceilings.values() if names_roof(ceiling) and not ceiling.trusted
    ]
    load = _Facts(run.load.get("during"))
    of_host = (
        run.device.kind == "cpu"
    )  # a GPU is fed by the host, and only waits where that is slow
    low = [
        bool(roofs),
        len(doubted) > MANY * len(timed),
        of_host and load.others > MUCH_LOAD,
        of_host and load.steal > MUCH_STEAL,
    ]
    fair = [
        len(doubted) > FEW * len(timed),
        load.others > SOME_LOAD,
        load.steal > SOME_STEAL,
        load.stopped > SOME_STEAL,
    ]
    if not any((*low, *fair)):
        return Trust(GOOD, ())
    why = [*_of_rows(doubted, timed, roofs), *load.reasons]
    return Trust(LOW if any(low) else FAIR, tuple(why), load.remedy)


def at_start(load: Mapping[str, Any]) -> tuple[str, bool]:
    """One line about what else ran just before the measurement, and whether that was little."""
    before = _Facts(load.get("before"))
    limits = [str(text) for text in load.get("clock_limits") or ()]
    reasons = [*before.reasons, *limits]
    if reasons:
        return f"TRUST may be low: {'; '.join(reasons)}.", False
    used = f"others use {before.used:.2f} of {before.cores:g} cores"
    return (
        (
            f"TRUST starts good: {used}, steal {percent(before.steal)}, no limit on the "
            "clock is known."
        ),
        True,
    )


def _of_rows(
    doubted: Sequence[Measurement], timed: Sequence[Measurement], roofs: Iterable[Ceiling]
) -> list[str]:
    """How many results cannot be trusted, and which roofs are among them."""
    if not doubted:
        return []
    names = [ceiling.tag for ceiling in roofs]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    among = f", the roofs {', '.join(names[:NAMED])}{more} among them" if names else ""
    return [f"{len(doubted)} of {len(timed)} results cannot be trusted{among}"]


class _Facts:
    """What went on for some time, as ``run.json`` tells it."""

    def __init__(self, facts: Any) -> None:
        known: Mapping[str, Any] = facts if isinstance(facts, dict) else {}
        self.cores = _count(known, "cores") or 1.0
        self.used = _count(known, "others")
        self.steal = _count(known, "steal")
        self.stopped = _count(known, "stopped")
        self.busiest = _names(known.get("busiest"))

    @property
    def others(self) -> float:
        """Share of the processors that others kept busy."""
        return self.used / self.cores

    @property
    def reasons(self) -> list[str]:
        """Each kind of disturbance that there was, in words."""
        said = []
        if self.others > SOME_LOAD:
            names = f" ({', '.join(self.busiest)})" if self.busiest else ""
            said.append(f"other processes used {self.used:.2g} of {self.cores:g} cores{names}")
        if self.steal > SOME_STEAL:
            said.append(
                f"the hypervisor gave {percent(self.steal)} of the processors' time to "
                "other machines"
            )
        if self.stopped > SOME_STEAL:
            said.append(f"a quota stopped this program for {percent(self.stopped)} of the time")
        return said

    @property
    def remedy(self) -> str:
        """What to do about the largest of them."""
        if self.others > SOME_LOAD:
            return "Stop them and measure again."
        if self.steal > SOME_STEAL:
            return "Measure again when the host is quiet, or on a machine of its own."
        if self.stopped > SOME_STEAL:
            return "Measure again without the quota."
        return "Measure again when the machine is quiet."


def _count(facts: Mapping[str, Any], name: str) -> float:
    """A number among these facts; 0 if it is not there, or is no number."""
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _names(busiest: Any) -> list[str]:
    """The names of the busiest processes, from pairs of a name and cores."""
    pairs = busiest if isinstance(busiest, (list, tuple)) else []
    return [str(pair[0]) for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2]
