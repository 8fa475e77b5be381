"""The noun SparsityStudy: all that is known of zeros in a network, for tables, pictures, words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.plan.front import Point, is_as_trained
from analysis.sparsity.floors import PatternFloor, least_share, pattern_floors
from analysis.sparsity.trials import TrialOutcome, trial_outcomes
from analysis.sparsity.verdict import PAYS, LayersWithZeros, SparseVerdict, sparse_verdicts
from probes.records.patterns import TWO_OF_FOUR


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

    def least_share(self, trial: str) -> tuple[float, str] | None:
        """Least time without the zeros of a pattern over that of all weights, and its precision.

        In the first precision in which it is known; None where it is in none.
        """
        for precision in self.layers.precisions:
            share = least_share(self.floors, trial, precision)
            if share is not None:
                return share, precision
        return None

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
