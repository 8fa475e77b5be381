"""Where a made-up run stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Standing:
    """As ``probes.harness.forecast.Progress``."""

    round: int = 1
    rounds: int = 3
    left_seconds: float = 24.0
    sure: bool = True


STANDING = Standing()
