"""Runs of one board in several power modes, side by side: what each mode gives, and for a watt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.analyse import model
from analysis.model.ceilings import Ceiling
from analysis.model.headlines import best_by_format, levels_of_memory
from analysis.naming import name_of
from analysis.outcome import Outcome
from probes.records.measurement import OK, RidgelineError
from probes.records.run import read_run
from probes.records.tag import COMPUTE, Tag

FEWEST = 2
"""Runs that can be compared."""


@dataclass(frozen=True)
class Mode:
    """One run, and the mode that it was made in."""

    name: str
    """Name of the mode; on what has no modes, its power limit or the time of the run."""
    folder: Path
    """Where the run is."""
    outcome: Outcome
    """What it found."""

    def fact(self, name: str) -> Any:
        """A fact of its device; None if unknown."""
        return self.outcome.run.device.facts.get(name)

    @property
    def number(self) -> int | None:
        """The number by which ``nvpmodel -m`` sets the mode; None if unknown."""
        number = self.fact("power_mode_id")
        return number if isinstance(number, int) else None

    @property
    def units(self) -> int:
        """Multiprocessors, or cores: a mode may switch some off."""
        return self.outcome.run.device.units

    def clock(self, name: str) -> float | None:
        """A clock of its device's facts in Hz; None if unknown."""
        value = self.fact(name)
        return float(value) if isinstance(value, int | float) and value > 0 else None


@dataclass(frozen=True)
class RoofInModes:
    """What one level of memory, or one number format, gives in each mode."""

    name: str
    """As people call it: ``DRAM``, ``FP16``."""
    ceilings: tuple[Ceiling | None, ...]
    """Of each mode, in their order; None where it was not measured or cannot be trusted."""

    @property
    def unit(self) -> str:
        """Unit of its rates."""
        return next((ceiling.unit for ceiling in self.ceilings if ceiling), "")

    @property
    def rates(self) -> tuple[float | None, ...]:
        """In ``unit``, of each mode."""
        return tuple(ceiling.rate if ceiling else None for ceiling in self.ceilings)

    @property
    def per_watt(self) -> tuple[float | None, ...]:
        """In ``unit`` for each watt, of each mode."""
        return tuple(ceiling.per_watt if ceiling else None for ceiling in self.ceilings)


@dataclass(frozen=True)
class Comparison:
    """Runs of one board in several modes."""

    device: str
    """Name of the board."""
    modes: tuple[Mode, ...]
    """In the order in which they were given."""
    roofs: tuple[RoofInModes, ...]
    """Levels of memory, then number formats."""

    @property
    def knows_power(self) -> bool:
        """True if any roof has a power in two modes at least."""
        return any(len(_known(roof.per_watt)) >= FEWEST for roof in self.roofs)

    def wins(self, values: Callable[[RoofInModes], Sequence[float | None]]) -> Counter[str]:
        """How many roofs each mode gives the most of, by its name.

        Of roofs that are known in all modes only. values: of a roof, of each mode.
        """
        counts = Counter[str]()
        for roof in self.roofs:
            known = _known(values(roof))
            if len(known) == len(self.modes):
                counts[self.modes[known.index(max(known))].name] += 1
        return counts


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def compare(folders: Sequence[Path]) -> Comparison:
    """Read and judge these runs.

    Raises RidgelineError for fewer than two, for what is no run, and for runs of different boards.
    """
    if len(folders) < FEWEST:
        raise RidgelineError(
            "--power-modes compares runs: give the folders of two or more, one made in each mode"
        )
    for place, folder in enumerate(folders):
        if folder.resolve() in [other.resolve() for other in folders[:place]]:
            raise RidgelineError(f"--power-modes: {folder} is given twice")
    modes = _named([(folder, model(read_run(folder))) for folder in folders])
    first = modes[0].outcome.run.device
    for mode in modes[1:]:
        device = mode.outcome.run.device
        if (device.kind, device.arch, device.name) != (first.kind, first.arch, first.name):
            raise RidgelineError(
                f"{mode.folder} is of {device.name}, and {modes[0].folder} of {first.name}: give "
                "runs of one device"
            )
    return Comparison(first.name, modes, tuple(_roofs(modes)))


def _named(outcomes: Sequence[tuple[Path, Outcome]]) -> tuple[Mode, ...]:
    """The modes of these runs; of two with the same name each has its time, too.

    Those of the same time are numbered: no two are called the same.
    """
    names = [_mode_in_words(outcome) for _, outcome in outcomes]
    modes: list[Mode] = []
    for (folder, outcome), name in zip(outcomes, names, strict=True):
        shown = name
        if names.count(name) > 1:
            shown = f"{name} {outcome.run.started[:16].replace('T', ' ')}".strip()
        same = sum(mode.name.partition(" (")[0] == shown for mode in modes)
        if same:
            shown = f"{shown} ({same + 1})"
        modes.append(Mode(shown, folder, outcome))
    return tuple(modes)


def _mode_in_words(outcome: Outcome) -> str:
    """What a run's device says of its mode; empty if it has none."""
    facts = outcome.run.device.facts
    if mode := facts.get("power_mode"):
        return str(mode)
    limit = facts.get("power_limit_w")
    return f"{limit:.0f} W" if isinstance(limit, int | float) else ""


def _roofs(modes: Sequence[Mode]) -> Iterator[RoofInModes]:
    """Every roof that any of these runs has, in the order of the short table."""
    by_mode: list[dict[str, Ceiling]] = []
    names: dict[str, str] = {}
    for mode in modes:
        ceilings = mode.outcome.ceilings
        good: dict[str, Ceiling] = {}
        for ceiling in (*levels_of_memory(ceilings), *best_by_format(ceilings)):
            whole = Tag.parse(ceiling.tag).whole
            names.setdefault(str(whole), name_of(whole))
            if ceiling.status == OK and ceiling.trusted:
                good[str(whole)] = ceiling
        by_mode.append(good)
    memory_first = sorted(names, key=lambda tag: Tag.parse(tag).quantity == COMPUTE)
    for tag in memory_first:
        yield RoofInModes(names[tag], tuple(good.get(tag) for good in by_mode))
