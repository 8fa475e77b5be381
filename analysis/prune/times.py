"""The time of a whole network with fewer channels, from times of its layers, each alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from probes.records.measurement import WIDEST_SPREAD, Measurement

SESSIONS_DIFFER = 0.03
"""Standard deviation of the times of sessions of one network, relative: a session keeps for life
to the memory that it got."""
HANDED_OVER = 0.05
"""Of the layers' time, that a whole takes more: each layer reads what another wrote, maybe into the
cache of another core, and alone it reads the same again. Networks that spare nothing took 0 to 10 %
more than their layers on two cores of a Zen 4; this is the middle, and twice this the most."""
SIGMAS = 2.0
"""Half the width of an interval, in standard deviations: 95 %."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A predicted number with its interval."""

    value: float
    low: float
    high: float

    def holds(self, low: float, high: float) -> bool:
        """True if the interval meets a measured one."""
        return self.low <= high and low <= self.high

    def times(self, factor: float) -> Range:
        """The same in another unit."""
        return Range(value=self.value * factor, low=self.low * factor, high=self.high * factor)


@dataclass(frozen=True, kw_only=True)
class LayerTime:
    """One layer, timed alone in a session of its own."""

    seconds: float
    """Without those that a run takes to start."""
    error: float = 0.0
    """Half the width of the interval of its median, in seconds."""
    passes: int = 0
    """Operations that the runtime runs beside the layer's own, as it is alone: they change the
    layout of what it reads and writes. In a whole network neighbours share a layout."""
    elements: float = 0.0
    """Elements of what it writes; 0 where that is unknown."""


def layer_time(row: Measurement, start: float, slower: float = 1.0) -> LayerTime:
    """The time of a layer by its row. start: seconds that a run takes to start.

    slower: how much slower the machine was then than when other layers were timed.
    """
    seconds = (row.seconds_median or 0.0) / slower
    facts = row.facts
    ran = 1 if facts.captured or facts.launches is None else int(facts.launches)
    return LayerTime(
        seconds=max(0.0, seconds - start),
        error=error_of(row) / slower,
        passes=max(0, ran - 1),
        elements=float(prod(facts.shape)) if facts.shape else 0.0,
    )


def error_of(row: Measurement) -> float:
    """Half the width of the interval of its median, in seconds.

    Too few samples have none: theirs is as wide as that of any row that is trusted.
    """
    spread = WIDEST_SPREAD if row.spread is None else row.spread
    return spread * (row.seconds_median or 0.0)


def start_of_run(overhead: float | None, alone: Iterable[Measurement]) -> float:
    """Seconds of a run of nothing: as measured, but no more than the shortest layer took.

    The speed of a machine may have changed between the two. 0 where it was not measured.
    """
    if overhead is None:
        return 0.0
    return min([overhead, *(row.seconds_median or overhead for row in alone)])


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The network as trained, as it was timed among its layers."""

    seconds: float
    """Of one run."""
    error: float = 0.0
    """Half the width of its interval, in seconds: of a median, or of several ones."""
    start: float = 0.0
    """Seconds that a run takes to start."""
    passes: int | None = None
    """Operations that change a layout in it; None if unknown."""


def whole_after(
    before: Sequence[LayerTime],
    after: Sequence[LayerTime],
    whole: Whole,
    passes_after: int | None = None,
) -> Range:
    """Seconds of one run of a network with fewer channels.

    before, after: its layers, as trained and with fewer channels, in one order. passes_after:
    operations that change a layout in the network with fewer channels, as the runtime plans it;
    None if unknown.

    What is predicted is the start of a run, and the layers as they will be, and the gap. The gap is
    what the network as trained shows between its layers, each alone, and the whole:

    - The whole takes less. Layers alone change layouts for themselves, and a whole spares that. It
      is spared again in proportion to the layers that still change layouts: to their time, or to
      the elements that they write; and to the share of these changes that the runtime leaves out
      of the whole. The mean of both is predicted, and both bound the interval. Where it is not
      known what the runtime leaves out, the upper end is a network that spares nothing. What is
      handed over between layers is hidden in the gap as trained, and stays where less is spared:
      ``HANDED_OVER`` is predicted, none of it bounds the interval below, and twice it above.
    - The whole takes more. The gap stays as it is, or shrinks with the layers: both bound the
      interval, and their middle is predicted.

    Beyond these bounds the interval has, as a root of a sum of squares: twice
    ``SESSIONS_DIFFER``, and the intervals of all medians that were used.
    """
    layers_before = sum(layer.seconds for layer in before)
    layers_after = sum(layer.seconds for layer in after)
    alone_after = whole.start + layers_after
    gap = whole.start + layers_before - whole.seconds
    if gap >= 0:
        left_out = _share_left_out(before, after, whole.passes, passes_after)
        by_time = left_out * _share_that_changes(before, after, by_elements=False)
        by_elements = left_out * _share_that_changes(before, after, by_elements=True)
        least, most = sorted((by_time, by_elements))
        mean = (least + most) / 2
        if passes_after is None or whole.passes is None:
            least = 0.0

        def handed_over(spared: float) -> float:
            """Seconds by which it shrinks less than what is spared does."""
            return HANDED_OVER * max(0.0, layers_after - spared * layers_before)

        value = alone_after - gap * mean + handed_over(mean)
        low = alone_after - gap * most
        high = alone_after - gap * least + 2 * handed_over(least)
    else:
        shrunk = gap * layers_after / layers_before if layers_before else gap
        low = alone_after - max(gap, shrunk)
        high = alone_after - min(gap, shrunk)
        value = (low + high) / 2
    value = max(value, whole.start)
    left = value / whole.seconds
    errors = [SIGMAS * SESSIONS_DIFFER * value, left * whole.error]
    errors += [layer.error for layer in after]
    errors += [left * layer.error for layer in before]
    error = math.hypot(*errors)
    return Range(value=value, low=max(0.0, min(low, value) - error), high=max(high, value) + error)


def _share_that_changes(
    before: Sequence[LayerTime], after: Sequence[LayerTime], by_elements: bool
) -> float:
    """Changes of layout of layers alone with fewer channels, over those as trained.

    Each counts with its layer's elements or seconds. Where no layer has any, as of a runtime that
    tells none, all layers count alike.
    """
    has_passes = any(layer.passes for layer in before)

    def weight(layer: LayerTime) -> float:
        size = layer.elements if by_elements else layer.seconds
        return size * layer.passes if has_passes else size

    total = sum(map(weight, before))
    if not total and by_elements:
        return _share_that_changes(before, after, by_elements=False)
    return min(1.0, sum(map(weight, after)) / total) if total else 1.0


def _share_left_out(
    before: Sequence[LayerTime],
    after: Sequence[LayerTime],
    in_whole_before: int | None,
    in_whole_after: int | None,
) -> float:
    """Share of the layers' changes of layout that the whole leaves out, over that as trained.

    1 where one is not known.
    """
    if in_whole_before is None or in_whole_after is None:
        return 1.0
    as_trained = _left_out(before, in_whole_before)
    return min(1.0, _left_out(after, in_whole_after) / as_trained) if as_trained else 1.0


def _left_out(layers: Sequence[LayerTime], in_whole: int) -> float:
    """Share of the layers' changes of layout that a whole with so many leaves out."""
    alone = sum(layer.passes for layer in layers)
    return max(0.0, 1 - in_whole / alone) if alone else 0.0
