"""The noun SparsityStudy: all that is known of zeros in a network, for tables, pictures, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.plan.front import Point, is_as_trained
from analysis.sparsity.floors import PatternFloor, least_share, pattern_floors
from analysis.sparsity.trials import TrialOutcome, trial_outcomes
from analysis.sparsity.verdict import (
    NO_PATTERN,
    NO_UNIT,
    PAYS,
    UNKNOWN,
    LayersWithZeros,
    SparseVerdict,
    sparse_verdicts,
)
from probes.records.patterns import TWO_OF_FOUR

WITHOUT_ROOFS = (NO_UNIT, NO_PATTERN, UNKNOWN)
"""Verdicts that no roof gave."""


@dataclass(frozen=True, kw_only=True)
class SparsityStudy:
    """Patterns of zeros in a network, with their layers."""

    layers: LayersWithZeros
    """Rows, layers on roofs, and the roofs."""
    verdicts: Sequence[SparseVerdict]
    """On 2:4 in each layer and precision."""
    outcomes: Sequence[TrialOutcome]
    """What each pattern makes of the whole network."""
    points: Sequence[Point]
    """Whole networks that were run, pruned or in lower precision."""
    floors: Sequence[PatternFloor] = ()
    """Least times of layers if zeros were left out."""

    def outcome(self, trial: str) -> TrialOutcome | None:
        """The outcome of this trial; None if no layer can have it."""
        return next((outcome for outcome in self.outcomes if outcome.name == trial), None)

    @property
    def two_of_four(self) -> TrialOutcome | None:
        """The outcome of 2:4."""
        return self.outcome(TWO_OF_FOUR)

    @cached_property
    def as_trained(self) -> Point | None:
        """The network as it was trained; None where it was not run."""
        return next((point for point in self.points if is_as_trained(point.recipe)), None)

    @cached_property
    def main_precision(self) -> str:
        """The precision in which 2:4 could save most; of several the first that has units for it.

        Empty without layers.
        """
        with_units = {
            verdict.precision for verdict in self.verdicts if verdict.why not in WITHOUT_ROOFS
        }

        def merit(precision: str) -> tuple[bool, float]:
            return precision in with_units, self.saved_seconds[precision]

        return max(self.saved_seconds, key=merit, default="")

    @property
    def has_units(self) -> bool:
        """True if some layer, in some precision, could run on units that skip zeros."""
        return any(verdict.why not in (NO_UNIT, NO_PATTERN) for verdict in self.verdicts)

    def least_share(self, trial: str) -> float | None:
        """Least time without the zeros of a pattern over that of all weights; None is unknown.

        It is that of the main precision.
        """
        return least_share(self.floors, trial, self.main_precision)

    def of_precision(self, precision: str) -> list[SparseVerdict]:
        """The verdicts in one precision."""
        return [verdict for verdict in self.verdicts if verdict.precision == precision]

    @cached_property
    def saved_seconds(self) -> Mapping[str, float]:
        """What 2:4 could save in the layers where it pays, by precision."""
        saved: dict[str, float] = {}
        for verdict in self.verdicts:
            saved[verdict.precision] = saved.get(verdict.precision, 0.0) + verdict.saved_seconds
        return saved

    @cached_property
    def paying(self) -> list[SparseVerdict]:
        """The verdicts of layers where 2:4 could pay."""
        return [verdict for verdict in self.verdicts if verdict.why == PAYS]


def study_of(layers: LayersWithZeros, points: Sequence[Point]) -> SparsityStudy:
    """What is known of zeros in a network. points: whole networks that were run."""
    by_name = {point.name: point for point in points}
    return SparsityStudy(
        layers=layers,
        verdicts=sparse_verdicts(layers),
        outcomes=trial_outcomes(layers.rows, by_name),
        points=points,
        floors=pattern_floors(layers),
    )
