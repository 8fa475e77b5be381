"""What no sound row exceeds: the physical limit of every tag and of every point of a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.theory.peaks import Peak, peak_for
from analysis.units import si
from kernels.device import Device
from probes.records.measurement import SWEEP, Measurement

TOLERANCE = {"cuda": 0.005, "cpu": 0.015}
"""Share by which a rate may exceed the limit at the observed clock: how well each kind's clock can be read."""
PAST_CACHES = ("intensity", "stride", "gather", "threads", "blocks-per-sm", "working-set")
"""What sweeps go over whose every byte is read or written once a pass, from memory where caches do not hold it."""
IN_EVERY_SM = "-per-sm"  # sets that first caches hold, which together may be larger than the last one


@dataclass(frozen=True)
class Excess:
    """A rate above the physical limit."""

    rate: float
    """Work a second, in the peak's unit."""
    peak: Peak
    """The peak whose limit it exceeds."""

    @property
    def sentence(self) -> str:
        """Both numbers, and where the limit comes from."""
        limit = si(self.peak.limit, self.peak.unit)
        return f"above the physical limit: {si(self.rate, self.peak.unit)} of {limit} ({self.peak.formula})"


def excess(m: Measurement, device: Device) -> Excess | None:
    """How this measurement exceeds the physical limit at the observed clock; None if it does not.

    A point of a sweep is held against what its loads or operations pass through, and against main memory.
    """
    for rate, tag in _held(m, device) if m.rate else ():
        peak = peak_for(tag, device, m.clock_hz)
        if peak and peak.limit and rate > peak.limit * (1 + TOLERANCE[device.kind]):
            return Excess(rate, peak)
    return None


def _held(m: Measurement, device: Device) -> Iterator[tuple[float, str]]:
    """(rate, tag of the peak that bounds it) of a good row; a point of a sweep may have several."""
    parts = m.ceiling.split("/", 3)
    if parts[0] != SWEEP or len(parts) < 4:
        yield m.rate or 0.0, m.ceiling
        return
    _, quantity, over, series = parts
    yield m.rate or 0.0, _passed(quantity, over, series)
    if over in PAST_CACHES and not series.endswith(IN_EVERY_SM):
        yield _from_memory(m, device, over), "bandwidth/dram"


def _passed(quantity: str, over: str, series: str) -> str:
    """Tag of the unit, or of the memory inside the units, that all work of such a point passes through; none known: ''.

    Stores pass the first cache at a rate of their own, which the tables do not hold.
    """
    if over == "intensity":
        return f"{quantity}/{series.replace('-', '/', 1)}"
    if over == "bank-conflict":
        return f"{quantity}/{series}"
    one = "/1core" if series.endswith("-1core") else ""
    return f"{quantity}/l1/read{one}" if over == "working-set" and series.startswith("read") else ""


def _from_memory(m: Measurement, device: Device, over: str) -> float:
    """Bytes a second that memory delivered at least: whatever the last cache kept of a pass, it is no more than its
    size. Nothing where that size is unknown."""
    moved = (m.work or 0.0) / (m.x or math.inf) if over == "intensity" else m.bytes or 0.0
    kept = math.inf if device.last_cache_bytes is None else device.last_cache_bytes
    return (moved - kept) / (m.seconds_median or math.inf)
