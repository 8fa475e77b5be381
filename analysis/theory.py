"""Theoretical peaks: what the silicon could do, with the formula and the source of every number.

clock x units x operations per unit and clock. A measured device is looked up by compute capability or CPU core,
never by its marketing name; what the tables do not hold is unknown, and stays unknown.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from analysis.units import si, unit_of
from probes.harness.records import SWEEP, Device, Measurement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOLERANCE = {"cuda": 0.005, "cpu": 0.015}
"""Share by which a rate may exceed the limit at the observed clock: how well each kind's clock can be read."""
VARIANTS = ("zeros", "sustained", "1core", "e5m2", "near", "far")
SPARSE_PATHS = ("mma_sp", "wgmma_sp", "sparse")
SPARSE_GAIN = 2  # 2:4 sparsity skips half the multiply-adds, and the logical work is counted
PAST_CACHES = ("intensity", "stride", "gather", "threads", "blocks-per-sm", "working-set")
"""What sweeps go over whose every byte is read or written once a pass, from memory where caches do not hold it."""
IN_EVERY_SM = "-per-sm"  # sets that first caches hold, which together may be larger than the last one
UNIT_NAMES = {"cuda": "SM", "cpu": "core"}


@dataclass(frozen=True)
class Peak:
    """One theoretical peak. value: nominal, in ``unit``; None is unknown. limit: what no product of this kind exceeds
    (equal to value, unless products differ). per_clock: operations or bytes per unit and clock, None for memory."""

    value: float | None
    unit: str
    formula: str
    source: str
    per_clock: float | None = None
    limit: float | None = None


@cache
def tables(name: str = "peaks.toml") -> dict[str, Any]:
    """The content of one of this package's tables."""
    return tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))


def row_of(device: Device) -> Mapping[str, Any]:
    """The table's row for this architecture; empty if it has none."""
    return tables().get(device.kind, {}).get(device.arch, {})


def peaks(device: Device, clock_hz: float | None = None, row: Mapping[str, Any] | None = None) -> dict[str, Peak]:
    """Every theoretical peak of a device by tag, at its rated clock (Hz) or at an observed one.

    The clock is that of the units, so it leaves main memory's peak alone. ``row`` replaces the architecture's row.
    """
    row = row_of(device) if row is None else row
    found = {tag: _on_chip(device, row, tag, key, rate, clock_hz) for tag, key, rate in _rates(row)}
    return found | {"bandwidth/dram": _dram(device, row)}


def _rates(row: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Tag, key in the row, and rate per unit and clock of all that runs at the units' clock."""
    for dtype, rate in row.get("vector", {}).items():
        yield f"compute/{dtype}", dtype, rate
    for key, rate in row.get("tensor", {}).items():
        dtype, dash, accumulator = key.partition("-")
        yield f"compute/{dtype}/tensor{dash}{accumulator}", key, rate
        if dtype in row.get("sparse", ()):
            yield f"compute/{dtype}/sparse{dash}{accumulator}", key, SPARSE_GAIN * rate
    for level, rate in row.get("bytes", {}).items():
        yield f"bandwidth/{level}", level, rate


def _on_chip(
    device: Device, row: Mapping[str, Any], tag: str, key: str, per_clock: float, clock_hz: float | None
) -> Peak:
    unit = unit_of(tag)
    clock = clock_hz or row.get("clocks", {}).get(key) or device.clock_hz
    limit = clock * device.units * per_clock if clock else None
    varies = key in row.get("varies", ())
    name = UNIT_NAMES[device.kind]
    speed = f"{clock / 1e9:.4g} GHz" if clock else "unknown clock"
    units = f"{device.units} {name}{'s' if device.units > 1 else ''}"
    formula = f"{speed} x {units} x {per_clock:g} {unit[:-2]}/clk/{name}"
    formula += " at most: products of this architecture differ" if varies else ""
    return Peak(None if varies else limit, unit, formula, source_of(row), per_clock, limit)


def source_of(row: Mapping[str, Any]) -> str:
    """Where a row's numbers come from, in full."""
    return "; ".join(tables()["sources"].get(name, name) for name in row.get("source", ()))


def _dram(device: Device, row: Mapping[str, Any]) -> Peak:
    transfers, clock, bits = device.memory_transfers, device.memory_clock_hz, device.memory_bus_bits
    if not (transfers and clock and bits):
        return Peak(None, "B/s", "unknown: the memory's clock and width cannot be read here", "")
    rate = f"{clock / 1e6:g} MT/s" if transfers == 1 else f"{transfers} transfers/clk x {clock / 1e6:g} MHz"
    source = row.get("memory_source", "memory clock and bus width as the device reports them")
    value = transfers * clock * bits / 8
    return Peak(value, "B/s", f"{rate} x {bits} bits / 8", source, None, value)


def peak_for(tag: str, device: Device, clock_hz: float | None = None) -> Peak | None:
    """The peak that bounds a measured tag; None where the tables know none.

    Variants and formats (``/e5m2``) share their main tag's peak; ``/1core`` has one core's. wmma, mma and wgmma are
    ways to the tensor cores, their ``_sp`` forms to the sparse rate; a vendor's gemm may use the fastest dense unit.
    """
    parts = tag.split("/")
    if parts[-1] == "1core":
        device = replace(device, units=1)
    parts = [p for p in parts if p not in VARIANTS]
    if parts[0] == "bandwidth" or len(parts) == 2:
        return _peak("/".join(parts[:2]), device, clock_hz)
    if parts[0] != "compute" or len(parts) < 3:
        return None
    path, dash, accumulator = parts[2].partition("-")
    main = f"compute/{parts[1]}"
    if path == "gemm":
        tensor, known = f"{main}/tensor{dash}{accumulator}", peaks(device, clock_hz)
        dense = [peak for each, peak in known.items() if each == main or each.startswith(tensor)]
        return max(dense, key=lambda p: p.per_clock or 0, default=None)
    unit = "sparse" if path in SPARSE_PATHS else "tensor"
    return _peak(f"{main}/{unit}{dash}{accumulator}", device, clock_hz)


def _peak(tag: str, device: Device, clock_hz: float | None) -> Peak | None:
    """One of ``peaks``, without the others: a run of many layers asks for one for each."""
    row = row_of(device)
    if tag == "bandwidth/dram":
        return _dram(device, row)
    for each, key, rate in _rates(row):
        if each == tag:
            return _on_chip(device, row, tag, key, rate, clock_hz)
    return None


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


if __name__ == "__main__":
    from analysis.ask import main

    sys.exit(main())
