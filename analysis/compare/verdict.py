"""Whether a row is the same, faster or slower on a second side of a comparison, or cannot be told.

A side is one or more runs. With three runs or more on each, their own spread from run to run is
the noise: a t-test on logarithms of speeds, in which rows of the same make lend each other their
spread (``noise.py``) and what is recorded of the drift between sets is added (``recorded.py``),
since no spread within a set can show it. A change is told if it is significant among all rows
(Benjamini and Hochberg: of the rows called slower or faster at most 1 in 20 is not, which is what a
reader of the table wants to know; Holm's rule would keep any false call at all to 1 in 20 tables,
and miss more that are slower).

With fewer runs, under unequal load, or where the spread of runs is too wide, a change is told
only where it exceeds the range that is recorded for that row on that kind of machine. What cannot
be trusted is not told at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from statistics import fmean

from analysis.compare.facts import (
    Circumstances,
    Reading,
    typical_circumstances,
    typical_reading,
)
from analysis.compare.noise import (
    NOTHING_KNOWN,
    Prior,
    adjusted,
    pooled_variance,
    prior_of,
    quantile,
    two_sided_p,
)
from analysis.compare.recorded import USUAL_DRIFT, machine_of, range_of, record_of
from analysis.compare.why import Difference, change_in_words, has_more_load, why
from analysis.units import percent
from probes.records.tag import COMPUTE, MAIN_MEMORY, OVERHEAD, TRANSFER

SAME, FASTER, SLOWER, CANNOT_TELL = "same", "faster", "slower", "cannot tell"
"""What a verdict says."""
SPREAD, RANGE = "spread of runs", "recorded range"
"""What a change was held against."""
FEW_RUNS, UNTRUSTED, UNEQUAL_LOAD = "too few runs", "not trusted", "unequal load"
NOISE, MISSING = "noise", "missing"
"""Why a row cannot be told, or is held against the recorded range."""

ENOUGH_RUNS = 3
"""Of a side, from which on their spread is the noise."""
LEVEL = 0.05
"""Share of wrong calls among rows called slower or faster."""
LEAST_MARGIN, MOST_MARGIN = 0.05, 0.10
"""A row is the same if it may be unchanged, and cannot have changed by more than the recorded
range, which counts as the first of these at least and as the second at most.
"""
NEGLIGIBLE = 0.01
"""A change that is smaller for certain is none, however surely there is one."""


@dataclass(frozen=True)
class Sample:
    """What both sides say of one row."""

    key: str
    """What it is a row of: a tag, or a layer with its work."""
    tag: str
    """Its tag, by which its range is recorded; of a layer ``layer/…``."""
    before: tuple[Reading, ...]
    """Of each run of the first side that has the row."""
    after: tuple[Reading, ...]
    """Of each run of the second side."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is to be said of one row."""

    key: str
    """What it is a row of."""
    verdict: str
    """``same``, ``faster``, ``slower`` or ``cannot tell``."""
    ratio: float | None
    """Speed of the second side over that of the first; None if one has none."""
    low: float | None = None
    """Least ratio that the runs allow, with 95 %; None where their spread was not the noise."""
    high: float | None = None
    """The largest."""
    p: float | None = None
    """How often chance alone makes such a change, among so many rows; None likewise."""
    p_of_gate: float | None = None
    """How often chance alone makes a change beyond the gate, likewise."""
    runs: tuple[int, int] = (0, 0)
    """Trusted readings of each side."""
    against: str = ""
    """What the change was held against: ``spread of runs`` or ``recorded range``, if anything."""
    why_not: str = ""
    """Why the spread of runs was not the noise, or the verdict is ``cannot tell``."""
    range: float | None = None
    """The recorded range, where there is one; that of a side's own runs, if it is wider."""
    doubt: str = ""
    """Of a row that cannot be trusted: why."""
    load: tuple[float | None, float | None] = (None, None)
    """Share of the processors that each side did not have."""
    difference: Difference | None = None
    """How much and why the middles of both sides differ."""

    @property
    def evidence(self) -> str:
        """What the verdict stands on, in a sentence."""
        return _evidence(self)

    def is_beyond(self, gate: float) -> bool:
        """True if the row is slower than that (a share) beyond doubt."""
        if self.verdict != SLOWER or self.ratio is None:
            return False
        if self.against == SPREAD:
            return self.p_of_gate is not None and self.p_of_gate < LEVEL
        return self.ratio < 1 - gate


def verdicts(
    samples: Sequence[Sample],
    first: Sequence[Circumstances],
    second: Sequence[Circumstances],
    gate: float = NEGLIGIBLE,
) -> list[Verdict]:
    """A verdict on each row, in their order.

    first, second: circumstances of the runs of both sides. gate: the change (a share) of which
    ``p_of_gate`` speaks.
    """
    pair = _Sides(typical_circumstances(first), typical_circumstances(second), gate)
    drafts = [pair.draft(sample) for sample in samples]
    tested = [place for place, draft in enumerate(drafts) if draft.noise is not None]
    priors = _priors([drafts[place] for place in tested])
    tests = [
        pair.tested(drafts[place], priors[group_of(drafts[place].sample.tag)]) for place in tested
    ]
    p_of_change = adjusted([test.p for test in tests])
    p_of_gate = adjusted([test.p_of_gate for test in tests])
    results = [draft.verdict for draft in drafts]
    for place, test, p, p_gate in zip(tested, tests, p_of_change, p_of_gate, strict=True):
        results[place] = test.verdict(p, p_gate, gate)
    return results


@dataclass(frozen=True)
class _Draft:
    """A row on its way: a verdict, or the spread that is to make it one."""

    sample: Sample
    verdict: Verdict
    noise: tuple[float, float] | None = None
    """(variance within the sides, its degrees of freedom) of a row that is to be tested."""


@dataclass(frozen=True)
class _Test:
    """A change held against the spread of runs."""

    draft: Verdict
    change: float
    """Logarithm of the ratio of speeds."""
    reach: float
    """Half-width of its interval of 95 %."""
    p: float
    p_of_gate: float

    def verdict(self, p: float, p_of_gate: float, gate: float) -> Verdict:
        """The verdict, by p-values that account for all rows."""
        low, high = self.change - self.reach, self.change + self.reach
        most = max(-low, high)
        margin = min(max(self.draft.range or 0.0, LEAST_MARGIN), MOST_MARGIN)
        if most < min(NEGLIGIBLE, gate):
            said = SAME
        elif p < LEVEL:
            said = SLOWER if self.change < 0 else FASTER
        elif most < margin:
            said = SAME
        else:
            by_range = _by_range(replace(self.draft, why_not=NOISE))
            if by_range.verdict != CANNOT_TELL:
                return by_range
            said = CANNOT_TELL
        return replace(
            self.draft,
            verdict=said,
            ratio=exp(self.change),
            low=exp(low),
            high=exp(high),
            p=p,
            p_of_gate=p_of_gate,
            against=SPREAD,
            why_not=NOISE if said == CANNOT_TELL else "",
        )


@dataclass(frozen=True)
class _Sides:
    """Both sides' usual circumstances."""

    first: Circumstances
    second: Circumstances
    gate: float

    def draft(self, sample: Sample) -> _Draft:
        """A row with its verdict, or with the noise that it is to be held against."""
        before = [reading for reading in sample.before if reading.trusted]
        after = [reading for reading in sample.after if reading.trusted]
        runs = len(before), len(after)
        middles = typical_reading(sample.before), typical_reading(sample.after)
        blank = Verdict(key=sample.key, verdict=CANNOT_TELL, ratio=None, runs=runs)
        if middles[0] is None or middles[1] is None:
            return _Draft(sample, replace(blank, why_not=MISSING))
        difference = why(sample.tag, middles[0], middles[1], self.first, self.second)
        records = [record_of(sample.tag, machine_of(side)) for side in (self.first, self.second)]
        ranges = [record.range for record in records if record]
        own = [range_of(side) for side in (sample.before, sample.after)]
        widest = max([*ranges, *(known for known in own if known is not None)], default=0.0)
        blank = replace(
            blank,
            ratio=difference.ratio,
            difference=difference,
            range=widest if len(ranges) == len(records) else None,
            load=(self.first.busy, self.second.busy),
        )
        if not before or not after:
            doubts = [reading.doubt for reading in (*sample.before, *sample.after) if reading.doubt]
            return _Draft(sample, replace(blank, why_not=UNTRUSTED, doubt=next(iter(doubts), "")))
        if min(runs) < ENOUGH_RUNS:
            fewest = min(len(sample.before), len(sample.after))
            reason = UNTRUSTED if fewest >= ENOUGH_RUNS else FEW_RUNS
            return _Draft(sample, _by_range(replace(blank, why_not=reason)))
        if self.load_explains(sample.tag, difference.ratio):
            return _Draft(sample, _by_range(replace(blank, why_not=UNEQUAL_LOAD)))
        speeds = [[log(reading.speed) for reading in side] for side in (before, after)]
        return _Draft(sample, blank, pooled_variance(speeds))

    def load_explains(self, tag: str, ratio: float) -> bool:
        """True if the slower side had so much more load that this alone may make it slower."""
        slow, fast = (self.second, self.first) if ratio < 1 else (self.first, self.second)
        is_fed_by_host = slow.kind == "cpu" or tag.partition("/")[0] in (OVERHEAD, TRANSFER)
        return is_fed_by_host and has_more_load(slow, fast)

    def tested(self, draft: _Draft, prior: Prior) -> _Test:
        """The change of a row held against its noise."""
        assert draft.noise is not None
        before, after = (
            [log(reading.speed) for reading in side if reading.trusted]
            for side in (draft.sample.before, draft.sample.after)
        )
        change = fmean(after) - fmean(before)
        variance, freedom = prior.moderated(*draft.noise)
        sampled = variance * (1 / len(before) + 1 / len(after))
        drifted = sum(self.drift(draft.sample.tag, side) ** 2 for side in (self.first, self.second))
        deviation = sqrt(sampled + drifted)
        # Welch and Satterthwaite: the recorded drift is no estimate of these runs
        freedom *= ((sampled + drifted) / sampled) ** 2
        beyond_gate = (change - log(1 - self.gate)) / deviation
        half = two_sided_p(beyond_gate, freedom) / 2
        return _Test(
            draft=draft.verdict,
            change=change,
            reach=quantile(1 - LEVEL, freedom) * deviation,
            p=two_sided_p(change / deviation, freedom),
            p_of_gate=half if beyond_gate < 0 else 1 - half,
        )

    @staticmethod
    def drift(tag: str, side: Circumstances) -> float:
        """What is recorded of the drift between sets, or what is usual."""
        record = record_of(tag, machine_of(side))
        return record.drift if record else USUAL_DRIFT


def _by_range(draft: Verdict) -> Verdict:
    """The verdict on a change that is held against the recorded range."""
    if draft.range is None or draft.ratio is None:
        return draft
    factor = max(draft.ratio, 1 / draft.ratio)
    if factor <= 1 + draft.range:
        return replace(draft, against=RANGE)
    return replace(draft, against=RANGE, verdict=SLOWER if draft.ratio < 1 else FASTER)


def _priors(drafts: Sequence[_Draft]) -> dict[str, Prior]:
    """What rows of each make lend each other; few of a make borrow of all."""
    noises: dict[str, list[tuple[float, float]]] = {}
    for draft in drafts:
        assert draft.noise is not None
        noises.setdefault(group_of(draft.sample.tag), []).append(draft.noise)
    of_all = _prior([noise for group in noises.values() for noise in group])
    priors = {}
    for name, group in noises.items():
        prior = _prior(group)
        priors[name] = of_all if prior == NOTHING_KNOWN else prior
    return priors


def _prior(noises: Sequence[tuple[float, float]]) -> Prior:
    """The prior of rows with as many degrees of freedom as most have."""
    if not noises:
        return NOTHING_KNOWN
    freedom = Counter(freedom for _, freedom in noises).most_common(1)[0][0]
    return prior_of([variance for variance, own in noises if own == freedom], freedom)


def group_of(tag: str) -> str:
    """The make of a row: those of one make are about as restless as each other."""
    quantity, _, rest = tag.partition("/")
    if quantity == COMPUTE:
        return quantity
    return MAIN_MEMORY if rest.startswith(MAIN_MEMORY) else quantity


def _evidence(verdict: Verdict) -> str:
    """The sentence of a verdict's evidence."""
    if verdict.why_not == MISSING:
        return "only one side has it"
    if verdict.ratio is None:
        return "it was not measured"
    change = change_in_words(verdict.ratio)
    before, after = verdict.runs
    if verdict.against == SPREAD and verdict.low is not None and verdict.high is not None:
        between = f"between {_signed(verdict.low)} and {_signed(verdict.high)} with 95 %"
        return f"{change}, {between}, by {before} runs against {after}"
    trusted = f"{before} and {after} runs that can be trusted"
    reasons = {
        NOISE: f"the spread of {before} runs against {after} alone does not tell",
        FEW_RUNS: f"{before} and {after} runs tell no spread, {ENOUGH_RUNS} a side would",
        UNTRUSTED: f"only {trusted}" + (f": {verdict.doubt}" if verdict.doubt else ""),
        UNEQUAL_LOAD: "others had {} of the processors' time, then {}".format(
            *map(percent, verdict.load)
        ),
    }
    reason = reasons.get(verdict.why_not, "")
    if verdict.against != RANGE:
        if verdict.why_not == UNTRUSTED and not min(verdict.runs):
            return reason
        return f"{change}; {reason}, and no range of this row is recorded for this kind of machine"
    assert verdict.range is not None
    # of the slowest below the fastest, or of the fastest above the slowest, as the change itself
    ranged = verdict.range if verdict.ratio > 1 else 1 - 1 / (1 + verdict.range)
    recorded = f"what such runs range over, {percent(ranged)}"
    within = "within" if verdict.verdict == CANNOT_TELL else "beyond"
    return f"{change}, {within} {recorded}; {reason}"


def _signed(ratio: float) -> str:
    """``-3.1 %`` of a ratio of speeds."""
    return f"{100 * (ratio - 1):+.1f} %"
