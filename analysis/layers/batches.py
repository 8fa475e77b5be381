"""A network over batch sizes: intensity, the roof above it, and the time of one image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.layers.groups import Network


@dataclass(frozen=True)
class BatchPoint:
    """A network at one batch size."""

    batch: int
    """How many images it takes at once."""
    net: Network
    """The network at that size."""

    @property
    def seconds(self) -> float:
        """Time of one image."""
        return self.net.seconds / self.batch

    @property
    def least_seconds(self) -> float | None:
        """Least time of one image on the measured roofs; None where some layer has no roof."""
        light = self.net.light
        if light.unplaced_seconds >= light.least_seconds:
            return None
        return light.least_seconds / self.batch

    @property
    def flops(self) -> float:
        """Operations of one run, as far as they are known."""
        return sum(layer.flops or 0.0 for layer in self.net.layers)

    @property
    def intensity(self) -> float | None:
        """Operations per byte of its layers together; None where no bytes are known."""
        known = [
            layer
            for layer in self.net.layers
            if layer.flops is not None and layer.bytes is not None
        ]
        moved = sum(layer.bytes or 0.0 for layer in known)
        return sum(layer.flops or 0.0 for layer in known) / moved if moved else None

    @property
    def rate(self) -> float:
        """Operations a second that it reaches."""
        return self.flops / self.net.seconds

    @property
    def roof(self) -> float | None:
        """Operations a second that the roofs above its layers allow; None where not known."""
        if self.least_seconds is None:
            return None
        return self.flops / (self.least_seconds * self.batch)


@dataclass(frozen=True)
class BatchSeries:
    """A network in one precision over its batch sizes."""

    model: str
    """Name of the network, without a batch size."""
    precision: str
    """That of the whole."""
    provider: str
    """What ran it."""
    points: tuple[BatchPoint, ...]
    """By batch size."""


def over_batches(networks: Iterable[Network]) -> dict[str, list[BatchSeries]]:
    """Networks that ran at several batch sizes, by name: a series for each precision."""
    points: dict[tuple[str, str, str], list[BatchPoint]] = {}
    for net in networks:
        facts = net.layers[0].facts
        if facts.batch and facts.model:
            key = (facts.model, net.precision, net.provider)
            points.setdefault(key, []).append(BatchPoint(facts.batch, net))
    series_by_model: dict[str, list[BatchSeries]] = {}
    for (model, precision, provider), of_key in points.items():
        if len(of_key) > 1:
            ordered = tuple(sorted(of_key, key=lambda point: point.batch))
            series = BatchSeries(model, precision, provider, ordered)
            series_by_model.setdefault(model, []).append(series)
    return series_by_model
