"""A depthwise convolution lies on the slope of the roofline."""

from __future__ import annotations

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import ROOFS, by_kind
from analysis.lessons.frame.slope import RULE, on_slope
from analysis.lessons.frame.trial import Finding

NEEDS = by_kind("conv-kernel", "depthwise", places=(3.0,))


def judge(evidence: Evidence) -> Finding:
    return on_slope(evidence, evidence.ladder(NEEDS[evidence.kind]))


LESSON = Lesson(
    name="depthwise",
    title="A depthwise convolution is bound by memory",
    claim=(
        "A depthwise 3x3 convolution does 18 operations for each pixel that it reads and writes: "
        "it lies on the slope of the roofline, bound by memory."
    ),
    source="Howard et al., MobileNets, 2017; Ma et al., ShuffleNet V2, ECCV 2018.",
    rule=RULE,
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
