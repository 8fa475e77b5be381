"""What cannot be true fails, and what cannot be trusted is marked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.analyse import model
from analysis.layers.words import headline
from analysis.model.judge import judged
from analysis.tell.report import summary
from kernels.device import Device
from probes.records.measurement import FAILED, OK, Measurement
from probes.records.run import COMPLETE, Run
from tests.devices import CPU, GPU, measurement

CLOCK_HZ = 3.0e9
"""Of the rows of the made-up CPU."""
PEAK = CLOCK_HZ * 2 * 16
"""FP64 operations a second of its two cores, each of which does 16 a cycle."""
CACHES = [
    {"level": level, "type": "Data", "size_bytes": size, "shared_by": "0"}
    for level, size in ((1, 32 << 10), (2, 1 << 20))
]
MACHINE = replace(CPU, facts={"cpus": [0, 1], "caches": CACHES})


def row(tag: str, rate: float, **changed: Any) -> Measurement:
    """A row of the made-up CPU."""
    return measurement(tag, rate, **{"backend": "cpu", "clock_hz": CLOCK_HZ, **changed})


def judged_by_tag(*rows: Measurement, device: Device = MACHINE) -> dict[str, Measurement]:
    """These rows as they are judged beside each other, by the tag of their ceiling."""
    return {judged_row.ceiling: judged_row for judged_row in judged(rows, device)}


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
    assert [judged_row.trusted for judged_row in once] == [False, True, True, False]


def test_a_rate_above_the_limit_fails_where_its_clock_was_not_disturbed() -> None:
    assert judged_by_tag(row("compute/fp64", 1.1 * PEAK))["compute/fp64"].status == FAILED


def test_no_row_fails_by_a_clock_that_another_row_has_seen_higher() -> None:
    tag = "compute/fp64/1core"
    misread = row(tag, 0.98 * PEAK / 2, clock_hz=2.8e9)
    other = row("compute/fp64", 0.98 * PEAK)
    by_itself = judged_by_tag(misread)[tag]
    beside = judged_by_tag(misread, other)[tag]
    impossible = judged_by_tag(replace(misread, seconds_median=1e-9), other)[tag]
    assert (by_itself.status, impossible.status) == (FAILED, FAILED)
    assert (beside.status, beside.trusted) == (OK, False)
    assert beside.doubt.startswith("cannot judge 47.0 GFLOP/s of 44.8 GFLOP/s")


@pytest.mark.parametrize("changed", [{"clock_hz": None}, {"trusted": False, "doubt": "other load"}])
def test_no_row_fails_by_a_disturbed_clock(changed: dict[str, Any]) -> None:
    rated = replace(MACHINE, clock_hz=CLOCK_HZ)
    disturbed = row("compute/fp64", 1.1 * PEAK, **changed)
    judged_row = judged_by_tag(disturbed, device=rated)["compute/fp64"]
    assert (judged_row.status, judged_row.trusted) == (OK, False)
    assert judged_row.doubt in (
        "cannot judge 106 GFLOP/s of 96.0 GFLOP/s: the clock was disturbed",
        "other load",
    )


def test_a_wide_interval_is_a_doubt_and_is_kept() -> None:
    tag = "compute/int32"
    wide = judged_by_tag(row(tag, 1e9, seconds_low=0.7e-3, seconds_high=1.3e-3))[tag]
    assert (wide.trusted, wide.doubt) == (False, "its median is known only to ±30.0 %")
    assert wide.seconds_low == 0.7e-3
    widest = judged_by_tag(row(tag, 1e9, seconds_low=0.1e-3, seconds_high=9e-3))[tag]
    assert widest.doubt == "its median is known only to > ±100 %"


def test_a_rate_of_all_cores_that_one_core_beats_is_not_trusted() -> None:
    by_tag = judged_by_tag(row("compute/fp64", 0.24 * PEAK), row("compute/fp64/1core", 0.49 * PEAK))
    assert not by_tag["compute/fp64"].trusted
    assert by_tag["compute/fp64"].doubt.startswith("one core alone gives 47.0 GFLOP/s")
    assert (by_tag["compute/fp64"].seconds_low, by_tag["compute/fp64"].seconds_high) == (None, None)
    assert by_tag["compute/fp64/1core"].trusted


def test_a_rival_whose_interval_overlaps_proves_nothing() -> None:
    wide = row("compute/fp64", 0.47 * PEAK, seconds_low=0.9e-3, seconds_high=1.1e-3, clock_hz=None)
    rival = row("compute/fp64/1core", 0.49 * PEAK)
    assert judged_by_tag(wide, rival)["compute/fp64"].trusted


@pytest.mark.parametrize("tag", ["compute/fp64", "compute/fp64/sustained"])
def test_cores_that_do_less_in_a_cycle_than_one_alone_are_not_trusted(tag: str) -> None:
    alone = row("compute/fp64/1core", 0.48 * PEAK)
    assert judged_by_tag(row(tag, 0.95 * PEAK), alone)[tag].trusted
    slowed = judged_by_tag(row(tag, 0.6 * PEAK), alone)[tag]
    assert not slowed.trusted
    assert "operations a cycle, and each of these" in slowed.doubt


def test_an_untrusted_rival_proves_nothing() -> None:
    rival = row("compute/fp64/1core", 0.49 * PEAK, trusted=False, doubt="other load")
    assert judged_by_tag(row("compute/fp64", 0.24 * PEAK), rival)["compute/fp64"].trusted


def test_on_a_machine_of_one_core_that_core_is_no_rival() -> None:
    machine = replace(MACHINE, units=1, facts={**MACHINE.facts, "cpus": [0]})
    rows = row("compute/fp64", 0.24 * PEAK), row("compute/fp64/1core", 0.49 * PEAK)
    by_tag = judged_by_tag(*rows, device=machine)
    assert by_tag["compute/fp64"].trusted


def test_a_level_that_a_memory_further_away_beats_is_not_trusted() -> None:
    by_tag = judged_by_tag(
        row("bandwidth/l2/read", 4e10),
        row("bandwidth/dram/read", 5e10),
        row("bandwidth/l1/read", 9e10),
    )
    assert not by_tag["bandwidth/l2/read"].trusted
    assert "DRAM, further away, gives 50.0 GB/s" in by_tag["bandwidth/l2/read"].doubt
    assert by_tag["bandwidth/l1/read"].trusted
    assert by_tag["bandwidth/dram/read"].trusted


def test_stores_that_bypass_the_caches_are_no_rival_of_those_in_them() -> None:
    by_tag = judged_by_tag(row("bandwidth/l2/write", 4e10), row("bandwidth/dram/write", 5e10))
    assert by_tag["bandwidth/l2/write"].trusted


def test_a_latency_that_a_level_further_away_undercuts_is_not_trusted() -> None:
    times = {"l1": 5e-9, "l2": 4e-9, "dram": 8e-8}
    rows = [
        row(f"latency/{level}", 0, flops=None, bytes=None, seconds_median=seconds)
        for level, seconds in times.items()
    ]
    by_tag = judged_by_tag(*rows)
    assert [by_tag[f"latency/{level}"].trusted for level in times] == [False, True, True]


def trusted_points(*rates: float, device: Device = MACHINE) -> list[bool]:
    """Whether each point of a sweep over working sets from 4 KiB on, doubling, is trusted."""
    tag = "sweep/bandwidth/working-set/read"
    rows = [row(tag, rate, x=4096 * 2.0**k) for k, rate in enumerate(rates)]
    return [judged_row.trusted for judged_row in judged(rows, device)]


def test_a_working_set_that_two_larger_ones_beat_is_not_trusted() -> None:
    assert trusted_points(2e11, 1.4e11, 2e11, 2e11, 1e11) == [True, False, True, True, True]
    assert trusted_points(2e11, 1.4e11, 1e11, 2e11, 1e11) == [True, True, True, True, True], (
        "one alone may be luck"
    )
    assert trusted_points(1.8e11, 2e11, 2e11) == [True, True, True], "small sets cost a little more"
    gpu = replace(GPU, facts=MACHINE.facts)
    assert trusted_points(2e11, 1.4e11, 2e11, 2e11, 1e11, device=gpu) == [True] * 5


def doubted_run() -> Run:
    """A run whose FP64 is slower than one of its cores.

    It has a layer of that type, and one that only moves data.
    """
    params = {
        "network": "net",
        "layer": "fc",
        "op": "MatMul",
        "family": "matmul",
        "provider": "cpu",
        "precision": "fp64",
    }
    matmul = row("layer/matmul", 1e10, dtype="fp64", params=json.dumps(params), clock_hz=None)
    copy_params = {**params, "layer": "copy", "op": "Identity"}
    copy = replace(matmul, flops=0.0, params=json.dumps(copy_params))
    rows = [
        row("compute/fp64", 0.24 * PEAK),
        row("compute/fp64/1core", 0.49 * PEAK),
        row("bandwidth/dram/read", 5e10),
        matmul,
        copy,
    ]
    return Run(MACHINE, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=rows)


def test_an_untrusted_row_is_no_roof_no_ridge_point_and_no_denominator() -> None:
    outcome = model(doubted_run())
    assert [roof.tag for roof in outcome.model.compute] == []
    assert [roof.tag for roof in outcome.model.bandwidth] == ["bandwidth/dram"]
    matmul, copy = outcome.placements
    assert matmul.trusted is False
    assert matmul.bound == ""
    assert matmul.share is None
    assert matmul.headroom_seconds is None
    assert matmul.roof == "compute/fp64"
    assert (copy.trusted, copy.roof) == (True, "bandwidth/dram")
    text = " ".join(summary(outcome.run, outcome.ceilings))
    assert "No verdict on FP64 (one core alone gives 47.0 GFLOP/s" in text
    assert "Ridge points" not in text
    assert outcome.trust is not None
    assert outcome.trust.level == "low"


def test_a_network_under_an_untrusted_roof_has_no_speed_of_light() -> None:
    (net,) = model(doubted_run()).networks
    assert "No verdict on FP64: its roof compute/fp64 cannot be trusted" in headline(net)
    assert "speed of light" not in headline(net)


def test_no_lower_roof_takes_the_place_of_an_untrusted_one() -> None:
    run = doubted_run()
    rows = []
    for measured_row in run.measurements:
        if "dram" in measured_row.ceiling:
            rows.append(replace(measured_row, trusted=False, doubt="other load"))
        else:
            rows.append(measured_row)
    rows.append(row("bandwidth/l2/read", 1e11))
    outcome = model(replace(run, measurements=rows))
    assert outcome.model.memory is None, "the L2 is no main memory"
    assert [p.roof for p in outcome.placements] == ["compute/fp64", "bandwidth/dram"]
    assert not any(p.bound for p in outcome.placements)


def test_a_doubtful_path_beside_one_that_reaches_the_peak_is_no_doubt_of_the_roof() -> None:
    peak = 1.9e9 * 100 * 4096  # clock of the rows, SMs, operations a cycle of each
    wgmma = measurement("compute/fp16/wgmma-fp32", 0.95 * peak)
    wmma = measurement("compute/fp16/wmma-fp32", 0.3 * peak, trusted=False, doubt="other load")
    device = replace(GPU, memory_bus_bits=8000)
    run = Run(device, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=[wgmma, wmma])
    assert model(run).model.doubted == ()
    slow = replace(wgmma, flops=0.5 * (wgmma.flops or 0))
    assert len(model(replace(run, measurements=[slow, wmma])).model.doubted) == 1


def test_first_caches_that_something_else_used_are_not_trusted() -> None:
    tag = "bandwidth/l1/read"
    one_core = row("bandwidth/l1/read/1core", 190e9)
    all_cores = row(tag, 280e9)
    shared = judged_by_tag(one_core, all_cores)[tag]
    assert not shared.trusted
    assert (
        shared.doubt
        == "one core alone has 63 bytes a cycle, and each of these 47: something shared them"
    )
    assert judged_by_tag(one_core, row(tag, 360e9))[tag].trusted
    slower = row(tag, 280e9, clock_hz=2.3e9)
    assert judged_by_tag(one_core, slower)[tag].trusted, "a lower clock is not a neighbour"
    of_l2 = row("bandwidth/l2/read", 150e9)
    assert judged_by_tag(one_core, of_l2)["bandwidth/l2/read"].trusted, (
        "others may share what is larger"
    )
    unlike_cores = replace(MACHINE, facts={**MACHINE.facts, "core_kinds": [{}, {}]})
    assert judged_by_tag(one_core, all_cores, device=unlike_cores)[tag].trusted
