"""How far a whole run can be trusted: one line, with why and what to do.

It is made from facts of the run and its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.model.ceilings import Ceiling, names_roof
from analysis.naming import few
from analysis.units import percent
from probes.records.measurement import OK, Measurement
from probes.records.run import Run

GOOD, FAIR, LOW = "good", "fair", "low"
FEW_DOUBTED, MANY_DOUBTED = 0.05, 0.25
"""Share of the rows that cannot be trusted, from which a run is fair, and from which it is low."""
SOME_LOAD, MUCH_LOAD = 0.10, 0.50
"""Share of the processors that others kept busy, likewise."""
SOME_STEAL, MUCH_STEAL = 0.02, 0.10
"""Share of the processors' time that a hypervisor gave to others, likewise."""
MOST_NAMES = 3  # of roofs in a sentence


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
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"TRUST {self.level}{reasons}.{remedy}"


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
    doubted_roofs = [
        ceiling for ceiling in ceilings.values() if names_roof(ceiling) and not ceiling.trusted
    ]
    load = _Load(run.load.get("during"))
    # a GPU is fed by the host, and only waits where that is slow
    is_cpu = run.device.kind == "cpu"
    is_low = (
        bool(doubted_roofs)
        or len(doubted) > MANY_DOUBTED * len(timed)
        or (is_cpu and load.others > MUCH_LOAD)
        or (is_cpu and load.steal > MUCH_STEAL)
    )
    is_fair = (
        len(doubted) > FEW_DOUBTED * len(timed)
        or load.others > SOME_LOAD
        or load.steal > SOME_STEAL
        or load.stopped > SOME_STEAL
    )
    if not is_low and not is_fair:
        return Trust(GOOD, ())
    why = load.reasons
    if doubted:
        why = [_of_rows(doubted, timed, doubted_roofs), *why]
    return Trust(LOW if is_low else FAIR, tuple(why), load.remedy)


def at_start(load: Mapping[str, Any]) -> tuple[str, bool]:
    """One line about what else ran just before the measurement, and True if that was little.

    It speaks of limits on the clock only where ``load`` has been asked for them.
    """
    before = _Load(load.get("before"))
    limits = [str(text) for text in load.get("clock_limits") or ()]
    reasons = [*before.reasons, *limits]
    if reasons:
        return f"TRUST may be low: {'; '.join(reasons)}.", False
    used = f"others use {before.used:.2f} of {before.cores:g} cores"
    steal = f"steal {percent(before.steal)}"
    no_limit = ", no limit on the clock is known" if "clock_limits" in load else ""
    return f"TRUST starts good: {used}, {steal}{no_limit}.", True


def _of_rows(
    doubted: Sequence[Measurement], timed: Sequence[Measurement], doubted_roofs: Iterable[Ceiling]
) -> str:
    """How many results cannot be trusted, and which roofs are among them."""
    sentence = f"{len(doubted)} of {len(timed)} results cannot be trusted"
    tags = [ceiling.tag for ceiling in doubted_roofs]
    if not tags:
        return sentence
    return f"{sentence}, the roofs {few(tags, MOST_NAMES)} among them"


class _Load:
    """What else kept the processors busy for some time, as ``run.json`` holds it."""

    def __init__(self, stored: Any) -> None:
        facts: Mapping[str, Any] = stored if isinstance(stored, dict) else {}
        self.cores = _number(facts, "cores") or 1.0
        """Processors that there are."""
        self.used = _number(facts, "others")
        """How many of them other processes kept busy."""
        self.steal = _number(facts, "steal")
        """Share of the processors' time that a hypervisor gave to other machines."""
        self.stopped = _number(facts, "stopped")
        """Share of the time for which a quota stopped this program."""
        self.busiest = _names(facts.get("busiest"))
        """Names of the processes that used most."""

    @property
    def others(self) -> float:
        """Share of the processors that others kept busy."""
        return self.used / self.cores

    @property
    def reasons(self) -> list[str]:
        """Each kind of disturbance that there was, in words."""
        reasons = []
        if self.others > SOME_LOAD:
            names = f" ({', '.join(self.busiest)})" if self.busiest else ""
            reasons.append(f"other processes used {self.used:.2g} of {self.cores:g} cores{names}")
        if self.steal > SOME_STEAL:
            steal = percent(self.steal)
            reasons.append(f"the hypervisor gave {steal} of the processors' time to other machines")
        if self.stopped > SOME_STEAL:
            stopped = percent(self.stopped)
            reasons.append(f"a quota stopped this program for {stopped} of the time")
        return reasons

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


def _number(facts: Mapping[str, Any], name: str) -> float:
    """A number among these facts; 0 if it is not there, or is no number."""
    value = facts.get(name)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _names(busiest: Any) -> list[str]:
    """The names of the busiest processes, from pairs of a name and cores."""
    if not isinstance(busiest, (list, tuple)):
        return []
    pairs = [pair for pair in busiest if isinstance(pair, (list, tuple)) and len(pair) == 2]
    return [str(name) for name, _ in pairs]
