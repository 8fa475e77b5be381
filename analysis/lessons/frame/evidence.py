"""What a rule looks at: the judged rows of a run, its layers under its roofs, its ceilings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.layers.placement import Placement
from analysis.layers.roof_above import compute_roof
from analysis.lessons.frame.charts import Guide, Spot
from analysis.lessons.frame.interval import Interval, seconds_of
from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roof, Roofline
from kernels.device import Device
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.need import Need, asked_of

QUIETER = "run it again on a quieter machine"
NOT_ASKED = "nothing of this kind is asked of this kind of device"


class Untried(Exception):
    """The claim cannot be tried: the text says what is missing, and the way out."""


class Untold(Exception):
    """The claim was tried, and the rows do not tell: the text says why, and the way out."""


@dataclass(frozen=True)
class Layer:
    """A timed layer with its numbers."""

    row: Measurement
    """Its row."""
    placement: Placement
    """Where it stands under the roofs."""
    seconds: Interval
    """Time of one run."""

    @property
    def x(self) -> float:
        """Its place on its curve."""
        return self.row.x or 0.0

    @property
    def flops(self) -> float:
        """Operations of one run."""
        return self.row.flops or 0.0

    @property
    def bytes(self) -> float:
        """Least bytes of one run."""
        return self.row.bytes or 0.0

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.flops / self.bytes

    @property
    def rate(self) -> Interval:
        """Operations a second."""
        return self.seconds.under(self.flops)

    def spot(self, name: str = "", curve: str = "") -> Spot:
        """It in a picture of roofs."""
        return Spot(name, self.intensity, self.rate, curve)


@dataclass(frozen=True)
class Evidence:
    """What a run measured."""

    device: Device
    """Where."""
    measurements: Sequence[Measurement]
    """All rows, judged."""
    placements: Sequence[Placement]
    """Its layers under its roofs."""
    ceilings: Mapping[str, Ceiling]
    """By tag."""
    roofs: Roofline
    """Those that can be trusted."""

    @property
    def kind(self) -> str:
        """Kind of the device."""
        return self.device.kind

    def rows(self, need: Need) -> list[Measurement]:
        """The rows needed that are ok and can be trusted, by their place.

        Raises Untried where none could run here, Untold where none can be trusted.
        """
        needed = need.rows(self.measurements)
        good = [row for row in needed if row.status == OK and row.trusted and row.seconds_median]
        if good:
            return sorted(good, key=lambda row: row.x or 0.0)
        raise _lack(needed)

    def row(self, need: Need) -> Measurement:
        """The fastest of the rows needed: by rate, or by time where there is no rate."""
        rows = self.rows(need)
        if all(row.rate for row in rows):
            return max(rows, key=lambda row: row.rate or 0.0)
        return min(rows, key=lambda row: row.seconds_median or 0.0)

    def seconds(self, row: Measurement) -> Interval:
        """The time of a row with all that may move it."""
        return seconds_of(row, self.kind)

    def rate(self, row: Measurement) -> Interval:
        """The work of a row over its time."""
        return self.seconds(row).under(row.work or 0.0)

    def layers(self, need: Need) -> list[Layer]:
        """The layers needed that were timed well, by their place. Raises as ``rows`` does."""
        places = {(place.params, place.dtype): place for place in self.placements}
        layers = []
        for row in self.rows(need):
            placement = places.get((row.params, row.dtype))
            if placement is not None:
                layers.append(Layer(row, placement, self.seconds(row)))
        return layers

    def ladder(self, need: Need) -> list[Layer]:
        """The layers of a curve, all of them. Raises also Untold where one could not be timed."""
        for row in need.rows(self.measurements):
            if row.status == FAILED or (row.status == OK and not row.trusted):
                raise Untold(f"{row.layer}: {row.doubt or row.reason}; {QUIETER}")
        return self.layers(need)

    def ceiling(self, tag: str) -> Ceiling:
        """A ceiling that can be trusted. Raises Untried or Untold where there is none."""
        ceiling = self.ceilings.get(tag)
        if ceiling is None:
            raise Untried(NOT_ASKED)
        if ceiling.status == SKIPPED:
            raise Untried(ceiling.remark)
        if ceiling.status == FAILED or not ceiling.trusted:
            raise Untold(f"{tag}: {ceiling.doubt or ceiling.remark}; {QUIETER}")
        return ceiling

    def slopes(self) -> list[Guide]:
        """The roofs of memory, for a picture."""
        return [Guide(roof.label, roof.rate) for roof in self.roofs.bandwidth]

    def flats(self, dtype: str) -> list[Guide]:
        """The fastest dense roof of arithmetic in a type, for a picture; none if unknown."""
        roof = compute_roof(dtype, self.roofs)
        return [Guide(roof.label, roof.rate)] if isinstance(roof, Roof) else []


def _lack(needed: Sequence[Measurement]) -> Exception:
    """Why none of these rows is good."""
    if not needed:
        return Untried(NOT_ASKED)
    for row in needed:
        if row.status == OK:
            name = row.layer or asked_of(row).tag
            return Untold(f"{name}: {row.doubt}; {QUIETER}")
    for row in needed:
        if row.status == FAILED:
            return Untold(f"{row.ceiling} failed: {row.reason}")
    return Untried(needed[0].reason)
