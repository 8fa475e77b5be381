"""Ceilings as a model: what a program of some operational intensity can attain. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.model.ceilings import Ceiling, is_roof, names_roof

LIBRARY = "gemm"
MAIN = "bandwidth/dram"
NEARLY = 0.8  # of what a unit could give: a path that gives as much is its roof, whatever another one gave


@dataclass(frozen=True)
class Roof:
    """One line of the model: a measured rate and the theoretical one (None: unknown), in ``unit``."""

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
    _, first, *rest = tag.split("/")
    return " ".join([first.upper(), *rest])


@dataclass(frozen=True)
class Roofline:
    """Flat roofs of compute (FLOP/s or OP/s) and slopes of memory (B/s), each best first."""

    compute: tuple[Roof, ...]
    bandwidth: tuple[Roof, ...]
    doubted: tuple[Ceiling, ...] = ()
    """Ceilings that would be roofs if they could be trusted. Nothing is drawn or judged under them."""

    @property
    def memory(self) -> Roof | None:
        """The slope of main memory; the slowest level measured where that was not asked; None if it is doubted."""
        if any(ceiling.tag == MAIN for ceiling in self.doubted):
            return None
        slowest = self.bandwidth[-1] if self.bandwidth else None
        return next((roof for roof in self.bandwidth if roof.tag == MAIN), slowest)


def attainable(intensity: float, compute: float, bandwidth: float) -> float:
    """Operations per second at ``intensity`` (operations per byte) under these roofs (Williams et al., 2009)."""
    return min(compute, intensity * bandwidth)


def ridge(compute: float, bandwidth: float) -> float:
    """Intensity (operations per byte) from which compute is the limit."""
    return compute / bandwidth


def roofline(ceilings: Iterable[Ceiling]) -> Roofline:
    """The model of these ceilings: main roofs only, nothing that failed or is a variant.

    Of several ways to one unit (wmma, mma, wgmma) the fastest is its roof; the others, and what a library makes of the
    unit, stand in the table.
    """
    every = list(ceilings)
    roofs = [_roof(c) for c in every if is_roof(c)]
    ordered = sorted(roofs, key=lambda roof: roof.rate, reverse=True)
    compute = tuple(_fastest(r for r in ordered if r.tag.startswith("compute")))
    bandwidth = tuple(r for r in ordered if r.tag.startswith("bandwidth"))
    return Roofline(
        compute, bandwidth, tuple(c for c in every if names_roof(c) and not c.trusted and not _known(c, compute))
    )


def _known(doubted: Ceiling, compute: Iterable[Roof]) -> bool:
    """True if a way to a unit cannot be trusted, but another way reaches nearly all that the unit could give."""
    _, dtype, *path = doubted.tag.split("/")
    others = [
        r
        for r in compute
        if path and r.tag.startswith(f"compute/{dtype}/") and is_sparse(r.tag) == is_sparse(doubted.tag)
    ]
    limit = doubted.nominal_peak
    return limit is not None and any(roof.rate >= NEARLY * limit for roof in others)


def is_sparse(tag: str) -> bool:
    """Whether a tag is that of a path with sparse operands."""
    return any("_sp" in part for part in tag.split("/"))


def _fastest(roofs: Iterable[Roof]) -> Iterable[Roof]:
    """The first of each precision on each kind of unit: vector, matrix, and matrix with sparse operands."""
    seen = set()
    for roof in roofs:
        _, dtype, *path = roof.tag.split("/")
        unit = (dtype, bool(path), is_sparse(roof.tag))
        if unit not in seen and LIBRARY not in path:
            seen.add(unit)
            yield roof


def _roof(ceiling: Ceiling) -> Roof:
    peak = ceiling.nominal_peak or ceiling.observed_peak
    return Roof(ceiling.tag, ceiling.rate or 0.0, peak, ceiling.unit, ceiling.share)
