"""Strided access wastes the bytes of a line."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need

TIMES = 4.0
"""The rate at stride 1 over that at stride 16, at least: a line holds 16 values of 4 bytes."""
SWEEP = Need("bandwidth", tags=("sweep/bandwidth/stride/*",), places=(1.0, 4.0, 16.0), full=True)


def judge(evidence: Evidence) -> Finding:
    rows = evidence.span(SWEEP)
    good, bad = rows[0], rows[-1]
    loss = evidence.rate(good).over(evidence.rate(bad))
    words = (
        f"Reading every value of 4 bytes brings {si(good.rate, 'B/s')} of what is asked for, every "
        f"{bad.x:.0f}th {si(bad.rate, 'B/s')}: {short(loss.value)} times less, since whole lines "
        "come all the same."
    )
    points = [(row.x or 0.0, evidence.rate(row)) for row in rows]
    chart = Curves(
        across="Stride in values of 4 bytes",
        up="Bytes asked for, a second",
        unit="B/s",
        curves=[Curve("read", points)],
    )
    return Finding(loss.above(TIMES), words, chart)


LESSON = Lesson(
    name="stride",
    title="Strided access wastes the bytes of a line",
    claim=("Memory moves whole lines: who reads one value in sixteen pays for all sixteen."),
    source="NVIDIA, CUDA C++ Best Practices Guide, Strided Accesses.",
    rule=(
        f"It holds if stride 1 brings more than {TIMES:g} times the bytes asked for of stride 16."
    ),
    needs=(SWEEP,),
    judge=judge,
)
