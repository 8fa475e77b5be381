"""What the layers of a network tell, in sentences and tables: how far from the speed of light, and
why not FLOPs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.layers.groups import Network, few_names
from analysis.layers.place import precisions
from analysis.layers.placement import Placement
from analysis.units import percent, si
from probes.records.measurement import Measurement

ALIKE = 0.02
"""Sum of the layers and time of the whole differ by less: both were measured, each to about a per
cent.
"""

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
    """A family of operations in a network: number of layers, share of its FLOPs and of its time."""

    family: str
    layers: int
    flops: float
    flops_share: float
    seconds: float
    time_share: float


def headline(net: Network) -> str:
    """Measured time, sum of the layers alone, why they differ, and the speed of light, in a
    sentence each.
    """
    title = f"{net.name}, {net.precision.upper()} on {net.provider}"
    return " ".join([f"{title}: {_times(net)}", _light(net)])


def _times(net: Network) -> str:
    layers = f"{len(net.layers)} {'layer' if len(net.layers) == 1 else 'layers'}"
    more = f" ({net.skipped} more could not run so: {few_names(net.missing)})" * bool(net.skipped)
    if net.whole is None:
        why = f": {net.refused}" if net.refused else ""
        return (
            f"{si(net.light.seconds, 's')} for its {layers}{more}; the whole was not timed in "
            f"one go{why}."
        )
    alone = f"{layers} timed alone{more}"
    whole, total = net.seconds, net.light.seconds
    ratio = total / whole - 1
    size = (
        "as much"
        if abs(ratio) < ALIKE
        else f"{abs(100 * ratio):.0f} % {'more' if ratio > 0 else 'less'}"
    )
    calls = (
        f"each call alone costs {si(net.call, 's')}, "
        f"{si(net.call * len(net.layers), 's')} of the sum"
    )
    disturbed = sum(not layer.trusted and not layer.roof_is_doubted for layer in net.layers)
    others = [
        *_fused(net),
        *([calls] if net.call else []),
        *([NEAR] if ratio < -ALIKE else []),
        *(
            [f"{disturbed} of its layers were disturbed, and their times cannot be trusted"]
            if disturbed
            else []
        ),
    ]
    why = "; ".join([*_why(net.whole), *others])
    take = "takes" if len(net.layers) == 1 else "take"
    return (
        f"{si(whole, 's')} in one go; its {alone} {take} {si(total, 's')}, "
        f"{size}{f' ({why})' if why else ''}."
    )


def _fused(net: Network) -> list[str]:
    """What the whole does not run, since its neighbours do it as well, and what that takes alone,
    each by its mean.

    Nothing is said where it runs more operations than the network has: one was then taken apart,
    not fused away.
    """
    ran = net.whole.facts.ran if net.whole else {}
    alone: dict[str, list[float]] = {}
    for layer in (
        net.layers if sum(n for op, n in ran.items() if op not in MOVES) <= len(net.layers) else ()
    ):
        alone.setdefault(layer.op, []).append(layer.seconds)
    left = Counter({op: len(times) for op, times in alone.items()})
    for name, count in ran.items():
        left[_meant(name, alone)] -= count
    gone = {op: n for op, n in left.items() if n > 0 and ran}
    seconds = sum(n * sum(alone[op]) / len(alone[op]) for op, n in gone.items())
    which = ", ".join(f"{n} {op}" for op, n in sorted(gone.items(), key=lambda each: -each[1]))
    return [f"fused away: {which}, {si(seconds, 's')} of the sum"] if gone else []


def _meant(ran: str, ops: Iterable[str]) -> str:
    """The operation of the network that a runtime's name means: ``FusedConv`` is Conv,
    ``LeakyRelu`` is no Relu.
    """
    bare = DECORATION.sub("", ran)
    fitting = (op for op in ops if ran == op or re.match(rf"{re.escape(op)}(?![a-z])", bare))
    return max(fitting, key=len, default="")


def _why(whole: Measurement) -> list[str]:
    """What the row of the whole knows of the difference: its text, launches, and facts counted in
    ``explained``.
    """
    facts = whole.facts
    counted = [
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}".strip(": ")
        for name, value in facts.explained
    ]
    launches = [f"{facts.launches} launches"] if facts.launches else []
    return [*filter(None, [whole.reason]), *launches, *counted]


def _light(net: Network) -> str:
    light = net.light
    if net.refused:
        return "So it has no speed of light."
    layer = next((layer for layer in net.layers if layer.roof_is_doubted), None)
    if layer:
        return (
            f"No verdict on {net.precision.upper()}: {layer.doubt}. Quiet the machine, or "
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
    unknown = f", {si(light.unplaced_seconds, 's')} of it layers that could not be placed" * bool(
        light.unplaced_seconds
    )
    least = (
        "Its speed of light, the least time its layers need on the measured roofs, is "
        f"{si(light.least_seconds, 's')}"
    )
    if net.missing:
        least = f"Those that ran need at least {si(light.least_seconds, 's')} on the measured roofs"
    far = f"{percent(net.share)} of the time measured"
    if net.share > 1 and net.whole is not None:
        far += ": as a whole it moves less than its layers do alone"
    rest = (
        "; what the others need is not known, and so the network has no speed of light"
        if net.missing
        else ""
    )
    return f"{least}{unknown}: {far}{rest}."


def kinds(layers: Sequence[Placement]) -> list[Kind]:
    """Families of operations by time, longest first; unknown FLOPs count as none here and are
    listed by ``unknown``.
    """
    flops = sum(p.flops or 0.0 for p in layers)
    seconds = sum(p.seconds for p in layers)
    grouped: dict[str, list[Placement]] = {}
    for point in layers:
        grouped.setdefault(point.family, []).append(point)
    found = [
        (name, group, sum(p.flops or 0.0 for p in group), sum(p.seconds for p in group))
        for name, group in grouped.items()
    ]
    made = [
        Kind(name, len(group), f, f / flops if flops else 0.0, s, s / seconds)
        for name, group, f, s in found
    ]
    return sorted(made, key=lambda kind: -kind.seconds)


def correlation(layers: Iterable[Placement]) -> float | None:
    """Spearman's rank correlation of FLOPs and time (1904), ties at their mean rank; None where one
    never changes.
    """
    known = [(p.flops, p.seconds) for p in layers if p.flops is not None]
    a, b = _ranks([flops for flops, _ in known]), _ranks([seconds for _, seconds in known])
    middle = (len(known) + 1) / 2
    spread = math.sqrt(sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b))
    return (
        sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True)) / spread
        if spread
        else None
    )


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered, 1)))}
    last = {value: place for place, value in enumerate(ordered, 1)}
    return [(first[value] + last[value]) / 2 for value in values]


def prediction(layers: Sequence[Placement]) -> str:
    """Whether FLOPs rank the layers, with the families that say most against it."""
    found = correlation(layers)
    if found is None:
        return ""
    told = (
        f"Rank correlation of FLOPs and time over its layers: {found:.2f}; 1 would mean that "
        "FLOPs alone rank them."
    )
    free = [p for p in layers if p.flops == 0]
    share = sum(p.seconds for p in free) / sum(p.seconds for p in layers)
    return told + (
        f" Layers without any FLOPs ({len(free)}) take {percent(share)} of the time."
        if free
        else ""
    )


def unknown(layers: Sequence[Placement]) -> list[tuple[str, int, float, str]]:
    """Operations whose FLOPs are not known: (operation, layers, share of time, remark), longest
    first.
    """
    total = sum(p.seconds for p in layers)
    grouped: dict[str, list[Placement]] = {}
    for point in layers:
        if point.flops is None:
            grouped.setdefault(point.op, []).append(point)
    rows = [
        (op, len(group), sum(p.seconds for p in group) / total, group[0].remark)
        for op, group in grouped.items()
    ]
    return sorted(rows, key=lambda row: -row[2])


def saturated(placed: Iterable[Placement]) -> list[str]:
    """A sentence for layers whose own INT8 result is wrong on this CPU, since its sums of products
    saturate.
    """
    errors = [point.facts.saturated for point in placed if point.facts.saturated is not None]
    if not errors:
        return []
    layers = "1 layer" if len(errors) == 1 else f"{len(errors)} layers"
    largest = percent(max(errors))
    return [
        f"INT8 saturates on this CPU: the runtime's own result is wrong in {layers}, by up "
        f"to {largest} of its largest "
        "value. Times are as deployed; the numbers were checked without saturation."
    ]


def compared(placed: Iterable[Placement]) -> dict[str, list[tuple[str, dict[str, Placement]]]]:
    """Layers that ran at several precisions: network or sweep -> [(layer, {precision:
    placement})].
    """
    found: dict[str, list[tuple[str, dict[str, Placement]]]] = {}
    for (group, layer, _), by_precision in precisions(placed).items():
        found.setdefault(group, []).append((layer, by_precision))
    return found
