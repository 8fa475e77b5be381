"""Layers on the roofline: which roof bounds each, how much of it is reached, and what is left to
win.

Pure arithmetic over the rows of a run: a layer's least possible time is the larger of its
operations over the compute roof of its type and its compulsory bytes over the roof of the memory
that holds them (Williams et al., 2009).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.layers.advice import advice
from analysis.layers.placement import Placement, group_of
from analysis.layers.roof_above import compute_roof, memory_roof
from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roof, Roofline, roofline
from kernels.device import Device
from probes.records.measurement import OK, SCHEMA_VERSION, Measurement
from probes.records.tag import COMPUTE, LAYER, Tag

LAUNCH = "overhead/launch"
WHOLE = "layer/network"
"""Tag of a network timed in one go: shown beside the sum of its layers, never one of them."""
BELOW, LAUNCHED = "below every roof", "launch"
LEAST_SHARE = 0.5
"""A layer slower than twice its least time is not explained by the roof above it: it is below every
roof.
"""


@dataclass(frozen=True)
class SpeedOfLight:
    """A network at one precision: measured seconds, the least possible ones of its placed layers,
    and the rest.

    unplaced_seconds: time of layers whose work or roof is unknown; least_seconds holds it whole.
    share: least over measured.
    """

    network: str
    provider: str
    precision: str
    layers: int
    seconds: float
    least_seconds: float
    unplaced_seconds: float

    @property
    def share(self) -> float:
        return self.least_seconds / self.seconds


def placements(
    rows: Iterable[Measurement], ceilings: Mapping[str, Ceiling], device: Device
) -> list[Placement]:
    """Every timed layer of these rows on the roofs of these ceilings, in the order of the rows."""
    model = roofline(ceilings.values())
    timed = [
        row for row in rows if row.quantity == LAYER and row.status == OK and row.seconds_median
    ]
    timed = [row for row in timed if row.ceiling != WHOLE]
    placed = [_place(row, model, device, ceilings) for row in timed]
    times: dict[tuple[str, ...], float] = {}
    for point in placed:
        times[group_of(point)] = times.get(group_of(point), 0.0) + point.seconds
    return advice([replace(p, time_share=p.seconds / times[group_of(p)]) for p in placed])


def _place(
    row: Measurement, model: Roofline, device: Device, ceilings: Mapping[str, Ceiling]
) -> Placement:
    memory, compute = memory_roof(row.facts, model, device), compute_roof(row.dtype, model)
    seconds = row.seconds_median or 0.0
    doubted = _doubted_roof(row, memory, compute)
    placed = _blank(row, seconds)
    if not row.trusted:
        return replace(placed, trusted=False, doubt=row.doubt)
    if doubted:
        return replace(
            placed,
            roof=doubted.tag,
            trusted=False,
            doubt=f"its roof {doubted.tag} cannot be trusted: {doubted.doubt}",
        )
    roof, least = _least(row, memory, compute)
    if roof is None or least is None:
        return placed
    bound = _bound(roof, least, seconds, _floor(row, ceilings))
    return replace(
        placed, roof=roof.tag, bound=bound, share=least / seconds, headroom_seconds=seconds - least
    )


def _doubted_roof(
    row: Measurement, memory: Roof | Ceiling | None, compute: Roof | Ceiling | None
) -> Ceiling | None:
    """A roof that this layer's work needs, but that cannot be trusted."""
    needed = [roof for work, roof in ((row.flops, compute), (row.bytes, memory)) if work]
    return next((roof for roof in needed if isinstance(roof, Ceiling)), None)


def _blank(row: Measurement, seconds: float) -> Placement:
    """A layer with its work and time, placed under no roof yet."""
    facts = row.facts
    known = row.flops is not None and bool(row.bytes)
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
        intensity=_over(row.flops, row.bytes) if known else None,
        seconds=seconds,
        rate=_over(row.flops, seconds),
        bandwidth=_over(row.bytes, seconds),
        params=row.params,
        remark=row.reason,
        x=row.x,
    )


def _over(work: float | None, other: float | None) -> float | None:
    """One over the other; None if either is unknown."""
    return None if work is None or other is None else work / other


def _least(
    row: Measurement, memory: Roof | Ceiling | None, compute: Roof | Ceiling | None
) -> tuple[Roof | None, float | None]:
    """The roof above a layer and the least possible time under it; unknown if its work or a roof it
    needs is.
    """
    needs = [
        (work, roof if isinstance(roof, Roof) else None)
        for work, roof in ((row.bytes, memory), (row.flops, compute))
    ]
    if any(work is None or (work and (roof is None or not roof.rate)) for work, roof in needs):
        return None, None
    times = [(work / roof.rate, roof) for work, roof in needs if work and roof]
    if not times:
        return None, None
    least, roof = max(times, key=lambda pair: pair[0])
    return roof, least


def _floor(row: Measurement, ceilings: Mapping[str, Ceiling]) -> float:
    """What it costs to run anything: a run of the runtime that timed it, or its launches; 0 where
    not measured.
    """
    way = "run" if row.backend == "cpu" or row.facts.captured else "call"
    launches = int(row.facts.launches or 1)
    for tag, times in ((f"overhead/{way}/{row.backend}", 1), (LAUNCH, launches)):
        found = ceilings.get(tag)
        if found and found.status == OK and found.trusted and found.rate:
            return found.rate * times
    return 0.0


def _bound(roof: Roof, least: float, seconds: float, floor: float) -> str:
    if least < floor and seconds < floor / LEAST_SHARE:
        return LAUNCHED
    if least < LEAST_SHARE * seconds:
        return BELOW
    tag = Tag.parse(roof.tag)
    return COMPUTE if tag.quantity == COMPUTE else tag.subject


def speed_of_light(placed: Iterable[Placement]) -> list[SpeedOfLight]:
    """Of every network (or family), provider and precision: the sum of its layers' least possible
    times.
    """
    groups: dict[tuple[str, str, str], list[Placement]] = {}
    for placement in placed:
        groups.setdefault(group_of(placement), []).append(placement)
    return [_sum(key, group) for key, group in groups.items()]


def _sum(key: tuple[str, str, str], group: Sequence[Placement]) -> SpeedOfLight:
    seconds = sum(p.seconds for p in group)
    gain = sum(p.headroom_seconds or 0.0 for p in group)
    unplaced = sum(p.seconds for p in group if p.headroom_seconds is None)
    return SpeedOfLight(*key, len(group), seconds, seconds - gain, unplaced)


def ranking(placed: Iterable[Placement], n: int = 10) -> list[Placement]:
    """The layers with most time to gain, most first; layers of unknown work and points above their
    roof never rank.
    """
    known = [p for p in placed if p.headroom_seconds is not None and p.headroom_seconds > 0]
    return sorted(known, key=lambda p: p.headroom_seconds or 0.0, reverse=True)[:n]


def precisions(placed: Iterable[Placement]) -> dict[tuple[str, str, str], dict[str, Placement]]:
    """Layers that ran at several precisions: (network or sweep, layer, provider) -> {precision:
    placement}.

    By the precision of the run: a layer left in floats in an INT8 network stands under INT8.
    """
    found: dict[tuple[str, str, str], dict[str, Placement]] = {}
    for point in placed:
        group, provider, precision = group_of(point)
        found.setdefault((group, point.layer, provider), {})[precision] = point
    return {key: by_precision for key, by_precision in found.items() if len(by_precision) > 1}
