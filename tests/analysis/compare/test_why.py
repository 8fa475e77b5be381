"""Why two runs differ: the clock, what held it down, and what is left."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest

from analysis.compare.facts import (
    Circumstances,
    Reading,
    typical_circumstances,
    typical_reading,
)
from analysis.compare.why import (
    DRIVER,
    ECC,
    HEAT,
    LOAD,
    MEMORY_CLOCK,
    OTHER_PROCESSES,
    POWER,
    SHARE,
    THEORY,
    TOOLKIT,
    change_in_words,
    why,
)

TAG = "compute/fp16/wgmma-fp32"
CARD = Circumstances(
    kind="cuda", device="H100", arch="9.0", units=132, driver="580", power_limit_w=700.0, ecc=True
)
FULL = Reading(value=660e12, unit="FLOP/s", clock_hz=1.98e9, peak=1000e12, power_w=500.0)


def at_clock(factor: float, reading: Reading = FULL) -> Reading:
    """The same at another clock."""
    assert reading.clock_hz and reading.peak
    return replace(
        reading,
        value=reading.value * factor,
        clock_hz=reading.clock_hz * factor,
        peak=reading.peak * factor,
    )


def test_a_lower_clock_explains_all_and_names_the_power_cap() -> None:
    capped = replace(CARD, held_down=frozenset(("software power cap",)))
    difference = why(TAG, FULL, at_clock(0.92), CARD, capped)
    assert difference.cause == POWER
    assert difference.causes[0].part == pytest.approx(log(0.92))
    assert difference.at_equal_clock == pytest.approx(1.0)
    assert difference.sentence == (
        "8.0 % slower: the clock was 8.0 % lower (software power cap); at equal clock the same"
    )


def test_a_device_that_draws_its_limit_is_capped_by_power() -> None:
    hot = replace(at_clock(0.9), power_w=699.0)
    difference = why(TAG, FULL, hot, CARD, CARD)
    assert difference.cause == POWER
    assert "drew 699 W of 700 W" in difference.sentence


def test_a_lower_power_limit_is_the_cause() -> None:
    limited = replace(CARD, power_limit_w=350.0)
    difference = why(TAG, FULL, at_clock(0.8), CARD, limited)
    assert difference.cause == POWER
    assert "700 W, then 350 W" in difference.sentence


def test_heat_is_named_with_its_degrees() -> None:
    hot = replace(CARD, held_down=frozenset(("hardware thermal slowdown",)), temperature_c=91.0)
    difference = why(TAG, FULL, at_clock(0.7), CARD, hot)
    assert difference.cause == HEAT
    assert "91 °C" in difference.sentence


def test_what_held_down_the_first_run_is_not_blamed_on_the_second() -> None:
    capped = replace(CARD, held_down=frozenset(("software power cap",)))
    difference = why(TAG, at_clock(0.9), FULL, capped, CARD)
    assert difference.ratio > 1
    assert "software power cap in the first run" in difference.sentence


def test_at_the_same_clock_the_share_of_theory_is_the_cause() -> None:
    slower = replace(FULL, value=0.9 * FULL.value)
    difference = why(TAG, FULL, slower, CARD, CARD)
    assert difference.cause == SHARE
    assert difference.rest == pytest.approx(0.9)
    assert "59.4 %" in difference.sentence and "66.0 %" in difference.sentence


def test_a_clock_that_rose_does_not_explain_a_slower_row() -> None:
    odd = replace(at_clock(1.05), value=0.9 * FULL.value)
    capped = replace(CARD, held_down=frozenset(("software power cap",)))
    difference = why(TAG, FULL, odd, CARD, capped)
    assert difference.cause == SHARE
    assert "power cap" not in difference.sentence


def test_larger_device_is_named_by_its_theory() -> None:
    larger = Reading(value=1320e12, unit="FLOP/s", clock_hz=1.98e9, peak=2000e12)
    difference = why(TAG, FULL, larger, CARD, replace(CARD, device="B200", units=264))
    assert difference.cause == THEORY
    assert "2 times" in difference.sentence


def test_memory_is_explained_by_its_clock_and_by_ecc() -> None:
    fast, slow = (Reading(value=rate, unit="B/s") for rate in (3.3e12, 2.5e12))
    first = replace(CARD, memory_clock_hz=2.6e9, ecc=False)
    second = replace(CARD, memory_clock_hz=2.0e9)
    difference = why("bandwidth/dram/copy", fast, slow, first, second)
    assert [cause.name for cause in difference.causes] == [MEMORY_CLOCK, ECC]
    compute = why(TAG, FULL, at_clock(0.9), first, second)
    assert MEMORY_CLOCK not in [cause.name for cause in compute.causes]


def test_load_explains_only_the_run_that_had_it() -> None:
    cpu = Circumstances(kind="cpu", others=0.0, steal=0.0)
    busy = replace(cpu, others=0.9)
    slower = replace(FULL, value=0.7 * FULL.value)
    assert LOAD in [cause.name for cause in why(TAG, FULL, slower, cpu, busy).causes]
    assert LOAD not in [cause.name for cause in why(TAG, FULL, slower, busy, cpu).causes]


def test_load_of_the_host_explains_no_arithmetic_of_a_gpu() -> None:
    busy = replace(CARD, others=0.9)
    slower = replace(FULL, value=0.7 * FULL.value)
    assert LOAD not in [cause.name for cause in why(TAG, FULL, slower, CARD, busy).causes]
    launch = Reading(value=3e-6, unit="s")
    longer = replace(launch, value=4e-6)
    assert why("overhead/launch", launch, longer, CARD, busy).cause == LOAD


def test_other_processes_drivers_and_versions_are_named() -> None:
    first = replace(CARD, versions={"numba": "0.60", "system": "a"})
    second = replace(
        CARD, driver="590", versions={"numba": "0.61", "system": "b"}, other_processes=2
    )
    slower = replace(FULL, value=0.7 * FULL.value, clock_hz=None, peak=None)
    difference = why(TAG, FULL, slower, first, second)
    assert {cause.name for cause in difference.causes} == {OTHER_PROCESSES, DRIVER, TOOLKIT}
    assert "numba 0.60, then 0.61" in difference.sentence


def test_of_times_less_is_faster() -> None:
    before, after = Reading(value=2e-6, unit="s"), Reading(value=1e-6, unit="s")
    assert why("overhead/launch", before, after, CARD, CARD).ratio == pytest.approx(2.0)


def test_what_is_the_same_has_no_causes() -> None:
    difference = why(TAG, FULL, FULL, CARD, replace(CARD, driver="590"))
    assert not difference.causes
    assert difference.sentence == "the same"


def test_what_no_clock_explains_says_so() -> None:
    before = Reading(value=100.0, unit="OP/s", clock_hz=2e9)
    difference = why("compute/int32", before, replace(before, value=80.0), CARD, CARD)
    assert "it is not the clock" in difference.sentence
    assert not difference.clock_explains


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.004, "the same"),
        (0.93, "7.0 % slower"),
        (1.07, "7.0 % faster"),
        (2.4, "2.4 times as fast"),
        (0.25, "1/4 of the speed"),
    ],
)
def test_a_ratio_in_words(ratio: float, words: str) -> None:
    assert change_in_words(ratio) == words


def test_a_typical_run_is_the_middle_and_what_most_have() -> None:
    readings = [at_clock(factor) for factor in (1.0, 0.98, 0.5)]
    typical = typical_reading([*readings, replace(at_clock(9.0), trusted=False)])
    assert typical is not None and typical.value == pytest.approx(0.98 * FULL.value)
    runs = [CARD, CARD, replace(CARD, driver="590", power_limit_w=300.0)]
    assert typical_circumstances(runs) == CARD
    assert typical_reading([]) is None
