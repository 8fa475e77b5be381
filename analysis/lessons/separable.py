"""Splitting a convolution saves as much time as it saves operations."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import exactly
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import short

CHANNELS = 256.0
DENSE, SPLIT = "dense 3x3", "depthwise + pointwise"
MOST_OF_IT = 0.8
"""Share of the operations' factor that the time must reach."""
NEEDS = by_kind("separable", DENSE, SPLIT, places=(CHANNELS,))


def judge(evidence: Evidence) -> Finding:
    need = NEEDS[evidence.kind]
    dense = evidence.layer(need, DENSE)
    split = evidence.layer(need, SPLIT)
    saved = dense.flops / split.flops
    faster = dense.seconds.over(split.seconds)
    words = (
        f"With {CHANNELS:.0f} channels the split convolution has {short(saved)} times fewer "
        f"operations and is {short(faster.value)} times as fast: it runs at "
        f"{short(split.rate.value / dense.rate.value)} times the rate of the dense one, since its "
        f"intensity is {short(split.intensity)} FLOP/B instead of {short(dense.intensity)}."
    )
    bars = [
        Bar("fewer operations", exactly(saved)),
        Bar("less time", faster, marked=True),
    ]
    chart = Bars(across="Dense 3x3 over depthwise and pointwise", unit="x", bars=bars)
    return Finding(faster.above(MOST_OF_IT * saved), words, chart)


LESSON = Lesson(
    name="separable",
    title="Split convolutions save time as they save FLOPs",
    claim=(
        "A 3x3 convolution that is split into depthwise and pointwise has 8 to 9 times fewer "
        "operations, and is as many times as fast."
    ),
    source="Howard et al., MobileNets, 2017.",
    rule=(
        f"It holds if the time falls by more than {MOST_OF_IT:.0%} of the factor by which the "
        "operations fall."
    ),
    needs=tuple(NEEDS.values()),
    judge=judge,
)
