"""The layers of a run as they are shown.

Networks, each with its whole time, and sweeps, each with its curves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from analysis.layers.place import WHOLE, SpeedOfLight, speed_of_light
from analysis.layers.placement import Group, Placement, group_of
from analysis.naming import few
from analysis.units import si
from probes.records.layer import LISTED
from probes.records.measurement import OK, Measurement
from probes.records.tag import LAYER, OVERHEAD, Tag

LEAST_RUN = Tag(OVERHEAD, "run")
MOST_NAMES = 3  # of layers in a sentence
LONGEST_SLUG = 80  # letters of a part of a file's name


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network at one precision."""

    name: str
    """Name of the network."""
    provider: str
    """What ran it."""
    precision: str
    """That of the whole."""
    file: str
    """Name of its picture, without ending."""
    layers: tuple[Placement, ...]
    """Its layers, each timed alone."""
    light: SpeedOfLight
    """The least possible time of these layers."""
    whole: Measurement | None = None
    """The row of the network timed in one go; None if there is none."""
    missing: tuple[str, ...] = ()
    """Names of the layers that could not run so, or that took less than the clock shows."""
    call: float = 0.0
    """Seconds of the least run of what ran its layers; 0 if not known."""
    lost: tuple[str, float] | None = None
    """A precision that ran the missing layers too, and their share of its time; None if unknown."""
    refused: str = ""
    """Why the whole could not be timed in one go, where that was tried: then it has no speed of
    light."""

    @property
    def whole_is_trusted(self) -> bool:
        """True if the network was timed in one go, and that time can be trusted."""
        return self.whole is not None and self.whole.trusted

    @property
    def precision_in_words(self) -> str:
        """``FP16``; beside it, where no layer has a type, that it is assumed."""
        if any(layer.facts.typed for layer in self.layers):
            return self.precision.upper()
        return f"{self.precision.upper()} (assumed: no type is given)"

    @property
    def skipped(self) -> int:
        """How many layers have no time."""
        return len(self.missing)

    @property
    def seconds(self) -> float:
        """Time of the network in one go; the sum of its layers where it was not timed so."""
        whole = self.whole.seconds_median if self.whole else None
        return whole or self.light.seconds

    @property
    def share(self) -> float:
        """Speed of light over the measured time.

        Above 1 where the whole moves less than its layers do alone.
        """
        return self.light.least_seconds / self.seconds


@dataclass(frozen=True)
class Curve:
    """One series of a sweep at one precision and provider."""

    series: str
    """Name of the series; empty if the sweep has only one."""
    dtype: str
    """Type of the numbers."""
    provider: str
    """What ran it."""
    points: tuple[tuple[float, Placement], ...]
    """(x, placement) by x."""


@dataclass(frozen=True)
class LayerSweep:
    """The layers of one sweep of ours, as curves."""

    name: str
    """Name of the sweep."""
    over: str
    """What x is."""
    curves: tuple[Curve, ...]
    """One for each series, type and provider."""

    @property
    def file(self) -> str:
        """Name of its picture, without ending."""
        return f"layers-{slug(self.name)}"

    @property
    def layers(self) -> list[Placement]:
        """All points, curve by curve."""
        return [placed for curve in self.curves for _, placed in curve.points]

    def with_curves(self, curves: Sequence[Curve]) -> LayerSweep:
        """The same with these curves."""
        return replace(self, curves=tuple(curves))

    def with_longest(self, most: int) -> LayerSweep:
        """The same; of a list only the ``most`` entries that take longest."""
        if not self.listed or len(self.places) <= most:
            return self
        longest: dict[float, float] = {}  # seconds of the slowest layer at each x
        for curve in self.curves:
            for x, placement in curve.points:
                longest[x] = max(longest.get(x, 0.0), placement.seconds)
        shown = sorted(longest, key=lambda x: longest[x], reverse=True)[:most]
        curves = []
        for curve in self.curves:
            points = tuple(point for point in curve.points if point[0] in shown)
            if points:
                curves.append(replace(curve, points=points))
        return self.with_curves(curves)

    @property
    def listed(self) -> bool:
        """True if its layers are the entries of a list: then x is a place in it, no quantity."""
        return self.over == LISTED

    @cached_property
    def places(self) -> list[float]:
        """Every x there is, ascending."""
        return sorted({x for curve in self.curves for x, _ in curve.points})

    def number(self, x: float) -> str:
        """A short name of a layer: its x, or the number of its entry in the list."""
        return str(self.places.index(x) + 1) if self.listed else f"{x:g}"

    @property
    def dtypes(self) -> list[str]:
        """Types of its curves, each once."""
        return list(dict.fromkeys(curve.dtype for curve in self.curves))

    @property
    def series(self) -> list[str]:
        """Names of the series; of one that several providers ran, one for each."""
        return list(dict.fromkeys(map(self.name_of, self.curves)))

    def name_of(self, curve: Curve) -> str:
        """``dense``; ``dense, cublas`` where there are several providers."""
        providers = {each.provider for each in self.curves}
        if not curve.series:
            return curve.provider
        if len(providers) > 1 and curve.provider:
            return f"{curve.series}, {curve.provider}"
        return curve.series


def slug(text: str) -> str:
    """A name as part of a file's name."""
    return (
        "-".join(re.findall(r"[a-z0-9._]+", text.lower())).strip(".-")[:LONGEST_SLUG] or "unnamed"
    )


def networks(placed: Iterable[Placement], rows: Sequence[Measurement]) -> list[Network]:
    """Every network at every precision, in the order of its rows."""
    layers_by_group: dict[Group, list[Placement]] = {}
    for placement in placed:
        if placement.network:
            layers_by_group.setdefault(group_of(placement), []).append(placement)
    whole = _whole(rows)
    refused = _refused(rows)
    missing = _missing(rows)
    files = _files(list(layers_by_group))
    calls = {}
    for row in rows:
        if isinstance(row.tag, Tag) and row.tag.whole == LEAST_RUN:
            calls[row.backend] = row.seconds_median or 0.0
    shown = []
    for group, layers in layers_by_group.items():
        (light,) = speed_of_light(layers)
        shown.append(
            Network(
                name=group.name,
                provider=group.provider,
                precision=group.precision,
                file=files[group],
                layers=tuple(layers),
                light=light,
                whole=whole.get(group),
                missing=tuple(missing.get(group, ())),
                call=calls.get(group.provider, 0.0),
                refused=refused.get(group, ""),
            )
        )
    return shown


def _group_of_row(row: Measurement) -> Group:
    """The group of a layer's row, or of the row of a whole network."""
    return Group(row.facts.network, row.facts.provider, row.facts.precision)


def unplaced(shown: Iterable[Network], rows: Sequence[Measurement]) -> list[str]:
    """A sentence for each network of which no layer could be timed alone.

    It says the time of the whole, or why there is none.
    """
    placed = {Group(net.name, net.provider, net.precision) for net in shown}
    missing = _missing(rows)
    sentences = []
    for group, row in _whole(rows).items():
        if group not in placed:
            time = si(row.seconds_median or 0.0, "s")
            layers = few_names(missing.get(group, ()))
            sentences.append(
                f"{_title(group)}: {time} in one go; none of its layers could be timed "
                f"alone: {layers}"
            )
    for group, reason in _refused(rows).items():
        if group not in placed:
            sentences.append(
                f"{_title(group)}: neither the whole nor any of its layers could be timed: {reason}"
            )
    return sentences


def _title(group: Group) -> str:
    """``the network resnet50, FP32 on cpu``.

    A sentence begins with it, and a name keeps its first letter.
    """
    return f"the network {group.name}, {group.precision.upper()} on {group.provider}"


def few_names(layers: Sequence[str]) -> str:
    """The first of these names, and how many more."""
    return few(layers, MOST_NAMES)


def _missing(rows: Iterable[Measurement]) -> dict[Group, list[str]]:
    """Names of the layers that have no time."""
    names: dict[Group, list[str]] = {}
    for row in rows:
        if row.ceiling != WHOLE and row.quantity == LAYER and row.status != OK:
            names.setdefault(_group_of_row(row), []).append(row.layer)
    return names


def _whole(rows: Iterable[Measurement]) -> dict[Group, Measurement]:
    """Rows of whole networks."""
    return {
        _group_of_row(row): row
        for row in rows
        if row.ceiling == WHOLE and row.status == OK and row.seconds_median
    }


def _refused(rows: Iterable[Measurement]) -> dict[Group, str]:
    """Why whole networks could not be timed."""
    return {
        _group_of_row(row): row.reason for row in rows if row.ceiling == WHOLE and row.status != OK
    }


def _files(groups: Sequence[Group]) -> dict[Group, str]:
    """``network-resnet50-fp16``, with the provider where two would be called the same.

    A number follows where that is not enough, since names differ by what no file's name holds.
    """
    short = {group: f"network-{slug(group.name)}-{slug(group.precision)}" for group in groups}
    times = Counter(short.values())
    files: dict[Group, str] = {}
    taken: set[str] = set()
    for group, name in short.items():
        if times[name] > 1:
            name = f"{name}-{slug(group.provider)}"
        file = name
        for number in count(2):
            if file not in taken:
                break
            file = f"{name}-{number}"
        files[group] = file
        taken.add(file)
    return files


def layer_sweeps(placed: Iterable[Placement]) -> list[LayerSweep]:
    """Every sweep over layers, in the order of its rows."""
    found: dict[str, dict[tuple[str, str, str], list[tuple[float, Placement]]]] = {}
    over: dict[str, str] = {}
    for point in placed:
        facts = point.facts
        if not facts.sweep or point.x is None:
            continue
        over.setdefault(facts.sweep, facts.over)
        curves = found.setdefault(facts.sweep, {})
        curve = facts.series, point.dtype, point.provider
        curves.setdefault(curve, []).append((point.x, point))
    return [LayerSweep(name, over[name], _curves(curves)) for name, curves in found.items()]


def _curves(
    points_by_curve: Mapping[tuple[str, str, str], list[tuple[float, Placement]]],
) -> tuple[Curve, ...]:
    """Curves from their points by (series, type, provider)."""
    curves = []
    for (series, dtype, provider), points in points_by_curve.items():
        ordered = sorted(points, key=lambda point: (point[0], point[1].layer))
        curves.append(Curve(series, dtype, provider, tuple(ordered)))
    return tuple(curves)
