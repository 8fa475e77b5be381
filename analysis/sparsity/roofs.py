"""The roofs that a layer with zeros would stand under, if hardware left the zeros out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from analysis.layers.placement import Placement
from analysis.layers.roof_above import compute_roof, memory_roof
from analysis.model.roofline import Roof, Roofline
from analysis.plan.borders import BYTES
from analysis.sparsity.storage import dense_bytes, smallest
from kernels.device import Device
from probes.records.patterns import TWO_OF_FOUR, PatternRow
from probes.records.tag import COMPUTE, Tag

TILE = 16
"""Rows and columns of a block from which matrix units multiply it whole: the smallest tile of their
instructions is 16 x 8 x 16 (``kernels/tensor/table.py``)."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """The least time of a layer with some form of its weights."""

    seconds: float
    """The longer of the two below."""
    memory_seconds: float
    """Bytes over the roof of the memory that holds them."""
    compute_seconds: float
    """Operations over the roof of the units that do them."""
    bytes: float
    """Activations and weights, with the index of these."""
    flops: float
    """Operations that are done."""
    roof: str
    """Tag of the roof of those units."""

    @property
    def intensity(self) -> float:
        """Operations that are done over bytes."""
        return self.flops / self.bytes

    @property
    def is_bound_by_memory(self) -> bool:
        """True if bytes take longer than operations."""
        return self.memory_seconds >= self.compute_seconds


@dataclass(frozen=True)
class Roofs:
    """The measured roofs of one device, in one precision."""

    model: Roofline
    """All roofs."""
    device: Device
    """What they belong to."""
    precision: str
    """That of the layer."""

    @property
    def dense(self) -> Roof | None:
        """The fastest roof of dense operands; None if none can be trusted."""
        roof = compute_roof(self.precision, self.model)
        return roof if isinstance(roof, Roof) and roof.rate else None

    @property
    def sparse(self) -> Roof | None:
        """The fastest roof of 2:4 operands, which counts the zeros, too; None if none is there."""
        return self._first(lambda tag: tag.is_sparse)

    @property
    def sparse_is_doubted(self) -> bool:
        """True if the units for 2:4 were measured, and the rate cannot be trusted."""
        wanted = Tag(COMPUTE, self.precision)
        tags = [Tag.parse(ceiling.tag) for ceiling in self.model.doubted]
        return any(tag.whole == wanted and tag.is_sparse for tag in tags)

    @property
    def vector(self) -> Roof | None:
        """The roof of the vector units: those alone take weights one by one."""
        return self._first(lambda tag: tag.on_vector_units and not tag.is_sparse)

    def _first(self, fits: Callable[[Tag], bool]) -> Roof | None:
        wanted = Tag(COMPUTE, self.precision)
        for roof in self.model.compute:
            tag = Tag.parse(roof.tag)
            if tag.whole == wanted and fits(tag) and roof.rate:
                return roof
        return None

    @property
    def even_share(self) -> float | None:
        """Share of zeros from which vector units that leave them out are as fast as dense ones.

        By arithmetic alone; None where a roof is unknown.
        """
        dense, vector = self.dense, self.vector
        if dense is None or vector is None:
            return None
        return max(0.0, 1 - vector.rate / dense.rate)

    def unit_for(self, row: PatternRow) -> tuple[Roof | None, float]:
        """The units that could leave the zeros of a pattern out, and the operations they do.

        The sparse roof counts all operations; the others do those that are left.
        """
        flops = row.flops or 0.0
        if row.pattern == TWO_OF_FOUR:
            return self.sparse, flops
        kept_flops = flops * (1 - (row.zeros or 0.0))
        is_of_tiles = row.block >= TILE * TILE
        return (self.dense if is_of_tiles else self.vector), kept_flops

    def dense_floor(self, row: PatternRow, placed: Placement) -> Floor | None:
        """The least time with all weights in place; None where a roof or the work is unknown."""
        if self.dense is None or placed.bytes is None:
            return None
        return self._floor(placed, placed.bytes, row.flops, self.dense)

    def floor(self, row: PatternRow, placed: Placement) -> Floor | None:
        """The least time of hardware that leaves the zeros out, of bytes and operations."""
        unit, flops = self.unit_for(row)
        number_bytes = BYTES.get(self.precision)
        if unit is None or number_bytes is None or placed.bytes is None:
            return None
        stored = smallest(row, number_bytes).bytes(row, number_bytes)
        moved = placed.bytes - dense_bytes(row, number_bytes) + stored
        return self._floor(placed, moved, flops if row.flops else None, unit)

    def _floor(
        self, placed: Placement, moved: float, flops: float | None, unit: Roof
    ) -> Floor | None:
        memory = memory_roof(placed.facts, self.model, self.device)
        if flops is None or not isinstance(memory, Roof) or not memory.rate:
            return None
        memory_seconds = moved / memory.rate
        compute_seconds = flops / unit.rate
        return Floor(
            seconds=max(memory_seconds, compute_seconds),
            memory_seconds=memory_seconds,
            compute_seconds=compute_seconds,
            bytes=moved,
            flops=flops,
            roof=unit.tag,
        )
