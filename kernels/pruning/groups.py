"""Groups of channels: each can lose some of its channels whatever other groups lose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from kernels.pruning.follow import Filters, Followed
from kernels.pruning.units import Labels

if TYPE_CHECKING:
    from onnx import ModelProto

ONE_CHANNEL = "it has one channel"
L1, BATCHNORM = "l1", "batchnorm"
RANKINGS = (L1, BATCHNORM)
"""By what channels can be ranked."""


@dataclass(frozen=True)
class Group:
    """Channels that one layer or several tied ones write, and all that read them."""

    name: str
    """Name of the first layer that writes them."""
    layers: tuple[str, ...]
    """All layers that write them, in the network's order."""
    readers: tuple[str, ...]
    """Further nodes whose stored numbers shrink with them."""
    units: tuple[int, ...]
    """What can go: a channel of each layer, or as many as a grouped convolution has groups."""
    width: int
    """Channels of a layer in one unit."""
    scores: Mapping[str, np.ndarray] = field(compare=False, repr=False)
    """Of each unit, by the name of a ranking: what is least goes first."""

    @property
    def channels(self) -> int:
        """Channels of a layer."""
        return len(self.units) * self.width

    def order(self, ranking: str = L1) -> list[int]:
        """Places of its units, those that go first in front."""
        scores = self.scores.get(ranking, self.scores[L1])
        return [int(place) for place in np.argsort(scores, kind="stable")]

    def removed(self, kept: int, ranking: str = L1) -> list[int]:
        """The units that go where so many channels are kept."""
        count = len(self.units) - kept // self.width
        return [self.units[place] for place in self.order(ranking)[:count]]

    def dead(self) -> int:
        """Channels that only zeros write."""
        return int((self.scores[L1] == 0).sum()) * self.width


@dataclass(frozen=True)
class Fixed:
    """A layer whose channels cannot go."""

    layer: str
    """Name of the node."""
    channels: int
    """How many of its output channels must stay."""
    reason: str
    """Why."""


class Channels:
    """All groups of a network, and which layers have none."""

    def __init__(self, model: ModelProto, scales: Mapping[str, np.ndarray] | None = None) -> None:
        """model: with all weights, each node with a name.

        scales: of normalisations that were merged into layers, by what the layer leaves.
        """
        self.model = model
        self.followed = Followed(model)
        self._scales = scales or {}
        units = self.followed.units
        self.roots: dict[tuple[str, int], Labels] = {}
        """What each place of an axis goes with, by the name of an activation or stored tensor, and
        its axis."""
        for tensors in (self.followed.axes, self.followed.stored_axes):
            for name, axes in tensors.items():
                for axis, labels in axes.items():
                    self.roots[name, axis] = units.roots(labels)

    @cached_property
    def groups(self) -> list[Group]:
        """Those that can lose channels, in the network's order."""
        axes_of = self._axes_of_units()
        written: dict[int, list[Filters]] = {}
        for filters in self.followed.filters:
            for unit in dict.fromkeys(self._roots_of(filters).tolist()):
                written.setdefault(unit, []).append(filters)
        by_axes: dict[tuple[int, ...], list[int]] = {}
        for unit in written:
            if not self.followed.units.reason(unit):
                by_axes.setdefault(axes_of[unit], []).append(unit)
        groups = [self._group(units, written[units[0]]) for units in by_axes.values()]
        return _named([group for group in groups if len(group.units) > 1])

    @cached_property
    def fixed(self) -> list[Fixed]:
        """The layers that can lose none of their channels, in the network's order."""
        fixed = []
        for filters in self.followed.filters:
            roots = self._roots_of(filters).tolist()
            reasons = [self.followed.units.reason(unit) for unit in roots]
            if all(reasons):
                fixed.append(Fixed(filters.layer, len(roots), reasons[0]))
            elif len(roots) == 1:
                fixed.append(Fixed(filters.layer, 1, ONE_CHANNEL))
        return fixed

    @cached_property
    def has_scales(self) -> bool:
        """True if some layer has a normalisation by whose scale its channels can be ranked."""
        return bool(self.followed.scales) or any(
            filters.written in self._scales for filters in self.followed.filters
        )

    def _roots_of(self, filters: Filters) -> Labels:
        return self.roots[filters.tensor, filters.axis]

    def _axes_of_units(self) -> dict[int, tuple[int, ...]]:
        """Numbers of the axes on which each unit lies: those on the same ones are alike."""
        axes_of: dict[int, list[int]] = {}
        for number, roots in enumerate(self.roots.values()):
            for unit in dict.fromkeys(roots.tolist()):
                axes_of.setdefault(unit, []).append(number)
        return {unit: tuple(axes) for unit, axes in axes_of.items()}

    def _group(self, units: Sequence[int], writers: Sequence[Filters]) -> Group:
        """The group of these units. writers: the layers that write them."""
        widths = [int((self._roots_of(filters) == units[0]).sum()) for filters in writers]
        layers = tuple(dict.fromkeys(filters.layer for filters in writers))
        readers: dict[str, None] = {}
        for name, axes in self.followed.stored_axes.items():
            if any(units[0] in self.roots[name, axis] for axis in axes):
                readers.update(dict.fromkeys(self.followed.readers.get(name, ())))
        return Group(
            name=layers[0],
            layers=layers,
            readers=tuple(name for name in readers if name not in layers),
            units=tuple(units),
            width=max(widths),
            scores=self._scores(units, writers),
        )

    def _scores(self, units: Sequence[int], writers: Sequence[Filters]) -> dict[str, np.ndarray]:
        """Scores of units by each ranking that the group has."""
        scores = {L1: self._score(units, writers, self._l1)}
        normed = [filters for filters in writers if filters.written in self._scales]
        if normed:
            scores[BATCHNORM] = self._score(units, normed, self._scale)
        inner = [filters for filters in self.followed.scales if units[0] in self._roots_of(filters)]
        if inner and not normed:
            scores[BATCHNORM] = self._score(units, inner, self._stored_scale)
        return scores

    def _score(
        self,
        units: Sequence[int],
        writers: Sequence[Filters],
        size_of: Callable[[Filters], np.ndarray],
    ) -> np.ndarray:
        """Mean over the layers of a group of what a channel has, over what the layer's mean is.

        So a layer of large weights does not hide the others.
        """
        total = np.zeros(len(units))
        for filters in writers:
            sizes = np.asarray(size_of(filters), dtype=np.float64)
            roots = self._roots_of(filters)
            places = {unit: place for place, unit in enumerate(units)}
            own = np.zeros(len(units))
            for unit, size in zip(roots.tolist(), sizes.tolist(), strict=True):
                if unit in places:
                    own[places[unit]] += size
            mean = own.mean()
            total += own / mean if mean else own
        return total / len(writers)

    def _l1(self, filters: Filters) -> np.ndarray:
        """Sum of the magnitudes of each output channel's weights."""
        weights = self.followed.constant(filters.tensor)
        assert weights is not None
        others = tuple(axis for axis in range(weights.ndim) if axis != filters.axis)
        return np.asarray(np.abs(weights).sum(axis=others, dtype=np.float64))

    def _scale(self, filters: Filters) -> np.ndarray:
        return np.abs(self._scales[filters.written])

    def _stored_scale(self, filters: Filters) -> np.ndarray:
        scale = self.followed.constant(filters.tensor)
        assert scale is not None
        return np.abs(scale)


def _named(groups: Sequence[Group]) -> list[Group]:
    """The same groups with names of their own: a layer may write several."""
    counts: dict[str, int] = {}
    named = []
    for group in groups:
        counts[group.name] = counts.get(group.name, 0) + 1
        number = counts[group.name]
        named.append(group if number == 1 else replace(group, name=f"{group.name} ({number})"))
    return named
