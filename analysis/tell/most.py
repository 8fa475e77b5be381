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

NETWORKS, SWEEPS = 40, 40
"""Pictures."""
CURVES = 24
"""Of one picture."""
LISTED = 100
"""Layers of a list."""
SLOPES, FLATS = 12, 40
"""Roofs of one picture."""
CEILINGS = 400
"""Rows of the table on a terminal."""

Item = TypeVar("Item")


def largest(items: Sequence[Item], most: int, size: Callable[[Item], float]) -> list[Item]:
    """The ``most`` largest of these, in their own order; of equal ones the first."""
    if len(items) <= most:
        return list(items)
    largest_first = sorted(range(len(items)), key=lambda place: -size(items[place]))
    return [items[place] for place in sorted(largest_first[:most])]


def of_networks(networks: Sequence[Network]) -> list[Network]:
    """Those that take longest."""
    return largest(networks, NETWORKS, lambda net: net.seconds)


def of_sweeps(sweeps: Sequence[SweepChart]) -> list[SweepChart]:
    """Those with most points, of each the lines with most."""
    shown = []
    for sweep in largest(sweeps, SWEEPS, _points):
        lines = largest(sweep.lines, CURVES, lambda line: len(line.rows))
        shown.append(sweep.with_lines(lines))
    return shown


def _points(sweep: SweepChart) -> int:
    return sum(len(line.rows) for line in sweep.lines)


def of_layer_sweeps(sweeps: Sequence[LayerSweep]) -> list[LayerSweep]:
    """Those with most points, of each the curves with most.

    Of a list the layers that take longest.
    """
    shown = []
    for sweep in largest(sweeps, SWEEPS, lambda sweep: len(sweep.layers)):
        curves = largest(sweep.curves, CURVES, lambda curve: len(curve.points))
        shown.append(sweep.with_curves(curves).with_longest(LISTED))
    return shown


def of_roofs(model: Roofline) -> Roofline:
    """The highest, and main memory, which may be below them."""
    slopes = list(model.bandwidth[:SLOPES])
    if model.memory and model.memory not in slopes:
        slopes.append(model.memory)
    return Roofline(model.compute[:FLATS], tuple(slopes), model.doubted)


def left_out(what: str, every: Sequence[object], shown: Sequence[object], file: str) -> list[str]:
    """A sentence on what is not shown, if anything is not."""
    if len(every) == len(shown):
        return []
    return [f"of {len(every)} {what} the {len(shown)} largest are shown; all of them are in {file}"]
