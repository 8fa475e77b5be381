"""A machine whose roofs a network is placed on: by theory, or as it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roof, Roofline, roofline
from analysis.theory.peaks import DRAM, SPARSE, Peak, peaks
from analysis.theory.products import spec_device
from kernels.device import Device
from probes.records.tag import COMPUTE, Tag

THEORY, MEASURED = "theory", "measured"
"""What roofs a machine may have."""


@dataclass(frozen=True)
class Machine:
    """A device with roofs to stand under."""

    name: str
    """As people call it."""
    device: Device
    """What it is."""
    roofs: Roofline
    """Of theory, or measured."""
    basis: str
    """``theory`` or ``measured``: what ``roofs`` are."""
    peaks: Mapping[str, Peak] = field(default_factory=dict)
    """Its theory at its rated clocks."""
    limits: Mapping[str, Peak] = field(default_factory=dict)
    """Its theory at the highest clock known of it, which bounds follow from."""
    highest_clock: float | None = None
    """That clock, in Hz; None if no clock is known."""
    runs: int = 0
    """How many runs its measured roofs come from."""
    measured_on: str = ""
    """Day of the last of them."""

    @property
    def identity(self) -> tuple[str, str, str, int]:
        """What tells it from others: makers give one name to several generations."""
        device = self.device
        return device.kind, device.name, device.arch, device.units

    @property
    def is_theory(self) -> bool:
        """True if its roofs are what theory says."""
        return self.basis == THEORY

    @property
    def in_theory(self) -> Machine:
        """The same machine with the roofs of its theory."""
        return replace(self, roofs=roofs_of_theory(self.peaks), basis=THEORY)


def product(name: str) -> Machine:
    """A named product, of which only theory is known. name: as ``find_products`` gives it."""
    device, row = spec_device(name)
    by_tag = peaks(device, row=row)
    return Machine(
        name=name,
        device=device,
        roofs=roofs_of_theory(by_tag),
        basis=THEORY,
        peaks=by_tag,
        # vendors rate matrix units below the boost clock, which they may reach
        limits=peaks(device, device.clock_hz, row),
        highest_clock=device.clock_hz,
    )


def measured(
    device: Device, ceilings: Iterable[Ceiling], runs: int = 1, measured_on: str = ""
) -> Machine:
    """A machine that was measured."""
    ceilings = list(ceilings)
    clock = highest_clock(device, ceilings)
    return Machine(
        name=device.name,
        device=device,
        roofs=roofline(ceilings),
        basis=MEASURED,
        peaks=peaks(device),
        limits=peaks(device, clock),
        highest_clock=clock,
        runs=runs,
        measured_on=measured_on,
    )


def highest_clock(device: Device, ceilings: Iterable[Ceiling]) -> float | None:
    """The rated clock in Hz, or a higher one that was observed; None if no clock is rated.

    A clock that was observed is what a unit did under one load: where no highest one is rated,
    another load may have more.
    """
    if device.clock_hz is None:
        return None
    observed = [ceiling.clock_hz for ceiling in ceilings if ceiling.clock_hz]
    return max([device.clock_hz, *observed])


def roofs_of_theory(by_tag: Mapping[str, Peak]) -> Roofline:
    """Peaks as roofs: the dense rates of each type, and main memory.

    Theory knows no rate of the caches that networks stand in, so all data count as if they came
    from main memory, on every machine alike.
    """
    compute = []
    bandwidth = []
    for tag, peak in by_tag.items():
        if peak.value is None:
            continue
        parsed = Tag.parse(tag)
        roof = Roof(tag=tag, rate=peak.value, peak=peak.value, unit=peak.unit)
        if tag == DRAM:
            bandwidth.append(roof)
        elif parsed.quantity == COMPUTE and not parsed.path.startswith(SPARSE):
            compute.append(roof)
    compute.sort(key=lambda roof: roof.rate, reverse=True)
    return Roofline(tuple(compute), tuple(bandwidth))
