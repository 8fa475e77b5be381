"""Which recipe is chosen: the fastest within the loss, held against inputs that chose nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.plan.borders import ENCODED, FP32
from analysis.plan.front import Point


@dataclass(frozen=True)
class Decision:
    """What was chosen, and how."""

    chosen: str
    """Name of the recipe."""
    looks: int
    """How many recipes were held against the test inputs."""


def decide(points: Sequence[Point], loss_asked: float) -> Decision:
    """The fastest recipe that is within the loss on both the ranking and the test inputs.

    It must be faster than FP32 beyond both intervals: what cannot gain is not quantized. For the
    same reason a simple recipe gives way to one of ours that is as fast. And no simple recipe that
    is within the loss on the test inputs may be faster beyond both intervals.
    """
    held: set[str] = set()
    fp32 = _fp32(points)
    chosen = fp32
    for candidate in _by_time(points):
        if _is_ranked(candidate, loss_asked) and _holds(candidate, loss_asked, held):
            chosen = candidate
            break
    chosen = _ours_where_as_fast(chosen, points, loss_asked, held)
    chosen = _in_floats_where_as_fast(chosen, points, loss_asked, held)
    for rival in _by_time(points):
        is_rival = rival.simple and rival.is_faster(chosen)
        if is_rival and _holds(rival, loss_asked, held):
            chosen = rival
            break
    return Decision(chosen.name, len(held))


AS_FAST = 1.03
"""Times the median of a simple recipe: a recipe of ours that takes longer than that, if not beyond
both intervals, is not worth the fewer integers."""
MOST_RIVALS = 3
"""Recipes beside FP32 that are timed again with those that follow from them."""


def rivals(points: Sequence[Point], loss_asked: float) -> list[Point]:
    """FP32, and the fastest recipes within the loss on the ranking inputs."""
    fp32 = _fp32(points)
    within = [
        point for point in _by_time(points) if _is_ranked(point, loss_asked) and has_narrow(point)
    ]
    return [fp32, *within[:MOST_RIVALS]]


def _fp32(points: Sequence[Point]) -> Point:
    """The recipe in which every stage is in FP32."""
    return next(point for point in points if not has_narrow(point))


def has_narrow(point: Point) -> bool:
    """True if some stage is below FP32."""
    return any(precision != FP32 for precision in point.recipe.precisions.values())


def has_integers(point: Point) -> bool:
    """True if some stage is in a precision that has scales."""
    return any(precision in ENCODED for precision in point.recipe.precisions.values())


def _by_time(points: Iterable[Point]) -> list[Point]:
    """Those with a time that can be trusted, the fastest first."""
    timed = [point for point in points if point.timed]
    return sorted(timed, key=lambda point: (point.seconds or 0.0, point.name))


def _holds(point: Point, loss_asked: float, held: set[str]) -> bool:
    """True if a recipe is within the loss on the test inputs; it counts as a look.

    FP32 always is, and needs no look. Without test inputs the ranking ones judge.
    """
    if not has_narrow(point):
        return True
    held.add(point.name)
    judged = point.test or point.ranking
    return judged is not None and judged.share <= loss_asked


def _is_ranked(point: Point, loss_asked: float) -> bool:
    """True if a recipe is within the loss on the ranking inputs."""
    return point.ranking is not None and point.ranking.share <= loss_asked


def _ours_where_as_fast(
    chosen: Point, points: Sequence[Point], loss_asked: float, held: set[str]
) -> Point:
    """The fastest recipe of ours within the loss, if a simple one is no faster than it.

    A simple recipe quantizes also what gains nothing.
    """
    if not chosen.simple or not has_integers(chosen):
        return chosen
    longest = AS_FAST * (chosen.seconds or 0.0)
    for ours in _by_time(points):
        if ours.simple or not has_narrow(ours) or chosen.is_faster(ours):
            continue
        if (ours.seconds or 0.0) > longest:
            break
        if _is_ranked(ours, loss_asked) and _holds(ours, loss_asked, held):
            return ours
    return chosen


def _in_floats_where_as_fast(
    chosen: Point, points: Sequence[Point], loss_asked: float, held: set[str]
) -> Point:
    """FP32, else a recipe of floats within the loss, if the chosen one is no faster than it."""
    if not chosen.timed:
        return chosen
    floats = [point for point in points if point.timed and not has_integers(point)]
    for wider in sorted(floats, key=has_narrow):
        is_wider = has_narrow(chosen) and (has_integers(chosen) or not has_narrow(wider))
        if wider is chosen or not is_wider or chosen.is_faster(wider):
            continue
        if _is_ranked(wider, loss_asked) and _holds(wider, loss_asked, held):
            return wider
    return chosen


def is_reached(chosen: Point, points: Sequence[Point]) -> bool:
    """False if no integers were chosen though a recipe with integers was faster.

    Only more than calibration, quantization-aware training (QAT), can then win its time.
    """
    if has_integers(chosen):
        return True
    return not any(has_integers(point) and point.is_faster(chosen) for point in points)
