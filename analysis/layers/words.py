"""What the layers of a network say, in sentences and tables.

How far they are from the speed of light, and why FLOPs do not tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from analysis.layers.groups import Network, few_names
from analysis.layers.place import precisions
from analysis.layers.placement import Placement
from analysis.units import percent, si
from probes.records.measurement import Measurement

if TYPE_CHECKING:
    import pandas

ALIKE = 0.02
"""Share below which the difference of two times says nothing: each is known to about a per cent."""

DECORATION = re.compile(r"^(Fused|Nhwc|NCHWc|QLinear|Bias|Skip|Fast|Quick|Q(?=[A-Z]))+")
"""What ONNX Runtime puts before the name of the operation that it runs in its own way."""

MOVES = (
    "Transpose",
    "ReorderInput",
    "ReorderOutput",
    "Cast",
    "QuantizeLinear",
    "DequantizeLinear",
    "MemcpyToHost",
    "MemcpyFromHost",
)
"""What a runtime adds between operations so that they fit together."""

NEAR = "alone, a layer finds its data in the caches, where its last run left them"


@dataclass(frozen=True)
class Kind:
    """A family of operations in a network."""

    family: str
    """Its name."""
    layers: int
    """How many layers it has."""
    flops: float
    """The sum of their FLOPs, as far as they are known."""
    seconds: float
    """The sum of their times."""
    flops_share: float
    """Share of the network's FLOPs."""
    time_share: float
    """Share of the time of all its layers."""


class UnknownOperation(NamedTuple):
    """An operation of a network whose FLOPs are not known."""

    op: str
    """Its name."""
    layers: int
    """How many layers it has."""
    time_share: float
    """Share of the time of all layers."""
    remark: str
    """That of the first of its layers."""


def layer_table(layers: Sequence[Placement]) -> pandas.DataFrame:
    """A row for each of these layers, a column for each field; FLOPs are NaN where not known."""
    import pandas

    return pandas.DataFrame(layers).astype({"flops": float})


def layers_in_words(number: int) -> str:
    """``1 layer``, ``5 layers``."""
    return "1 layer" if number == 1 else f"{number} layers"


def headline(net: Network) -> str:
    """What a network takes, in a sentence each.

    The measured time, the sum of the layers alone, why they differ, and the speed of light.
    """
    title = f"{net.name}, {net.precision_in_words} on {net.provider}"
    return f"{title}: {_times(net)} {_light(net)}"


def _times(net: Network) -> str:
    """The time of the whole beside the sum of its layers, and why they differ."""
    layers = layers_in_words(len(net.layers))
    more = f" ({net.skipped} more without a time: {few_names(net.missing)})" if net.skipped else ""
    total = net.light.seconds
    if net.whole is None:
        why = f": {net.refused}" if net.refused else ""
        return f"{si(total, 's')} for its {layers}{more}; the whole was not timed in one go{why}."
    excess = total / net.seconds - 1
    if abs(excess) < ALIKE:
        size = "as much"
    else:
        direction = "more" if excess > 0 else "less"
        size = f"{abs(100 * excess):.0f} % {direction}"
    reasons = [*_why(net.whole), *_fused(net)]
    if net.call:
        calls = si(net.call * len(net.layers), "s")
        reasons.append(f"each call alone costs {si(net.call, 's')}, {calls} of the sum")
    if excess < -ALIKE:
        reasons.append(NEAR)
    disturbed = sum(not layer.trusted and not layer.roof_is_doubted for layer in net.layers)
    if disturbed:
        reasons.append(
            f"{disturbed} of its layers were disturbed, and their times cannot be trusted"
        )
    why = f" ({'; '.join(reasons)})" if reasons else ""
    take = "takes" if len(net.layers) == 1 else "take"
    return (
        f"{si(net.seconds, 's')} in one go; its {layers} timed alone{more} {take} "
        f"{si(total, 's')}, {size}{why}."
    )


def _fused(net: Network) -> list[str]:
    """What the whole does not run, since its neighbours do it as well: a sentence, or none.

    It says the time that this takes alone, each by the mean of its operation. Nothing is said where
    the whole runs more operations than the network has: one was then taken apart, not fused away.
    """
    gone = fused_away(net)
    if not gone:
        return []
    mean_seconds = layer_table(net.layers).groupby("op")["seconds"].mean()
    seconds = sum(number * mean_seconds[op] for op, number in gone.items())
    operations = ", ".join(f"{number} {op}" for op, number in gone.items())
    return [f"fused away: {operations}, {si(seconds, 's')} of the sum"]


def fused_away(net: Network) -> dict[str, int]:
    """How many layers of each operation the whole does not run by themselves, most first.

    Empty where that is not known, and where the whole runs more operations than there are layers.
    """
    ran = net.whole.facts.ran if net.whole else {}
    computing = sum(number for name, number in ran.items() if name not in MOVES)
    if not ran or computing > len(net.layers):
        return {}
    left = Counter(layer.op for layer in net.layers)
    ops = tuple(left)
    for name, number in ran.items():
        left[_meant(name, ops)] -= number
    return {op: number for op, number in left.most_common() if number > 0}


def _meant(ran: str, ops: Collection[str]) -> str:
    """The operation of the network that a runtime's name means; empty if it is none of ``ops``.

    ``FusedConv`` is Conv, ``LeakyRelu`` is no Relu.
    """
    bare = DECORATION.sub("", ran)
    fitting = (op for op in ops if ran == op or re.match(rf"{re.escape(op)}(?![a-z])", bare))
    return max(fitting, key=len, default="")


def _why(whole: Measurement) -> list[str]:
    """What the row of the whole says of the difference.

    Its text, its launches, and the facts counted in ``explained``.
    """
    facts = whole.facts
    reasons = [whole.reason] if whole.reason else []
    if facts.launches:
        reasons.append(f"{facts.launches} launches")
    for name, value in facts.explained:
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        reasons.append(f"{name}: {text}".strip(": "))  # a fact may have no name
    return reasons


def no_floor(net: Network) -> str:
    """Why nothing can be said of the least time of a network, in a sentence; empty if it can."""
    light = net.light
    if net.refused:
        return "So it has no speed of light."
    doubted = next((layer for layer in net.layers if layer.roof_is_doubted), None)
    if doubted:
        return (
            f"No verdict on {net.precision.upper()}: {doubted.doubt}. Quiet the machine, or "
            "give --roofs of a quiet run."
        )
    if net.whole is not None and not net.whole.trusted:
        return (
            f"No verdict: the time of the whole cannot be trusted ({net.whole.doubt}). Quiet "
            "the machine."
        )
    if light.unplaced_seconds and light.unplaced_seconds >= light.least_seconds:
        return (
            "None of its layers could be placed on a measured roof, so its speed of light "
            "is not known."
        )
    return ""


def _light(net: Network) -> str:
    """The speed of light, or why there is none."""
    light = net.light
    problem = no_floor(net)
    if problem:
        return problem
    least = si(light.least_seconds, "s")
    unplaced = ""
    if light.unplaced_seconds:
        seconds = si(light.unplaced_seconds, "s")
        unplaced = f", {seconds} of it layers that could not be placed"
    share = f"{percent(net.share)} of the time measured"
    if net.share > 1 and net.whole is not None:
        share += ": as a whole it moves less than its layers do alone"
    if net.missing:
        return (
            f"Those that ran need at least {least} on the measured roofs{unplaced}: {share}; "
            "what the others need is not known, and so the network has no speed of light."
        )
    return (
        "Its speed of light, the least time its layers need on the measured roofs, is "
        f"{least}{unplaced}: {share}."
    )


def kinds(layers: Sequence[Placement]) -> list[Kind]:
    """Families of operations by time, longest first.

    Unknown FLOPs count as none here; ``unknown`` lists them.
    """
    families = (
        layer_table(layers)
        .groupby("family", sort=False)
        .agg(layers=("layer", "size"), flops=("flops", "sum"), seconds=("seconds", "sum"))
    )
    families["flops_share"] = (families["flops"] / families["flops"].sum()).fillna(0.0)
    families["time_share"] = families["seconds"] / families["seconds"].sum()
    by_time = families.sort_values("seconds", ascending=False, kind="stable")
    return [Kind(*row) for row in by_time.itertuples()]


def correlation(layers: Sequence[Placement]) -> float | None:
    """Spearman's rank correlation of FLOPs and time (1904), ties at their mean rank.

    None where one of them never changes.
    """
    table = layer_table(layers).dropna(subset="flops")
    if table["flops"].nunique() < 2 or table["seconds"].nunique() < 2:
        return None
    return float(table["flops"].rank().corr(table["seconds"].rank()))


def prediction(layers: Sequence[Placement]) -> str:
    """How well FLOPs rank the layers, and what layers without any take; empty if not known."""
    rank_correlation = correlation(layers)
    if rank_correlation is None:
        return ""
    sentence = (
        f"Rank correlation of FLOPs and time over its layers: {rank_correlation:.2f}; 1 would mean "
        "that FLOPs alone rank them."
    )
    seconds = [layer.seconds for layer in layers if layer.flops == 0]
    if not seconds:
        return sentence
    share = percent(sum(seconds) / sum(layer.seconds for layer in layers))
    return f"{sentence} Layers without any FLOPs ({len(seconds)}) take {share} of the time."


def unknown(layers: Sequence[Placement]) -> list[UnknownOperation]:
    """Operations whose FLOPs are not known, by time, longest first."""
    table = layer_table(layers)
    table["time_share"] = table["seconds"] / table["seconds"].sum()
    operations = (
        table[table["flops"].isna()]
        .groupby("op", sort=False)
        .agg(layers=("layer", "size"), time_share=("time_share", "sum"), remark=("remark", "first"))
    )
    by_time = operations.sort_values("time_share", ascending=False, kind="stable")
    return [UnknownOperation(*row) for row in by_time.itertuples()]


def sentence_on_unknown(net: Network) -> str:
    """Which operations no table knows: they never count as zero in silence."""
    operations = [
        f"{op} ({layers}, {percent(share)} of the time)"
        for op, layers, share, _ in unknown(net.layers)
    ]
    return f"Of unknown FLOPs, so not placed: {', '.join(operations)}."


def saturated(placed: Iterable[Placement]) -> list[str]:
    """A sentence, or none, on layers whose own INT8 result is wrong on this CPU.

    Their sums of products saturate.
    """
    every_layer = [placement.facts.saturated for placement in placed]
    errors = [error for error in every_layer if error is not None]
    if not errors:
        return []
    layers = layers_in_words(len(errors))
    largest = percent(max(errors))
    return [
        f"INT8 saturates on this CPU: the runtime's own result is wrong in {layers}, by up "
        f"to {largest} of its largest "
        "value. Times are as deployed; the numbers were checked without saturation."
    ]


def compared(placed: Iterable[Placement]) -> dict[str, list[tuple[str, dict[str, Placement]]]]:
    """Layers that ran at several precisions.

    network or sweep -> [(layer, {precision: placement})].
    """
    layers_by_set: dict[str, list[tuple[str, dict[str, Placement]]]] = {}
    for (name, layer, _), by_precision in precisions(placed).items():
        layers_by_set.setdefault(name, []).append((layer, by_precision))
    return layers_by_set
