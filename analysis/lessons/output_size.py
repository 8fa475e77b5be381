"""A larger image raises the intensity of a convolution, which then flattens."""

from __future__ import annotations

from itertools import pairwise

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import FLOAT, ROOFS, by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import percent, short, si

FLAT = 1.10
"""The last step of the intensity over the one before it, at most, where it has flattened."""
GAIN = 1.25
"""The best rate over that of the smallest image, at least."""
NEEDS = by_kind("conv-size", "3x3")


def judge(evidence: Evidence) -> Finding:
    ladder = evidence.ladder(NEEDS[evidence.kind])
    first, last = ladder[0], ladder[-1]
    steps = [next_one.intensity / one.intensity for one, next_one in pairwise(ladder)]
    grows_and_flattens = all(step > 1 for step in steps) and steps[-1] < FLAT < steps[0]
    best = max(ladder, key=lambda layer: layer.rate.value)
    gain = best.rate.over(first.rate)
    words = (
        f"A 3x3 convolution from {first.x:.0f} to {last.x:.0f} pixels a side: the intensity goes "
        f"from {short(first.intensity)} to {short(last.intensity)} FLOP/B, its last doubling of "
        f"the side adds {percent(steps[-1] - 1)}; the rate goes from "
        f"{si(first.rate.value, 'FLOP/s')} to {si(best.rate.value, 'FLOP/s')} at most."
    )
    spots = [layer.spot(f"{layer.x:.0f}", "3x3, side") for layer in ladder]
    chart = evidence.under_roofs(spots, FLOAT[evidence.kind])
    return Finding(all_of([grows_and_flattens, gain.above(GAIN)]), words, chart)


LESSON = Lesson(
    name="output-size",
    title="Intensity grows with the image, and flattens",
    claim=(
        "A larger image uses the weights more often: the intensity of a convolution grows with "
        "the output size, and flattens once the weights hardly count; the rate grows with it."
    ),
    source="NVIDIA, Deep Learning Performance: Convolutional Layers User's Guide.",
    rule=(
        f"It holds if the intensity grows at each step and by less than {FLAT - 1:.0%} at the "
        f"last, and the best rate is more than {GAIN:g} times that of the smallest image."
    ),
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
