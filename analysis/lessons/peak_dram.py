"""The bandwidth that the memory's pins allow is not reached."""

from __future__ import annotations

from dataclasses import replace

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import QUIETER, Evidence, Untold, Untried
from analysis.lessons.frame.interval import Interval
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, si
from probes.records.need import Need

BORDER = 0.97
"""Share of the peak from which it counts as reached."""
TRIAD = "triad"
"""The stream that reads and writes as programs do."""
STREAMS = Need("bandwidth", tags=("bandwidth/dram/*",))


def judge(evidence: Evidence) -> Finding:
    ceiling = evidence.ceilings.get("bandwidth/dram")
    peak = ceiling.nominal_peak if ceiling else None
    if peak is None:
        raise Untried(
            "the pins' peak is unknown: the device tells no clock and width of its memory's bus; "
            "a GPU does"
        )
    best: dict[str, Interval] = {}
    for row in evidence.rows(STREAMS):
        share = evidence.rate(row).times(1 / peak)
        if row.kernel not in best or share.value > best[row.kernel].value:
            best[row.kernel] = share
    if TRIAD not in best:
        raise Untold(f"the triad was not timed well; {QUIETER}")
    triad = best[TRIAD]
    fastest = max(best, key=lambda name: best[name].value)
    words = (
        f"Of the {si(peak, 'B/s')} that the pins allow the triad moves {percent(triad.value)}, "
        f"and the fastest stream, {fastest}, {percent(best[fastest].value)}: rows are opened and "
        "refreshed, and the bus turns between reads and writes."
    )
    bars = [Bar(name, share, marked=name == TRIAD) for name, share in best.items()]
    chart = Bars(
        across="Share of the peak bandwidth", unit="%", bars=bars, guides=[Guide("peak", 1.0)]
    )
    return Finding(triad.below(BORDER), words, chart)


LESSON = Lesson(
    name="peak-dram",
    title="Main memory does not reach its pins' peak",
    claim="No program moves as many bytes per second as the pins of the memory allow.",
    source="Williams, Waterman and Patterson, Roofline, Communications of the ACM, 2009.",
    rule=f"It holds if a triad, a = b + s*c, moves less than {BORDER:.0%} of the peak.",
    needs=(replace(STREAMS, kinds=("cuda",)),),
    judge=judge,
)
