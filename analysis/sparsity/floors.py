"""The least time of each layer with each pattern, if hardware left its zeros out: nothing here ran.

Bytes are those of the activations and of the weights with their index, operations those of the
weights that are left, and the roofs those that were measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.plan.borders import BYTES
from analysis.sparsity.roofs import Floor
from analysis.sparsity.storage import Storage, smallest
from analysis.sparsity.verdict import LayersWithZeros
from probes.records.measurement import OK
from probes.records.patterns import PatternRow


@dataclass(frozen=True, kw_only=True)
class PatternFloor:
    """One layer with one pattern on the roofs of one precision: a row of ``floors.csv``."""

    row: PatternRow
    """The layer and its pattern."""
    precision: str
    """In which it was timed."""
    seconds: float
    """Measured, with all weights."""
    storage: Storage
    """The format in which the weights take fewest bytes."""
    stored_bytes: float
    """Of the weights in that format."""
    dense: Floor
    """The least time with all weights."""
    skipping: Floor
    """The least time without the zeros."""


def pattern_floors(layers: LayersWithZeros) -> list[PatternFloor]:
    """Every layer, pattern and precision whose work and roofs are known, in the rows' order."""
    placed = layers.placed
    floors = []
    for precision in layers.precisions:
        roofs = layers.roofs(precision)
        number_bytes = BYTES.get(precision)
        for row in layers.rows:
            placement = placed.get((row.layer, precision))
            if row.status != OK or placement is None or number_bytes is None:
                continue
            dense, skipping = roofs.dense_floor(row, placement), roofs.floor(row, placement)
            if dense is None or skipping is None:
                continue
            storage = smallest(row, number_bytes)
            floors.append(
                PatternFloor(
                    row=row,
                    precision=precision,
                    seconds=placement.seconds,
                    storage=storage,
                    stored_bytes=storage.bytes(row, number_bytes),
                    dense=dense,
                    skipping=skipping,
                )
            )
    return floors


def least_share(floors: Iterable[PatternFloor], trial: str, precision: str) -> float | None:
    """Least time without zeros over that with all weights, of the layers that have a pattern.

    None where none of them is known.
    """
    dense = skipping = 0.0
    for floor in floors:
        if floor.row.trial == trial and floor.precision == precision:
            dense += floor.dense.seconds
            skipping += floor.skipping.seconds
    return skipping / dense if dense else None
