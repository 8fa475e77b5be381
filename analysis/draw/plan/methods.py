"""How methods of calibration are called and told apart in pictures."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.draw.style import CATEGORIES
from probes.records.precision import RangeRow

NAMES = {"minmax": "MinMax", "mse": "MSE"}
"""Methods that people call otherwise than they are stored."""
PERCENTILE = "percentile-"
"""How the name of a percentile begins; the rest of it is the number."""


def name_of_method(method: str) -> str:
    """``percentile 99.9 %`` of percentile-99.9, ``MinMax``."""
    if method.startswith(PERCENTILE):
        return f"percentile {method.removeprefix(PERCENTILE)} %"
    return NAMES.get(method, method)


def methods_of(rows: Iterable[RangeRow]) -> list[str]:
    """The methods of these rows, each once, in their order."""
    methods: dict[str, None] = {}
    for row in rows:
        methods.update(dict.fromkeys(row.threshold_of))
    return list(methods)


def colours_of(methods: Iterable[str]) -> dict[str, str]:
    """A colour for each method."""
    return {method: CATEGORIES[i % len(CATEGORIES)] for i, method in enumerate(methods)}
