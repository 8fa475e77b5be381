"""Small pieces at random places waste bandwidth."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need

TIMES = 4.0
"""The rate of the largest pieces over that of the smallest, at least."""
SWEEP = Need(
    "bandwidth",
    tags=("sweep/bandwidth/gather/*",),
    places=(4.0, 8.0, 64.0, 4096.0),
    full=True,
)


def judge(evidence: Evidence) -> Finding:
    rows = evidence.span(SWEEP)
    good, bad = rows[-1], rows[0]
    loss = evidence.rate(good).over(evidence.rate(bad))
    words = (
        f"Pieces of {bad.x:.0f} B at random places bring {si(bad.rate, 'B/s')}, pieces of "
        f"{good.x:.0f} B {si(good.rate, 'B/s')}: {short(loss.value)} times as much."
    )
    points = [(row.x or 0.0, evidence.rate(row)) for row in rows]
    chart = Curves(
        across="Bytes read together at a random place",
        up="Bytes asked for, a second",
        unit="B/s",
        curves=[Curve("read", points)],
        unit_across="B",
    )
    return Finding(loss.above(TIMES), words, chart)


LESSON = Lesson(
    name="gather",
    title="Small pieces at random places waste bandwidth",
    claim=(
        "Random access to small pieces uses little of a line and of the time that memory takes to "
        "open a row: only long pieces reach its bandwidth."
    ),
    source="Drepper, What Every Programmer Should Know About Memory, 2007.",
    rule=(
        f"It holds if the largest pieces bring more than {TIMES:g} times the bytes of the smallest."
    ),
    needs=(SWEEP,),
    judge=judge,
)
