"""One device for other tools: its measured peak of each type and level, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis.model.ceilings import Ceiling, names_roof
from analysis.theory.peaks import peak_for
from kernels.device import Device
from probes.records.measurement import OK
from probes.records.tag import BANDWIDTH, COMPUTE, LATENCY, LIBRARY, Tag

EXPORT_VERSION = 1
"""What this JSON looks like; a higher one has more, or other, fields."""
FACTS = (
    "kind",
    "name",
    "arch",
    "units",
    "clock_hz",
    "memory_clock_hz",
    "memory_bus_bits",
    "memory_bytes",
    "last_cache_bytes",
)
"""What of a device is told."""


@dataclass(frozen=True)
class MeasuredDevice:
    """A device with its ceilings, of one run or of the middle of several."""

    device: Device
    """What was measured."""
    ceilings: Mapping[str, Ceiling]
    """By tag."""
    days: tuple[str, ...]
    """When each of its runs was made, the oldest first."""
    version: str
    """Of the program that made the last one."""


def as_json(measured: MeasuredDevice) -> dict[str, Any]:
    """The device as JSON: SI base units, each peak with its theory, and the source of both."""
    good = [ceiling for ceiling in measured.ceilings.values() if ceiling.status == OK]
    return {
        "export_version": EXPORT_VERSION,
        "device": {name: getattr(measured.device, name) for name in FACTS},
        "source": f"measured by Ridgeline {measured.version}".strip(),
        "runs": len(measured.days),
        "measured_on": list(measured.days),
        "memory": [_memory(ceiling, measured.device) for ceiling in _levels(good)],
        "compute": [_compute(ceiling, measured.device) for ceiling in _rates(good)],
        "latency": [_latency(ceiling) for ceiling in _latencies(good)],
    }


def _levels(ceilings: Iterable[Ceiling]) -> list[Ceiling]:
    """The best of each level of memory."""
    return [
        ceiling
        for ceiling in ceilings
        if names_roof(ceiling) and Tag.parse(ceiling.tag).quantity == BANDWIDTH
    ]


def _rates(ceilings: Iterable[Ceiling]) -> list[Ceiling]:
    """Every path to arithmetic that a program can expect."""
    return [
        ceiling
        for ceiling in ceilings
        if names_roof(ceiling) and Tag.parse(ceiling.tag).quantity == COMPUTE
    ]


def _latencies(ceilings: Iterable[Ceiling]) -> list[Ceiling]:
    return [ceiling for ceiling in ceilings if Tag.parse(ceiling.tag).quantity == LATENCY]


def _memory(ceiling: Ceiling, device: Device) -> dict[str, Any]:
    level = Tag.parse(ceiling.tag).subject
    return {"level": level, **_peak(ceiling, device)}


def _compute(ceiling: Ceiling, device: Device) -> dict[str, Any]:
    tag = Tag.parse(ceiling.tag)
    return {
        "type": tag.operands,
        "units": "vector" if tag.on_vector_units else "matrix",
        "path": tag.path,
        "library": tag.path == LIBRARY,
        "sparse": tag.is_sparse,
        **_peak(ceiling, device),
    }


def _latency(ceiling: Ceiling) -> dict[str, Any]:
    return {
        "level": Tag.parse(ceiling.tag).subject,
        "seconds": ceiling.rate,
        "clock_hz": ceiling.clock_hz,
        "trusted": ceiling.trusted,
    }


def _peak(ceiling: Ceiling, device: Device) -> dict[str, Any]:
    """A measured peak, how sure it is, and what theory says."""
    theory = peak_for(ceiling.tag, device)
    known = theory is not None and theory.value is not None
    return {
        "peak": ceiling.rate,
        "unit": ceiling.unit,
        "tag": ceiling.tag,
        "clock_hz": ceiling.clock_hz,
        "spread": ceiling.spread,
        "instruction": ceiling.instruction,
        "trusted": ceiling.trusted,
        "doubt": ceiling.doubt,
        "theory": theory.value if theory else None,
        "theory_formula": theory.formula if theory and known else "",
        "theory_source": theory.source if theory and known else "",
    }
