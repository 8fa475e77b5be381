"""Verdicts: few false alarms, planted changes found, and what cannot be told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import exp

import pytest

from analysis.compare.facts import Circumstances, Reading
from analysis.compare.verdict import (
    CANNOT_TELL,
    FASTER,
    FEW_RUNS,
    MISSING,
    NOISE,
    RANGE,
    SAME,
    SLOWER,
    SPREAD,
    UNEQUAL_LOAD,
    UNTRUSTED,
    Sample,
    Verdict,
    verdicts,
)

METAL = Circumstances(kind="cpu", device="a", others=0.0, steal=0.0)
VIRTUAL = replace(METAL, virtual=True)
CARD = Circumstances(kind="cuda", device="c", others=0.0, steal=0.0)
TAGS = [
    f"compute/{dtype}{variant}"
    for dtype in ("fp32", "fp64", "bf16", "int8")
    for variant in ("", "/1core")
]
TAGS += [f"bandwidth/{level}/{work}" for level in ("l1", "l2", "l3") for work in ("read", "copy")]
TAGS += [f"bandwidth/dram/{work}" for work in ("read", "copy", "add", "triad")]

Noise = Callable[[random.Random], float]


def reading(value: float, trusted: bool = True) -> Reading:
    return Reading(value=value, unit="FLOP/s", trusted=trusted, doubt="" if trusted else "load")


def samples(chance: random.Random, noise: Noise, planted: float = 1.0) -> list[Sample]:
    """Three runs a side of every tag; FP32 and FP64 of the second side slower by ``planted``."""
    made = []
    for tag in TAGS:
        factor = planted if tag.startswith(("compute/fp32", "compute/fp64")) else 1.0
        before = tuple(reading(100 * exp(noise(chance))) for _ in range(3))
        after = tuple(reading(100 * factor * exp(noise(chance))) for _ in range(3))
        made.append(Sample(tag, tag, before, after))
    return made


def quiet(chance: random.Random) -> float:
    return chance.gauss(0, 0.01)


def heavy_tails(chance: random.Random) -> float:
    """A tenth of the runs is ten times as far off."""
    return chance.gauss(0, 0.1 if chance.random() < 0.1 else 0.01)


def share_of_false_alarms(noise: Noise, machine: Circumstances, tables: int = 60) -> float:
    chance = random.Random(7)
    said = Counter[str]()
    for _ in range(tables):
        said.update(
            each.verdict for each in verdicts(samples(chance, noise), [machine] * 3, [machine] * 3)
        )
    return (said[SLOWER] + said[FASTER]) / sum(said.values())


@pytest.mark.parametrize("noise", [quiet, heavy_tails])
@pytest.mark.parametrize("machine", [METAL, VIRTUAL, CARD])
def test_equal_sets_alarm_in_less_than_one_row_of_twenty(
    noise: Noise, machine: Circumstances
) -> None:
    assert share_of_false_alarms(noise, machine) <= 0.05


def test_drift_between_sets_raises_few_alarms_where_it_is_recorded() -> None:
    chance = random.Random(3)
    alarms = total = 0
    for _ in range(60):
        made = []
        for sample in samples(chance, quiet):
            drift = (
                exp(chance.gauss(0, 0.1)) if "dram" in sample.tag else exp(chance.gauss(0, 0.005))
            )
            after = tuple(replace(one, value=one.value * drift) for one in sample.after)
            made.append(replace(sample, after=after))
        said = [each.verdict for each in verdicts(made, [VIRTUAL] * 3, [VIRTUAL] * 3)]
        alarms += said.count(SLOWER) + said.count(FASTER)
        total += len(said)
    assert alarms / total <= 0.05


@pytest.mark.parametrize("machine", [METAL, VIRTUAL, CARD])
def test_ten_percent_planted_is_always_found(machine: Circumstances) -> None:
    chance = random.Random(5)
    covered = total = 0
    for _ in range(40):
        made = samples(chance, quiet, planted=0.9)
        for sample, verdict in zip(made, verdicts(made, [machine] * 3, [machine] * 3), strict=True):
            if sample.tag.startswith(("compute/fp32", "compute/fp64")):
                assert verdict.verdict == SLOWER
                assert verdict.against == SPREAD
                assert verdict.low is not None and verdict.high is not None
                covered += verdict.low < 0.9 < verdict.high
                total += 1
    assert covered / total > 0.9


def one(tag: str, before: list[float], after: list[float], **how: Circumstances) -> Verdict:
    first, second = how.get("first", VIRTUAL), how.get("second", VIRTUAL)
    sample = Sample(tag, tag, tuple(map(reading, before)), tuple(map(reading, after)))
    (verdict,) = verdicts([sample], [first] * len(before), [second] * len(after), gate=0.03)
    return verdict


def test_runs_that_agree_are_the_same() -> None:
    verdict = one("compute/fp32", [100.0, 100.1, 99.9], [100.1, 100.0, 99.9])
    assert verdict.verdict == SAME
    assert verdict.evidence.startswith("the same, between -")


def test_a_change_that_is_sure_and_small_is_none() -> None:
    verdict = one("compute/fp32", [100.0] * 3, [99.9] * 3, first=METAL, second=METAL)
    assert verdict.verdict != SLOWER


def test_single_runs_are_told_beyond_the_recorded_range_only() -> None:
    within = one("compute/fp32", [100.0], [94.0])
    assert (within.verdict, within.why_not, within.against) == (CANNOT_TELL, FEW_RUNS, RANGE)
    assert "within what such runs range over, 7.1 %" in within.evidence
    beyond = one("compute/fp32", [100.0], [80.0])
    assert (beyond.verdict, beyond.against) == (SLOWER, RANGE)
    assert one("compute/fp32", [80.0], [100.0]).verdict == FASTER


def test_a_wide_spread_is_told_beyond_the_recorded_range() -> None:
    wide = one("compute/fp32", [100.0, 93.0, 100.5], [90.0, 89.5, 96.6])
    assert (wide.verdict, wide.against, wide.why_not) == (SLOWER, RANGE, NOISE)
    assert "the spread of 3 runs against 3 alone does not tell" in wide.evidence
    within = one("compute/fp32", [100.0, 92.0, 100.5], [95.0, 94.0, 101.0])
    assert within.verdict == CANNOT_TELL


def test_without_a_record_single_runs_tell_nothing() -> None:
    verdict = one("compute/fp32", [100.0], [50.0], first=METAL, second=METAL)
    assert (verdict.verdict, verdict.range) == (CANNOT_TELL, None)
    assert "no range of this row is recorded" in verdict.evidence


def test_what_is_not_trusted_is_not_told() -> None:
    doubted = tuple(reading(50.0, trusted=False) for _ in range(3))
    sample = Sample("compute/fp32", "compute/fp32", (reading(100.0),) * 3, doubted)
    (verdict,) = verdicts([sample], [VIRTUAL] * 3, [VIRTUAL] * 3)
    assert (verdict.verdict, verdict.why_not) == (CANNOT_TELL, UNTRUSTED)
    assert verdict.evidence == "only 3 and 0 runs that can be trusted: load"


def test_unequal_load_explains_what_is_slower_beside_it() -> None:
    busy = replace(VIRTUAL, others=0.9)
    slower = one("compute/fp32", [100.0, 100.1, 99.9], [96.0, 96.1, 95.9], second=busy)
    assert (slower.verdict, slower.why_not) == (CANNOT_TELL, UNEQUAL_LOAD)
    assert "0.0 % of the processors' time, then 90.0 %" in slower.evidence
    beyond = one("compute/fp32", [100.0, 100.1, 99.9], [80.0, 80.1, 79.9], second=busy)
    assert (beyond.verdict, beyond.against) == (SLOWER, RANGE)
    against_load = one("compute/fp32", [100.0, 100.1, 99.9], [96.0, 96.1, 95.9], first=busy)
    assert (against_load.verdict, against_load.against) == (SLOWER, SPREAD)


def test_a_row_of_one_side_is_missing() -> None:
    sample = Sample("compute/fp32", "compute/fp32", (reading(1.0),), ())
    (verdict,) = verdicts([sample], [VIRTUAL], [VIRTUAL])
    assert (verdict.verdict, verdict.why_not, verdict.ratio) == (CANNOT_TELL, MISSING, None)


def test_beyond_a_gate_needs_more_than_being_slower() -> None:
    slightly = one("compute/fp32", [100.0, 100.1, 99.9], [96.4, 96.5, 96.3])
    assert slightly.verdict == SLOWER
    assert not slightly.is_beyond(0.03)
    much = one("compute/fp32", [100.0, 100.1, 99.9], [90.0, 90.1, 89.9])
    assert much.is_beyond(0.03)
