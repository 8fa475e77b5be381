"""Theoretical peaks: what the silicon could do, with the formula and the source of every number.

clock x units x operations per unit and clock. A measured device is looked up by compute capability or CPU core,
never by its marketing name; what the tables do not hold is unknown, and stays unknown.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from analysis.units import si
from probes.harness.records import Device, Measurement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = Path(__file__).with_name("peaks.toml")
TOLERANCE = {"cuda": 0.005, "cpu": 0.015}
"""Share by which a rate may exceed the limit at the observed clock: how well each kind's clock can be read."""
VARIANTS = ("zeros", "sustained", "1core")
SPARSE_PATHS = ("mma_sp", "wgmma_sp")
UNIT_NAMES = {"cuda": "SM", "cpu": "core"}
SHARED_BYTES = 128  # per SM and clock: 32 banks of 4 bytes (CUDA C++ Programming Guide, shared memory, all since 5.0)


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
def tables() -> dict[str, Any]:
    """The content of peaks.toml."""
    return tomllib.loads(TABLES.read_text(encoding="utf-8"))


def row_of(device: Device) -> Mapping[str, Any]:
    """The table's row for this architecture; empty if it has none."""
    return tables().get(device.kind, {}).get(device.arch, {})


def peaks(device: Device, clock_hz: float | None = None, row: Mapping[str, Any] | None = None) -> dict[str, Peak]:
    """Every theoretical peak of a device by tag, at its rated clock or at an observed one (compute only)."""
    row = row_of(device) if row is None else row
    found = {f"compute/{t}": _compute(device, row, t, ops, clock_hz) for t, ops in row.get("vector", {}).items()}
    for key, ops in row.get("tensor", {}).items():
        dtype, _, accumulator = key.partition("-")
        suffix = f"-{accumulator}" if accumulator else ""
        found[f"compute/{dtype}/tensor{suffix}"] = _compute(device, row, key, ops, clock_hz)
        if row.get("sparse") and dtype != "fp64":
            sparse = _compute(device, row, key, ops * row["sparse"], clock_hz)
            found[f"compute/{dtype}/sparse{suffix}"] = sparse
    found["bandwidth/dram"] = _dram(device)
    if device.kind == "cuda":
        shared = _compute(device, row, "", SHARED_BYTES, clock_hz)
        found["bandwidth/shared"] = replace(
            shared, unit="B/s", source="PG: 32 banks of 4 bytes", formula=shared.formula.replace("OP", "B")
        )
    return found


def _compute(device: Device, row: Mapping[str, Any], key: str, per_clock: float, clock_hz: float | None) -> Peak:
    unit = "OP/s" if key.startswith("int") or not key else "FLOP/s"
    clock, name = clock_hz or device.clock_hz, UNIT_NAMES[device.kind]
    varies = key in row.get("varies", ())
    formula = f"{device.units} {name}s x {per_clock:g} {unit[:-2]}/clk/{name}"
    limit = clock * device.units * per_clock if clock else None
    formula = f"{clock / 1e9:.4g} GHz x {formula}" if clock else f"clock x {formula}, the clock is unknown"
    if varies:
        formula += " at most: products of this architecture differ"
    return Peak(None if varies else limit, unit, formula, row.get("source", ""), per_clock, limit)


def _dram(device: Device) -> Peak:
    parts = device.memory_transfers, device.memory_clock_hz, device.memory_bus_bits
    if not all(parts):
        return Peak(None, "B/s", "unknown: the memory's clock and width cannot be read here", "")
    transfers, clock, bits = parts
    value = transfers * clock * bits / 8  # type: ignore[operator]
    formula = f"{transfers} transfers/clk x {clock / 1e6:g} MHz x {bits} bits / 8"  # type: ignore[operator]
    return Peak(value, "B/s", formula, "memory clock and bus width as the device reports them", None, value)


def peak_for(tag: str, device: Device, clock_hz: float | None = None) -> Peak | None:
    """The peak that bounds a measured tag; None where the tables know none.

    Variants share their main tag's peak (``/1core``: of one core); wmma, mma and wgmma are ways to the tensor cores,
    their ``_sp`` forms to the sparse rate; a vendor's gemm may use whichever unit is fastest.
    """
    parts = tag.split("/")
    if parts[-1] == "1core":
        device = replace(device, units=1)
    parts = [p for p in parts if p not in VARIANTS]
    known = peaks(device, clock_hz)
    if parts[0] == "bandwidth":
        return known.get("/".join(parts[:2]))
    if parts[0] != "compute" or len(parts) < 2:
        return None
    if len(parts) == 2:
        return known.get("/".join(parts))
    path, _, accumulator = parts[2].partition("-")
    if path == "gemm":
        same = [p for t, p in known.items() if t.split("/")[1] == parts[1] and "/sparse" not in t]
        return max(same, key=lambda p: p.per_clock or 0, default=None)
    unit = "sparse" if path in SPARSE_PATHS else "tensor"
    return known.get(f"compute/{parts[1]}/{unit}" + (f"-{accumulator}" if accumulator else ""))


def above_limit(m: Measurement, device: Device) -> str:
    """Why this measurement cannot be true: its rate exceeds the physical limit at the observed clock. Else nothing."""
    peak = peak_for(m.ceiling, device, m.clock_hz)
    if m.rate is None or peak is None or not peak.limit or m.rate <= peak.limit * (1 + TOLERANCE[device.kind]):
        return ""
    return f"above the physical limit: {si(m.rate, peak.unit)} of {si(peak.limit, peak.unit)} ({peak.formula})"


if __name__ == "__main__":
    from analysis.specs import main

    sys.exit(main())
