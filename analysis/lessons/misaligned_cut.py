"""Pruning to a number of channels that is no multiple of 8 or 16 gains nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from analysis.lessons.frame.charts import Curve, Curves
from analysis.lessons.frame.evidence import Evidence, Layer, Untold, Untried
from analysis.lessons.frame.interval import all_of, exactly, negated
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import layers
from analysis.lessons.frame.steps import by_place
from analysis.lessons.frame.trial import Finding
from analysis.units import whole_percent


class Cut(NamedTuple):
    """What is pruned on a kind of device."""

    dtype: str
    """The type whose units want multiples."""
    whole: float
    """Channels before."""
    misaligned: float
    """Channels that are left, no multiple of 8."""
    aligned: float
    """Fewer, a multiple of 16."""


CUTS = {"cpu": Cut("int8", 64, 57, 48), "cuda": Cut("fp16", 128, 113, 96)}
NOTHING = 0.9
"""Share of the time that is left, above which nothing was gained."""
EIGHT = 8
NEED = layers("pruned", dtypes=("fp32", "fp16", "int8"))


def judge(evidence: Evidence) -> Finding:
    cut = CUTS[evidence.kind]
    needed = (cut.whole, cut.misaligned, cut.aligned)
    steps = by_place(evidence, replace(NEED, dtypes=(cut.dtype,)), needed)
    left = steps[cut.misaligned].seconds.over(steps[cut.whole].seconds)
    left_aligned = steps[cut.aligned].seconds.over(steps[cut.whole].seconds)
    over_aligned = steps[cut.misaligned].seconds.over(steps[cut.aligned].seconds)
    said = all_of([negated(left.below(NOTHING)), over_aligned.above(1)])
    work = steps[cut.misaligned].flops / steps[cut.whole].flops
    aligned_work = steps[cut.aligned].flops / steps[cut.whole].flops
    words = (
        f"In {cut.dtype.upper()}, {cut.misaligned:.0f} of {cut.whole:.0f} channels are "
        f"{whole_percent(work)} of the work and take {whole_percent(left.value)} of the time; "
        f"{cut.aligned:.0f} are {whole_percent(aligned_work)} of the work and take "
        f"{whole_percent(left_aligned.value)} of the time. {_why(steps, cut)}"
    )
    curves = list(_curves(evidence, cut))
    shares = [(x, exactly(layer.flops / steps[cut.whole].flops)) for x, layer in steps.items()]
    curves.append(Curve("work", shares))
    chart = Curves(
        across="Channels left", up="Share of the time", unit="", curves=curves, even=True
    )
    return Finding(said, words, chart)


def _why(steps: dict[float, Layer], cut: Cut) -> str:
    """Why, and which multiples of 8 gain nothing all the same."""
    whole = steps[cut.whole].seconds
    in_vain = [
        f"{x:.0f} ({whole_percent(layer.seconds.over(whole).value)})"
        for x, layer in sorted(steps.items())
        if x < cut.whole and not x % EIGHT and layer.seconds.over(whole).below(NOTHING) is False
    ]
    words = "Units work on many channels at once, and what is left over is filled up or goes slower"
    if not in_vain:
        return f"{words}."
    return f"{words}; multiples of 8 that gain nothing either: {', '.join(in_vain)}."


def _curves(evidence: Evidence, cut: Cut) -> Iterator[Curve]:
    """Share of the time that is left, over the channels that are, in each type that was timed."""
    for dtype in NEED.dtypes:
        need = replace(NEED, dtypes=(dtype,))
        with suppress(Untried, Untold):
            steps = by_place(evidence, need, (cut.whole,))
            whole = steps[cut.whole].seconds
            points = [(x, layer.seconds.over(whole)) for x, layer in steps.items()]
            yield Curve(dtype.upper(), points)


LESSON = Lesson(
    name="misaligned-cut",
    title="Misaligned pruning gains nothing",
    claim=(
        "Pruning channels to a number that is no multiple of 8 (FP16) or 16 (INT8) saves work and "
        "no time."
    ),
    source="NVIDIA, Deep Learning Performance: Convolutional Layers User's Guide.",
    rule=(
        f"It holds if the misaligned number of channels takes at least {NOTHING:.0%} of the time "
        "of all, and longer than the aligned one."
    ),
    needs=(NEED,),
    judge=judge,
)
