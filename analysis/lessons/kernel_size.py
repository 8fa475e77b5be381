"""A larger kernel raises the intensity of a convolution, and its rate with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import FLOAT, ROOFS, by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si

GAIN = 2.0
"""The rate at the largest kernel over that at the smallest, at least."""
SIZES = (1.0, 3.0, 5.0, 7.0)
NEEDS = by_kind("conv-kernel", "depthwise", "dense", places=SIZES)


def judge(evidence: Evidence) -> Finding:
    layers = evidence.layers(NEEDS[evidence.kind])
    # In a dense convolution channels are shared, too; in a depthwise one only the kernel is.
    ladder = evidence.ladder(replace(NEEDS[evidence.kind], series=("depthwise",)))
    first, last = ladder[0], ladder[-1]
    rises = all(one.intensity < next_one.intensity for one, next_one in pairwise(ladder))
    gain = last.rate.over(first.rate)
    words = (
        f"Depthwise, where only the kernel shares a pixel: from {first.x:.0f}x{first.x:.0f} to "
        f"{last.x:.0f}x{last.x:.0f} the intensity goes from {short(first.intensity)} to "
        f"{short(last.intensity)} FLOP/B and the rate from {si(first.rate.value, 'FLOP/s')} to "
        f"{si(last.rate.value, 'FLOP/s')}, {short(gain.value)} times."
    )
    spots = [layer.spot(f"{layer.x:.0f}x{layer.x:.0f}", layer.row.facts.series) for layer in layers]
    chart = evidence.under_roofs(spots, FLOAT[evidence.kind])
    return Finding(all_of([rises, gain.above(GAIN)]), words, chart)


LESSON = Lesson(
    name="kernel-size",
    title="Intensity and rate grow with the kernel size",
    claim=(
        "A larger kernel uses each pixel more often: the intensity of a convolution grows with "
        "the kernel size, and with it the rate that memory allows."
    ),
    source="NVIDIA, Deep Learning Performance: Convolutional Layers User's Guide.",
    rule=(
        f"It holds if the intensity grows at each step, and the largest depthwise kernel runs at "
        f"more than {GAIN:g} times the rate of the smallest."
    ),
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
