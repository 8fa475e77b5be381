"""Channels should be multiples of 8 or 16."""

from __future__ import annotations

from dataclasses import replace

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence, Layer
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.needs import by_kind
from analysis.lessons.frame.trial import Finding
from analysis.units import short, si

EVEN = 32.0
ODD = (31.0, 33.0)
STEP = 16
GAIN = 1.2
"""The rate at the multiple over that beside it, at least."""
NEEDS = by_kind("alignment", "Conv 3x3", places=(15.0, 16.0, 17.0, *ODD, EVEN, 64.0))


def judge(evidence: Evidence) -> Finding:
    need = NEEDS[evidence.kind]
    even = _with(evidence, EVEN)
    gains = [even.rate.over(_with(evidence, channels).rate) for channels in ODD]
    words = (
        f"A 3x3 convolution computes {si(even.rate.value, 'FLOP/s')} with 32 channels, "
        f"{short(gains[0].value)} times the rate with 31 and {short(gains[1].value)} times that "
        "with 33."
    )
    bars = [
        Bar(f"{layer.x:.0f} channels", layer.rate, marked=layer.x % STEP == 0)
        for layer in evidence.layers(need)
    ]
    chart = Bars(
        across=f"Rate of a 3x3 convolution in {even.row.dtype.upper()}", unit="FLOP/s", bars=bars
    )
    return Finding(all_of(gain.above(GAIN) for gain in gains), words, chart)


def _with(evidence: Evidence, channels: float) -> Layer:
    """The layer with so many channels."""
    (layer,) = evidence.layers(replace(NEEDS[evidence.kind], places=(channels,)))
    return layer


LESSON = Lesson(
    name="multiples",
    title="Fast units want multiples of 8 and 16",
    claim=(
        "Tensor cores, and the widest vector units, take 8 or 16 values at once: a channel more or "
        "less than a multiple costs the rate of a whole step."
    ),
    source="NVIDIA, Deep Learning Performance: Matrix Multiplication Background User's Guide.",
    rule=f"It holds if 32 channels run at more than {GAIN:g} times the rate of 31 and of 33.",
    needs=tuple(NEEDS.values()),
    judge=judge,
)
