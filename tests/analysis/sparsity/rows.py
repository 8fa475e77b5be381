"""A made-up network on a made-up GPU with tensor cores: which layers 2:4 pays in is worked out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from analysis.layers.place import placements
from analysis.model.ceilings import ceilings
from analysis.model.roofline import roofline
from analysis.plan.front import Loss, Point
from analysis.sparsity.products import products
from analysis.sparsity.study import SparsityStudy, study_of
from analysis.sparsity.verdict import LayersWithZeros
from kernels.device import Device
from probes.records.measurement import SKIPPED, Measurement
from probes.records.patterns import PATTERNS_SCHEMA, TWO_OF_FOUR, PatternRow
from probes.records.precision import Recipe
from tests import devices
from tests.devices import measurement

NETWORK = "made-up"
US = 1e-6
DRAM, DENSE, SPARSE, VECTOR = 3e12, 700e12, 1500e12, 50e12
"""B/s and FLOP/s of the made-up roofs in FP16."""
DEVICE = replace(devices.GPU, memory_bus_bits=5000)
"""With memory that theory lets be so fast."""
ROOFS = (
    measurement("compute/fp16/wgmma-fp32", DENSE, dtype="fp16"),
    measurement("compute/fp16/wgmma_sp-fp32", SPARSE, dtype="fp16"),
    measurement("compute/fp16", VECTOR, dtype="fp16"),
    measurement("compute/fp32", 24e12),
    measurement("bandwidth/dram/copy", DRAM, dtype="fp32"),
)


def pattern_row(layer: str, rows: int, columns: int, places: int, **changed: Any) -> PatternRow:
    """The row of a layer in 2:4, whose input has as many channels as it has columns."""
    values: dict[str, Any] = {
        "schema_version": PATTERNS_SCHEMA,
        "network": NETWORK,
        "layer": layer,
        "op": "Conv",
        "rows": rows,
        "columns": columns,
        "in_channels": columns,
        "groups": 1,
        "read_elements": columns * places,
        "written_elements": rows * places,
        "flops": 2.0 * rows * columns * places,
        "l1": float(rows * columns),
        "pattern": TWO_OF_FOUR,
        "share_asked": 0.5,
        "zeros": 0.5,
        "l1_kept": 0.75,
        "values": rows * columns // 2,
        "blocks": rows * columns // 2,
        "block_rows": rows,
        "block_values": rows * columns // 2,
        "inputs": 4,
        "own_sqnr_db": 9.2,
        "sqnr_db": 12.0,
    }
    return PatternRow(**(values | changed))


def other(row: PatternRow, pattern: str, share: float, block: int = 1) -> PatternRow:
    """The same layer with another pattern."""
    weights = row.rows * row.columns
    values = round(weights * (1 - share))
    return replace(
        row,
        pattern=pattern,
        share_asked=share,
        zeros=share,
        values=values,
        blocks=values // block,
        block_values=values,
        block=block,
        sqnr_db=None,
    )


LARGE = pattern_row("large", 512, 4608, 3136, read_elements=512 * 3136)
NARROW = pattern_row("narrow", 64, 576, 100352, read_elements=64 * 100352)
POINTWISE = pattern_row("pointwise", 256, 64, 100352)
TINY = pattern_row("tiny", 256, 256, 16)
DEPTHWISE = pattern_row(
    "depthwise", 64, 9, 100352, groups=64, status=SKIPPED, reason="no neighbours", values=None
)
ROWS = (LARGE, NARROW, POINTWISE, TINY, DEPTHWISE)
SECONDS: Mapping[str, float] = {
    "large": 30 * US,
    "narrow": 14 * US,
    "pointwise": 25 * US,
    "tiny": 5 * US,
    "depthwise": 20 * US,
}
"""Measured, in FP16."""


def layer(row: PatternRow, seconds: float, precision: str = "fp16") -> Measurement:
    """The measured row of a layer, which moves its activations and its weights."""
    item = 2 if precision == "fp16" else 4
    facts = {
        "network": NETWORK,
        "layer": row.layer,
        "family": "convolution",
        "provider": "cuda",
        "precision": precision,
    }
    moved = item * (row.read_elements + row.written_elements + row.rows * row.columns)
    return measurement(
        "layer/convolution",
        dtype=precision,
        backend="cuda",
        flops=row.flops,
        bytes=float(moved),
        seconds_median=seconds,
        seconds_low=seconds,
        seconds_high=seconds,
        params=json.dumps(facts),
    )


CALL = measurement(
    "overhead/call/cuda", backend="cuda", seconds_median=4 * US, flops=None, bytes=None
)
"""What it costs to run anything."""


def layers_with_zeros(
    rows: tuple[PatternRow, ...] = ROWS,
    *more: Measurement,
    precision: str = "fp16",
    device: Device = DEVICE,
    roofs: tuple[Measurement, ...] = ROOFS,
) -> LayersWithZeros:
    """These layers, timed in a precision, on these roofs."""
    timed = [layer(row, SECONDS[row.layer], precision) for row in rows if row.layer in SECONDS]
    tops = ceilings([*roofs, CALL], device)
    return LayersWithZeros(
        rows=rows,
        placements=placements(timed, tops, device),
        model=roofline(tops.values()),
        device=device,
        provider="cuda",
        products=products(more),
    )


def point(name: str, loss: float, seconds: float | None = None, **recipe: Any) -> Point:
    """A network that was run."""
    lost = Loss(share=loss, low=loss, high=loss, answers=100)
    return Point(
        recipe=Recipe(name=name, precisions=recipe.pop("precisions", {}), **recipe),
        seconds=seconds,
        low=None if seconds is None else 0.99 * seconds,
        high=None if seconds is None else 1.01 * seconds,
        ranking=lost,
        test=lost if seconds else None,
        within=loss <= 0.01,
    )


def study(layers: LayersWithZeros | None = None, *points: Point) -> SparsityStudy:
    """What is known of zeros in the made-up network."""
    return study_of(layers or layers_with_zeros(), points)
