"""Activations and normalisations lie on the slope of the roofline."""

from __future__ import annotations

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import ROOFS, by_kind
from analysis.lessons.frame.slope import RULE, on_slope
from analysis.lessons.frame.trial import Finding

LIGHT = by_kind("light", "Add", "Relu", places=(112.0,))
ROWS = by_kind("rows", "LayerNormalization", "Softmax", "Gelu", places=(1024.0,))


def judge(evidence: Evidence) -> Finding:
    layers = []
    for needs in (LIGHT, ROWS):
        need = needs[evidence.kind]
        layers += [evidence.layer(need, series) for series in need.series]
    return on_slope(evidence, layers)


LESSON = Lesson(
    name="light-layers",
    title="Activations, norms, softmax: bound by memory",
    claim=(
        "Element-wise operations, normalisations and softmax do a few operations a value: all are "
        "bound by memory, and a faster unit does not help them."
    ),
    source="NVIDIA, Deep Learning Performance: Memory-Limited Layers User's Guide.",
    rule=RULE,
    needs=(*ROOFS, *LIGHT.values(), *ROWS.values()),
    judge=judge,
)
