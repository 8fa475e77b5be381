"""Networks with fewer channels that are worth a run: the same share of each group, and plans."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from analysis.prune.channels import BATCHNORM, L1, ChannelStudy
from probes.records.channels import ChannelRow, rounded
from probes.records.precision import Recipe

BY_FP16, BY_INT8 = 8, 16
"""Multiples that matrix units are filled by: of FP16, and of INT8."""
SHARES = (0.125, 0.25, 0.5, 0.75)
"""Of each group's channels, that are cut out."""
FINE_SHARE = 0.5
"""The share at which other multiples, and the other ranking, are tried."""
OFF_MULTIPLE = 3
"""Channels that are cut out beyond a multiple, to show what no multiple gains."""
DEAD = "channels dead"
"""The recipe that cuts out what only zeros write."""
BUDGETS = (0.25, 1.0, 4.0)
"""Noise that plans may add, over what the loss asked seems to allow."""


def by_share(study: ChannelStudy, by_scale: bool) -> list[Recipe]:
    """Networks that lose the same share of each group; no time is needed to make them.

    To multiples of 8, of 16, and to none; by the scale of normalisations where there are some
    (``by_scale``); and without what is dead.
    """
    all_recipes = [_uniform(study, share, BY_FP16) for share in SHARES]
    all_recipes.append(_uniform(study, FINE_SHARE, BY_INT8))
    all_recipes.append(_uniform(study, FINE_SHARE, BY_FP16, OFF_MULTIPLE))
    if by_scale:
        all_recipes.append(_uniform(study, FINE_SHARE, BY_FP16, ranked_by=BATCHNORM))
    dead = {
        rows[0].group: rows[0].channels - rows[0].dead
        for rows in study.groups.values()
        if 0 < rows[0].dead < rows[0].channels
    }
    if dead:
        all_recipes.append(_recipe(DEAD, dead))
    return _different(all_recipes)


def with_plans(study: ChannelStudy, loss_asked: float, uniform: Sequence[Recipe]) -> list[Recipe]:
    """The same networks with those that lose channels where most time is saved for the noise."""
    budget = noise_allowed(study.cut, loss_asked)
    plans = []
    for place, share in enumerate(BUDGETS, start=1):
        plans.append(_recipe(f"channels plan {place}", greedy(study, share * budget)))
    return _different([*uniform, *plans])


def _different(all_recipes: Sequence[Recipe]) -> list[Recipe]:
    """The first recipe of each way to cut channels out; none that cuts out nothing."""
    different: dict[tuple[object, ...], Recipe] = {}
    for recipe in all_recipes:
        key = (recipe.ranked_by, *sorted(recipe.channels.items()))
        if recipe.channels:
            different.setdefault(key, recipe)
    return list(different.values())


def _recipe(name: str, channels: Mapping[str, int], ranked_by: str = L1) -> Recipe:
    return Recipe(
        name=name, precisions={}, weights=name, channels=dict(channels), ranked_by=ranked_by
    )


def _uniform(
    study: ChannelStudy, share: float, multiple: int, off: int = 0, ranked_by: str = L1
) -> Recipe:
    """The same share of every group is cut out. off: channels beyond the multiple that go."""
    channels = {}
    for group, rows in study.groups.items():
        row = rows[0]
        kept = rounded((1 - share) * row.channels, row.channels, row.width, multiple)
        if off and kept < row.channels and row.width == 1:
            kept = max(1, kept - off)
        if kept < row.channels:
            channels[group] = kept
    return _recipe(uniform_name(share, multiple, off, ranked_by), channels, ranked_by)


def uniform_name(share: float, multiple: int = BY_FP16, off: int = 0, ranked_by: str = L1) -> str:
    """``channels 50 %``, ``channels 50 % and 3``: of a recipe that cuts a share of every group."""
    name = f"channels {math.floor(100 * share)} %"
    if multiple != BY_FP16:
        name += f" by {multiple}"
    if off:
        name += f" and {off}"
    if ranked_by != L1:
        name += f" by {ranked_by}"
    return name


def noise_allowed(rows: Sequence[ChannelRow], loss_asked: float) -> float:
    """The most noise of a smaller group before which none loses more than asked."""
    allowed = 0.0
    for row in sorted(rows, key=lambda row: row.noise or 0.0):
        if row.noise is None:
            continue
        if row.loss is not None and row.loss > loss_asked:
            break
        allowed = row.noise
    return allowed


def greedy(study: ChannelStudy, budget: float) -> dict[str, int]:
    """Channels that groups keep, where each step saves most time for its noise, within a budget."""
    kept: dict[str, int] = {}
    noise = 0.0
    while True:
        best: tuple[float, str, int, float] | None = None
        for group, rows in study.groups.items():
            for row in rows:
                now = kept.get(group, row.channels)
                before = study.noise({group: now}) if now < row.channels else None
                added = (row.noise or 0.0) - (before.value if before else 0.0)
                if row.kept >= now or row.noise is None or noise + added > budget:
                    continue
                saved = _saved(study, {**kept, group: row.kept}) - _saved(study, kept)
                worth = saved / max(added, 1e-12)
                if saved > 0 and (best is None or worth > best[0]):
                    best = worth, group, row.kept, added
        if best is None:
            return kept
        _, group, count, added = best
        kept[group] = count
        noise += added


def _saved(study: ChannelStudy, channels: Mapping[str, int]) -> float:
    """Seconds of layers that go; share of weights where none was timed."""
    left = study.weights_left(channels)
    if not study.as_trained:
        return sum(1 - share for share in left.values())
    return sum(
        study.as_trained.get(layer, 0.0) * study.elastic.get(layer, 0.0) * (1 - share)
        for layer, share in left.items()
    )
