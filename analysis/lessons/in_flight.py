"""Arithmetic reaches its rate only with latency times width operations in flight."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need

TIMES = 2.0
"""The rate of eight chains over that of one, at least."""
CHAINS = Need("in_flight", tags=("sweep/compute/chains/*",))
WHERE = {"cpu": "one core", "cuda": "one warp a scheduler"}


def judge(evidence: Evidence) -> Finding:
    rows = evidence.span(CHAINS)
    one, most = rows[0], rows[-1]
    gain = evidence.rate(most).over(evidence.rate(one))
    words = (
        f"With one chain of multiply-adds, each waiting for the one before, "
        f"{WHERE[evidence.kind]} computes {si(one.rate, 'FLOP/s')}; with {most.x:.0f} independent "
        f"ones {si(most.rate, 'FLOP/s')}, {short(gain.value)} times as much."
    )
    points = [(row.x or 0.0, evidence.rate(row)) for row in rows]
    chart = Curves(
        across="Independent chains of multiply-adds",
        up="Rate",
        unit="FLOP/s",
        curves=[Curve(WHERE[evidence.kind], points)],
    )
    return Finding(gain.above(TIMES), words, chart)


LESSON = Lesson(
    name="in-flight",
    title="Units need independent operations in flight",
    claim=(
        "A pipe is full only while it holds latency times width independent operations: a single "
        "chain of multiply-adds leaves most of it empty."
    ),
    source="Little's law; Volkov, Better Performance at Lower Occupancy, GTC 2010.",
    rule=f"It holds if 8 chains compute more than {TIMES:g} times the rate of one.",
    needs=(CHAINS,),
    judge=judge,
)
