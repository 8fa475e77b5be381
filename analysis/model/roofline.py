"""Ceilings as a model: what a program of some operational intensity can attain. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.model.ceilings import Ceiling, is_roof, names_roof
from probes.records.tag import BANDWIDTH, COMPUTE, LIBRARY, MAIN_MEMORY, Tag

MAIN = str(Tag(BANDWIDTH, MAIN_MEMORY))
# of what a unit could give: a path that gives as much is its roof, whatever another one gave
NEARLY = 0.8


@dataclass(frozen=True)
class Roof:
    """One line of the model: a measured rate and the theoretical one (None: unknown), in
    ``unit``.
    """

    tag: str
    rate: float
    peak: float | None
    unit: str
    share: float | None = None

    @property
    def label(self) -> str:
        """What the roof is called."""
        return label(self.tag)


def label(tag: str) -> str:
    """``FP16 wgmma-fp32`` of compute/fp16/wgmma-fp32; ``DRAM`` of bandwidth/dram."""
    parts = Tag.parse(tag)
    words = (parts.subject.upper(), parts.path, *parts.variants)
    return " ".join(word for word in words if word)


@dataclass(frozen=True)
class Roofline:
    """Flat roofs of compute (FLOP/s or OP/s) and slopes of memory (B/s), each best first."""

    compute: tuple[Roof, ...]
    bandwidth: tuple[Roof, ...]
    doubted: tuple[Ceiling, ...] = ()
    """Ceilings that would be roofs if they could be trusted. Nothing is drawn or judged under
    them.
    """

    @property
    def memory(self) -> Roof | None:
        """The slope of main memory; the slowest level measured where that was not asked; None if it
        is doubted.
        """
        if any(ceiling.tag == MAIN for ceiling in self.doubted):
            return None
        slowest = self.bandwidth[-1] if self.bandwidth else None
        return next((roof for roof in self.bandwidth if roof.tag == MAIN), slowest)


def attainable(intensity: float, compute: float, bandwidth: float) -> float:
    """Operations per second at ``intensity`` (operations per byte) under these roofs (Williams et
    al., 2009).
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
    roofs = [_roof(c) for c in every if is_roof(c)]
    ordered = sorted(roofs, key=lambda roof: roof.rate, reverse=True)
    compute = tuple(_fastest(roof for roof in ordered if Tag.parse(roof.tag).quantity == COMPUTE))
    bandwidth = tuple(roof for roof in ordered if Tag.parse(roof.tag).quantity == BANDWIDTH)
    untrusted = [ceiling for ceiling in every if names_roof(ceiling) and not ceiling.trusted]
    doubted = tuple(ceiling for ceiling in untrusted if not _known(ceiling, compute))
    return Roofline(compute, bandwidth, doubted)


def _known(doubted: Ceiling, compute: Iterable[Roof]) -> bool:
    """True if a way to a unit cannot be trusted, but another way reaches nearly all that the unit
    could give.
    """
    tag, limit = Tag.parse(doubted.tag), doubted.nominal_peak
    if limit is None or not tag.path:
        return False
    return any(
        roof.rate >= NEARLY * limit for roof in compute if _unit(Tag.parse(roof.tag)) == _unit(tag)
    )


def _unit(tag: Tag) -> tuple[Tag, bool, bool]:
    """The unit that a compute path uses: number format, whether it multiplies matrices, and with
    sparse operands.
    """
    return tag.whole, bool(tag.path), tag.is_sparse


def _fastest(roofs: Iterable[Roof]) -> Iterable[Roof]:
    """The first of each precision on each kind of unit: vector, matrix, and matrix with sparse
    operands.
    """
    seen = set()
    for roof in roofs:
        tag = Tag.parse(roof.tag)
        unit = _unit(tag)
        if unit not in seen and tag.path != LIBRARY:
            seen.add(unit)
            yield roof


def _roof(ceiling: Ceiling) -> Roof:
    peak = ceiling.nominal_peak or ceiling.observed_peak
    return Roof(ceiling.tag, ceiling.rate or 0.0, peak, ceiling.unit, ceiling.share)
