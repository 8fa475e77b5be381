"""Lanes that share a bank of shared memory wait for each other."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need

SHARE = 0.5
"""Of the number of lanes that share a bank: the loss, at least."""
SWEEP = Need("cache", tags=("sweep/bandwidth/bank-conflict/*",), kinds=("cuda",), full=True)


def judge(evidence: Evidence) -> Finding:
    if evidence.kind == "cpu":
        raise Untried("a CPU has no shared memory in banks that a program sees: take a GPU")
    rows = evidence.span(SWEEP)
    free, worst = rows[0], rows[-1]
    loss = evidence.rate(free).over(evidence.rate(worst))
    lanes = (worst.x or 1.0) / (free.x or 1.0)
    words = (
        f"With {worst.x:.0f} lanes of a warp on one bank shared memory moves "
        f"{si(worst.rate, 'B/s')} instead of {si(free.rate, 'B/s')}: {short(loss.value)} times "
        "less."
    )
    points = [(row.x or 0.0, evidence.rate(row)) for row in rows]
    chart = Curves(
        across="Lanes of a warp that share a bank",
        up="Bandwidth",
        unit="B/s",
        curves=[Curve("shared", points)],
    )
    return Finding(loss.above(SHARE * lanes), words, chart)


LESSON = Lesson(
    name="bank-conflicts",
    title="Lanes on one bank wait for each other",
    claim="Lanes of a warp that read different words of one bank are served one after another.",
    source="NVIDIA, CUDA C++ Programming Guide, Shared Memory.",
    rule=f"It holds if the loss is more than {SHARE:.0%} of the number of lanes that share a bank.",
    needs=(SWEEP,),
    judge=judge,
)
