"""Which of the measured roofs stand above a layer: of the memory that holds its data, and of its
element type.

A roof that cannot be trusted is no roof, and none below it takes its place: the layer then has no
verdict.
"""

from __future__ import annotations

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import MAIN, Roof, Roofline
from kernels.device import Device
from probes.records.layer import LayerFacts
from probes.records.tag import BANDWIDTH, COMPUTE, Tag


def memory_roof(facts: LayerFacts, model: Roofline, device: Device) -> Roof | Ceiling | None:
    """The smallest measured level that holds a layer's inputs, weights and outputs if it was warm,
    else DRAM.

    A Ceiling if that level was measured but cannot be trusted; None if no level was measured.
    """
    measured: dict[str, Roof | Ceiling] = {roof.tag: roof for roof in model.bandwidth}
    doubted: dict[str, Roof | Ceiling] = {ceiling.tag: ceiling for ceiling in model.doubted}
    levels = measured | doubted
    farthest = levels.get(MAIN) or model.memory
    size = facts.working_set
    if not facts.warm or size is None:
        return farthest
    holding = [str(Tag(BANDWIDTH, level)) for level, room in capacities(device) if size <= room]
    return next((levels[tag] for tag in holding if tag in levels), farthest)


def capacities(device: Device) -> list[tuple[str, int]]:
    """Levels of cache that stay warm between two runs, smallest first, with the bytes of all their
    copies.

    A GPU's L1 is invalid at the start of every kernel (CUDA C++ Programming Guide, memory model),
    so L2 is its first.
    """
    kept = [cache for cache in device.caches if device.kind == "cpu" or cache.level != "l1"]
    return [(cache.level, cache.bytes * max(1, device.units // cache.units)) for cache in kept]


def compute_roof(dtype: str, model: Roofline) -> Roof | Ceiling | None:
    """The fastest dense roof of an element type.

    A Ceiling if a dense way to that type's units cannot be trusted; None if none was measured.
    """

    def is_dense(tag: str) -> bool:
        parts = Tag.parse(tag)
        return parts.whole == Tag(COMPUTE, dtype) and not parts.is_sparse

    doubted = next((ceiling for ceiling in model.doubted if is_dense(ceiling.tag)), None)
    return doubted or next((roof for roof in model.compute if is_dense(roof.tag)), None)
