"""Which pictures a plan has, by what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from analysis.draw.canvas import Point
from analysis.draw.files import Figure
from analysis.draw.plan import front, inputs, ranges, stages
from analysis.outcome import PlanOutcome
from analysis.plan.plan import ASYMMETRIC_PROVIDERS
from kernels.device import Device
from probes.records.precision import RangeRow

FRONT, STAGES, RANGES, INPUTS = "plan-front", "plan-stages", "plan-ranges", "plan-inputs"
"""Names of their files, without ending; those of ranges are numbered from 1."""


def plan_figures(plan: PlanOutcome, device: Device, inches: Point) -> dict[str, Figure]:
    """The pictures that the data allows, by the names of their files. inches: their size."""
    figures: dict[str, Figure] = {}
    if plan.study and front.drawable(plan.study.points):
        study = plan.study
        figures[FRONT] = partial(front.figure, study.plan, study.points, device.name, inches)
    if stages.drawable(plan.verdicts):
        figures[STAGES] = partial(stages.figure, plan.verdicts, plan.network, device.name, inches)
    across, _ = inches
    rows = rows_of_form(plan, device)
    if inputs.is_worth_drawing(rows):
        figures[INPUTS] = partial(inputs.figure, rows, plan.network, across)
    figures.update(_figures_of_ranges(plan, rows, across))
    return figures


def _figures_of_ranges(
    plan: PlanOutcome, rows: Sequence[RangeRow], across: float
) -> dict[str, Figure]:
    """The pictures of ranges, the most sensitive activations first."""
    known = plan.known
    method = known.plan.method if known.plan else ""
    ordered = ranges.most_sensitive_first(rows, known.stages, known.errors)
    pages = ranges.pages_of(ordered)
    notes = ranges.left_out(ordered)
    figures: dict[str, Figure] = {}
    for number, page in enumerate(pages, 1):
        under = ranges.under(page, number, len(pages), method)
        figures[f"{RANGES}-{number}"] = partial(
            ranges.figure, page, method, plan.network, under, across, notes
        )
    return figures


def rows_of_form(plan: PlanOutcome, device: Device) -> list[RangeRow]:
    """The rows of ranges in the form that the provider takes: with a zero point, or around zero.

    All of them, if that form was not looked at.
    """
    known = plan.known
    provider = known.plan.provider if known.plan else device.kind
    is_symmetric = provider not in ASYMMETRIC_PROVIDERS
    rows = [row for row in known.ranges if row.symmetric == is_symmetric]
    return rows or list(known.ranges)
