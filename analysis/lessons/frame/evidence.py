"""What a rule looks at: the judged rows of a run, its layers under its roofs, its ceilings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.layers.placement import Placement
from analysis.layers.roof_above import capacities, compute_roof, memory_roof
from analysis.lessons.frame.charts import Spot, UnderRoofs
from analysis.lessons.frame.interval import DRIFT, Interval, seconds_of
from analysis.model.ceilings import Ceiling
from analysis.model.roofline import Roof, Roofline
from kernels.device import Device
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.need import Need, asked_of
from probes.records.tag import MAIN_MEMORY, Tag

QUIETER = "run it again on a quieter machine"
NOT_ASKED = (
    "this run has none of its rows: this kind of device is not asked for them, or an older version "
    "made the run"
)


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
        """The layers of a curve that were timed well, its ends among them. Raises as ``span``."""
        self.span(need)
        return self.layers(need)

    def layer(self, need: Need, series: str) -> Layer:
        """The one layer of a curve of those needed. Raises as ``rows`` does."""
        (layer,) = self.layers(replace(need, series=(series,)))
        return layer

    def span(self, need: Need) -> list[Measurement]:
        """The rows of a curve that are good, its first and its last place among them.

        Raises Untried where it has fewer than two places, Untold where an end is not good.
        """
        needed = need.rows(self.measurements)
        good = self.rows(need)
        places = [row.x or 0.0 for row in needed if row.status != SKIPPED]
        for end in (min(places), max(places)):
            at_end = [row for row in needed if row.x == end]
            if not any(row in good for row in at_end):
                raise _lack(at_end)
        return good

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

    def reached(self, tag: str) -> Interval:
        """The rate of a ceiling, with its interval and the drift of the kind of device."""
        ceiling = self.ceiling(tag)
        rate = ceiling.rate or 0.0
        wide = (1 + (ceiling.spread or 0.0)) * (1 + DRIFT[self.kind] / 2)
        return Interval(rate / wide, rate, rate * wide)

    def memory_above(self, layer: Layer) -> Roof:
        """The roof of the memory that holds a layer. Raises Untried or Untold without one."""
        roof = memory_roof(layer.row.facts, self.roofs, self.device)
        return _usable(roof, "of the memory that holds it")

    def arithmetic_above(self, layer: Layer) -> Roof:
        """The roof of the arithmetic of a layer's type. Raises Untried or Untold without one."""
        return _usable(compute_roof(layer.row.dtype, self.roofs), f"of {layer.row.dtype}")

    def share_of_memory(self, layer: Layer) -> Interval:
        """The bytes that a layer moves a second, over those that its memory can."""
        return layer.seconds.under(layer.bytes).times(1 / self.memory_above(layer).rate)

    def ridge(self, layer: Layer) -> float:
        """Operations per byte from which arithmetic, not memory, is to bound a layer."""
        return self.arithmetic_above(layer).rate / self.memory_above(layer).rate

    def slopes(self) -> list[Roof]:
        """The roofs of memory that layers may stand under, for a picture."""
        warm_levels = {level for level, _ in capacities(self.device)}
        subjects = {*warm_levels, MAIN_MEMORY}
        return [roof for roof in self.roofs.bandwidth if Tag.parse(roof.tag).subject in subjects]

    def flats(self, dtype: str) -> list[Roof]:
        """The fastest dense roof of arithmetic in a type, for a picture; none if unknown."""
        roof = compute_roof(dtype, self.roofs)
        return [roof] if isinstance(roof, Roof) else []

    def under_roofs(self, spots: Sequence[Spot], dtype: str) -> UnderRoofs:
        """Layers under the roofs of memory, and under that of arithmetic in their type."""
        return UnderRoofs(spots=spots, slopes=self.slopes(), flats=self.flats(dtype))


def _usable(roof: Roof | Ceiling | None, what: str) -> Roof:
    """A roof that can be trusted. Raises Untried or Untold for any other."""
    if roof is None:
        raise Untried(f"no roof {what} was measured")
    if isinstance(roof, Ceiling):
        raise Untold(f"the roof {roof.tag} cannot be trusted: {roof.doubt}; {QUIETER}")
    return roof


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
