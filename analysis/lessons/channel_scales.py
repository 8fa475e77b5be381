"""Scales per channel beat one scale per tensor, most on depthwise convolutions."""

from __future__ import annotations

from analysis.lessons.frame.charts import Bar, Bars
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.studies import NETWORK, Fact, facts_of, mean_of, study
from analysis.lessons.frame.trial import Finding

DEPTHWISE, DENSE = "depthwise", "dense"
TENSOR, CHANNEL = "tensor", "channel"
STUDY = study("weights")


def judge(evidence: Evidence) -> Finding:
    facts = facts_of(evidence, STUDY, TENSOR, CHANNEL)
    depthwise = [fact for fact in facts if fact.group == DEPTHWISE]
    dense = [fact for fact in facts if fact.group == DENSE]
    gain_depthwise = mean_of([_gain(fact) for fact in depthwise])
    gain_dense = mean_of([_gain(fact) for fact in dense])
    more = gain_depthwise.minus(gain_dense)
    said = all_of([gain_depthwise.above(0), gain_dense.above(0), more.above(0)])
    words = (
        f"Of {NETWORK}, with the weights of one convolution at a time in INT8: a scale for each "
        f"channel leaves {gain_depthwise.value:.1f} dB less noise in the answer than one for all "
        f"on {len(depthwise)} depthwise convolutions, {gain_dense.value:.1f} dB less on "
        f"{len(dense)} dense ones. A channel of a depthwise one has only 9 or 25 weights, which "
        "the largest of another channel rounds to nothing."
    )
    bars = [
        Bar(f"{group}, one scale a {scales}", mean_of([fact.values[scales] for fact in of_group]))
        for group, of_group in ((DEPTHWISE, depthwise), (DENSE, dense))
        for scales in (TENSOR, CHANNEL)
    ]
    marked = [Bar(bar.name, bar.number, CHANNEL in bar.name) for bar in bars]
    chart = Bars(across="Signal over noise of the answer", unit="dB", bars=marked)
    return Finding(said, words, chart)


def _gain(fact: Fact) -> float:
    """What scales per channel gain on a layer, in dB."""
    return fact.values[CHANNEL] - fact.values[TENSOR]


LESSON = Lesson(
    name="channel-scales",
    title="Scales per channel help, most on depthwise",
    claim=(
        "Weights with a scale for each output channel lose less than with one for the tensor, and "
        "most so in depthwise convolutions."
    ),
    source="Krishnamoorthi, Quantizing deep convolutional networks, arXiv 1806.08342, 2018.",
    rule=(
        "It holds if the mean gain in dB is above zero on both kinds of convolutions, and higher "
        "on depthwise ones, each beyond the interval over the layers (95 %)."
    ),
    needs=(STUDY,),
    judge=judge,
)
