"""How far sets of runs range over and drift: the lines of ``ranges.toml``, measured.

A set is several runs made in one go. The range of a row is that of all its runs. Its drift is what
moves whole sets: the variance of their middles, less what the spread within them explains. A row of
few sets tells it badly, so the rows that one line of the file speaks of tell it together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from math import log, sqrt
from pathlib import Path
from statistics import fmean, variance

from analysis.compare.facts import Reading
from analysis.compare.join import joined
from analysis.compare.recorded import BOARD, CPU, GPU, VIRTUAL_CPU, machine_of, range_of, records
from analysis.compare.sides import Side, read_sides
from analysis.compare.verdict import ENOUGH_RUNS
from probes.records.measurement import RidgelineError

FEWEST_SETS = 2
LIKE = {CPU: VIRTUAL_CPU, BOARD: GPU}
"""Machines of which nothing is recorded yet, and those whose lines speak of the same rows."""


@dataclass(frozen=True)
class Measured:
    """What sets say of the rows that fit one pattern."""

    tag: str
    """The pattern."""
    range: float
    """Fastest over slowest run, less 1: of the row that ranges over most."""
    drift: float
    """Standard deviation of the logarithm of speed by which the middle of a set moves."""
    runs: int
    """Runs that have such a row."""
    rows: int
    """How many rows these are."""

    @property
    def line(self) -> str:
        """The line of ``ranges.toml``."""
        return (
            f'    {{ tag = "{self.tag}", range = {self.range:.3f}, drift = {self.drift:.4f}, '
            f"runs = {self.runs} }},  # {self.rows} rows"
        )


def as_toml(places: Sequence[Path]) -> str:
    """The lines of a record, measured by these sets. Raises RidgelineError on bad input."""
    sets = read_sides(places).sides
    machines = {machine_of(run.circumstances) for side in sets for run in side.runs}
    if len(machines) > 1:
        raise RidgelineError(f"--ranges takes sets of one kind of machine, not {sorted(machines)}")
    for side in sets:
        if len(side.runs) < ENOUGH_RUNS:
            raise RidgelineError(
                f"{side.name} has fewer than {ENOUGH_RUNS} runs: run_all.py --repeat "
                f"{ENOUGH_RUNS} makes a set"
            )
    (machine,) = machines
    lines = [each.line for each in measured(sets, patterns_of(machine))]
    head = ["[[record]]", f'machine = "{machine}"', "rows = ["]
    return "\n".join([*head, *lines, "]"]) + "\n"


def patterns_of(machine: str) -> list[str]:
    """The patterns whose ranges are recorded of such a machine, or of one that is like it."""
    known = records()
    return [record.tag for record in known.get(machine) or known.get(LIKE.get(machine, ""), ())]


def measured(sets: Sequence[Side], patterns: Sequence[str]) -> list[Measured]:
    """What these sets say of the rows of each pattern; a row counts for the first that fits."""
    by_pattern: dict[str, list[list[list[Reading]]]] = {}
    for row in joined([run for side in sets for run in side.runs]):
        pattern = next((each for each in patterns if fnmatchcase(row.tag, each)), None)
        if pattern is None:
            continue
        readings = iter(row.readings)
        by_set = []
        for side in sets:
            of_set = [next(readings) for _ in side.runs]
            by_set.append([each for each in of_set if each is not None and each.trusted])
        by_pattern.setdefault(pattern, []).append(by_set)
    return [_measured(tag, by_pattern[tag]) for tag in patterns if tag in by_pattern]


def _measured(tag: str, rows: Sequence[Sequence[Sequence[Reading]]]) -> Measured:
    """What the rows of one pattern say together; each is given set by set."""
    ranges = []
    drifts = []
    for by_set in rows:
        readings = list(chain.from_iterable(by_set))
        widest = range_of(readings)
        if widest is not None:
            ranges.append(widest)
        squared = squared_drift([[log(each.speed) for each in of_set] for of_set in by_set])
        if squared is not None:
            drifts.append(squared)
    return Measured(
        tag=tag,
        range=max(ranges, default=0.0),
        drift=sqrt(max(0.0, fmean(drifts))) if drifts else 0.0,
        runs=max(sum(map(len, by_set)) for by_set in rows),
        rows=len(rows),
    )


def squared_drift(sets: Sequence[Sequence[float]]) -> float | None:
    """The variance of the middles of sets, less what chance within them makes of it.

    It may be below zero by chance. None of fewer than two sets of two runs.
    """
    several = [of_set for of_set in sets if len(of_set) > 1]
    if len(several) < FEWEST_SETS:
        return None
    within = fmean(variance(of_set) / len(of_set) for of_set in several)
    return variance(fmean(of_set) for of_set in several) - within
