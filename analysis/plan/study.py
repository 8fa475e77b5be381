"""The noun Study: all that is known of a plan, for tables, pictures and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.layers.placement import Placement
from analysis.plan.borders import FP32
from analysis.plan.choose import is_reached
from analysis.plan.front import Point
from analysis.plan.recipes import Model
from probes.records.precision import Plan


@dataclass(frozen=True, kw_only=True)
class Study:
    """A plan with its evidence."""

    plan: Plan
    """The recipes, and the chosen one if they were run."""
    model: Model
    """Stages, costs and errors."""
    points: Sequence[Point]
    """Every recipe as predicted and measured, in the plan's order."""
    placements: Sequence[Placement] = ()
    """The stages in FP32 on the roofs, as far as they were timed."""

    @cached_property
    def chosen(self) -> Point | None:
        """The chosen recipe; None before they were run."""
        return next((point for point in self.points if point.chosen), None)

    @cached_property
    def best(self) -> Point:
        """The chosen recipe; before they were run, the one of least predicted time."""
        if self.chosen is not None:
            return self.chosen
        known = [point for point in self.points if point.recipe.predicted_seconds is not None]
        if not known:
            return self.points[0]
        return min(known, key=lambda point: (point.recipe.predicted_seconds or 0.0, point.name))

    @property
    def reached(self) -> bool:
        """False if a faster recipe with integers lost too much: QAT is then the next step."""
        return self.chosen is None or is_reached(self.chosen, self.points)

    def point(self, name: str) -> Point | None:
        """The recipe of this name; None if there is none."""
        return next((point for point in self.points if point.name == name), None)

    def precision(self, stage: str) -> str:
        """The precision of a stage in the best recipe."""
        return self.best.recipe.precisions.get(stage, FP32)
