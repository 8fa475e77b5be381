"""A machine whose roofs a network is placed on: by theory, or as it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
    """Its theory, which bounds follow from."""
    runs: int = 0
    """How many runs its measured roofs come from."""
    measured_on: str = ""
    """Day of the last of them."""

    @property
    def is_theory(self) -> bool:
        """True if its roofs are what theory says."""
        return self.basis == THEORY

    @property
    def in_theory(self) -> Machine:
        """The same machine with the roofs of its theory."""
        return Machine(self.name, self.device, roofs_of_theory(self.peaks), THEORY, self.peaks)


def product(name: str) -> Machine:
    """A named product, of which only theory is known. name: as ``find_products`` gives it."""
    device, row = spec_device(name)
    by_tag = peaks(device, row=row)
    return Machine(name, device, roofs_of_theory(by_tag), THEORY, by_tag)


def measured(
    device: Device, ceilings: Iterable[Ceiling], runs: int = 1, measured_on: str = ""
) -> Machine:
    """A machine that was measured."""
    return Machine(
        name=device.name,
        device=device,
        roofs=roofline(ceilings),
        basis=MEASURED,
        peaks=peaks(device),
        runs=runs,
        measured_on=measured_on,
    )


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
