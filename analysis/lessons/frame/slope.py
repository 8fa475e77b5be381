"""The rule of lessons that say of layers that memory bounds them."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.lessons.frame.evidence import Evidence, Layer
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, short, si

HALF = 0.5
"""Share of the memory's bytes a second from which memory is what bounds a layer."""
RULE = (
    "It holds if each layer moves its least bytes at more than half the rate of the memory that "
    "holds them."
)


def on_slope(evidence: Evidence, layers: Sequence[Layer]) -> Finding:
    """Whether each of these layers is bound by memory, and where they stand."""
    said = all_of(evidence.share_of_memory(layer).above(HALF) for layer in layers)
    words = "; ".join(in_words(evidence, layer) for layer in layers)
    spots = [layer.spot(short_name(layer)) for layer in layers]
    chart = evidence.under_roofs(spots, layers[0].row.dtype)
    return Finding(said, f"{words}.", chart)


def short_name(layer: Layer) -> str:
    """What a layer is called in a picture."""
    name, _, _ = layer.row.layer.partition(",")
    return name


def in_words(evidence: Evidence, layer: Layer) -> str:
    """How much of its memory's rate a layer reaches, and if it is little, why."""
    memory = evidence.memory_above(layer)
    share = evidence.share_of_memory(layer)
    rate = si(layer.seconds.under(layer.bytes).value, "B/s")
    words = (
        f"{layer.row.layer} moves {rate}, {percent(share.value)} of what {memory.label} gives "
        f"({si(memory.rate, 'B/s')})"
    )
    if share.value > HALF:
        return words
    return f"{words}: {why_not(evidence, layer)}"


def why_not(evidence: Evidence, layer: Layer) -> str:
    """Why memory does not bound a layer."""
    memory = evidence.memory_above(layer)
    arithmetic = evidence.arithmetic_above(layer)
    ridge = evidence.ridge(layer)
    reached = layer.rate.value / arithmetic.rate
    place = f"its {short(layer.intensity)} FLOP/B lie"
    if layer.intensity > ridge:
        return (
            f"{place} right of the ridge at {short(ridge)} FLOP/B, since {memory.label} holds its "
            f"data, and it reaches {percent(reached)} of the arithmetic"
        )
    return (
        f"{place} left of the ridge at {short(ridge)} FLOP/B, but its kernel reaches neither "
        f"roof ({percent(reached)} of the arithmetic)"
    )
