"""A 1x1 convolution lies on the slope of the roofline."""

from __future__ import annotations

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import ROOFS, by_kind
from analysis.lessons.frame.slope import RULE, on_slope
from analysis.lessons.frame.trial import Finding

NEEDS = by_kind("conv-size", "1x1", places=(112.0,))


def judge(evidence: Evidence) -> Finding:
    return on_slope(evidence, evidence.ladder(NEEDS[evidence.kind]))


LESSON = Lesson(
    name="pointwise",
    title="A 1x1 convolution is bound by memory",
    claim=(
        "A 1x1 convolution uses each pixel for its channels alone: with 64 of them it lies on the "
        "slope of the roofline, bound by memory."
    ),
    source="Sandler et al., MobileNetV2, CVPR 2018; Ma et al., ShuffleNet V2, ECCV 2018.",
    rule=RULE,
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
