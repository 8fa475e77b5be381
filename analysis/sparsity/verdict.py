"""Whether zeros in a layer's weights could pay on this machine, and if not, why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from analysis.layers.placement import BOUND_BY_LAUNCH, Placement
from analysis.model.roofline import Roofline
from analysis.sparsity import wants
from analysis.sparsity.products import Key, Product, product_of
from analysis.sparsity.roofs import Floor, Roofs
from kernels.device import Device
from probes.records.measurement import OK
from probes.records.patterns import TWO_OF_FOUR, PatternRow

PAYS = "pays"
NO_PATTERN = "no pattern"
"""The layer has no weights that 2:4 fits."""
NO_UNIT = "no unit"
"""No unit of the device skips zeros in this type, or none was measured."""
LAUNCH, MEMORY = "launch", "memory"
"""What bounds the layer: fewer operations do not help."""
NOT_TAKEN = "not taken"
"""Roofs allow a gain, and sparse kernels do not take the layer, or are no faster for it."""
LITTLE = "little"
"""Roofs allow less than ``LEAST_GAIN``."""
UNKNOWN = "unknown"
"""The layer was not timed, or its roofs cannot be trusted."""
WHYS = (PAYS, NOT_TAKEN, LITTLE, MEMORY, LAUNCH, NO_UNIT, NO_PATTERN, UNKNOWN)
"""All that a verdict can be, the best first."""
LEAST_GAIN = 0.05
"""Share of a layer's time that 2:4 must save to be worth a kernel of its own."""


@dataclass(frozen=True, kw_only=True)
class SparseVerdict:
    """What 2:4 is worth in one layer in one precision."""

    row: PatternRow
    """Its weights, and its error."""
    precision: str
    """In which it was timed."""
    provider: str
    """What ran it."""
    why: str
    """One of ``WHYS``."""
    seconds: float | None = None
    """Measured, dense."""
    predicted_seconds: float | None = None
    """With a sparse kernel, as roofs allow; None where that is unknown."""
    dense: Floor | None = None
    """Its least time with all weights."""
    sparse: Floor | None = None
    """Its least time with a sparse kernel."""
    ridge: float | None = None
    """Operations per byte from which the dense layer is bound by arithmetic."""
    refused: str = ""
    """What sparse kernels have against the layer."""
    runs_here: bool = False
    """True if the provider has such kernels."""
    product: Product | None = None
    """The plain product of the layer's size, dense and sparse; None where it was not timed."""

    @property
    def saved_seconds(self) -> float:
        """What 2:4 could save; 0 where it is not expected to pay."""
        if self.why != PAYS or self.seconds is None or self.predicted_seconds is None:
            return 0.0
        return self.seconds - self.predicted_seconds


@dataclass(frozen=True, kw_only=True)
class LayersWithZeros:
    """What verdicts are made from."""

    rows: Sequence[PatternRow]
    """Of all layers and patterns, in the network's order."""
    placements: Sequence[Placement]
    """Layers on roofs; those of other networks do not count."""
    model: Roofline
    """The measured roofs."""
    device: Device
    """What they belong to."""
    provider: str
    """What runs the network."""
    products: Mapping[Key, Product] = field(default_factory=dict)
    """Plain products of the layers' sizes, as far as they were timed."""

    @property
    def placed(self) -> Mapping[tuple[str, str], Placement]:
        """Placements of the network's layers, by layer and precision."""
        network = self.rows[0].network if self.rows else ""
        return {
            (placement.layer, placement.facts.precision): placement
            for placement in self.placements
            if placement.network == network and placement.provider == self.provider
        }

    @property
    def precisions(self) -> list[str]:
        """Those in which layers were timed, in the order of their placements."""
        return list(dict.fromkeys(precision for _, precision in self.placed))

    def roofs(self, precision: str) -> Roofs:
        """The roofs of one precision."""
        return Roofs(self.model, self.device, precision)


def sparse_verdicts(layers: LayersWithZeros) -> list[SparseVerdict]:
    """The verdict on 2:4 of each layer in each precision in which layers were timed.

    In the network's order. A layer that was timed in none has one, for FP32.
    """
    placed = layers.placed
    verdicts = []
    for row in layers.rows:
        if row.pattern != TWO_OF_FOUR:
            continue
        for precision in layers.precisions or ["fp32"]:
            placement = placed.get((row.layer, precision))
            verdicts.append(_verdict(row, precision, placement, layers))
    return verdicts


def _verdict(
    row: PatternRow, precision: str, placed: Placement | None, layers: LayersWithZeros
) -> SparseVerdict:
    """The verdict on one layer in one precision."""
    verdict = SparseVerdict(
        row=row,
        precision=precision,
        provider=layers.provider,
        why=UNKNOWN,
        seconds=placed.seconds if placed else None,
        refused=wants.refused(row, precision),
        runs_here=layers.provider not in wants.WITHOUT_KERNELS,
        product=product_of(row, precision, layers.products),
    )
    if row.status != OK:
        return replace(verdict, why=NO_PATTERN)
    roofs = layers.roofs(precision)
    if precision in wants.ONE_OF_TWO:
        return replace(verdict, why=NO_UNIT)
    if roofs.sparse is None and not roofs.sparse_is_doubted:
        return replace(verdict, why=NO_UNIT)
    if placed is None:
        return verdict
    dense, sparse = roofs.dense_floor(row, placed), roofs.floor(row, placed)
    if dense is None or sparse is None or placed.share is None:
        return verdict
    spared = max(0.0, dense.seconds - sparse.seconds)
    predicted = max(sparse.seconds, placed.seconds - spared)
    verdict = replace(
        verdict,
        predicted_seconds=predicted,
        dense=dense,
        sparse=sparse,
        ridge=_ridge(dense),
    )
    gain = 1 - predicted / placed.seconds
    return replace(verdict, why=_why(verdict, placed, gain))


def _ridge(dense: Floor) -> float | None:
    """Operations per byte at which bytes and operations take equally long."""
    if not dense.compute_seconds or not dense.memory_seconds:
        return None
    return dense.intensity * dense.memory_seconds / dense.compute_seconds


def _why(verdict: SparseVerdict, placed: Placement, gain: float) -> str:
    """What decides where all roofs are known. gain: share of the measured time."""
    assert verdict.dense is not None
    if placed.bound == BOUND_BY_LAUNCH:
        return LAUNCH
    if gain < LEAST_GAIN:
        return MEMORY if verdict.dense.is_bound_by_memory else LITTLE
    return NOT_TAKEN if verdict.refused else PAYS
