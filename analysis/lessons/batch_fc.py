"""A fully connected layer is bound by memory at batch 1, and not at a large batch."""

from __future__ import annotations

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import FLOAT, ROOFS, by_kind
from analysis.lessons.frame.slope import HALF, why_not
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, si

WIDTH = 2048.0
SMALL, LARGE = "batch 1", "batch 128"
NEEDS = by_kind("fc", SMALL, "batch 16", LARGE, places=(WIDTH,))


def judge(evidence: Evidence) -> Finding:
    need = NEEDS[evidence.kind]
    small = evidence.layer(need, SMALL)
    large = evidence.layer(need, LARGE)
    at_small = evidence.share_of_memory(small)
    at_large = evidence.share_of_memory(large)
    memory = evidence.memory_above(small)
    words = (
        f"Width {WIDTH:.0f}: at batch 1 it moves {percent(at_small.value)} of the bytes a second "
        f"that {memory.label} gives and computes {si(small.rate.value, 'FLOP/s')}; at batch 128 "
        f"{percent(at_large.value)} and {si(large.rate.value, 'FLOP/s')}, since each weight "
        "serves 128 rows."
    )
    if at_small.value < HALF:
        words += f" At batch 1 {why_not(evidence, small)}."
    said = all_of([at_small.above(HALF), at_large.below(HALF)])
    spots = [layer.spot(layer.row.facts.series) for layer in evidence.layers(need)]
    chart = evidence.under_roofs(spots, FLOAT[evidence.kind])
    return Finding(said, words, chart)


LESSON = Lesson(
    name="batch-fc",
    title="FC is bound by memory at batch 1, not at 128",
    claim=(
        "A fully connected layer at batch 1 reads each weight for one multiply-add and is bound by "
        "memory; from a batch of about 64 on each weight serves many rows, and memory no longer "
        "bounds it."
    ),
    source="NVIDIA, Deep Learning Performance: Linear/Fully-Connected Layers User's Guide.",
    rule=(
        "It holds if the layer moves its bytes at more than half the rate of the memory that "
        "holds them at batch 1, and at less than half at batch 128."
    ),
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
