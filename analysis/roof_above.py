"""Which of the measured roofs stand above a layer: of the memory that holds its data, and of its element type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.roofline import Roof, Roofline
from probes.harness.records import Device


def memory_roof(params: Mapping[str, Any], model: Roofline, device: Device) -> Roof | None:
    """The smallest measured level that holds a layer's inputs, weights and outputs if it was warm, else DRAM."""
    size = params.get("working_set")
    if not params.get("warm") or size is None:
        return model.memory
    levels = {roof.tag.split("/")[1]: roof for roof in model.bandwidth}
    fitting = (levels[name] for name, room in capacities(device) if name in levels and size <= room)
    return next(fitting, model.memory)


def capacities(device: Device) -> list[tuple[str, int]]:
    """Levels of cache that stay warm between two runs, smallest first, with the bytes of all their copies.

    A GPU's L1 is invalid at the start of every kernel (CUDA C++ Programming Guide, memory model), so L2 is its first.
    """
    kept = [cache for cache in device.caches if device.kind == "cpu" or cache.level != "l1"]
    return [(cache.level, cache.bytes * max(1, device.units // cache.units)) for cache in kept]


def compute_roof(dtype: str, model: Roofline) -> Roof | None:
    """The fastest dense roof of an element type; None if none was measured."""
    named = ((roof, roof.tag.split("/")[1:]) for roof in model.compute)
    return next((roof for roof, (kind, *path) in named if kind == dtype and not any("_sp" in p for p in path)), None)
