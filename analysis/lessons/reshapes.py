"""Reshapes that copy lower the intensity of a network, and cost time."""

from __future__ import annotations

from itertools import pairwise

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, short, si

NEEDS = by_kind("reshapes", places=(0.0, 1.0, 3.0, 5.0))


def judge(evidence: Evidence) -> Finding:
    ladder = evidence.ladder(NEEDS[evidence.kind])
    first, last = ladder[0], ladder[-1]
    falls = all(one.intensity > next_one.intensity for one, next_one in pairwise(ladder))
    longer = last.seconds.over(first.seconds)
    words = (
        f"With {last.x:.0f} transposes among its 6 convolutions the network has "
        f"{short(last.intensity)} instead of {short(first.intensity)} FLOP/B, does not one "
        f"operation more, and takes {si(last.seconds.value, 's')} instead of "
        f"{si(first.seconds.value, 's')}: {percent(longer.value - 1)} longer."
    )
    bars = [
        Bar(f"{layer.x:.0f} transposes", layer.seconds, marked=layer is last) for layer in ladder
    ]
    chart = Bars(across="Time of a network of 6 convolutions", unit="s", bars=bars)
    return Finding(all_of([falls, longer.above(1.0)]), words, chart)


LESSON = Lesson(
    name="reshapes",
    title="Reshapes lower the intensity and cost time",
    claim=(
        "Transposes and reshapes that copy compute nothing: they lower the intensity of a network "
        "and cost time, though the operations stay the same."
    ),
    source="Ma et al., ShuffleNet V2, ECCV 2018 (guideline 4).",
    rule=(
        "It holds if the intensity falls with each transpose, and 5 of them make the network take "
        "longer, beyond its interval."
    ),
    needs=tuple(NEEDS.values()),
    judge=judge,
)
