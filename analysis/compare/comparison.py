"""The comparison: every row of all runs, with a verdict on each side but the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.compare.facts import Reading, typical_reading
from analysis.compare.join import JoinedRow, joined
from analysis.compare.sides import ComparedRun, Side, Sides, read_sides
from analysis.compare.verdict import (
    CANNOT_TELL,
    FASTER,
    MISSING,
    NEGLIGIBLE,
    SAME,
    SLOWER,
    Sample,
    Verdict,
    verdicts,
)
from probes.records.measurement import RidgelineError

PASSED, FAILED, BAD_INPUT, UNDECIDED = 0, 1, 2, 3
"""Exit codes of a gate: nothing is slower than it beyond doubt, something is, bad input, cannot
tell.
"""
MOST_UNTOLD = 0.5
"""Share of the rows that cannot be told, above which a gate cannot be decided."""


@dataclass(frozen=True)
class ComparedRow:
    """One row with its verdicts."""

    row: JoinedRow
    """What all runs say of it."""
    sides: tuple[tuple[Reading, ...], ...]
    """What the runs of each side say of it."""
    verdicts: tuple[Verdict, ...]
    """On each side but the first."""

    @property
    def strongest(self) -> str:
        """The verdict that a reader must see: slower on any side, then faster, else the first."""
        said = [verdict.verdict for verdict in self.verdicts]
        for verdict in (SLOWER, FASTER):
            if verdict in said:
                return verdict
        return said[0]

    @property
    def is_shared(self) -> bool:
        """True if the first side and another have it."""
        return any(verdict.why_not != MISSING for verdict in self.verdicts)

    def middle(self, side: int) -> float | None:
        """The middle of what a side says, in the row's unit; None if it has no such row."""
        typical = typical_reading(self.sides[side])
        return typical.value if typical else None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side."""

    sides: tuple[Side, ...]
    """The first is what the others are compared with."""
    rows: tuple[ComparedRow, ...]
    """Ceilings, then layers."""
    gate: float | None = None
    """The slowdown (a share) that is not to be exceeded; None if nothing was asked."""
    notes: tuple[str, ...] = ()
    """Sentences on what was left out or is damaged."""

    @property
    def runs(self) -> list[ComparedRun]:
        """All runs, side after side."""
        return [run for side in self.sides for run in side.runs]

    @property
    def counts(self) -> Counter[str]:
        """How often each verdict was given, over all sides."""
        return Counter(verdict.verdict for row in self.rows for verdict in row.verdicts)

    @property
    def shared(self) -> int:
        """Verdicts on rows that both sides have."""
        return sum(verdict.why_not != MISSING for row in self.rows for verdict in row.verdicts)

    def beyond_gate(self) -> list[ComparedRow]:
        """Rows that are slower than the gate beyond doubt."""
        gate = self.gate or 0.0
        return [
            row for row in self.rows if any(verdict.is_beyond(gate) for verdict in row.verdicts)
        ]

    @property
    def untold(self) -> int:
        """Verdicts on rows of both sides that cannot be told."""
        return self.counts[CANNOT_TELL] - (self.counts.total() - self.shared)

    @property
    def code(self) -> int:
        """The exit code: of the gate, or 0 where none was asked for."""
        if self.gate is None:
            return PASSED
        if self.beyond_gate():
            return FAILED
        return UNDECIDED if self.untold > MOST_UNTOLD * self.shared else PASSED


def compare(
    places: Sequence[Path], baseline: Path | None = None, gate: float | None = None
) -> Comparison:
    """Compare these runs, or folders of runs.

    Raises RidgelineError for bad input, and where the sides have no row in common.
    """
    return compare_sides(read_sides(places, baseline), gate)


def compare_sides(read: Sides, gate: float | None = None) -> Comparison:
    """Compare sides that were read. Raises RidgelineError where they have no row in common."""
    sides = read.sides
    rows = joined([run for side in sides for run in side.runs])
    by_side = [_by_side(row, sides) for row in rows]
    first = sides[0]
    per_side: list[list[Verdict]] = []
    for place, side in enumerate(sides[1:], 1):
        samples = [
            Sample(row.key, row.tag, readings[0], readings[place])
            for row, readings in zip(rows, by_side, strict=True)
        ]
        per_side.append(
            verdicts(samples, first.circumstances, side.circumstances, gate or NEGLIGIBLE)
        )
    compared = [
        ComparedRow(row, readings, tuple(results[place] for results in per_side))
        for place, (row, readings) in enumerate(zip(rows, by_side, strict=True))
    ]
    comparison = Comparison(sides, tuple(compared), gate, read.notes)
    if not comparison.shared:
        names = " and ".join(side.name for side in sides)
        raise RidgelineError(f"{names} have no row in common: nothing can be compared")
    return comparison


def _by_side(row: JoinedRow, sides: Sequence[Side]) -> tuple[tuple[Reading, ...], ...]:
    """The readings of a row, side after side; runs that lack it say nothing."""
    readings = iter(row.readings)
    grouped = []
    for side in sides:
        of_side = [next(readings) for _ in side.runs]
        grouped.append(tuple(reading for reading in of_side if reading is not None))
    return tuple(grouped)


def slower_first(comparison: Comparison) -> list[tuple[ComparedRow, int]]:
    """Rows that changed, with the number of the side: slower ones first, by how much."""
    changed = []
    for row in comparison.rows:
        for place, verdict in enumerate(row.verdicts, 1):
            if verdict.verdict not in (CANNOT_TELL, SAME) and verdict.ratio is not None:
                changed.append((row, place))
    return sorted(changed, key=_by_change)


def _by_change(changed: tuple[ComparedRow, int]) -> tuple[bool, float]:
    row, place = changed
    verdict = row.verdicts[place - 1]
    ratio = verdict.ratio or 1.0
    return verdict.verdict != SLOWER, ratio if ratio < 1 else -ratio
