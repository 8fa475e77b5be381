"""A network on the roofs of a machine that did not run it: a bound, and an estimate.

The *bound* follows from theory alone: no run there can be faster. The *estimate* supposes that the
machine there is used as well as the one here: at the same share of its floor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.elsewhere.machine import Machine
from analysis.elsewhere.work import CONVOLUTION, LayerWork, NetworkWork
from analysis.layers.roof_above import compute_roof, memory_roof
from analysis.model.roofline import Roof, Roofline
from analysis.naming import few
from analysis.theory.peaks import DRAM, SPARSE, Peak
from analysis.units import percent
from kernels.device import Device
from probes.records.tag import COMPUTE, Tag

MOST_LEFT_OUT = 0.2
"""Part of the layers' time here that layers without a roof there may have, for an estimate."""
MOST_NAMES = 3
"""Operations that a sentence names."""
LARGEST_GPU_CACHE = 128 << 20
"""Bytes: no GPU of the tables has a larger cache before memory (NVIDIA B200: 126 MB of L2)."""


@dataclass(frozen=True)
class Bound:
    """The least time of a network on a machine, by theory."""

    seconds: float | None
    """None where theory does not tell."""
    holds: str = ""
    """What makes it: ``arithmetic`` or ``memory``."""
    why_none: str = ""
    """Why there is none, in words."""


@dataclass(frozen=True)
class PlacedWork:
    """Layers that are alike, under a roof here and under one there."""

    work: LayerWork
    """What they do."""
    roof_here: str
    """Tag of the roof that bounds them here."""
    floor_here: float
    """Their least time under it, in seconds."""
    roof_there: str
    """Tag of the roof that would bound them there."""
    floor_there: float
    """Their least time under that."""


@dataclass(frozen=True)
class Prediction:
    """What can be said of one network on one other machine."""

    network: NetworkWork
    """As it ran here."""
    machine: Machine
    """The other machine."""
    bound: Bound
    """What no run there goes below."""
    placed: tuple[PlacedWork, ...]
    """Its layers with a roof here and there."""
    estimate: float | None = None
    """Seconds there at the share of the roofs that it reaches here; None if that is not known."""
    why_none: str = ""
    """Why there is no estimate, in words."""

    @property
    def floor_here(self) -> float:
        """The least time of its layers on the roofs here, in seconds."""
        return math.fsum(layers.floor_here for layers in self.placed)

    @property
    def floor_there(self) -> float:
        """The least time of its layers on the roofs there, in seconds."""
        return math.fsum(layers.floor_there for layers in self.placed)

    @property
    def share_here(self) -> float:
        """The floor here over the time here."""
        return self.floor_here / self.network.seconds


def predict(network: NetworkWork, here: Machine, there: Machine) -> Prediction:
    """A network that ran ``here``, ``there``.

    Both machines must be known alike: theory against theory, or measured roofs against measured.
    """
    placed = []
    lost = []
    for work in network.layers:
        on_here = _floor(work, here.roofs, here.device)
        on_there = _floor(work, there.roofs, there.device)
        if on_here is None or on_there is None:
            lost.append(work)
            continue
        placed.append(PlacedWork(work, *on_here, *on_there))
    bound = bound_of(network, there)
    prediction = Prediction(network, there, bound, tuple(placed))
    why = _why_no_estimate(prediction, lost, here)
    if why:
        return Prediction(network, there, bound, tuple(placed), why_none=why)
    estimate = prediction.floor_there / prediction.share_here
    # whatever is estimated, theory goes before it
    estimate = max(estimate, bound.seconds or 0.0)
    return Prediction(network, there, bound, tuple(placed), estimate)


def _why_no_estimate(prediction: Prediction, lost: Sequence[LayerWork], here: Machine) -> str:
    """Why a network has no estimate on a machine, in words; empty if it can have one.

    lost: its layers that stand under no roof here or there.
    """
    total = _seconds(prediction.network.layers)
    if not total:
        return "no layer of it was timed well here"
    if prediction.placed and _seconds(lost) <= MOST_LEFT_OUT * total:
        return ""
    unknown = [work for work in lost if not work.is_known]
    without_roof = [work for work in lost if work.is_known]
    reasons = []
    if unknown:
        names = few(list(dict.fromkeys(work.op for work in unknown)), MOST_NAMES)
        share = percent(_seconds(unknown) / total)
        reasons.append(f"the work of layers that take {share} of the time is unknown ({names})")
    if without_roof:
        names = ", ".join(dict.fromkeys(work.dtype.upper() for work in without_roof))
        kind = "theory knows no" if prediction.machine.is_theory else "there is no measured"
        place = "here or there" if here.is_theory else "there"
        reasons.append(f"{kind} roof {place} for layers in {names}")
    if _seconds(without_roof) > _seconds(unknown):
        reasons.reverse()
    return ", and ".join(reasons)


def _seconds(layers: Iterable[LayerWork]) -> float:
    """Measured time of all of these layers."""
    return math.fsum(work.seconds for work in layers)


def _floor(work: LayerWork, roofs: Roofline, device: Device) -> tuple[str, float] | None:
    """The roof that bounds such layers, and their least time under it in seconds.

    None if their work, or a roof that it needs, is not known.
    """
    if work.flops is None or work.bytes is None:  # not known
        return None
    times = []
    memory = memory_roof(work.facts, roofs, device)
    compute = compute_roof(work.dtype, roofs)
    for amount, roof in ((work.bytes, memory), (work.flops, compute)):
        if not amount:
            continue
        if not isinstance(roof, Roof) or not roof.rate:
            return None
        times.append((roof.tag, work.count * amount / roof.rate))
    return max(times, key=lambda pair: pair[1], default=("", 0.0))


def bound_of(network: NetworkWork, there: Machine) -> Bound:
    """The least time of a network in one go on a machine, by theory alone.

    Arithmetic: its convolutions and products of matrices, with the fewest operations that any known
    way takes, at the peak of their type. Memory: what of its inputs, weights and results no cache
    keeps from one run to the next. Each part that theory does not know counts as nothing.
    """
    arithmetic = 0.0
    types = dict.fromkeys(work.dtype for work in network.layers if work.least_operations)
    known_types = {name: _highest_limit(there.limits, name) for name in types}
    for work in network.layers:
        peak = known_types.get(work.dtype)
        if peak:
            arithmetic += work.least_operations / peak
    memory = 0.0
    dram = there.limits.get(DRAM)
    if network.whole is not None and network.whole.bytes and dram is not None and dram.limit:
        kept = _cache_bytes(there.device)
        if kept is not None:
            memory = max(0.0, network.whole.bytes - kept) / dram.limit
    if arithmetic or memory:
        holds = "arithmetic" if arithmetic >= memory else "memory"
        return Bound(max(arithmetic, memory), holds)
    return Bound(None, why_none=_why_no_bound(network, there))


def _why_no_bound(network: NetworkWork, there: Machine) -> str:
    """Why theory gives no bound, in words."""
    if not any(peak.limit for peak in there.limits.values()):
        return f"the theory of {there.name} is not known"
    types = dict.fromkeys(work.dtype for work in network.layers if work.least_operations)
    if types:
        names = ", ".join(name.upper() for name in types)
        return f"theory knows no peak of {there.name} for {names}"
    if any(work.family == CONVOLUTION for work in network.layers):
        return "the windows of its convolutions are not known (--model tells them)"
    return "none of its layers is a convolution or a product of matrices"


def _highest_limit(peaks: Mapping[str, Peak], dtype: str) -> float | None:
    """Operations a second that no dense path of this type exceeds; None if unknown."""
    limits = []
    for tag, peak in peaks.items():
        parsed = Tag.parse(tag)
        if parsed.whole == Tag(COMPUTE, dtype) and not _skips_zeros(parsed):
            if peak.limit is None:
                return None
            limits.append(peak.limit)
    return max(limits, default=None)


def _skips_zeros(tag: Tag) -> bool:
    """True for a peak of 2:4 sparsity."""
    return tag.path.startswith(SPARSE)


def _cache_bytes(device: Device) -> float | None:
    """Bytes that caches may keep from one run to the next; None if that is not known."""
    if device.last_cache_bytes is not None:
        return device.last_cache_bytes + (device.system_cache_bytes or 0)
    return LARGEST_GPU_CACHE if device.kind == "cuda" else None
