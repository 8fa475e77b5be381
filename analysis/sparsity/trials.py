"""What each pattern makes of a whole network: zeros, bytes, loss, and the time of dense kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.plan.borders import BYTES, FP32
from analysis.plan.front import Loss, Point
from analysis.sparsity.storage import dense_bytes, storages
from probes.records.measurement import OK
from probes.records.patterns import PatternRow


@dataclass(frozen=True, kw_only=True)
class TrialOutcome:
    """One pattern with one share of zeros in all layers of a network that can have it."""

    name: str
    """``2:4``, ``4x4 75 %``."""
    pattern: str
    """The pattern alone."""
    share_asked: float
    """Share of zeros that was asked for."""
    layers: int
    """Layers that have it."""
    weights: int
    """Weights of all layers, those without it included."""
    zeros: float
    """Share of these that are zero."""
    l1_kept: float
    """Share of the sum of their magnitudes that is left."""
    dense_bytes: float
    """Bytes of all these weights."""
    stored_bytes: Mapping[str, float]
    """The same without zeros, with their index, by the name of the format: the smallest first."""
    point: Point | None = None
    """Its loss, and the time of dense kernels with zeros in place; None where it was not run."""

    @property
    def storage(self) -> str:
        """Name of the format that takes fewest bytes."""
        return next(iter(self.stored_bytes))

    @property
    def bytes_shares(self) -> dict[str, float]:
        """Bytes without zeros over those with them, by the name of the format."""
        return {name: size / self.dense_bytes for name, size in self.stored_bytes.items()}

    @property
    def bytes_share(self) -> float:
        """The same in the format that takes fewest bytes."""
        return self.bytes_shares[self.storage]

    @property
    def loss(self) -> Loss | None:
        """What the network loses; None where it was not run."""
        return self.point.loss if self.point else None


def trial_outcomes(
    rows: Sequence[PatternRow], points: Mapping[str, Point], precision: str = FP32
) -> list[TrialOutcome]:
    """Every pattern and share that some layer has, in the order of the rows.

    points: losses and times of the whole network, by the name of the trial.
    """
    by_trial: dict[str, list[PatternRow]] = {}
    for row in rows:
        by_trial.setdefault(row.trial, []).append(row)
    outcomes = []
    for name, of_trial in by_trial.items():
        if any(row.status == OK for row in of_trial):
            outcomes.append(_outcome(name, of_trial, points.get(name), BYTES[precision]))
    return outcomes


def _outcome(
    name: str, rows: Sequence[PatternRow], point: Point | None, number_bytes: int
) -> TrialOutcome:
    """The outcome of one trial. rows: of all layers."""
    weights = sum(row.rows * row.columns for row in rows)
    having = [row for row in rows if row.status == OK]
    zeros = sum((row.zeros or 0.0) * row.rows * row.columns for row in having)
    l1 = sum(row.l1 for row in rows)
    l1_lost = sum((1 - (row.l1_kept or 0.0)) * row.l1 for row in having)
    without = sum(dense_bytes(row, number_bytes) for row in rows if row.status != OK)
    by_storage = {
        storage.name: without + sum(storage.bytes(row, number_bytes) for row in having)
        for storage in storages(having[0])
    }
    smallest_first = sorted(by_storage, key=lambda name: by_storage[name])
    return TrialOutcome(
        name=name,
        pattern=rows[0].pattern,
        share_asked=rows[0].share_asked,
        layers=len(having),
        weights=weights,
        zeros=zeros / weights,
        l1_kept=1 - l1_lost / l1 if l1 else 1.0,
        dense_bytes=float(weights * number_bytes),
        stored_bytes={name: by_storage[name] for name in smallest_first},
        point=point,
    )
