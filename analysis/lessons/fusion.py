"""Fusing element-wise operations saves their bytes, and their time with them."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import exactly
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si
from probes.records.need import Need

GAIN = 1.1
"""The time of two passes over that of one, at least; their bytes are 5 to 3."""
SCALE = Need("bandwidth", tags=("bandwidth/dram/scale",))
ADD = Need("bandwidth", tags=("bandwidth/dram/add",))
TRIAD = Need("bandwidth", tags=("bandwidth/dram/triad",))


def judge(evidence: Evidence) -> Finding:
    scale, add, triad = (evidence.row(need) for need in (SCALE, ADD, TRIAD))
    apart = evidence.seconds(scale).plus(evidence.seconds(add))
    together = evidence.seconds(triad)
    gain = apart.over(together)
    saved = ((scale.bytes or 0.0) + (add.bytes or 0.0)) / (triad.bytes or 1.0)
    words = (
        f"a = b + s*c in one pass takes {si(together.value, 's')}, a scaling and an addition one "
        f"after the other {si(apart.value, 's')}: {short(gain.value)} times as long, for "
        f"{short(saved)} times the bytes."
    )
    bars = [Bar("bytes of two passes over one", exactly(saved)), Bar("time", gain, marked=True)]
    chart = Bars(
        across="Two passes over one", unit="x", bars=bars, guides=[Guide("nothing saved", 1.0)]
    )
    return Finding(gain.above(GAIN), words, chart)


LESSON = Lesson(
    name="fusion",
    title="Fused element-wise operations save their bytes",
    claim=(
        "Two element-wise operations in one pass need not write and read what lies between them: "
        "where memory bounds them, they take as much less time as they move fewer bytes."
    ),
    source="NVIDIA, Deep Learning Performance: Memory-Limited Layers User's Guide.",
    rule=f"It holds if two passes take more than {GAIN:g} times as long as the fused one.",
    needs=(SCALE, ADD, TRIAD),
    judge=judge,
)
