"""How much of a run is shown in pictures and on a terminal. Files hold all of it.

No run of our own comes near; an imported one may have a thousand networks, and a picture takes half
a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from analysis.layers.groups import LayerSweep, Network
from analysis.model.roofline import Roofline
from analysis.model.sweeps import SweepChart

NETWORKS, SWEEPS, CURVES, LISTED = 40, 40, 24, 100
SLOPES, FLATS = 12, 40
CEILINGS = 400  # rows of a table on a terminal

Item = TypeVar("Item")


def longest(items: Sequence[Item], most: int, size: Callable[[Item], float]) -> list[Item]:
    """The largest of these, as many as may be shown, in their own order."""
    if len(items) <= most:
        return list(items)
    largest = sorted(range(len(items)), key=lambda at: -size(items[at]))[:most]
    return [items[at] for at in sorted(largest)]


def of_networks(networks: Sequence[Network]) -> list[Network]:
    """Those that take longest."""
    return longest(networks, NETWORKS, lambda net: net.seconds)


def of_sweeps(sweeps: Sequence[SweepChart]) -> list[SweepChart]:
    """Those with most points, of each the lines with most."""
    kept = longest(sweeps, SWEEPS, lambda sweep: sum(len(line.rows) for line in sweep.lines))
    return [
        sweep.with_lines(longest(sweep.lines, CURVES, lambda line: len(line.rows)))
        for sweep in kept
    ]


def of_layer_sweeps(sweeps: Sequence[LayerSweep]) -> list[LayerSweep]:
    """Those with most points, of each the curves with most; of a list the layers that take
    longest.
    """
    kept = longest(sweeps, SWEEPS, lambda sweep: len(sweep.layers))
    return [
        sweep.with_curves(
            longest(sweep.curves, CURVES, lambda curve: len(curve.points))
        ).with_longest(LISTED)
        for sweep in kept
    ]


def of_roofs(model: Roofline) -> Roofline:
    """The highest, and main memory, which is the lowest."""
    slopes = [
        roof for at, roof in enumerate(model.bandwidth) if at < SLOPES or roof == model.memory
    ]
    return Roofline(model.compute[:FLATS], tuple(slopes), model.doubted)


def left_out(what: str, every: Sequence[object], shown: Sequence[object], file: str) -> list[str]:
    """A sentence on what is not shown, if anything is not."""
    if len(every) == len(shown):
        return []
    return [f"of {len(every)} {what} the {len(shown)} largest are shown; all of them are in {file}"]
