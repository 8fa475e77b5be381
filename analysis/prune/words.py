"""What pruning brings and costs, in sentences: the choice first."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.plan.front import Point, is_as_trained
from analysis.prune.channel_words import on_channels
from analysis.prune.channels import ChannelStudy, Forecast
from analysis.sparsity.study import SparsityStudy
from analysis.sparsity.words import it_loses, on_network
from analysis.units import percent, si, whole_percent
from probes.records.pruning import Pruning


def on_pruning(
    known: Pruning,
    sparsity: SparsityStudy | None,
    points: Sequence[Point],
    channels: ChannelStudy | None = None,
    found: Sequence[Forecast] = (),
) -> list[str]:
    """What was chosen and why, then what fewer channels and zeros bring and cost.

    The first sentence on each comes before the others: a terminal shows few. found: networks with
    fewer channels.
    """
    loss_of = known.plan.loss_of if known.plan else ""
    of_channels: list[str] = []
    if channels is not None:
        trained = next((point for point in points if is_as_trained(point.recipe)), None)
        of_channels = list(on_channels(channels, found, trained, loss_of))
    of_zeros = on_network(sparsity, loss_of) if sparsity is not None else []
    first_ones = [*of_channels[:1], *of_zeros[:1]]
    return [*_choice(known, points), *first_ones, *of_channels[1:], *of_zeros[1:]]


def _choice(known: Pruning, points: Sequence[Point]) -> list[str]:
    """``Nothing to prune: no pruned network within the loss asked, 1.0 %, is faster. …``"""
    plan = known.plan
    if plan is None or not plan.chosen:
        return []
    chosen = next((point for point in points if point.name == plan.chosen), None)
    trained = next((point for point in points if is_as_trained(point.recipe)), None)
    if chosen is None or trained is None:
        return []
    asked = percent(plan.loss_asked)
    if chosen.recipe.weights:
        loss = it_loses(chosen.loss, plan.loss_of) if chosen.loss else "its loss is unknown"
        return [
            f"Prune to {chosen.name}: {si(chosen.seconds, 's')} instead of "
            f"{si(trained.seconds, 's')}; {loss} ({asked} was allowed)."
        ]
    pruned = [point for point in points if point.recipe.weights and point.loss is not None]
    within = [point for point in pruned if point.within]
    if not within:
        return [f"Prune nothing before training again: all {len(pruned)} tries lose over {asked}."]
    timed = [point for point in within if point.timed]
    if not timed or not trained.timed:
        return [f"Prune nothing: no time of what loses no more than {asked} can be trusted."]
    least = min(timed, key=lambda point: point.seconds or 0.0)
    share = whole_percent((least.seconds or 0.0) / (trained.seconds or 1.0))
    return [
        f"Prune nothing: what loses no more than {asked} is not faster beyond both intervals "
        f"({least.name} takes {share} of the time)."
    ]


def missing(known: Pruning) -> list[str]:
    """What a run has not found of a pruned network, in words."""
    parts = []
    if not known.patterns:
        parts.append("what zeros do to each layer")
    if not known.errors:
        parts.append("errors of pruned networks")
    if known.plan is None or not known.plan.chosen:
        parts.append("the choice of what to prune")
    return parts
