"""Which of the measured roofs stand above a layer.

That of the memory that holds its data, and that of its element type. A roof that cannot be trusted
is no roof, and none below it takes its place: the layer then has no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import MAIN, Roof, Roofline, roof_of
from kernels.device import Device
from probes.records.layer import LayerFacts
from probes.records.measurement import OK
from probes.records.tag import ARITHMETIC, BANDWIDTH, COMPUTE, Tag

COMPUTED_IN = {"tf32": "fp32", "fp16": "fp32", "bf16": "fp32"}
"""The type in which functions of other types are computed."""
OTHER_WAYS = {"rsqrt": ("sqrt",)}
"""Operations that do as well, where a device has no instruction of the name."""


def memory_roof(facts: LayerFacts, model: Roofline, device: Device) -> Roof | Ceiling | None:
    """The roof of the memory that holds a layer's inputs, weights and outputs.

    The smallest measured level that is large enough if the layer was warm, else DRAM. A Ceiling if
    that level was measured but cannot be trusted; None if no level was measured.
    """
    levels: dict[str, Roof | Ceiling] = {}
    for roof in model.bandwidth:
        levels[roof.tag] = roof
    for ceiling in model.doubted:
        levels[ceiling.tag] = ceiling
    if facts.warm and facts.working_set is not None:
        for level, capacity in capacities(device):
            tag = str(Tag(BANDWIDTH, level))
            if facts.working_set <= capacity and tag in levels:
                return levels[tag]
    return levels.get(MAIN) or model.memory


def capacities(device: Device) -> list[tuple[str, int]]:
    """Levels of cache that stay warm between two runs, smallest first.

    Each with the bytes of all its copies. A GPU's L1 is invalid at the start of every kernel (CUDA
    C++ Programming Guide, memory model), so L2 is its first.
    """
    pairs = []
    for cache in device.caches:
        if device.kind == "cpu" or cache.level != "l1":
            copies = max(1, device.units // cache.units)
            pairs.append((cache.level, cache.bytes * copies))
    return pairs


def compute_roof(dtype: str, model: Roofline) -> Roof | Ceiling | None:
    """The fastest dense roof of an element type.

    A Ceiling if a dense way to that type's units cannot be trusted; None if none was measured.
    """
    for ceiling in model.doubted:
        if _is_dense(ceiling.tag, dtype):
            return ceiling
    return next((roof for roof in model.compute if _is_dense(roof.tag, dtype)), None)


def slow_roofs(
    facts: LayerFacts, dtype: str, ceilings: Mapping[str, Ceiling]
) -> dict[str, Roof | Ceiling]:
    """The roof of each kind of a layer's slow operations, by its name in ``facts.slow``.

    Ways of one kind are tried all, and the fastest counts. A Ceiling is one that cannot be trusted.
    Kinds that were not measured are left out: those of integers, too, which look answers up.
    """
    roofs: dict[str, Roof | Ceiling] = {}
    for name in facts.slow:
        ways = []
        for operation in (name, *OTHER_WAYS.get(name, ())):
            ceiling = ceilings.get(str(Tag(ARITHMETIC, COMPUTED_IN.get(dtype, dtype), operation)))
            if ceiling is not None and ceiling.status == OK and ceiling.rate:
                ways.append(ceiling)
        if not ways:
            continue
        fastest = max(ways, key=lambda way: way.rate or 0.0)
        roofs[name] = roof_of(fastest) if fastest.trusted else fastest
    return roofs


def _is_dense(tag: str, dtype: str) -> bool:
    """True for a tag of arithmetic in this type with dense operands."""
    parsed = Tag.parse(tag)
    return parsed.whole == Tag(COMPUTE, dtype) and not parsed.is_sparse
