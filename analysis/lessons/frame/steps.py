"""Layers of a ladder by their places, where a rule needs certain ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from analysis.lessons.frame.evidence import Evidence, Layer, Untold
from probes.records.need import Need


def by_place(evidence: Evidence, need: Need, needed: Iterable[float]) -> dict[float, Layer]:
    """The layers of one curve that were timed well, by their place.

    Raises Untried or Untold, with what became of it, where one of those needed is missing.
    """
    steps = {layer.x: layer for layer in evidence.layers(need)}
    for place in needed:
        if place not in steps:
            rows = evidence.rows(replace(need, places=(place,)))
            raise Untold(f"{rows[0].layer} has no place under the roofs: run it again")
    return steps
