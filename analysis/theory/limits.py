"""What no sound row exceeds: the physical limit of every tag and of every point of a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.theory.peaks import Peak, peak_for
from analysis.units import si
from kernels.device import Device
from probes.records.measurement import Measurement
from probes.records.tag import (
    BANDWIDTH,
    BANK_CONFLICT,
    INTENSITY,
    MAIN_MEMORY,
    READ,
    WORKING_SET,
    Sweep,
    Tag,
)

TOLERANCE = {"cuda": 0.005, "cpu": 0.015}
"""Share by which a rate may exceed the limit at the observed clock: how well each kind's clock can
be read.
"""
PAST_CACHES = (INTENSITY, "stride", "gather", "threads", "blocks-per-sm", WORKING_SET)
"""What sweeps go over whose every byte is read or written once a pass, from memory where caches do
not hold it.
"""
DRAM = Tag(BANDWIDTH, MAIN_MEMORY)
L1 = "l1"


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
        return (
            f"above the physical limit: {si(self.rate, self.peak.unit)} of {limit} "
            f"({self.peak.formula})"
        )


def excess(m: Measurement, device: Device) -> Excess | None:
    """How this measurement exceeds the physical limit at the observed clock; None if it does not.

    A point of a sweep is held against what its loads or operations pass through, and against main
    memory.
    """
    for rate, tag in _held(m, device) if m.rate else ():
        peak = peak_for(tag, device, m.clock_hz)
        if peak and peak.limit and rate > peak.limit * (1 + TOLERANCE[device.kind]):
            return Excess(rate, peak)
    return None


def _held(m: Measurement, device: Device) -> Iterator[tuple[float, str]]:
    """(rate, tag of the peak that bounds it) of a good row; a point of a sweep may have several."""
    rate, sweep = m.rate or 0.0, m.sweep
    if sweep is None:
        yield rate, m.ceiling
        return
    if passed := _passed(sweep):
        yield rate, str(passed)
    # sets that first caches hold may together be larger than the last one
    if sweep.over in PAST_CACHES and not sweep.per_sm:
        yield _from_memory(m, sweep, device), str(DRAM)


def _passed(sweep: Sweep) -> Tag | None:
    """The unit, or the memory inside the units, that all work of such a point passes through; None
    if unknown.

    Stores pass the first cache at a rate of their own, which the tables do not hold.
    """
    if sweep.over == INTENSITY:
        return sweep.flat
    if sweep.over == BANK_CONFLICT:
        return Tag(sweep.quantity, sweep.series)
    if sweep.over == WORKING_SET and sweep.operation == READ:
        return sweep.at_level(L1)
    return None


def _from_memory(m: Measurement, sweep: Sweep, device: Device) -> float:
    """Bytes a second that memory delivered at least: whatever the last cache kept of a pass, it is
    no more than its size. Nothing where that size is unknown."""
    moved = m.bytes or 0.0
    if sweep.over == INTENSITY:
        moved = (m.work or 0.0) / (m.x or math.inf)
    kept = math.inf if device.last_cache_bytes is None else device.last_cache_bytes
    return (moved - kept) / (m.seconds_median or math.inf)
