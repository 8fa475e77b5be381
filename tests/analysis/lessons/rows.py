"""Evidence made of rows that need no device: layers with times, and studies with facts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from analysis.layers.place import placements
from analysis.lessons.frame.evidence import Evidence
from analysis.model.ceilings import ceilings
from analysis.model.roofline import roofline
from kernels.device import Device
from probes.records.measurement import SKIPPED, Measurement
from tests.devices import CPU, measurement

MICROSECOND = 1e-6


def layer(
    sweep: str, series: str, x: float, microseconds: float, dtype: str = "fp32", **changed: Any
) -> Measurement:
    """A layer of a family that took so long, and that is known to within a percent."""
    seconds = microseconds * MICROSECOND
    facts = {"layer": f"{series} {x:g}", "sweep": sweep, "series": series, "precision": dtype}
    values: dict[str, Any] = {
        "probe": "layers",
        "dtype": dtype,
        "params": json.dumps({**facts, "working_set": 1e6, "provider": "cpu"}),
        "flops": 1e6,
        "bytes": 1e6,
        "seconds_median": seconds,
        "seconds_best": seconds,
        "seconds_low": 0.99 * seconds,
        "seconds_high": 1.01 * seconds,
        "x": x,
    }
    return measurement("layer/convolution", **(values | changed))


def skipped(row: Measurement, reason: str) -> Measurement:
    """The row of what could not run, with its reason."""
    return replace(row, status=SKIPPED, reason=reason, seconds_median=None)


def studied(name: str, found: Iterable[Mapping[str, Any]]) -> Measurement:
    """The row of a study that found this."""
    return measurement(
        f"recipe/direction/{name}",
        probe="trained",
        dtype="fp32",
        params=json.dumps({"found": list(found)}),
    )


def fact(place: int, group: str, **values: float) -> dict[str, Any]:
    """One thing that a study found."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return {"name": f"layer {place}", "place": place, "group": group, "values": named}


def evidence(rows: Sequence[Measurement], device: Device = CPU) -> Evidence:
    """A run of these rows: those of ceilings among them are its roofs."""
    tops = ceilings(rows, device)
    placed = placements(rows, tops, device)
    return Evidence(device, rows, placed, tops, roofline(tops.values()))
