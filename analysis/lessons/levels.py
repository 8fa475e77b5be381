"""The larger the working set, the lower and slower the level of memory that serves it."""

from __future__ import annotations

from itertools import pairwise

from analysis.lessons.frame.charts import Curve, Curves, Guide
from analysis.lessons.frame.evidence import QUIETER, Evidence, Untold, Untried
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import MEMORY
from analysis.lessons.frame.trial import Finding
from analysis.model.roofline import Roof
from analysis.units import si
from probes.records.need import Need
from probes.records.tag import MAIN_MEMORY, SHARED, Tag

GAIN = 1.0
"""The bandwidth of a level over that of the next, at least."""
SWEEP = {
    "cpu": Need("cache", tags=("sweep/bandwidth/working-set/read",)),
    "cuda": Need("cache", tags=("sweep/bandwidth/working-set/read*",)),
}
NAMES = {"read": "read", "read-per-sm": "each SM its own"}


def judge(evidence: Evidence) -> Finding:
    rows = evidence.rows(SWEEP[evidence.kind])
    roofs = _from_the_core_down(evidence)
    tags = [roof.tag for roof in roofs]
    if evidence.roofs.doubted:
        doubted = evidence.roofs.doubted[0]
        raise Untold(f"{doubted.tag}: {doubted.doubt}; {QUIETER}")
    if len(tags) < 2:
        raise Untried("fewer than two levels of memory were found")
    rates = [evidence.reached(tag) for tag in tags]
    said = all_of(upper.over(lower).above(GAIN) for upper, lower in pairwise(rates))
    labels = [roof.label for roof in roofs]
    told = [f"{label} {si(rate.value, 'B/s')}" for label, rate in zip(labels, rates, strict=True)]
    words = f"From the fastest level to main memory: {', '.join(told)}."
    curves = []
    for series in dict.fromkeys(row.ceiling.rpartition("/")[2] for row in rows):
        points = [
            (row.x or 0.0, evidence.rate(row)) for row in rows if row.ceiling.endswith(f"/{series}")
        ]
        curves.append(Curve(NAMES.get(series, series), points))
    guides = [Guide(label, rate.value) for label, rate in zip(labels, rates, strict=True)]
    chart = Curves(
        across="Working set",
        up="Bandwidth",
        unit="B/s",
        curves=curves,
        guides=guides,
        unit_across="B",
    )
    return Finding(said, words, chart)


def _from_the_core_down(evidence: Evidence) -> list[Roof]:
    """The caches, nearest first, then main memory, as far as they were measured."""
    by_level = {Tag.parse(roof.tag).subject: roof for roof in evidence.roofs.bandwidth}
    caches = sorted(level for level in by_level if level not in (SHARED, MAIN_MEMORY))
    return [by_level[level] for level in (*caches, MAIN_MEMORY) if level in by_level]


LESSON = Lesson(
    name="levels",
    title="A larger working set is served slower",
    claim=(
        "Memory is a hierarchy: the larger the working set, the lower the level that serves it, "
        "and each level down moves fewer bytes a second."
    ),
    source="Hennessy and Patterson, Computer Architecture: A Quantitative Approach, chapter 2.",
    rule="It holds if each level moves more bytes a second than the next, beyond their intervals.",
    needs=MEMORY,
    judge=judge,
)
