"""Which pictures pruning has, by what is known of it."""

from __future__ import annotations

from functools import partial

from analysis.draw.canvas import Point
from analysis.draw.files import Figure
from analysis.draw.plan import front
from analysis.draw.sparsity import layers, patterns
from analysis.outcome import PruneOutcome
from kernels.device import Device

FRONT, PATTERNS, LAYERS = "prune-front", "prune-patterns", "prune-sparse"
"""Names of their files, without ending."""


def prune_figures(pruning: PruneOutcome, device: Device, inches: Point) -> dict[str, Figure]:
    """The pictures that the data allows, by the names of their files. inches: their size."""
    figures: dict[str, Figure] = {}
    plan = pruning.known.plan
    timed = [point for point in pruning.points if point.seconds is not None]
    if plan is not None and front.drawable(timed):
        figures[FRONT] = partial(front.figure, plan, timed, device.name, inches)
    study = pruning.sparsity
    if study is None:
        return figures
    if plan is not None and patterns.drawable(study.outcomes):
        name = f"{front.NAMES_OF_LOSS.get(plan.loss_of, 'Loss')}, inputs that ranked"
        figures[PATTERNS] = partial(patterns.figure, study.outcomes, pruning.network, name, inches)
    if layers.drawable(study.verdicts):
        figures[LAYERS] = partial(
            layers.figure, study.verdicts, pruning.network, device.name, inches
        )
    return figures
