"""Each level of memory down, a load takes longer to come back."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import binary, short, si
from probes.records.need import Need

TIMES = 10.0
"""The latency of the largest working set over that of the smallest, at least."""
CHASE = Need("latency", tags=("sweep/latency/working-set/*",))


def judge(evidence: Evidence) -> Finding:
    rows = evidence.span(CHASE)
    first, last = rows[0], rows[-1]
    times = evidence.seconds(last).over(evidence.seconds(first))
    words = (
        f"One load after another takes {si(first.seconds_median, 's')} within "
        f"{binary(first.x or 0)} and {si(last.seconds_median, 's')} within "
        f"{binary(last.x or 0)}: {short(times.value)} times as long."
    )
    points = [(row.x or 0.0, evidence.seconds(row)) for row in rows]
    chart = Curves(
        across="Working set",
        up="Latency of a load",
        unit="s",
        curves=[Curve("chase", points)],
        unit_across="B",
    )
    return Finding(times.above(TIMES), words, chart)


LESSON = Lesson(
    name="latency",
    title="Main memory answers ten times later than L1",
    claim=(
        "Each level of the hierarchy down takes longer to answer: a load from main memory waits "
        "ten times and more as long as one from the first cache."
    ),
    source="Hennessy and Patterson, Computer Architecture: A Quantitative Approach, chapter 2.",
    rule=(
        f"It holds if a load of the largest working set takes more than {TIMES:g} times as long as "
        "one of the smallest."
    ),
    needs=(CHASE,),
    judge=judge,
)
