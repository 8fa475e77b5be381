"""The runs of a comparison and the sides that they stand on.

A side is one run, or several of one machine. The first is what the others are compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.analyse import model
from analysis.compare.facts import Circumstances, circumstances_of
from analysis.outcome import Outcome
from probes.records.measurement import RidgelineError
from probes.records.run import folders_of_runs, read_run

FEWEST_SIDES = 2
BASELINE = "baseline"
"""How the side of ``--baseline`` is called."""

Machine = tuple[str, str, str, int]
"""Kind, architecture, name and number of units: runs with the same are of one machine, or of two
that are alike.
"""


@dataclass(frozen=True)
class ComparedRun:
    """One run of a comparison."""

    folder: Path
    """Where it is."""
    outcome: Outcome
    """What it found."""
    circumstances: Circumstances
    """Under which circumstances."""

    @property
    def machine(self) -> Machine:
        """What it was made on."""
        device = self.outcome.run.device
        return device.kind, device.arch, device.name, device.units

    @property
    def started(self) -> str:
        """When it began, in UTC."""
        return self.outcome.run.started


@dataclass(frozen=True)
class Side:
    """One run, or several of one machine, that speak together."""

    name: str
    """As tables call it."""
    runs: tuple[ComparedRun, ...]
    """In the order in which they were made."""

    @property
    def device(self) -> str:
        """Name of the device."""
        return self.runs[0].outcome.run.device.name

    @property
    def circumstances(self) -> list[Circumstances]:
        """Of each run."""
        return [run.circumstances for run in self.runs]


@dataclass(frozen=True)
class Sides:
    """All sides, and what was left out."""

    sides: tuple[Side, ...]
    """The first is what the others are compared with."""
    notes: tuple[str, ...] = ()
    """Sentences on runs that were left out or are damaged."""


def read_sides(places: Sequence[Path], baseline: Path | None = None) -> Sides:
    """The sides that these runs, or folders of runs, stand on.

    With a baseline all runs of it that are of the same machine are the first side, and all places
    of one machine another. Without, each place is a side, the first place the first. Raises
    RidgelineError for what is no run, for fewer than two sides, and for a run that is given twice.
    """
    if baseline is not None:
        return _against([baseline], places, f"--baseline {baseline}")
    notes: list[str] = []
    by_place = [_runs_at(place, notes) for place in places]
    _refuse_twice([run for runs in by_place for run in runs])
    sides = [_side_of_place(place, runs) for place, runs in zip(places, by_place, strict=True)]
    if len(sides) < FEWEST_SIDES:
        raise RidgelineError(
            "one run alone cannot be compared: give two or more, or --baseline DIR"
        )
    return Sides(tuple(_named(sides)), tuple(notes))


def sides_of_new(earlier: Sequence[Path], new: Sequence[Path]) -> Sides:
    """Earlier runs as the first side, and runs that were just made as the other."""
    names = " ".join(map(str, earlier))
    return _against(earlier, new, f"--compare {names}")


def _against(earlier_places: Sequence[Path], places: Sequence[Path], option: str) -> Sides:
    """Runs of one machine as the first side, all runs of each machine among ``places`` as another.

    option: as the user wrote it, for errors.
    """
    notes: list[str] = []
    later_runs = [run for place in places for run in _runs_at(place, notes)]
    _refuse_twice(later_runs)
    new = {run.folder.resolve() for run in later_runs}
    baseline_runs = [run for place in earlier_places for run in _runs_at(place, notes)]
    earlier = [run for run in baseline_runs if run.folder.resolve() not in new]
    _refuse_twice(earlier)
    if not earlier:
        raise RidgelineError(f"{option} holds no run beside those compared with it")
    later = _by_machine(later_runs)
    machines = {side.runs[0].machine for side in later}
    alike = [run for run in earlier if run.machine in machines]
    if len(machines) == 1 and alike:
        left_out = len(earlier) - len(alike)
        if left_out:
            runs = "1 run" if left_out == 1 else f"{left_out} runs"
            notes.append(f"Left out of {option}: {runs} of other machines.")
        earlier = alike
    (first, *others) = _by_machine(earlier)
    if others:
        devices = ", ".join(side.device for side in (first, *others))
        raise RidgelineError(
            f"{option} holds runs of several machines ({devices}): give the folder of one"
        )
    return Sides((Side(BASELINE, first.runs), *_named(later)), tuple(notes))


def _runs_at(place: Path, notes: list[str]) -> list[ComparedRun]:
    """The run in a folder, or all runs below it, the oldest first.

    Damaged runs among several are left out, which is added to ``notes``. Raises RidgelineError
    where there is none.
    """
    folders = folders_of_runs(place)
    if folders in ([place], []):
        return [_read(place, notes)]
    runs = []
    for folder in folders:
        try:
            runs.append(_read(folder, notes))
        except RidgelineError as error:
            notes.append(f"Left out: {error}.")
    if not runs:
        raise RidgelineError(f"{place} holds no run that can be read")
    return sorted(runs, key=lambda run: (run.started, str(run.folder)))


def _read(folder: Path, notes: list[str]) -> ComparedRun:
    """One run. Raises RidgelineError."""
    run = read_run(folder)
    notes += [f"{folder}: {sentence}" for sentence in run.damage]
    outcome = model(run)
    return ComparedRun(folder, outcome, circumstances_of(run))


def _refuse_twice(runs: Sequence[ComparedRun]) -> None:
    """Raise RidgelineError for a folder that is given twice."""
    folders = [run.folder.resolve() for run in runs]
    for place, folder in enumerate(folders):
        if folder in folders[:place]:
            raise RidgelineError(f"{runs[place].folder} is given twice: a run cannot be two")


def _side_of_place(place: Path, runs: Sequence[ComparedRun]) -> Side:
    """All runs of a place as one side. Raises RidgelineError where they are of several machines."""
    sides = _by_machine(runs)
    if len(sides) > 1:
        devices = ", ".join(f"{side.device}, {side.runs[0].machine[1]}" for side in sides)
        raise RidgelineError(
            f"{place} holds runs of several machines ({devices}): give the folder of one"
        )
    return Side(place.resolve().name, tuple(runs))


def _by_machine(runs: Iterable[ComparedRun]) -> list[Side]:
    """A side for each machine."""
    by_machine: dict[Machine, list[ComparedRun]] = {}
    for run in runs:
        by_machine.setdefault(run.machine, []).append(run)
    sides = []
    for group in by_machine.values():
        name = group[0].folder.resolve().name
        if len(group) > 1:
            name = f"{len(group)} runs"
        sides.append(Side(name, tuple(group)))
    return sides


def _named(sides: Sequence[Side]) -> list[Side]:
    """The same with names that differ: by their devices if these do, else by number."""
    names = [side.name for side in sides]
    if len(set(names)) < len(names):
        names = [side.device for side in sides]
    counts: dict[str, int] = {}
    unique = []
    for side, name in zip(sides, names, strict=True):
        counts[name] = counts.get(name, 0) + 1
        shown = name if counts[name] == 1 else f"{name} ({counts[name]})"
        unique.append(Side(shown, side.runs))
    return unique
