"""What fewer channels bring and cost, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from analysis.plan.front import Point
from analysis.prune.channels import BATCHNORM, ChannelStudy, Forecast
from analysis.prune.recipes import BY_FP16, DEAD, FINE_SHARE, OFF_MULTIPLE, uniform_name
from analysis.sparsity.words import it_loses
from analysis.units import si, whole_percent
from probes.records.precision import MOST_DB

LITTLE = 0.05
"""Share of a time that is no gain and no loss."""


def on_channels(
    study: ChannelStudy, found: Sequence[Forecast], trained: Point | None, loss_of: str
) -> list[str]:
    """What fewer channels bring and cost, the answer first. loss_of: what a loss counts."""
    if not study.rows:
        return []
    if not study.cut:
        return [_why_none(study)]
    by_name = {forecast.name: forecast for forecast in found}
    return [
        *_on_half(by_name, trained, loss_of),
        *_on_predictions(found),
        *_on_multiples(by_name),
        *_on_dead(study, by_name),
        *_on_ranking(by_name, loss_of),
        _on_groups(study),
    ]


def _why_none(study: ChannelStudy) -> str:
    """``No channels can be cut out: LRN is not followed (2 layers).``"""
    reasons = Counter(row.reason for row in study.fixed if row.reason)
    parts = [f"{reason} ({count})" for reason, count in reasons.most_common(2)]
    return f"No channels can be cut out: {'; '.join(parts) or 'no layer has any'}."


def _on_half(by_name: dict[str, Forecast], trained: Point | None, loss_of: str) -> list[str]:
    """What it takes, and loses, where half of the channels of each group are cut out."""
    half = by_name.get(uniform_name(FINE_SHARE))
    if half is None or half.point.loss is None:
        return []
    time = ""
    if half.point.seconds and trained is not None and trained.seconds:
        time = f" {whole_percent(half.point.seconds / trained.seconds)} of the time,"
    loss = it_loses(half.point.loss, loss_of)
    return [f"Half of the channels cut out of each group:{time} {loss}, before any training."]


def _on_predictions(found: Sequence[Forecast]) -> list[str]:
    """How many predictions held."""
    parts = []
    for what, verdicts in (
        ("time", [forecast.time_holds for forecast in found]),
        ("error", [forecast.noise_holds for forecast in found]),
    ):
        known = [verdict for verdict in verdicts if verdict is not None]
        if known:
            parts.append(f"{what} of {sum(known)} of {len(known)} networks")
    if not parts:
        return []
    return [f"As predicted from groups alone, within the intervals: {' and '.join(parts)}."]


def _on_multiples(by_name: dict[str, Forecast]) -> list[str]:
    """What channels beyond a multiple of 8 gain."""
    even = by_name.get(uniform_name(FINE_SHARE))
    odd = by_name.get(uniform_name(FINE_SHARE, off=OFF_MULTIPLE))
    if even is None or odd is None or not even.point.seconds or not odd.point.seconds:
        return []
    times = f"{si(odd.point.seconds, 's')} against {si(even.point.seconds, 's')}"
    if not (odd.point.trusted and even.point.trusted):
        times += ", not trusted"
    beyond = f"{OFF_MULTIPLE} channels fewer in each group than multiples of {BY_FP16}"
    if odd.point.seconds < (1 - LITTLE) * even.point.seconds:
        return [f"{beyond} are faster here: {times}."]
    if odd.point.seconds > (1 + LITTLE) * even.point.seconds:
        return [f"{beyond} are slower, with fewer operations: {times}."]
    return [f"{beyond} gain nothing: {times}."]


def _on_dead(study: ChannelStudy, by_name: dict[str, Forecast]) -> list[str]:
    """Channels that only zeros write."""
    dead = sum(rows[0].dead for rows in study.groups.values())
    if not dead:
        return []
    point = by_name[DEAD].point if DEAD in by_name else None
    loss = ""
    if point is not None and point.ranking is not None and point.ranking.sqnr_db is not None:
        changes = point.ranking.sqnr_db < MOST_DB / 4
        loss = "; without them answers change" if changes else "; no answer changes without them"
    noun = "1 channel is" if dead == 1 else f"{dead} channels are"
    return [f"{noun} dead (all weights zero), and the first to go{loss}."]


def _on_ranking(by_name: dict[str, Forecast], loss_of: str) -> list[str]:
    """Which of two rankings loses less, where there are two."""
    size = by_name.get(uniform_name(FINE_SHARE))
    scale = by_name.get(uniform_name(FINE_SHARE, ranked_by=BATCHNORM))
    if size is None or scale is None or size.point.ranking is None or scale.point.ranking is None:
        return []
    return [
        f"The same half by least BatchNorm scale: "
        f"{it_loses(scale.point.ranking, loss_of)}; by least L1 norm: "
        f"{it_loses(size.point.ranking, loss_of)}."
    ]


def _on_groups(study: ChannelStudy) -> str:
    """How many groups there are, and which layers have none."""
    count = len(study.groups)
    noun = "1 group" if count == 1 else f"{count} groups"
    ranked = f"{noun} of channels can shrink, least L1 norm of filters first"
    if not study.fixed:
        return f"{ranked}."
    reasons = Counter(row.reason for row in study.fixed)
    (reason, _), *_ = reasons.most_common(1)
    many = len(study.fixed)
    layers = "1 layer keeps its own" if many == 1 else f"{many} layers keep theirs"
    return f"{ranked}; {layers}: {reason}."
