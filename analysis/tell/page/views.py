"""The layers of a run in the order of the page: by network or sweep, precision and time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from analysis.layers.groups import Network
from analysis.layers.placement import Group, Placement, group_of, set_of


@dataclass(frozen=True)
class Variation:
    """The layers of a network or sweep as they ran in one precision, by one provider."""

    group: Group
    """Which layers these are."""
    layers: tuple[Placement, ...]
    """The longest first."""
    network: Network | None = None
    """The network that they make; None for those of a sweep."""

    @property
    def seconds(self) -> float:
        """Time of the network in one go, or the sum of the layers."""
        if self.network:
            return self.network.seconds
        return sum(layer.seconds for layer in self.layers)


@dataclass(frozen=True)
class View:
    """A network, or a sweep over layers: what the roofline shows at a time."""

    name: str
    """Of the network or the sweep."""
    variations: tuple[Variation, ...]
    """The fastest first, if its layers are those of a network; else in the order of their rows."""

    @property
    def is_network(self) -> bool:
        """True if its layers are those of a network."""
        return any(variation.network for variation in self.variations)

    @cached_property
    def layers(self) -> list[Placement]:
        """All of its layers."""
        return [layer for variation in self.variations for layer in variation.layers]

    def label(self, variation: Variation) -> str:
        """``FP16``; ``FP16, tensorrt`` where several providers ran this precision."""
        group = variation.group
        precision = group.precision.upper()
        providers = {other.group.provider for other in self.variations}
        return f"{precision}, {group.provider}" if len(providers) > 1 else precision


def views(
    placements: Sequence[Placement], networks: Iterable[Network], most_layers: int
) -> list[View]:
    """Networks first, then sweeps. Of more than ``most_layers`` those that take longest."""
    by_group: dict[Group, list[Placement]] = {}
    for placement in _longest(placements, most_layers):
        by_group.setdefault(group_of(placement), []).append(placement)
    network_of = {Group(net.name, net.provider, net.precision): net for net in networks}
    variations_by_name: dict[str, list[Variation]] = {}
    for group, layers in by_group.items():
        layers.sort(key=lambda layer: layer.seconds, reverse=True)
        variation = Variation(group, tuple(layers), network_of.get(group))
        variations_by_name.setdefault(group.name, []).append(variation)
    all_views = []
    for name, variations in variations_by_name.items():
        if any(variation.network for variation in variations):
            variations.sort(key=lambda variation: variation.seconds)
        all_views.append(View(name, tuple(variations)))
    return sorted(all_views, key=lambda view: not view.is_network)


def _longest(placements: Sequence[Placement], most_layers: int) -> list[Placement]:
    """So many of these at most, in their order: a layer in all of its precisions, or in none."""
    by_layer: dict[tuple[str, str], list[Placement]] = {}
    for placement in placements:
        by_layer.setdefault((set_of(placement), placement.layer), []).append(placement)
    longest_first = sorted(
        by_layer.values(), key=lambda same: max(layer.seconds for layer in same), reverse=True
    )
    shown = set[int]()
    for same in longest_first:
        if len(shown) + len(same) > most_layers:
            break
        shown.update(id(layer) for layer in same)
    return [placement for placement in placements if id(placement) in shown]
