"""Identical layers as one: five equal convolutions are one line to read and one thing to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.layers.placement import Placement, group_of
from analysis.units import si

SHORT_OPS = {
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "SkipLayerNormalization": "SkipLayerNorm",
    "InstanceNormalization": "InstanceNorm",
    "GlobalAveragePool": "GlobalAvgPool",
}
"""Names of operations as people say them, where they are shorter than ONNX's."""
NO_BATCH = 1
"""A first dimension that a name does without."""


@dataclass(frozen=True)
class Alike:
    """Layers of one network that do the very same work in the same type."""

    title: str
    """What one of them is: ``Conv 3×3 512→512``."""
    layers: tuple[Placement, ...]
    """The layers, in the order of the network; at least one."""

    @property
    def name(self) -> str:
        """How many of what: ``5 × Conv 3×3 512→512``; a single layer has no number."""
        count = len(self.layers)
        return self.title if count == 1 else f"{count} × {self.title}"

    @property
    def seconds(self) -> float:
        """Time of all of them."""
        return sum(layer.seconds for layer in self.layers)

    @property
    def headroom_seconds(self) -> float | None:
        """What a perfect implementation of all would save; None if that of one is unknown."""
        headrooms = [layer.headroom_seconds for layer in self.layers]
        known = [headroom for headroom in headrooms if headroom is not None]
        return sum(known) if len(known) == len(headrooms) else None

    @property
    def longest(self) -> Placement:
        """The one that takes longest; it speaks for the others."""
        return max(self.layers, key=lambda layer: layer.seconds)


def alike(layers: Iterable[Placement]) -> list[Alike]:
    """The layers, those that do the same work together, in the order of the first of each."""
    by_work: dict[tuple[Any, ...], list[Placement]] = {}
    for layer in layers:
        by_work.setdefault(_work_of(layer), []).append(layer)
    titles = _titles([equals[0] for equals in by_work.values()])
    groups = []
    for title, equals in zip(titles, by_work.values(), strict=True):
        groups.append(Alike(title, tuple(equals)))
    return groups


def most_to_gain(layers: Iterable[Placement], most: int) -> list[Alike]:
    """The identical layers with most time to gain together, most first.

    Those of unknown work, and points above their roof, never rank.
    """
    with_gain = [group for group in alike(layers) if (group.headroom_seconds or 0.0) > 0]
    with_gain.sort(key=lambda group: group.headroom_seconds or 0.0, reverse=True)
    return with_gain[:most]


def _work_of(layer: Placement) -> tuple[Any, ...]:
    """What two layers have in common that do the same."""
    facts = layer.facts
    return (
        group_of(layer),
        layer.op,
        layer.dtype,
        layer.flops,
        layer.bytes,
        tuple(facts.channels.items()),
        facts.groups,
        facts.window,
        facts.shape,
    )


def group_of_each(layers: Iterable[Placement]) -> dict[int, Alike]:
    """The identical layers that each of these is one of, by the layer's identity."""
    groups: dict[int, Alike] = {}
    for group in alike(layers):
        for layer in group.layers:
            groups[id(layer)] = group
    return groups


def _titles(layers: Sequence[Placement]) -> list[str]:
    """A title for each of these layers, no two of which do the same.

    Where two would have one title, their outputs' shapes or their work tell them apart, else their
    bytes, as with another stride.
    """
    titles = [title(layer) for layer in layers]
    for difference in (_difference, _bytes):
        count = Counter(titles)
        told_apart = []
        for layer, name in zip(layers, titles, strict=True):
            is_shared = count[name] > 1
            told_apart.append(f"{name} {difference(layer)}".strip() if is_shared else name)
        titles = told_apart
    return titles


def title(layer: Placement) -> str:
    """What a layer is: ``Conv 3×3 512→512``, ``BatchNorm 256×14×14``, ``Add`` if no more is known.

    A convolution with a group for each channel is ``depthwise``.
    """
    facts = layer.facts
    words = [SHORT_OPS.get(layer.op, layer.op)]
    incoming = facts.channels.get("in_channels")
    outgoing = facts.channels.get("out_channels")
    if facts.window:
        words.append("×".join(map(str, facts.window)))
    if incoming and outgoing:
        is_depthwise = facts.groups > 1 and facts.groups == incoming
        if is_depthwise:
            words.insert(1, "depthwise")
            words.append(str(outgoing))
        else:
            words.append(f"{incoming}→{outgoing}")
            if facts.groups > 1:
                words.append(f"in {facts.groups} groups")
    elif facts.shape:
        words.append(_extent(facts.shape))
    return " ".join(words)


def _difference(layer: Placement) -> str:
    """What else tells a layer from one of the same title."""
    facts = layer.facts
    if facts.channels and facts.shape:
        space = facts.shape[2:] or facts.shape
        return f"at {_extent(space)}"
    if layer.flops:
        return f"({si(layer.flops, 'FLOP')})"
    return _bytes(layer)


def _bytes(layer: Placement) -> str:
    """``(1.38 MB)``; empty if its bytes are unknown."""
    return f"({si(layer.bytes, 'B')})" if layer.bytes else ""


def _extent(shape: Sequence[int]) -> str:
    """``256×14×14`` of a shape, without a batch of one."""
    is_one_batch = len(shape) > 1 and shape[0] == NO_BATCH
    sizes = shape[1:] if is_one_batch else shape
    return "×".join(map(str, sizes))
