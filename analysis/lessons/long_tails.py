"""Entropy or a percentile beats MinMax on long-tailed activations, and not on others."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.lessons.frame.charts import Bar, Bars, Guide
from analysis.lessons.frame.evidence import Evidence
from analysis.lessons.frame.interval import Interval, Said, all_of, any_of, negated
from analysis.lessons.frame.lesson import Lesson
from analysis.lessons.frame.studies import CONFIDENCE, NETWORK, Fact, facts_of, mean_of, study
from analysis.lessons.frame.trial import Finding

LONG_TAILED, OTHERS = "long-tailed", "others"
MINMAX = "minmax"
METHODS = {
    "entropy": "entropy",
    "percentile-99.9": "99.9 %",
    "percentile-99.99": "99.99 %",
    "percentile-99.999": "99.999 %",
}
"""The methods that the claim speaks of, as pictures name them."""
LEAST_TAIL = 1.5
"""See ``probes.accuracy.textbook.LONG``."""
STRICT = 1 - (1 - CONFIDENCE) / len(METHODS)
"""The confidence of each interval: the best of several methods is looked at."""
STUDY = study("calibration")


def judge(evidence: Evidence) -> Finding:
    facts = facts_of(evidence, STUDY, MINMAX)
    long_tailed = [fact for fact in facts if fact.group == LONG_TAILED]
    others = [fact for fact in facts if fact.group == OTHERS]
    on_long = {method: _gain(long_tailed, method) for method in METHODS}
    on_others = {method: _gain(others, method) for method in METHODS}
    said = any_of(_beats(on_long[method], on_others[method]) for method in METHODS)
    bars = []
    for method, name in METHODS.items():
        bars.append(Bar(f"{name}, long tails", _more_noise(on_long[method]), marked=True))
        bars.append(Bar(f"{name}, others", _more_noise(on_others[method])))
    chart = Bars(
        across="More noise than MinMax (dB)", unit="", bars=bars, guides=[Guide("MinMax", 0.0)]
    )
    best = max(METHODS, key=lambda method: on_long[method].value)
    worst = min(METHODS, key=lambda method: on_long[method].value)
    words = (
        f"Of {len(long_tailed)} long-tailed activations of {NETWORK} (the largest number is at "
        f"least {LEAST_TAIL:g} times as large as 99.9 % of them), on unseen words: the best, "
        f"{METHODS[best]}, leaves {_more(on_long[best])} noise than MinMax, and "
        f"{_more(on_others[best])} on {len(others)} others; the worst, {METHODS[worst]}, leaves "
        f"{_more(on_long[worst])}: it cuts off numbers that count."
    )
    return Finding(said, words, chart)


def _gain(facts: Sequence[Fact], method: str) -> Interval:
    """Mean gain of a method over MinMax, in dB."""
    gains = [fact.values[method] - fact.values[MINMAX] for fact in facts if method in fact.values]
    return mean_of(gains, STRICT)


def _beats(on_long: Interval, on_others: Interval) -> Said:
    """Whether a method gains on long tails, and not on others."""
    gains_nothing = True if on_others.low <= 0 else negated(on_others.above(0))
    return all_of([on_long.above(0), gains_nothing])


def _more_noise(gain: Interval) -> Interval:
    """A gain as what is drawn, to a tenth of a dB."""
    return Interval(round(-gain.high, 1), round(-gain.value, 1), round(-gain.low, 1))


def _more(gain: Interval) -> str:
    """``0.6 dB less`` or ``8.1 dB more``."""
    return f"{abs(gain.value):.1f} dB {'less' if gain.value > 0 else 'more'}"


LESSON = Lesson(
    name="long-tails",
    title="Entropy, percentile beat MinMax on long tails",
    claim=(
        "Where an activation has a long tail, a range by entropy or a percentile loses less than "
        "MinMax; where it has none, it does not."
    ),
    source="Wu et al., Integer Quantization for Deep Learning Inference, arXiv 2004.09602, 2020.",
    rule=(
        "It holds if one of entropy and the percentiles surely gains on long tails, and not on "
        "others (mean over activations, 95 % for all of them together)."
    ),
    needs=(STUDY,),
    judge=judge,
)
