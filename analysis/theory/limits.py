"""What no sound row exceeds: the physical limit of every tag and of every point of a sweep."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.theory.peaks import DRAM, Peak, peak_for
from analysis.units import si
from kernels.device import Device
from probes.records.measurement import Measurement
from probes.records.tag import INTENSITY, READ, WINDOW, WORKING_SET, Sweep, Tag

TOLERANCE = {"cuda": 0.005, "cpu": 0.015}
"""Share by which a rate may exceed the limit at the observed clock, by kind of device: how well its
clock can be read."""
AXES_PAST_CACHES = (INTENSITY, "stride", "gather", "threads", "blocks-per-sm", WORKING_SET, WINDOW)
"""Axes of sweeps whose every byte is read or written once a pass, from main memory where caches do
not hold it."""
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
        rate = si(self.rate, self.peak.unit)
        limit = si(self.peak.limit, self.peak.unit)
        return f"above the physical limit: {rate} of {limit} ({self.peak.formula})"


def excess(row: Measurement, device: Device) -> Excess | None:
    """How a row exceeds the physical limit at the observed clock; None if it does not.

    A point of a sweep is compared with what its loads or operations pass through, and with main
    memory.
    """
    if not row.rate:
        return None
    for rate, tag in _bounded_rates(row, device):
        peak = peak_for(tag, device, row.clock_hz)
        if peak and peak.limit and rate > peak.limit * (1 + TOLERANCE[device.kind]):
            return Excess(rate, peak)
    return None


def _bounded_rates(row: Measurement, device: Device) -> Iterator[tuple[float, str]]:
    """The rates of a good row, each with the tag of the peak that bounds it.

    A point of a sweep may have several.
    """
    rate = row.rate or 0.0
    sweep = row.sweep
    if sweep is None:
        yield rate, row.ceiling
        return
    bottleneck = _bottleneck(sweep)
    if bottleneck:
        yield rate, str(bottleneck)
    # sets that first caches hold may together be larger than the last one
    if sweep.over in AXES_PAST_CACHES and not sweep.per_sm:
        yield _from_memory(row, sweep, device), DRAM


def _bottleneck(sweep: Sweep) -> Tag | None:
    """The unit, or the memory inside the units, that all work of the sweep passes through.

    None if it is unknown: stores pass the first cache at a rate of their own, which the tables do
    not hold.
    """
    if sweep.over == INTENSITY:
        return sweep.flat
    if sweep.axis.through:
        return Tag(sweep.quantity, sweep.axis.through)
    if sweep.over == WORKING_SET and sweep.operation == READ:
        return sweep.at_level(L1)
    return None


def _from_memory(row: Measurement, sweep: Sweep, device: Device) -> float:
    """The least rate, in bytes a second, at which main memory delivered data to this point.

    The last cache, and one beside memory, keep no more of a pass than their sizes. The rate is
    below zero, so that nothing is bounded by it, where the last cache's is unknown.
    """
    if device.last_cache_bytes is None:
        return -math.inf
    cached = device.last_cache_bytes + (device.system_cache_bytes or 0)
    moved = row.bytes or 0.0
    if sweep.over == INTENSITY:
        moved = (row.work or 0.0) / (row.x or math.inf)
    if sweep.over == WINDOW:
        moved /= 2  # the other half is read from the window, which caches may hold for ever
    return (moved - cached) / (row.seconds_median or math.inf)
