"""The noun Placement: one layer on the roofline, and what belongs together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Placement:
    """One layer on the roofline: a row of ``placements.csv`` (results/README.md has the units).

    roof: tag of the roof above it. bound: ``dram``, a cache (``l2``), ``compute``, ``launch`` (its roofs allow less
    than the launches cost) or ``below every roof``; empty where its work or its roofs are unknown. share: least
    possible time over measured time, above 1 for a point above its roof. trusted: false where the layer's own time or
    the roof above it cannot be trusted, and ``doubt`` says why; it then has no share, no bound and nothing to gain.
    """

    schema_version: int
    device: str
    started: str
    network: str
    layer: str
    op: str
    family: str
    dtype: str
    provider: str
    flops: float | None
    bytes: float | None
    intensity: float | None
    seconds: float
    rate: float | None
    bandwidth: float | None
    roof: str
    bound: str
    share: float | None
    headroom_seconds: float | None
    time_share: float
    params: str
    remark: str
    trusted: bool = True
    doubt: str = ""

    @property
    def roof_is_doubted(self) -> bool:
        """True if the layer was timed well, but under a roof that cannot be trusted."""
        return not self.trusted and bool(self.roof)


def group_of(placement: Placement) -> tuple[str, str, str]:
    """What adds up to one run of a network: network (or sweep, or family), provider, precision."""
    precision = _known(placement.params).get("precision") or placement.dtype
    return set_of(placement), placement.provider, precision


def set_of(placement: Placement) -> str:
    """The network, or the sweep of our own, that a layer belongs to; else its family."""
    return placement.network or _known(placement.params).get("sweep") or placement.family


@lru_cache(maxsize=1 << 15)
def _known(params: str) -> Mapping[str, Any]:
    """The facts of a layer, read once: every table and picture groups all layers again."""
    return dict(json.loads(params or "{}"))
