"""Ceilings as a model: what a program of some operational intensity can attain. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.ceilings import Ceiling, is_roof

LIBRARY = "gemm"


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
        """``FP16 wgmma-fp32`` of compute/fp16/wgmma-fp32; ``DRAM`` of bandwidth/dram."""
        _, first, *rest = self.tag.split("/")
        return " ".join([first.upper(), *rest])


@dataclass(frozen=True)
class Roofline:
    """Flat roofs of compute (FLOP/s or OP/s) and slopes of memory (B/s), each best first."""

    compute: tuple[Roof, ...]
    bandwidth: tuple[Roof, ...]

    @property
    def memory(self) -> Roof | None:
        """The slope of main memory, or the slowest level measured."""
        return next(
            (r for r in self.bandwidth if r.tag == "bandwidth/dram"), self.bandwidth[-1] if self.bandwidth else None
        )


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
    roofs = [_roof(c) for c in ceilings if is_roof(c)]
    ordered = sorted(roofs, key=lambda roof: roof.rate, reverse=True)
    compute = tuple(_fastest(r for r in ordered if r.tag.startswith("compute")))
    return Roofline(compute, tuple(r for r in ordered if r.tag.startswith("bandwidth")))


def _fastest(roofs: Iterable[Roof]) -> Iterable[Roof]:
    """The first of each precision on each kind of unit: vector, matrix, and matrix with sparse operands."""
    seen = set()
    for roof in roofs:
        _, dtype, *path = roof.tag.split("/")
        unit = (dtype, bool(path), any("_sp" in part for part in path))
        if unit not in seen and LIBRARY not in path:
            seen.add(unit)
            yield roof


def _roof(ceiling: Ceiling) -> Roof:
    peak = ceiling.nominal_peak or ceiling.observed_peak
    return Roof(ceiling.tag, ceiling.rate or 0.0, peak, ceiling.unit, ceiling.share)
