"""Layers on the roofline: which roof bounds each, how much is reached, and what is left to gain.

Pure arithmetic over the rows of a run: a layer's least possible time is the larger of its
operations over the compute roof of its type and its compulsory bytes over the roof of the memory
that holds them (Williams et al., 2009), and its slow operations over the rate of their unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.layers.advice import advice
from analysis.layers.placement import (
    BELOW_EVERY_ROOF,
    BOUND_BY_LAUNCH,
    BOUND_BY_SLOW,
    Group,
    Placement,
    group_of,
)
from analysis.layers.roof_above import compute_roof, memory_roof, slow_roofs
from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roof, Roofline, roofline
from kernels.device import Device
from probes.records.measurement import OK, SCHEMA_VERSION, Measurement
from probes.records.tag import ARITHMETIC, COMPUTE, LAYER, OVERHEAD, Tag

LAUNCH = Tag(OVERHEAD, "launch")
WHOLE = str(Tag(LAYER, "network"))
"""Tag of a network timed in one go: shown beside the sum of its layers, never one of them."""
LEAST_SHARE = 0.5
"""A layer slower than twice its least time is not explained by the roof above it: it is below every
roof."""


@dataclass(frozen=True)
class SpeedOfLight:
    """The least possible time of a network at one precision, beside the measured one."""

    network: str
    """Name of the network, the sweep or the family."""
    provider: str
    """What ran it."""
    precision: str
    """The one asked for: layers that an INT8 network leaves in floats count under INT8."""
    layers: int
    """How many were timed."""
    seconds: float
    """The sum of their measured times."""
    least_seconds: float
    """The sum of their least possible times; of a layer with no roof, its measured time."""
    unplaced_seconds: float
    """Measured time of layers whose work or roof is unknown."""

    @property
    def share(self) -> float:
        """Least over measured time."""
        return self.least_seconds / self.seconds


def placements(
    rows: Iterable[Measurement], ceilings: Mapping[str, Ceiling], device: Device
) -> list[Placement]:
    """Every timed layer of these rows on the roofs of these ceilings, in the order of the rows."""
    model = roofline(ceilings.values())
    placed = []
    for row in rows:
        is_layer = row.quantity == LAYER and row.ceiling != WHOLE
        if is_layer and row.status == OK and row.seconds_median:
            placed.append(_place(row, model, device, ceilings))
    total_seconds: dict[Group, float] = {}
    for placement in placed:
        group = group_of(placement)
        total_seconds[group] = total_seconds.get(group, 0.0) + placement.seconds
    with_shares = []
    for placement in placed:
        time_share = placement.seconds / total_seconds[group_of(placement)]
        with_shares.append(replace(placement, time_share=time_share))
    return advice(with_shares)


def _place(
    row: Measurement, model: Roofline, device: Device, ceilings: Mapping[str, Ceiling]
) -> Placement:
    """The placement of one timed layer; its ``time_share`` is not known yet."""
    memory = memory_roof(row.facts, model, device)
    compute = compute_roof(row.dtype, model)
    seconds = row.seconds_median or 0.0
    without_roof = _without_roof(row, seconds)
    if not row.trusted:
        return replace(without_roof, trusted=False, doubt=row.doubt)
    slow = slow_roofs(row.facts, row.dtype, ceilings)
    doubted = _doubted_roof(row, memory, compute, slow)
    if doubted:
        doubt = f"its roof {doubted.tag} cannot be trusted: {doubted.doubt}"
        return replace(without_roof, roof=doubted.tag, trusted=False, doubt=doubt)
    bounding = _bounding_roof(row, memory, compute, slow)
    if bounding is None:
        return without_roof
    roof, least = bounding
    overhead = _overhead_seconds(row, ceilings)
    return replace(
        without_roof,
        roof=roof.tag,
        bound=_bound(roof, least, seconds, overhead),
        share=least / seconds,
        headroom_seconds=seconds - least,
    )


def _doubted_roof(
    row: Measurement,
    memory: Roof | Ceiling | None,
    compute: Roof | Ceiling | None,
    slow: Mapping[str, Roof | Ceiling],
) -> Ceiling | None:
    """A roof that this layer's work needs, but that cannot be trusted.

    ``roof_above`` gives such a roof as its Ceiling, and one that can be trusted as a Roof.
    """
    if row.flops and isinstance(compute, Ceiling):
        return compute
    if row.bytes and isinstance(memory, Ceiling):
        return memory
    return next((roof for roof in slow.values() if isinstance(roof, Ceiling)), None)


def _without_roof(row: Measurement, seconds: float) -> Placement:
    """A layer with its work and time, but no roof."""
    facts = row.facts
    has_intensity = row.flops is not None and bool(row.bytes)
    return Placement(
        schema_version=SCHEMA_VERSION,
        device=row.device,
        started=row.started,
        network=facts.network,
        layer=facts.layer,
        op=facts.op,
        family=facts.family,
        dtype=row.dtype,
        provider=facts.provider,
        flops=row.flops,
        bytes=row.bytes,
        intensity=_quotient(row.flops, row.bytes) if has_intensity else None,
        seconds=seconds,
        rate=_quotient(row.flops, seconds),
        bandwidth=_quotient(row.bytes, seconds),
        slow_operations=sum(facts.slow.values()) or None,
        params=row.params,
        remark=row.reason,
        x=row.x,
    )


def _quotient(work: float | None, divisor: float | None) -> float | None:
    """Work a byte, or a second; None if either is unknown."""
    return None if work is None or divisor is None else work / divisor


def _bounding_roof(
    row: Measurement,
    memory: Roof | Ceiling | None,
    compute: Roof | Ceiling | None,
    slow: Mapping[str, Roof | Ceiling],
) -> tuple[Roof, float] | None:
    """The roof above a layer, and the least possible time under it in seconds.

    None if its work, or a roof of memory or compute that this work needs, is unknown. Slow
    operations whose rate was not measured bound nothing.
    """
    if row.bytes is None or row.flops is None:
        return None
    times = [
        (roof, row.facts.slow[name] / roof.rate)
        for name, roof in slow.items()
        if isinstance(roof, Roof)
    ]
    for work, roof in ((row.bytes, memory), (row.flops, compute)):
        if not work:
            continue
        if not isinstance(roof, Roof) or not roof.rate:
            return None
        times.append((roof, work / roof.rate))
    return max(times, key=lambda pair: pair[1], default=None)


def _overhead_seconds(row: Measurement, ceilings: Mapping[str, Ceiling]) -> float:
    """Seconds that it costs to run anything the way this layer ran; 0 where not measured.

    The least run of the runtime that timed it, or else one launch for each of its launches.
    """
    # Of a GPU, ``run`` is a replay of a CUDA graph, and ``call`` one of the runtime each time.
    way = "run" if row.backend == "cpu" or row.facts.captured else "call"
    of_runtime = _seconds_of(Tag(OVERHEAD, way, row.backend), ceilings)
    if of_runtime:
        return of_runtime
    launches = int(row.facts.launches or 1)
    return launches * _seconds_of(LAUNCH, ceilings)


def _seconds_of(tag: Tag, ceilings: Mapping[str, Ceiling]) -> float:
    """The time of a ceiling that can be trusted, in seconds; 0 if there is none."""
    ceiling = ceilings.get(str(tag))
    if ceiling is None or ceiling.status != OK or not ceiling.trusted:
        return 0.0
    return ceiling.rate or 0.0  # which is seconds, where a tag's rows are times


def _bound(roof: Roof, least: float, seconds: float, overhead: float) -> str:
    """What holds a layer back, as ``Placement.bound`` says it.

    ``least``: its least possible time. ``seconds``: its measured time. ``overhead``: what it costs
    to run anything. All are in seconds.
    """
    if least < overhead and seconds < overhead / LEAST_SHARE:
        return BOUND_BY_LAUNCH
    if least < LEAST_SHARE * seconds:
        return BELOW_EVERY_ROOF
    tag = Tag.parse(roof.tag)
    if tag.quantity == ARITHMETIC:
        return BOUND_BY_SLOW
    return COMPUTE if tag.quantity == COMPUTE else tag.subject


def speed_of_light(placed: Iterable[Placement]) -> list[SpeedOfLight]:
    """The least possible time of every network (or sweep, or family), provider and precision."""
    groups: dict[Group, list[Placement]] = {}
    for placement in placed:
        groups.setdefault(group_of(placement), []).append(placement)
    return [_of_group(group, layers) for group, layers in groups.items()]


def _of_group(group: Group, layers: Sequence[Placement]) -> SpeedOfLight:
    seconds = sum(p.seconds for p in layers)
    headroom = sum(p.headroom_seconds or 0.0 for p in layers)
    return SpeedOfLight(
        network=group.name,
        provider=group.provider,
        precision=group.precision,
        layers=len(layers),
        seconds=seconds,
        least_seconds=seconds - headroom,
        unplaced_seconds=sum(p.seconds for p in layers if p.headroom_seconds is None),
    )


def precisions(placed: Iterable[Placement]) -> dict[tuple[str, str, str], dict[str, Placement]]:
    """Layers that ran at several precisions: placements by precision, by layer.

    A layer's key is network (or sweep), layer and provider. The precision is that of the run: a
    layer left in floats in an INT8 network stands under INT8.
    """
    by_layer: dict[tuple[str, str, str], dict[str, Placement]] = {}
    for placement in placed:
        group = group_of(placement)
        layer = group.name, placement.layer, group.provider
        by_layer.setdefault(layer, {})[group.precision] = placement
    return {
        layer: by_precision for layer, by_precision in by_layer.items() if len(by_precision) > 1
    }
