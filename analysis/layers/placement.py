"""The noun Placement: one layer on the roofline, and what belongs together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from probes.records.layer import LayerFacts

BELOW_EVERY_ROOF, BOUND_BY_LAUNCH = "below every roof", "launch"
"""Values of ``Placement.bound`` that are not the subject of a roof's tag."""
BOUND_BY_SLOW = "slow arithmetic"
"""The same of a layer that exponentials, divisions or roots hold back."""
DISTURBED = "disturbed"
"""What is said to bound a layer whose own time, or roof, cannot be trusted."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One layer on the roofline: a row of ``placements.csv`` (results/README.md has the units)."""

    schema_version: int
    """Which columns there are, and what they mean."""
    device: str
    """Name of the device."""
    started: str
    """When the run began, in UTC."""
    network: str
    """The network that the layer belongs to; empty for a layer of a sweep."""
    layer: str
    """Name of the layer."""
    op: str
    """The operation that gives it its name."""
    family: str
    """By which pictures group it: ``convolution``, ``matmul``."""
    dtype: str
    """Type of its numbers."""
    provider: str
    """What ran it: a provider of ONNX Runtime, or another tool."""
    flops: float | None
    """Least operations of one run; None is unknown."""
    bytes: float | None
    """Least traffic of one run: inputs, weights and outputs once."""
    intensity: float | None
    """Operations per byte."""
    seconds: float
    """Measured time of one run, the median."""
    rate: float | None
    """Operations a second."""
    bandwidth: float | None
    """Bytes a second."""
    roof: str = ""
    """Tag of the roof above it; empty where its work or its roofs are unknown."""
    bound: str = ""
    """What holds it back: ``dram``, a cache (``l2``), ``compute``, ``slow arithmetic``, ``launch``
    (its roofs allow less than the launches cost) or ``below every roof``; empty where the roof
    is."""
    share: float | None = None
    """Least possible time over measured time: above 1 for a point above its roof."""
    headroom_seconds: float | None = None
    """Measured time less the least possible one."""
    time_share: float = 0.0
    """Its time over that of all layers of its network."""
    params: str
    """What else is known of it, as JSON."""
    remark: str
    """What a reader should know of its measurement."""
    trusted: bool = True
    """False where its own time, or the roof above it, cannot be trusted: it then has no share, no
    bound and nothing to gain."""
    doubt: str = ""
    """Why it cannot be trusted."""
    x: float | None = None
    """Its place on the axis of its sweep, or in the list of one; None outside of sweeps."""
    slow_operations: float | None = None
    """Exponentials, divisions and roots of one run, the least; None if it has none, or unknown."""

    @cached_property
    def facts(self) -> LayerFacts:
        """What ``params`` say of the layer."""
        return LayerFacts.read(
            self.params,
            op=self.op,
            family=self.family,
            provider=self.provider,
            precision=self.dtype,
        )

    @property
    def roof_is_doubted(self) -> bool:
        """True if the layer was timed well, but under a roof that cannot be trusted."""
        return not self.trusted and bool(self.roof)


class Group(NamedTuple):
    """Placements that add up to one run of a network, of a sweep or of a family."""

    name: str
    """Of the network, the sweep or the family."""
    provider: str
    """What ran it."""
    precision: str
    """That of the whole: a layer left in floats in an INT8 network is in the group ``int8``."""


def group_of(placement: Placement) -> Group:
    """The group that a placement adds up with."""
    return Group(set_of(placement), placement.provider, placement.facts.precision)


def set_of(placement: Placement) -> str:
    """The network, or the sweep of our own, that a layer belongs to; else its family."""
    return placement.network or placement.facts.sweep or placement.family
