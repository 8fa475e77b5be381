"""As long as memory bounds a layer, a larger batch takes no longer."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence, Untried
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import ROOFS, by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si

WIDTH = 2048.0
SMALL, LARGER = "batch 1", "batch 16"
MOST = 2.0
"""Times as long as batch 1 that batch 16 may take and still be nearly free."""
NEEDS = by_kind("fc", SMALL, LARGER, "batch 128", places=(WIDTH,))


def judge(evidence: Evidence) -> Finding:
    need = NEEDS[evidence.kind]
    small = evidence.layer(need, SMALL)
    larger = evidence.layer(need, LARGER)
    ridge = evidence.ridge(larger)
    if larger.intensity > ridge:
        raise Untried(
            f"batch 16 has {short(larger.intensity)} FLOP/B and lies past the ridge at "
            f"{short(ridge)} already: a faster unit or a slower memory is needed"
        )
    longer = larger.seconds.over(small.seconds)
    words = (
        f"Width {WIDTH:.0f}: batch 1 takes {si(small.seconds.value, 's')}, batch 16 "
        f"{si(larger.seconds.value, 's')}, {short(longer.value)} times as long; its "
        f"{short(larger.intensity)} FLOP/B stand against a ridge at {short(ridge)}."
    )
    if longer.value > MOST:
        words += " Memory would allow it: the library's kernel for few rows is slower than that."
    bars = [
        Bar(layer.row.facts.series, layer.seconds, marked=layer.row.facts.series == LARGER)
        for layer in evidence.layers(need)
    ]
    chart = Bars(
        across=f"Time of a fully connected layer of width {WIDTH:.0f}", unit="s", bars=bars
    )
    return Finding(longer.below(MOST), words, chart)


LESSON = Lesson(
    name="batch-free",
    title="Below the ridge a larger batch is free",
    claim=(
        "While memory bounds a layer, the weights are read once for the whole batch: until the "
        "ridge, a larger batch takes hardly longer."
    ),
    source="Pope et al., Efficiently Scaling Transformer Inference, MLSys 2023.",
    rule=f"It holds if batch 16 takes less than {MOST:g} times as long as batch 1.",
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
