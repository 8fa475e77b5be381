"""The work of a network's layers: what another machine would have to do, and how long it took here.

Layers that are alike in work are one row, so that a network is a few dozen rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.layers.groups import Network
from analysis.layers.placement import Placement
from probes.records.layer import LayerFacts
from probes.records.measurement import SCHEMA_VERSION

CONVOLUTION, MATMUL = "convolution", "matmul"
WHOLE_NETWORK = "network"
"""The family of the row that is a whole network, timed in one go."""


@dataclass(frozen=True, kw_only=True)
class LayerWork:
    """Layers of a network that are alike: a row of an atlas's ``layers.csv``."""

    schema_version: int = SCHEMA_VERSION
    """Which columns there are, and what they mean."""
    network: str
    """Name of the network."""
    provider: str
    """What ran it."""
    precision: str
    """That of the whole network."""
    op: str
    """The operation."""
    family: str
    """Kind of operation; ``network`` for the whole in one go."""
    dtype: str
    """Type of its numbers."""
    flops: float | None = None
    """Least operations of one such layer; None is unknown."""
    bytes: float | None = None
    """Least traffic of one such layer: inputs, weights and outputs once."""
    working_set: float | None = None
    """Bytes of its inputs, weights and outputs; None is unknown."""
    warm: bool = False
    """True if the caches could hold its data when it ran."""
    window: float | None = None
    """Elements of a convolution's window; None is unknown, or no convolution."""
    count: int = 1
    """How many such layers there are."""
    seconds: float
    """Measured time of all of them together."""

    @property
    def is_known(self) -> bool:
        """True if its operations and its traffic are known, so that it has an intensity."""
        return self.flops is not None and self.bytes is not None

    @property
    def facts(self) -> LayerFacts:
        """What decides under which memory's roof it stands."""
        return LayerFacts(warm=self.warm, working_set=self.working_set)

    @property
    def least_operations(self) -> float:
        """Operations that no known way to compute it goes below, of all ``count``; 0 if unknown.

        Winograd's algorithm saves multiplications of a window by a factor below its elements (m
        outputs of a window of r take m + r - 1 of them, not m x r; Winograd, Arithmetic Complexity
        of Computations, 1980), and so do Fourier transforms. All other layers may be fused away.
        """
        if self.family == MATMUL:
            return (self.flops or 0.0) * self.count
        if self.family == CONVOLUTION and self.window:
            return (self.flops or 0.0) / self.window * self.count
        return 0.0


@dataclass(frozen=True)
class NetworkWork:
    """A network at one precision: its layers, and its time on the machine that ran it."""

    name: str
    """Name of the network."""
    provider: str
    """What ran it."""
    precision: str
    """That of the whole."""
    layers: tuple[LayerWork, ...]
    """Without those whose time cannot be trusted."""
    whole: LayerWork | None = None
    """The network in one go; None where it was not timed so, or cannot be trusted."""
    left_out: int = 0
    """Layers that are not in ``layers``."""

    @property
    def key(self) -> tuple[str, str]:
        """What two machines must have in common to be compared: the network and its precision."""
        return self.name, self.precision

    @property
    def seconds(self) -> float:
        """Its time in one go; the sum of its layers where it was not timed so."""
        if self.whole is not None:
            return self.whole.seconds
        return math.fsum(layer.seconds for layer in self.layers)

    @property
    def rows(self) -> list[LayerWork]:
        """All that is known of it, the whole first."""
        whole = [] if self.whole is None else [self.whole]
        return [*whole, *self.layers]


def work_of(network: Network) -> NetworkWork:
    """The work of a network that was timed."""
    trusted = [layer for layer in network.layers if layer.trusted or layer.roof_is_doubted]
    whole = None
    row = network.whole
    if row is not None and row.trusted and row.seconds_median:
        whole = LayerWork(
            network=network.name,
            provider=network.provider,
            precision=network.precision,
            op=WHOLE_NETWORK,
            family=WHOLE_NETWORK,
            dtype=row.dtype,
            flops=row.flops,
            bytes=row.bytes,
            warm=row.facts.warm,
            seconds=row.seconds_median,
        )
    return NetworkWork(
        name=network.name,
        provider=network.provider,
        precision=network.precision,
        layers=tuple(_alike_together(_layer_work(network, layer) for layer in trusted)),
        whole=whole,
        left_out=len(network.layers) - len(trusted) + network.skipped,
    )


def _layer_work(network: Network, layer: Placement) -> LayerWork:
    facts = layer.facts
    window = float(math.prod(facts.window)) if facts.window else None
    return LayerWork(
        network=network.name,
        provider=network.provider,
        precision=network.precision,
        op=layer.op,
        family=layer.family,
        dtype=layer.dtype,
        flops=layer.flops,
        bytes=layer.bytes,
        working_set=facts.working_set,
        warm=facts.warm,
        window=window if layer.family == CONVOLUTION else None,
        seconds=layer.seconds,
    )


def _alike_together(layers: Iterable[LayerWork]) -> list[LayerWork]:
    """Layers of the same work as one row each, in the order of their first ones."""
    groups: dict[LayerWork, list[LayerWork]] = {}
    for layer in layers:
        groups.setdefault(replace(layer, seconds=0.0), []).append(layer)
    together = []
    for work, alike in groups.items():
        seconds = math.fsum(layer.seconds for layer in alike)
        together.append(replace(work, count=len(alike), seconds=seconds))
    return together


def networks_of(rows: Sequence[LayerWork]) -> list[NetworkWork]:
    """The networks of these rows, in their order."""
    groups: dict[tuple[str, str, str], list[LayerWork]] = {}
    for row in rows:
        groups.setdefault((row.network, row.provider, row.precision), []).append(row)
    networks = []
    for (name, provider, precision), group in groups.items():
        wholes = [row for row in group if row.family == WHOLE_NETWORK]
        layers = tuple(row for row in group if row.family != WHOLE_NETWORK)
        whole = wholes[0] if wholes else None
        networks.append(NetworkWork(name, provider, precision, layers, whole))
    return networks
