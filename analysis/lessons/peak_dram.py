"""The bandwidth that the memory's pins allow is not reached."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.interval import Interval, any_of, negated
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import MEMORY
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, si

BORDER = 0.97
"""Share of the peak from which it counts as reached."""
STREAMS = MEMORY[0]


def judge(evidence: Evidence) -> Finding:
    ceiling = evidence.ceilings.get("bandwidth/dram")
    peak = ceiling.nominal_peak if ceiling else None
    if peak is None:
        raise Untried("the peak of this memory is unknown: no clock and width of its bus is told")
    best: dict[str, Interval] = {}
    for row in evidence.rows(STREAMS):
        share = evidence.rate(row).times(1 / peak)
        if row.kernel not in best or share.value > best[row.kernel].value:
            best[row.kernel] = share
    said = negated(any_of(share.above(BORDER) for share in best.values()))
    fastest = max(best, key=lambda name: best[name].value)
    words = (
        f"The fastest stream, {fastest}, moves {si(best[fastest].value * peak, 'B/s')}, "
        f"{percent(best[fastest].value)} of the {si(peak, 'B/s')} that the pins allow: rows are "
        "opened and refreshed, and the bus turns between reads and writes."
    )
    bars = [Bar(name, share, marked=name == fastest) for name, share in best.items()]
    chart = Bars(
        across="Share of the peak bandwidth", unit="%", bars=bars, guides=[Guide("peak", 1.0)]
    )
    return Finding(said, words, chart)


LESSON = Lesson(
    name="peak-dram",
    title="Main memory does not reach its pins' peak",
    claim="No program moves as many bytes per second as the pins of the memory allow.",
    source="Williams, Waterman and Patterson, Roofline, Communications of the ACM, 2009.",
    rule=f"It holds if no stream moves more than {BORDER:.0%} of the peak.",
    needs=(*MEMORY,),
    judge=judge,
)
