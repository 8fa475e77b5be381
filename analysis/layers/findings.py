"""What a network's layers show together: where its time goes, and why a precision wins or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.layers.alike import Alike, most_to_gain
from analysis.layers.groups import Network
from analysis.layers.placement import DISTURBED, Placement
from analysis.layers.words import ALIKE, fused_away, kinds

MOST_GAINS = 3
"""Groups of layers that are named as those with most to gain."""
MOSTLY = 0.5
"""Part of an operation's layers from which, fused away, they count for nothing."""
LEAST_OF_TIME = 0.03
"""Share of a network's time that a family must lose before it is called a reason."""
BITS = {"fp64": 64, "fp32": 32, "tf32": 19, "bf16": 16, "fp16": 16, "fp8": 8, "int8": 8}
"""Bits of a precision: the one of fewer should be faster (TF32 computes with 19 of its 32)."""


@dataclass(frozen=True)
class FamilyTimes:
    """A family of layers at two precisions."""

    family: str
    """Its name."""
    fewer_bits: float
    """Seconds of its layers, each timed alone, in the precision of fewer bits."""
    more_bits: float
    """The same in the precision of more bits."""
    fused: int = 0
    """How many of them the whole does not run by themselves, in the precision of fewer bits."""
    layers: int = 0
    """How many layers there are."""

    @property
    def cost(self) -> float:
        """Seconds that fewer bits cost; negative where they win."""
        return self.fewer_bits - self.more_bits


@dataclass(frozen=True)
class Comparison:
    """A network at two precisions, of which one should be faster."""

    fewer_bits: Network
    """The network in the precision that should be faster."""
    more_bits: Network
    """The network in the next precision that ran."""
    against: tuple[FamilyTimes, ...]
    """Families that take longer in fewer bits, the costliest first."""

    @property
    def speedup(self) -> float:
        """Time in more bits over time in fewer."""
        return self.more_bits.seconds / self.fewer_bits.seconds


def in_whole(net: Network) -> list[Placement]:
    """The layers that the whole network runs by themselves, as far as is known.

    An operation of which most are fused into their neighbours costs the whole next to nothing, so
    that its time alone tells nothing of the whole.
    """
    gone = fused_away(net)
    count = Counter(layer.op for layer in net.layers)
    return [layer for layer in net.layers if gone.get(layer.op, 0) < MOSTLY * count[layer.op]]


def by_bound(layers: Sequence[Placement]) -> list[tuple[str, float]]:
    """Where the time of these layers goes: (what bounds them, share of the time), most first.

    What bounds layers without a roof is "", and DISTURBED that of layers that were timed badly.
    """
    total = sum(layer.seconds for layer in layers)
    seconds: dict[str, float] = {}
    for layer in layers:
        bound = layer.bound if layer.trusted else DISTURBED
        seconds[bound] = seconds.get(bound, 0.0) + layer.seconds
    shares = [(bound, taken / total) for bound, taken in seconds.items()]
    return sorted(shares, key=lambda share: share[1], reverse=True)


def gains(net: Network, most: int = MOST_GAINS) -> list[Alike]:
    """The groups of identical layers with most to gain, of those that the whole runs."""
    return most_to_gain(in_whole(net), most)


def fastest_first(networks: Iterable[Network]) -> list[Network]:
    """The precisions of a network, the fastest first.

    Those that could not run some layers come last: their time is not that of the whole network.
    """
    return sorted(networks, key=lambda net: (bool(net.missing), net.seconds))


def comparisons(networks: Sequence[Network]) -> list[Comparison]:
    """Each precision of a network beside the next one of more bits, those of fewest bits first.

    Both must have run all layers by the same provider, and as a whole in a time that can be
    trusted: else their times tell of something else.
    """
    complete = [net for net in networks if _is_comparable(net)]
    complete.sort(key=lambda net: BITS[net.precision])
    pairs = []
    for place, fewer in enumerate(complete):
        with_more_bits = [
            net
            for net in complete[place + 1 :]
            if net.provider == fewer.provider and BITS[net.precision] > BITS[fewer.precision]
        ]
        if with_more_bits:
            more = with_more_bits[0]
            pairs.append(Comparison(fewer, more, tuple(_against(fewer, more))))
    return pairs


def _is_comparable(net: Network) -> bool:
    """True if a network ran whole in this precision, in a time that can be trusted."""
    return net.whole_is_trusted and not net.missing and net.precision in BITS


def _against(fewer: Network, more: Network) -> list[FamilyTimes]:
    """Families that take noticeably longer in fewer bits, the costliest first."""
    in_more = {kind.family: kind.seconds for kind in kinds(more.layers)}
    least_cost = LEAST_OF_TIME * fewer.light.seconds
    gone = fused_away(fewer)
    costly = []
    for kind in kinds(fewer.layers):
        ops = {layer.op for layer in fewer.layers if layer.family == kind.family}
        fused = sum(gone.get(op, 0) for op in ops)
        seconds_in_more = in_more.get(kind.family, 0.0)
        times = FamilyTimes(kind.family, kind.seconds, seconds_in_more, fused, kind.layers)
        within_error = ALIKE * kind.seconds
        if times.cost > max(least_cost, within_error):
            costly.append(times)
    return sorted(costly, key=lambda times: times.cost, reverse=True)
