"""Which pictures pruning has, by what is known of it."""

from __future__ import annotations

from functools import partial

from analysis.draw.canvas import Point
from analysis.draw.files import Figure
from analysis.draw.plan import front
from analysis.draw.sparsity import channels, layers, patterns
from analysis.outcome import PruneOutcome
from analysis.plan.front import is_as_trained
from kernels.device import Device

FRONT, PATTERNS, LAYERS = "prune-front", "prune-patterns", "prune-sparse"
CHANNELS = "prune-channels"
"""Names of their files, without ending."""


def prune_figures(pruning: PruneOutcome, device: Device, inches: Point) -> dict[str, Figure]:
    """The pictures that the data allows, by the names of their files. inches: their size."""
    figures: dict[str, Figure] = {}
    plan = pruning.known.plan
    timed = [point for point in pruning.points if point.seconds is not None]
    if plan is not None and front.drawable(timed):
        figures[FRONT] = partial(front.figure, plan, timed, device.name, inches)
    smaller = pruning.channels
    if smaller is not None and channels.drawable(smaller, pruning.forecasts):
        trained = next((point for point in timed if is_as_trained(point.recipe)), None)
        figures[CHANNELS] = partial(
            channels.figure,
            smaller,
            pruning.forecasts,
            trained.seconds if trained else None,
            pruning.network,
            device.name,
            inches,
        )
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
