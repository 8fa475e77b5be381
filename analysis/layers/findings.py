"""What a network's layers show together: where its time goes, and why a precision wins or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from analysis.layers.alike import Alike, most_to_gain
from analysis.layers.groups import Network
from analysis.layers.placement import Placement
from analysis.layers.words import ALIKE

MOST_GAINS = 3
"""Groups of layers that are named as those with most to gain."""
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


def by_bound(layers: Sequence[Placement]) -> list[tuple[str, float]]:
    """Where the time of these layers goes: (what bounds them, share of the time), most first.

    What bounds layers without a roof is "".
    """
    total = sum(layer.seconds for layer in layers)
    seconds: dict[str, float] = {}
    for layer in layers:
        seconds[layer.bound] = seconds.get(layer.bound, 0.0) + layer.seconds
    shares = [(bound, taken / total) for bound, taken in seconds.items()]
    return sorted(shares, key=lambda share: share[1], reverse=True)


def gains(net: Network) -> list[Alike]:
    """The few groups of identical layers with most to gain."""
    return most_to_gain(net.layers, MOST_GAINS)


def fastest_first(networks: Iterable[Network]) -> list[Network]:
    """The precisions of a network, the fastest first.

    Those that could not run some layers come last: their time is not that of the whole network.
    """
    return sorted(networks, key=lambda net: (bool(net.missing), net.seconds))


def comparisons(networks: Sequence[Network]) -> list[Comparison]:
    """Each precision of a network beside the next one of more bits, those of fewest bits first.

    Both must have run all layers, by the same provider: else their times tell of something else.
    """
    complete = [net for net in networks if not net.missing and net.precision in BITS]
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


def _against(fewer: Network, more: Network) -> list[FamilyTimes]:
    """Families that take noticeably longer in fewer bits, the costliest first."""
    in_fewer = _seconds_by_family(fewer)
    in_more = _seconds_by_family(more)
    least_cost = LEAST_OF_TIME * fewer.light.seconds
    costly = []
    for family, seconds in in_fewer.items():
        times = FamilyTimes(family, seconds, in_more.get(family, 0.0))
        within_error = ALIKE * seconds
        if times.cost > max(least_cost, within_error):
            costly.append(times)
    return sorted(costly, key=lambda times: times.cost, reverse=True)


def _seconds_by_family(net: Network) -> dict[str, float]:
    """Seconds of the layers of each family, each layer timed alone."""
    seconds: dict[str, float] = {}
    for layer in net.layers:
        seconds[layer.family] = seconds.get(layer.family, 0.0) + layer.seconds
    return seconds
