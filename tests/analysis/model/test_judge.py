"""What cannot be true fails, and what cannot be trusted is marked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.analyse import model
from analysis.model.judge import judged
from analysis.tell.report import summary
from kernels.device import Device
from probes.records.measurement import FAILED, OK, Measurement
from probes.records.run import COMPLETE, Run
from tests.devices import CPU, GPU, measurement

PEAK = 3.0e9 * 2 * 16
"""FP64 operations a second of both cores of the made-up CPU, at the clock of its rows."""
CACHES = [
    {"level": level, "type": "Data", "size_bytes": size, "shared_by": "0"}
    for level, size in ((1, 32 << 10), (2, 1 << 20))
]
MACHINE = replace(CPU, facts={"cpus": [0, 1], "caches": CACHES})


def row(tag: str, rate: float, **changed: Any) -> Measurement:
    """A row of the made-up CPU, at 3 GHz."""
    return measurement(tag, rate, **{"backend": "cpu", "clock_hz": 3.0e9, **changed})


def verdict(*rows: Measurement, device: Device = MACHINE) -> dict[str, Measurement]:
    return {each.ceiling: each for each in judged(rows, device)}


def test_a_sound_row_is_left_as_it_is() -> None:
    rows = [
        row("compute/fp64", 0.98 * PEAK),
        row("compute/fp64/1core", 0.49 * PEAK),
        row("bandwidth/dram/read", 5e10),
    ]
    assert judged(rows, MACHINE) == rows


def test_judging_twice_changes_nothing() -> None:
    rows = [
        row("compute/fp64", 0.3 * PEAK),
        row("compute/fp64/1core", 0.49 * PEAK),
        row("compute/fp32", 9e99),
        row("compute/int32", 1e9, seconds_low=5e-4, seconds_high=2e-3),
    ]
    once = judged(rows, MACHINE)
    assert judged(once, MACHINE) == once
    assert [each.trusted for each in once] == [False, True, True, False]


def test_a_rate_above_the_limit_fails_where_its_clock_was_read_clean() -> None:
    assert verdict(row("compute/fp64", 1.1 * PEAK))["compute/fp64"].status == FAILED


def test_a_clock_that_another_row_has_seen_higher_convicts_no_one() -> None:
    misread = row("compute/fp64/1core", 0.98 * PEAK / 2, clock_hz=2.8e9)
    by_itself = verdict(misread)["compute/fp64/1core"]
    beside = verdict(misread, row("compute/fp64", 0.98 * PEAK))["compute/fp64/1core"]
    impossible = verdict(replace(misread, seconds_median=1e-9), row("compute/fp64", 0.98 * PEAK))[
        "compute/fp64/1core"
    ]
    assert (by_itself.status, impossible.status) == (FAILED, FAILED)
    assert (beside.status, beside.trusted) == (OK, False)
    assert beside.doubt.startswith("cannot judge 47.0 GFLOP/s of 44.8 GFLOP/s")


@pytest.mark.parametrize("changed", [{"clock_hz": None}, {"trusted": False, "doubt": "other load"}])
def test_a_disturbed_clock_convicts_no_one(changed: dict[str, Any]) -> None:
    rated = replace(MACHINE, clock_hz=3.0e9)
    judged_row = verdict(row("compute/fp64", 1.1 * PEAK, **changed), device=rated)["compute/fp64"]
    assert (judged_row.status, judged_row.trusted) == (OK, False)
    assert judged_row.doubt in (
        "cannot judge 106 GFLOP/s of 96.0 GFLOP/s: the clock was disturbed",
        "other load",
    )


def test_a_wide_interval_is_a_doubt_and_stays_to_be_seen() -> None:
    judged_row = verdict(row("compute/int32", 1e9, seconds_low=0.7e-3, seconds_high=1.3e-3))[
        "compute/int32"
    ]
    assert (judged_row.trusted, judged_row.doubt) == (False, "its median is known only to ±30.0 %")
    assert judged_row.seconds_low == 0.7e-3
    wild = verdict(row("compute/int32", 1e9, seconds_low=0.1e-3, seconds_high=9e-3))[
        "compute/int32"
    ]
    assert wild.doubt == "its median is known only to > ±100 %"


def test_what_one_core_beats_is_no_roof() -> None:
    by_tag = verdict(row("compute/fp64", 0.24 * PEAK), row("compute/fp64/1core", 0.49 * PEAK))
    assert not by_tag["compute/fp64"].trusted
    assert by_tag["compute/fp64"].doubt.startswith("one core alone gives 47.0 GFLOP/s")
    assert (by_tag["compute/fp64"].seconds_low, by_tag["compute/fp64"].seconds_high) == (None, None)
    assert by_tag["compute/fp64/1core"].trusted


def test_intervals_that_meet_are_no_proof() -> None:
    wide = row("compute/fp64", 0.47 * PEAK, seconds_low=0.9e-3, seconds_high=1.1e-3)
    assert verdict(wide, row("compute/fp64/1core", 0.49 * PEAK))["compute/fp64"].trusted


def test_an_untrusted_rival_proves_nothing() -> None:
    rival = row("compute/fp64/1core", 0.49 * PEAK, trusted=False, doubt="other load")
    assert verdict(row("compute/fp64", 0.24 * PEAK), rival)["compute/fp64"].trusted


def test_a_machine_of_one_core_has_no_rival_in_it() -> None:
    one = replace(MACHINE, units=1, facts={**MACHINE.facts, "cpus": [0]})
    by_tag = verdict(
        row("compute/fp64", 0.24 * PEAK), row("compute/fp64/1core", 0.49 * PEAK), device=one
    )
    assert by_tag["compute/fp64"].trusted


def test_what_a_memory_further_away_beats_is_no_level() -> None:
    by_tag = verdict(
        row("bandwidth/l2/read", 4e10),
        row("bandwidth/dram/read", 5e10),
        row("bandwidth/l1/read", 9e10),
    )
    assert not by_tag["bandwidth/l2/read"].trusted
    assert "DRAM, further away, gives 50.0 GB/s" in by_tag["bandwidth/l2/read"].doubt
    assert by_tag["bandwidth/l1/read"].trusted
    assert by_tag["bandwidth/dram/read"].trusted


def test_stores_that_bypass_the_caches_are_no_rival_of_those_in_them() -> None:
    by_tag = verdict(row("bandwidth/l2/write", 4e10), row("bandwidth/dram/write", 5e10))
    assert by_tag["bandwidth/l2/write"].trusted


def test_a_latency_is_beaten_by_a_shorter_one() -> None:
    times = {"l1": 5e-9, "l2": 4e-9, "dram": 8e-8}
    rows = [
        row(f"latency/{level}", 0, flops=None, bytes=None, seconds_median=s)
        for level, s in times.items()
    ]
    by_tag = verdict(*rows)
    assert [by_tag[f"latency/{level}"].trusted for level in times] == [False, True, True]


def points(*rates: float, device: Device = MACHINE) -> list[bool]:
    """Which points of a sweep over working sets from 4 KiB on, doubling, are trusted."""
    tag = "sweep/bandwidth/working-set/read"
    rows = [row(tag, rate, x=4096 * 2.0**k) for k, rate in enumerate(rates)]
    return [each.trusted for each in judged(rows, device)]


def test_a_set_that_two_larger_ones_beat_was_disturbed() -> None:
    assert points(2e11, 1.4e11, 2e11, 2e11, 1e11) == [True, False, True, True, True]
    assert points(2e11, 1.4e11, 1e11, 2e11, 1e11) == [True, True, True, True, True], (
        "one alone may be luck"
    )
    assert points(1.8e11, 2e11, 2e11) == [True, True, True], "small sets cost a little more"
    assert (
        points(2e11, 1.4e11, 2e11, 2e11, 1e11, device=replace(GPU, facts=MACHINE.facts))
        == [True] * 5
    )


def doubted_run() -> Run:
    """A run whose FP64 is slower than one of its cores.

    It has a layer of that type, and one that only moves data.
    """
    facts = {
        "network": "net",
        "layer": "fc",
        "op": "MatMul",
        "family": "matmul",
        "provider": "cpu",
        "precision": "fp64",
    }
    layer = row("layer/matmul", 1e10, dtype="fp64", params=json.dumps(facts), clock_hz=None)
    moves = replace(
        layer, flops=0.0, params=json.dumps({**facts, "layer": "copy", "op": "Identity"})
    )
    rows = [
        row("compute/fp64", 0.24 * PEAK),
        row("compute/fp64/1core", 0.49 * PEAK),
        row("bandwidth/dram/read", 5e10),
    ]
    return Run(
        MACHINE, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=[*rows, layer, moves]
    )


def test_an_untrusted_row_is_no_roof_no_ridge_point_and_no_denominator() -> None:
    outcome = model(doubted_run())
    assert [roof.tag for roof in outcome.model.compute] == []
    assert [roof.tag for roof in outcome.model.bandwidth] == ["bandwidth/dram"]
    matmul, copy = outcome.placements
    assert (matmul.trusted, matmul.bound, matmul.share, matmul.headroom_seconds) == (
        False,
        "",
        None,
        None,
    )
    assert matmul.roof == "compute/fp64"
    assert (copy.trusted, copy.roof) == (True, "bandwidth/dram")
    text = " ".join(summary(outcome.run, outcome.ceilings))
    assert "No verdict on FP64 (one core alone gives 47.0 GFLOP/s" in text
    assert "Ridge points" not in text
    assert outcome.trust is not None
    assert outcome.trust.level == "low"


def test_a_network_under_an_untrusted_roof_has_no_speed_of_light() -> None:
    from analysis.layers.words import headline

    (net,) = model(doubted_run()).networks
    assert "No verdict on FP64: its roof compute/fp64 cannot be trusted" in headline(net)
    assert "speed of light" not in headline(net)


def test_no_lower_roof_takes_the_place_of_an_untrusted_one() -> None:
    run = doubted_run()
    run.measurements = [
        replace(each, trusted=False, doubt="other load") if "dram" in each.ceiling else each
        for each in run.measurements
    ] + [row("bandwidth/l2/read", 1e11)]
    outcome = model(run)
    assert outcome.model.memory is None, "the L2 is no main memory"
    assert [p.roof for p in outcome.placements] == ["compute/fp64", "bandwidth/dram"]
    assert not any(p.bound for p in outcome.placements)


def test_a_path_that_reaches_the_peak_needs_no_other() -> None:
    peak = 1.9e9 * 100 * 4096
    wgmma = measurement("compute/fp16/wgmma-fp32", 0.95 * peak)
    wmma = measurement("compute/fp16/wmma-fp32", 0.3 * peak, trusted=False, doubt="other load")
    device = replace(GPU, memory_bus_bits=8000)
    run = Run(device, "t", {}, {}, status=COMPLETE, measurements=[wgmma, wmma])
    assert model(run).model.doubted == ()
    slow = replace(wgmma, flops=0.5 * (wgmma.flops or 0))
    assert len(model(replace(run, measurements=[slow, wmma])).model.doubted) == 1


def test_first_caches_that_something_shared_are_no_roof() -> None:
    one = row("bandwidth/l1/read/1core", 190e9)
    shared = verdict(one, row("bandwidth/l1/read", 280e9))["bandwidth/l1/read"]
    assert not shared.trusted
    assert (
        shared.doubt
        == "one core alone has 63 bytes a cycle, and each of these 47: something shared them"
    )
    assert verdict(one, row("bandwidth/l1/read", 360e9))["bandwidth/l1/read"].trusted
    slower = row("bandwidth/l1/read", 280e9, clock_hz=2.3e9)
    assert verdict(one, slower)["bandwidth/l1/read"].trusted, "a lower clock is not a neighbour"
    assert verdict(one, row("bandwidth/l2/read", 150e9))["bandwidth/l2/read"].trusted, (
        "others may share what is larger"
    )
    mixed = replace(MACHINE, facts={**MACHINE.facts, "core_kinds": [{}, {}]})
    assert verdict(one, row("bandwidth/l1/read", 280e9), device=mixed)["bandwidth/l1/read"].trusted
