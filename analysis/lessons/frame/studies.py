"""Facts that are no times: what a study of a trained network found, and intervals over them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.compare.noise import quantile
from analysis.lessons.frame.evidence import NOT_ASKED, Evidence, Untold, Untried
from analysis.lessons.frame.interval import Interval
from probes.records.layer import read_params
from probes.records.measurement import FAILED, OK
from probes.records.need import Need

CONFIDENCE = 0.95
NETWORK = "rapidocr's classifier of the direction of a word"
"""What the probe ``trained`` studies."""


@dataclass(frozen=True)
class Fact:
    """What was found of one layer or activation; see ``probes.accuracy.textbook.LayerFact``."""

    name: str
    """Of the layer or activation."""
    place: int
    """Its place in the network, from 0."""
    group: str
    """What it belongs to."""
    values: Mapping[str, float]
    """Numbers by their names."""


def study(name: str) -> Need:
    """The row of a study of the probe ``trained``."""
    return Need("trained", tags=(f"recipe/*/{name}",))


def facts_of(evidence: Evidence, need: Need, *names: str) -> list[Fact]:
    """What a study found, by place; each fact has the numbers of these names.

    Load does not change it, so that a row need not be quiet. Raises Untried where it could not run,
    Untold where it failed or has no such numbers.
    """
    rows = need.rows(evidence.measurements)
    for row in rows:
        if row.status == FAILED:
            raise Untold(f"{row.ceiling} failed: {row.reason}")
        if row.status != OK:
            raise Untried(row.reason)
        found = read_params(row.params).get("found")
        facts = [_fact(entry) for entry in found or () if isinstance(entry, dict)]
        if not facts or any(name not in fact.values for fact in facts for name in names):
            raise Untold(f"{row.ceiling} was stored by another version: run it again")
        return sorted(facts, key=lambda fact: fact.place)
    raise Untried(NOT_ASKED)


def _fact(entry: Mapping[str, Any]) -> Fact:
    numbers = {name: float(value) for name, value in entry.get("values", {}).items()}
    return Fact(
        str(entry.get("name")), int(entry.get("place") or 0), str(entry.get("group")), numbers
    )


def mean_of(numbers: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The mean with the interval that their spread leaves (Student). Raises Untold for fewer than
    two."""
    if len(numbers) < 2:
        raise Untold("too few layers for an interval: two are needed")
    middle = statistics.fmean(numbers)
    error = statistics.stdev(numbers) / math.sqrt(len(numbers))
    half = quantile(confidence, len(numbers) - 1) * error
    return Interval(middle - half, middle, middle + half)
