"""The first and the last layer are more sensitive to INT8 than others."""

from __future__ import annotations

import statistics

from analysis.lessons.frame.charts import Curve, Curves, Guide
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import Interval, Said, all_of
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.studies import NETWORK, Fact, facts_of, study
from analysis.lessons.frame.trial import Finding

ALONE, WORST = "alone", "worst"
"""Mean over words of signal over noise in dB, and that of the worst word."""
HALF = "-half"
"""Half of the interval of a mean."""
ENDS = {"first": "over-first", "last": "over-last"}
"""The layers that the claim speaks of, and how far others lie above them, word by word."""
HALF_OF_ALL = 0.5
"""A sensitive layer leaves more noise than this share of all layers."""
NUMBERS = (WORST, *(f"{name}{end}" for name in (ALONE, *ENDS.values()) for end in ("", HALF)))
STUDY = study("layers")


def judge(evidence: Evidence) -> Finding:
    facts = facts_of(evidence, STUDY, *NUMBERS)
    said = all_of(_is_sensitive(end, facts) for end in ENDS)
    first, last = facts[0], facts[-1]
    words = (
        f"Of {len(facts)} layers of {NETWORK}, each alone in INT8, by the noise of the answer to "
        f"a usual word the first is number {_rank(first, facts, ALONE)} and the last number "
        f"{_rank(last, facts, ALONE)}; by that of its worst word, number "
        f"{_rank(first, facts, WORST)} and {_rank(last, facts, WORST)}. Number one is layer "
        f"{_noisiest(facts).place + 1}, a {_noisiest(facts).group} one."
    )
    noises = [fact.values[ALONE] for fact in facts]
    curves = []
    for group in dict.fromkeys(fact.group for fact in facts):
        of_group = [fact for fact in facts if fact.group == group]
        points = [(float(fact.place + 1), _interval(fact, ALONE)) for fact in of_group]
        curves.append(Curve(group, points))
    chart = Curves(
        across="Place of the layer in the network",
        up="Signal over noise",
        unit="dB",
        curves=curves,
        guides=[Guide("median", statistics.median(noises))],
        even=True,
    )
    return Finding(said, words, chart)


def _is_sensitive(end: str, facts: list[Fact]) -> Said:
    """Whether one of the ends leaves more noise than half of the layers; None if it may."""
    less_noisy = [_interval(fact, ENDS[end]).above(0) for fact in facts]
    needed = HALF_OF_ALL * len(facts)
    if less_noisy.count(True) >= needed:
        return True
    return False if less_noisy.count(False) > len(facts) - needed else None


def _interval(fact: Fact, name: str) -> Interval:
    half = fact.values[f"{name}{HALF}"]
    middle = fact.values[name]
    return Interval(middle - half, middle, middle + half)


def _rank(fact: Fact, facts: list[Fact], name: str) -> int:
    return 1 + sum(other.values[name] < fact.values[name] for other in facts)


def _noisiest(facts: list[Fact]) -> Fact:
    return min(facts, key=lambda fact: fact.values[ALONE])


LESSON = Lesson(
    name="first-last",
    title="First and last layers are sensitive",
    claim="The first and the last layer lose more in INT8 than others, so they are kept in floats.",
    source="Zhou et al., DoReFa-Net, arXiv 1606.06160, 2016.",
    rule=(
        "It holds if each of the two surely leaves more noise in the answer than half of all "
        "layers, word by word, and fails if one surely leaves less than half of them."
    ),
    needs=(STUDY,),
    judge=judge,
)
