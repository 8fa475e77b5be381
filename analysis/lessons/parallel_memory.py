"""Memory reaches its rate only with enough requests in flight."""

from __future__ import annotations

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, si
from probes.records.need import Need

MOST = 0.8
"""Share of the best rate that the fewest may reach."""
SWEEPS = {
    "cpu": Need("bandwidth", tags=("sweep/bandwidth/threads/read",), kinds=("cpu",), full=True),
    "cuda": Need(
        "bandwidth", tags=("sweep/bandwidth/blocks-per-sm/read",), kinds=("cuda",), full=True
    ),
}
WHERE = {"cpu": ("one core", "Cores at work"), "cuda": ("one block an SM", "Blocks on each SM")}


def judge(evidence: Evidence) -> Finding:
    rows = evidence.span(SWEEPS[evidence.kind])
    if evidence.device.units < 2:
        raise Untried("one core is all there is")
    fewest = rows[0]
    best = max(rows, key=lambda row: row.rate or 0.0)
    share = evidence.rate(fewest).over(evidence.rate(best))
    who, axis = WHERE[evidence.kind]
    words = (
        f"A read by {who} moves {si(fewest.rate, 'B/s')}, {percent(share.value)} of the "
        f"{si(best.rate, 'B/s')} that {best.x:.0f} move."
    )
    points = [(row.x or 0.0, evidence.rate(row)) for row in rows]
    chart = Curves(across=axis, up="Bandwidth", unit="B/s", curves=[Curve("read", points)])
    return Finding(share.below(MOST), words, chart)


LESSON = Lesson(
    name="parallel-memory",
    title="One core or block does not fill the memory bus",
    claim=(
        "Main memory reaches its bandwidth only with latency times bandwidth bytes in flight: one "
        "core, or one block on a multiprocessor, asks for too few."
    ),
    source="Little's law; McCalpin, Memory Bandwidth and Concurrency, 2010.",
    rule=f"It holds if the fewest reach less than {MOST:.0%} of the best rate.",
    needs=tuple(SWEEPS.values()),
    judge=judge,
)
