"""The layers of a run as they are shown: networks, each with its whole time, and sweeps, each with
its curves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count

from analysis.layers.place import WHOLE, SpeedOfLight, speed_of_light
from analysis.layers.placement import Placement, group_of
from analysis.units import si
from probes.records.layer import LISTED
from probes.records.measurement import OK, Measurement
from probes.records.tag import LAYER, OVERHEAD, Tag

LEAST_RUN = Tag(OVERHEAD, "run")
NAMED = 3  # layers in a sentence
LONGEST = 80  # letters of a part of a file's name


@dataclass(frozen=True)
class Network:
    """One network at one precision: its layers timed alone, their speed of light, and the row of
    the whole (or None).

    file: name of its picture, without ending. missing: layers that could not run so; lost: a
    precision that ran them, and their share of its time, where known. call: seconds of the least
    run of what ran them, 0 if not known. refused: why the whole could not be timed in one go, where
    that was tried; then it has no speed of light.
    """

    name: str
    provider: str
    precision: str
    file: str
    layers: tuple[Placement, ...]
    light: SpeedOfLight
    whole: Measurement | None = None
    missing: tuple[str, ...] = ()
    call: float = 0.0
    lost: tuple[str, float] | None = None
    refused: str = ""

    @property
    def skipped(self) -> int:
        """How many layers could not run so."""
        return len(self.missing)

    @property
    def seconds(self) -> float:
        """Of the whole network in one go, or of its layers one after another where it was not timed
        so.
        """
        return (self.whole.seconds_median if self.whole else None) or self.light.seconds

    @property
    def share(self) -> float:
        """Speed of light over the measured time: above 1 where the whole moves less than its layers
        do alone.
        """
        return self.light.least_seconds / self.seconds


@dataclass(frozen=True)
class Curve:
    """One series of a sweep at one precision and provider: (x, placement) by x."""

    series: str
    dtype: str
    provider: str
    points: tuple[tuple[float, Placement], ...]


@dataclass(frozen=True)
class LayerSweep:
    """The layers of one family of ours. over: what x is. file: name of its picture, without
    ending.
    """

    name: str
    over: str
    curves: tuple[Curve, ...]

    @property
    def file(self) -> str:
        return f"layers-{slug(self.name)}"

    @property
    def layers(self) -> list[Placement]:
        """All points, curve by curve."""
        return [placed for curve in self.curves for _, placed in curve.points]

    def with_curves(self, curves: Sequence[Curve]) -> LayerSweep:
        """The same with these curves."""
        return replace(self, curves=tuple(curves))

    def with_longest(self, most: int) -> LayerSweep:
        """The same; of a list only so many entries, those that take longest."""
        if not self.listed or len(self.places) <= most:
            return self
        times: dict[float, float] = {}
        for curve in self.curves:
            for x, p in curve.points:
                times[x] = max(times.get(x, 0.0), p.seconds)
        kept = set(sorted(times, key=lambda x: -times[x])[:most])
        left = (
            replace(curve, points=tuple(each for each in curve.points if each[0] in kept))
            for curve in self.curves
        )
        return replace(self, curves=tuple(curve for curve in left if curve.points))

    @property
    def listed(self) -> bool:
        """Whether its layers are the entries of a list: then x is a place in it, no quantity."""
        return self.over == LISTED

    @cached_property
    def places(self) -> list[float]:
        """Every x there is, ascending."""
        return sorted({x for curve in self.curves for x, _ in curve.points})

    def number(self, x: float) -> str:
        """What a layer is called where there is little room: its x, or which entry of the list it
        is.
        """
        return str(self.places.index(x) + 1) if self.listed else f"{x:g}"

    @property
    def dtypes(self) -> list[str]:
        return list(dict.fromkeys(curve.dtype for curve in self.curves))

    @property
    def series(self) -> list[str]:
        """Names of the series; of one that several providers ran, one for each."""
        return list(dict.fromkeys(map(self.name_of, self.curves)))

    def name_of(self, curve: Curve) -> str:
        """``dense``; ``dense, cublas`` where there are several providers."""
        several = len({each.provider for each in self.curves}) > 1
        return ", ".join(
            filter(None, (curve.series, curve.provider if several or not curve.series else ""))
        )


def slug(text: str) -> str:
    """A name as part of a file's name."""
    return "-".join(re.findall(r"[a-z0-9._]+", text.lower())).strip(".-")[:LONGEST] or "unnamed"


def networks(placed: Iterable[Placement], rows: Iterable[Measurement]) -> list[Network]:
    """Every network at every precision, in the order of its rows."""
    groups: dict[tuple[str, str, str], list[Placement]] = {}
    for point in placed:
        if point.network:
            groups.setdefault(group_of(point), []).append(point)
    found = list(rows)
    whole, refused, files = _whole(found), _refused(found), _files(list(groups))
    runs = [row for row in found if isinstance(row.tag, Tag) and row.tag.whole == LEAST_RUN]
    calls = {row.backend: row.seconds_median or 0.0 for row in runs}
    missing = _missing(found)
    return [
        Network(
            *key,
            files[key],
            tuple(group),
            speed_of_light(group)[0],
            whole.get(key),
            tuple(missing.get(key, ())),
            calls.get(key[1], 0.0),
            refused=refused.get(key, ""),
        )
        for key, group in groups.items()
    ]


def _key(row: Measurement) -> tuple[str, str, str]:
    """Network, provider and precision of a row."""
    return row.facts.network, row.facts.provider, row.facts.precision


def unplaced(shown: Iterable[Network], rows: Iterable[Measurement]) -> list[str]:
    """A sentence for each network of which no layer could be timed alone: its time as a whole, or
    why it has none.
    """
    found, there = list(rows), {(net.name, net.provider, net.precision) for net in shown}
    missing = _missing(found)
    said = []
    for key, row in _whole(found).items():
        if key not in there:
            time, layers = si(row.seconds_median or 0.0, "s"), named(missing.get(key, ()))
            said.append(
                f"{_title(key)}: {time} in one go; none of its layers could be timed "
                f"alone: {layers}"
            )
    for key, reason in _refused(found).items():
        if key not in there:
            said.append(
                f"{_title(key)}: neither the whole nor any of its layers could be timed: {reason}"
            )
    return said


def _title(key: tuple[str, str, str]) -> str:
    """``the network resnet50, FP32 on cpu``: a sentence begins with it, and a name keeps its first
    letter.
    """
    return f"the network {key[0]}, {key[2].upper()} on {key[1]}"


def named(layers: Sequence[str]) -> str:
    """The first of these names, and how many more."""
    more = f" and {len(layers) - NAMED} more" if len(layers) > NAMED else ""
    return ", ".join(layers[:NAMED]) + more


def _missing(rows: Iterable[Measurement]) -> dict[tuple[str, str, str], list[str]]:
    """Names of layers that could not run, by network, provider, precision."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.ceiling != WHOLE and row.quantity == LAYER and row.status != OK:
            found.setdefault(_key(row), []).append(row.layer)
    return found


def _whole(rows: Iterable[Measurement]) -> dict[tuple[str, str, str], Measurement]:
    """Rows of whole networks by network, provider, precision."""
    return {
        _key(row): row
        for row in rows
        if row.ceiling == WHOLE and row.status == OK and row.seconds_median
    }


def _refused(rows: Iterable[Measurement]) -> dict[tuple[str, str, str], str]:
    """Why whole networks could not be timed, by network, provider, precision."""
    return {_key(row): row.reason for row in rows if row.ceiling == WHOLE and row.status != OK}


def _files(keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """``network-resnet50-fp16``, with the provider where two would be called the same."""
    short = {key: f"network-{slug(key[0])}-{slug(key[2])}" for key in keys}
    times = Counter(short.values())
    named = {
        key: f"{name}-{slug(key[1])}" if times[name] > 1 else name for key, name in short.items()
    }
    seen, files = set[str](), {}
    for key, name in named.items():
        files[key] = next(each for each in _numbered(name) if each not in seen)
        seen.add(files[key])
    return files


def _numbered(name: str) -> Iterator[str]:
    """The name, and where that is taken, since names differ by what no file's name holds, with a
    number.
    """
    yield name
    yield from (f"{name}-{number}" for number in count(2))


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


def _curves(found: dict[tuple[str, str, str], list[tuple[float, Placement]]]) -> tuple[Curve, ...]:
    return tuple(
        Curve(*key, tuple(sorted(points, key=lambda p: (p[0], p[1].layer))))
        for key, points in found.items()
    )
