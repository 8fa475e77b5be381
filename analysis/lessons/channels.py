"""More channels raise the intensity of a convolution, and its rate with it."""

from __future__ import annotations

from itertools import pairwise

from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import FLOAT, ROOFS, by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si

GAIN = 2.0
"""The rate with most channels over that with fewest, at least."""
NEEDS = by_kind("conv-channels", "1x1", places=(8.0, 32.0, 128.0, 512.0))


def judge(evidence: Evidence) -> Finding:
    ladder = evidence.ladder(NEEDS[evidence.kind])
    first, last = ladder[0], ladder[-1]
    rises = all(one.intensity < next_one.intensity for one, next_one in pairwise(ladder))
    gain = last.rate.over(first.rate)
    words = (
        f"A 1x1 convolution from {first.x:.0f} to {last.x:.0f} channels: the intensity goes from "
        f"{short(first.intensity)} to {short(last.intensity)} FLOP/B and the rate from "
        f"{si(first.rate.value, 'FLOP/s')} to {si(last.rate.value, 'FLOP/s')}, "
        f"{short(gain.value)} times."
    )
    spots = [layer.spot(f"{layer.x:.0f}", "1x1, channels") for layer in ladder]
    chart = evidence.under_roofs(spots, FLOAT[evidence.kind])
    return Finding(all_of([rises, gain.above(GAIN)]), words, chart)


LESSON = Lesson(
    name="channels",
    title="Intensity and rate grow with the channels",
    claim=(
        "Each value read serves all output channels: the intensity of a convolution grows with "
        "its channels, and with it the rate that memory allows."
    ),
    source="NVIDIA, Deep Learning Performance: Convolutional Layers User's Guide.",
    rule=(
        f"It holds if the intensity grows at each step, and most channels run at more than "
        f"{GAIN:g} times the rate of the fewest."
    ),
    needs=(*ROOFS, *NEEDS.values()),
    judge=judge,
)
