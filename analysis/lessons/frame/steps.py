"""Layers of a ladder by their places, where a rule needs certain ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.lessons.frame.evidence import Layer, Untold


def by_place(ladder: Sequence[Layer], needed: Iterable[float]) -> dict[float, Layer]:
    """The layers of one curve by their place. Raises Untold where a needed one is missing."""
    steps = {layer.x: layer for layer in ladder}
    for place in needed:
        if place not in steps:
            known = ladder[0].row.layer if ladder else "this curve"
            raise Untold(f"the curve of {known} has no layer at {place:g}: run it again")
    return steps
