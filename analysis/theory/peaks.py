"""Theoretical peaks: what the silicon could do, with the formula and the source of every number.

clock x units x operations per unit and clock. A measured device is looked up by compute capability
or CPU core, never by its marketing name; what the tables do not hold is unknown, and stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from analysis.theory.tables import row_of, source_of
from analysis.units import unit_of
from kernels.device import Device
from probes.records.tag import BANDWIDTH, COMPUTE, LIBRARY, ONE_CORE, Tag

SPARSE_PATHS = ("mma_sp", "wgmma_sp", "sparse")
SPARSE_GAIN = 2  # 2:4 sparsity skips half the multiply-adds, and the logical work is counted
UNIT_NAMES = {"cuda": "SM", "cpu": "core"}


@dataclass(frozen=True)
class Peak:
    """One theoretical peak. value: nominal, in ``unit``; None is unknown. limit: what no product of
    this kind exceeds (equal to value, unless products differ). per_clock: operations or bytes per
    unit and clock, None for memory."""

    value: float | None
    unit: str
    formula: str
    source: str
    per_clock: float | None = None
    limit: float | None = None


def peaks(
    device: Device, clock_hz: float | None = None, row: Mapping[str, Any] | None = None
) -> dict[str, Peak]:
    """Every theoretical peak of a device by tag, at its rated clock (Hz) or at an observed one.

    The clock is that of the units, so it leaves main memory's peak alone. ``row`` replaces the
    architecture's row.
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
    device: Device,
    row: Mapping[str, Any],
    tag: str,
    key: str,
    per_clock: float,
    clock_hz: float | None,
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


def _dram(device: Device, row: Mapping[str, Any]) -> Peak:
    transfers, clock, bits = device.memory_transfers, device.memory_clock_hz, device.memory_bus_bits
    if not (transfers and clock and bits):
        return Peak(None, "B/s", "unknown: the memory's clock and width cannot be read here", "")
    rate = (
        f"{clock / 1e6:g} MT/s"
        if transfers == 1
        else f"{transfers} transfers/clk x {clock / 1e6:g} MHz"
    )
    source = row.get("memory_source", "memory clock and bus width as the device reports them")
    value = transfers * clock * bits / 8
    return Peak(value, "B/s", f"{rate} x {bits} bits / 8", source, None, value)


def peak_for(tag: str, device: Device, clock_hz: float | None = None) -> Peak | None:
    """The peak that bounds a measured tag; None where the tables know none.

    Variants and formats (``/e5m2``) share their main tag's peak; ``/1core`` has one core's. wmma,
    mma and wgmma are ways to the tensor cores, their ``_sp`` forms to the sparse rate; a vendor's
    gemm may use the fastest dense unit.
    """
    measured = Tag.parse(tag)
    main = str(measured.whole)
    if ONE_CORE in measured.variants:
        device = replace(device, units=1)
    if measured.quantity == BANDWIDTH or not measured.path:
        return _peak(main, device, clock_hz)
    if measured.quantity != COMPUTE:
        return None
    path, dash, accumulator = measured.path.partition("-")
    if path == LIBRARY:
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
