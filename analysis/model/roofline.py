"""Ceilings as a model: what a program of some operational intensity can attain. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.model.ceilings import Ceiling, is_roof, names_roof
from analysis.naming import name_of
from probes.records.tag import BANDWIDTH, COMPUTE, LIBRARY, MAIN_MEMORY, Tag

MAIN = str(Tag(BANDWIDTH, MAIN_MEMORY))
NEARLY_ALL = 0.8
"""Part of what a unit could give, from which a path is its roof, whatever another path gave."""


@dataclass(frozen=True)
class Roof:
    """One line of the model."""

    tag: str
    """The tag of its ceiling."""
    rate: float
    """As measured, in ``unit``."""
    peak: float | None
    """What theory allows, in ``unit``; None is unknown."""
    unit: str
    """``FLOP/s``, ``OP/s`` or ``B/s``."""
    share: float | None = None
    """The rate over the peak at the clock observed meanwhile, else over the nominal peak."""

    @property
    def label(self) -> str:
        """What the roof is called: ``FP16 wgmma-fp32``, ``DRAM``."""
        return name_of(Tag.parse(self.tag))

    @property
    def is_sparse(self) -> bool:
        """True if it counts logical work: that of the zeros, too, which are not multiplied."""
        return Tag.parse(self.tag).is_sparse


@dataclass(frozen=True)
class Roofline:
    """The roofs of a device, and what would be one if it could be trusted."""

    compute: tuple[Roof, ...]
    """Flat roofs in FLOP/s or OP/s, highest first."""
    bandwidth: tuple[Roof, ...]
    """Slopes of the levels of memory in B/s, fastest first."""
    doubted: tuple[Ceiling, ...] = ()
    """Ceilings that would be roofs if they could be trusted. Nothing is drawn or judged under
    them."""

    @property
    def memory(self) -> Roof | None:
        """The slope of main memory; the slowest level measured where that was not asked.

        None if main memory's ceiling is doubted, and if no level was measured.
        """
        if any(ceiling.tag == MAIN for ceiling in self.doubted):
            return None
        slowest = self.bandwidth[-1] if self.bandwidth else None
        return next((roof for roof in self.bandwidth if roof.tag == MAIN), slowest)


def attainable(intensity: float, compute: float, bandwidth: float) -> float:
    """Operations a second at ``intensity`` (operations per byte) under these roofs.

    Williams, Waterman and Patterson, Roofline, 2009.
    """
    return min(compute, intensity * bandwidth)


def ridge(compute: float, bandwidth: float) -> float:
    """Intensity (operations per byte) from which compute is the limit."""
    return compute / bandwidth


def roofline(ceilings: Iterable[Ceiling]) -> Roofline:
    """The model of these ceilings: main roofs only, nothing that failed or is a variant.

    Of several ways to one unit (wmma, mma, wgmma) the fastest is its roof; the others, and what a
    library makes of the unit, stand in the table.
    """
    every = list(ceilings)
    roofs = [roof_of(ceiling) for ceiling in every if is_roof(ceiling)]
    roofs.sort(key=lambda roof: roof.rate, reverse=True)
    compute = _fastest(roof for roof in roofs if Tag.parse(roof.tag).quantity == COMPUTE)
    bandwidth = [roof for roof in roofs if Tag.parse(roof.tag).quantity == BANDWIDTH]
    doubted = [
        ceiling
        for ceiling in every
        if names_roof(ceiling) and not ceiling.trusted and not _is_replaced(ceiling, compute)
    ]
    return Roofline(tuple(compute), tuple(bandwidth), tuple(doubted))


def _is_replaced(doubted: Ceiling, compute: Iterable[Roof]) -> bool:
    """True if another way to the unit of a doubted one reaches nearly all that it could give."""
    tag = Tag.parse(doubted.tag)
    limit = doubted.nominal_peak
    if limit is None or not tag.path:
        return False
    return any(
        roof.rate >= NEARLY_ALL * limit
        for roof in compute
        if _unit(Tag.parse(roof.tag)) == _unit(tag)
    )


def _unit(tag: Tag) -> tuple[Tag, bool, bool]:
    """The unit that a compute path uses.

    (Quantity and number format, True if it multiplies matrices, True if its operands are sparse).
    """
    return tag.whole, not tag.on_vector_units, tag.is_sparse


def _fastest(roofs: Iterable[Roof]) -> list[Roof]:
    """The first of these roofs for each precision on each kind of unit.

    The kinds are vector, matrix, and matrix with sparse operands. A library's path is no roof.
    """
    first_by_unit: dict[tuple[Tag, bool, bool], Roof] = {}
    for roof in roofs:
        tag = Tag.parse(roof.tag)
        if tag.path != LIBRARY:
            first_by_unit.setdefault(_unit(tag), roof)
    return list(first_by_unit.values())


def roof_of(ceiling: Ceiling) -> Roof:
    """A ceiling that can be trusted, as a line of the model."""
    return Roof(
        tag=ceiling.tag,
        rate=ceiling.rate or 0.0,
        peak=ceiling.nominal_peak or ceiling.observed_peak,
        unit=ceiling.unit,
        share=ceiling.share,
    )
