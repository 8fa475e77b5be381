"""Plateaus come from the data, names from what is reported; a note says where they disagree."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from analysis.analyse import model
from analysis.model.judge import judged
from analysis.model.levels import BY_ORDER, levels, reported_sizes
from analysis.model.plateaus import plateaus
from analysis.tell.report import summary
from kernels.cache.cuda import SM_SIZES
from kernels.device import Device
from probes.records.measurement import FAILED, Measurement
from probes.records.run import COMPLETE, Run
from probes.records.tag import Tag
from tests.devices import CPU, GPU, measurement

K, M = 1 << 10, 1 << 20
BANDWIDTH = "sweep/bandwidth/working-set/"
LATENCY = "sweep/latency/working-set/chase"
RATES = {"l1": 2e11, "l2": 1.1e11, "l3": 5e10, "dram": 1.5e10}
"""Bytes a second of each level of the made-up CPU."""
H100 = replace(GPU, facts={"shared_bytes_per_multiprocessor": 228 * K})


def cpu(*sizes: int, shared_by: int = 1) -> Device:
    """A CPU of two cores with caches of these sizes; ``shared_by``: cores that share its L3."""
    caches = [
        {
            "level": i,
            "type": "Unified",
            "size_bytes": size,
            "shared_by": "0-1" if shared_by == 2 and i == 3 else "0",
        }
        for i, size in enumerate(sizes, 1)
    ]
    return replace(CPU, arch="", facts={"cpus": [0, 1], "caches": caches})


def point(tag: str, x: float, value: float) -> Measurement:
    """A point of a sweep: ``value`` is a time where the sweep is of latency, else a rate."""
    changed: dict[str, Any] = {"x": x, "clock_hz": 2e9}
    if tag.startswith("sweep/latency"):
        return measurement(
            tag, flops=None, bytes=None, seconds_median=value, seconds_low=None, **changed
        )
    return measurement(tag, value, kernel="read", **changed)


def part_inside(x: float, size: float) -> float:
    """The part of a working set of ``x`` bytes that a memory of ``size`` bytes holds.

    Power 12: from half an octave below ``size`` to half an octave above, it falls from 99 % to 3 %.
    Factor 1.05: of a set of exactly ``size``, two thirds are inside.
    """
    return 1 / (1 + (x / (1.05 * size)) ** 12)


def sweep(
    tag: str,
    steps: Sequence[tuple[float, float]],
    start: float,
    stop: float,
    per_octave: int,
    noise: float = 0,
) -> list[Measurement]:
    """Points of a memory of several levels, with a gradual change from each to the next.

    ``steps``: (size in bytes, rate or time) of each level. ``start``, ``stop``: working sets in
    bytes, ``per_octave`` of them to a doubling. ``noise``: of the logarithm of a value.
    """
    sign = 1 if tag == LATENCY else -1  # times add up, and so do the inverses of rates
    generator = random.Random(tag)
    rows: list[Measurement] = []
    x = start
    while x <= stop:
        value = 0.0
        beyond = 1.0  # part of the accesses that no level so far holds
        for size, of_level in steps:
            inside = part_inside(x, size)
            value += beyond * inside * of_level**sign
            beyond *= 1 - inside
        rows.append(point(tag, x, value**sign * generator.lognormvariate(0, noise)))
        x = start * 2 ** (len(rows) / per_octave)
    return rows


def read(
    l3: float = 32 * M,
    per_octave: int = 4,
    noise: float = 0.02,
    tag: str = f"{BANDWIDTH}read-1core",
) -> list[Measurement]:
    """A sweep over the levels of the made-up CPU; ``l3``: the bytes that its L3 really holds."""
    sizes = (32 * K, M, l3, inf)
    steps = list(zip(sizes, RATES.values(), strict=True))
    return sweep(tag, steps, 4 * K, 256 * M, per_octave, noise)


def rates_of(rows: Sequence[Measurement], device: Device) -> dict[str, float]:
    """The rate or time of each level that these rows show, by its tag."""
    return {row.ceiling: row.value or 0.0 for row in levels(rows, device).rows}


@pytest.mark.parametrize("per_octave", [2, 4], ids=["short run", "full run"])
@pytest.mark.parametrize("noise", [0, 0.04], ids=["quiet", "noisy"])
def test_each_level_of_a_cpu_is_found_at_its_rate(per_octave: int, noise: float) -> None:
    rates = rates_of(read(per_octave=per_octave, noise=noise), cpu(32 * K, M, 32 * M))
    assert set(rates) == {f"bandwidth/{level}/read/1core" for level in ("l1", "l2", "l3")}
    for level in ("l1", "l2", "l3"):
        assert rates[f"bandwidth/{level}/read/1core"] == pytest.approx(RATES[level], rel=0.05)


def test_a_level_gives_its_median_and_not_its_luckiest_point() -> None:
    rows = read(noise=0)
    luckiest = replace(rows[3], bytes=1.4 * (rows[3].bytes or 0))
    rates = rates_of([*rows[:3], luckiest, *rows[4:]], cpu(32 * K, M, 32 * M))
    assert rates["bandwidth/l1/read/1core"] < 1.01 * RATES["l1"]


def test_a_machine_that_misreports_a_cache_gets_the_right_names_and_a_note() -> None:
    result = levels(read(24 * M), cpu(32 * K, M, 384 * M))
    rates = {row.ceiling: row.value for row in result.rows}
    assert rates["bandwidth/l3/read/1core"] == pytest.approx(RATES["l3"], rel=0.05)
    (note,) = result.notes
    assert note.startswith("l3 ends near ")
    assert note.endswith(" MiB, the device reports 384 MiB")
    assert note in next(row.reason for row in result.rows if "/l3/" in row.ceiling)


def test_sizes_that_agree_need_no_note() -> None:
    assert levels(read(), cpu(32 * K, M, 32 * M)).notes == ()


def test_all_cores_share_the_last_cache() -> None:
    device = cpu(32 * K, M, 32 * M, shared_by=2)
    assert reported_sizes(f"{BANDWIDTH}read", device) == {
        "l1": 32 * K,
        "l2": M,
        "l3": 16 * M,
        "dram": None,
    }
    assert reported_sizes(f"{BANDWIDTH}read-1core", device)["l3"] == 32 * M
    assert reported_sizes(LATENCY, device)["l3"] == 32 * M


def test_where_two_levels_give_one_rate_the_farther_speaks_for_its_own_part() -> None:
    # stores, which an L1 passes on as fast as it takes them
    steps = [(M, 5e11), (32 * M, 2e11), (inf, 4e10)]
    rows = sweep(f"{BANDWIDTH}write", steps, 4 * K, 256 * M, 1)
    ceilings = levels(rows, cpu(32 * K, M, 32 * M)).rows
    (row,) = [row for row in ceilings if row.ceiling == "bandwidth/l2/write"]
    assert "points from 64 KiB to " in row.reason


def test_a_plateau_that_no_cache_explains_has_a_note_and_no_name() -> None:
    steps = [(32 * K, 2e11), (256 * K, 1.4e11), (4 * M, 6e10), (inf, 2e10)]
    result = levels(sweep(f"{BANDWIDTH}read-1core", steps, 4 * K, 128 * M, 4), cpu(32 * K, 4 * M))
    assert {row.ceiling for row in result.rows} == {
        "bandwidth/l1/read/1core",
        "bandwidth/l2/read/1core",
    }
    assert [note for note in result.notes if "no level that is reported" in note]


def test_latency_rises_from_level_to_level_and_includes_main_memory() -> None:
    steps = [(32 * K, 1e-9), (M, 4e-9), (32 * M, 2e-8), (inf, 1e-7)]
    times = rates_of(sweep(LATENCY, steps, 4 * K, 256 * M, 4, 0.02), cpu(32 * K, M, 32 * M))
    tags = ("latency/l1", "latency/l2", "latency/l3", "latency/dram")
    assert times == {
        tag: pytest.approx(seconds, rel=0.08) for tag, (_, seconds) in zip(tags, steps, strict=True)
    }


def test_a_gpu_has_an_l1_in_each_sm_and_one_l2() -> None:
    per_sm = sweep(f"{BANDWIDTH}read-per-sm", [(220 * K, 2e13), (inf, 6e12)], 32 * K, M, 3, 0.01)
    shared = sweep(f"{BANDWIDTH}read", [(45 * M, 7e12), (inf, 4e12)], M, 256 * M, 4, 0.01)
    # the smallest sets, too small to keep the whole GPU busy, are slow
    slow_start = [
        replace(row, bytes=(row.bytes or 0) * factor)
        for row, factor in zip(shared[:3], (1 / 8, 1 / 4, 1 / 2), strict=True)
    ]
    rates = rates_of([*per_sm, *slow_start, *shared[3:]], H100)
    assert set(rates) == {"bandwidth/l1/read", "bandwidth/l2/read"}
    assert rates["bandwidth/l1/read"] == pytest.approx(2e13, rel=0.03)


@pytest.mark.parametrize("stride", [1, 2], ids=["plain run", "short run"])
@pytest.mark.parametrize(
    ("l1_kib", "shared_kib"), [(64, 64), (128, 96), (128, 100), (192, 164), (256, 228)]
)
def test_the_l1_of_every_generation_is_found(l1_kib: int, shared_kib: int, stride: int) -> None:
    """A GPU reports its shared memory, which is at most what its L1 holds."""
    device = replace(GPU, facts={"shared_bytes_per_multiprocessor": shared_kib * K})
    rows = []
    for x in SM_SIZES[::stride]:
        rate = 2e13 if x <= l1_kib * K else 6e12
        rows.append(point(f"{BANDWIDTH}read-per-sm", x, rate))
    assert rates_of(rows, device) == {"bandwidth/l1/read": pytest.approx(2e13)}


def test_a_gpu_of_unknown_l1_shows_its_l2_and_no_l1() -> None:
    pascal = replace(
        GPU, arch="6.1", last_cache_bytes=2 * M, facts={"shared_bytes_per_multiprocessor": 96 * K}
    )
    chase = sweep(LATENCY, [(24 * K, 4e-8), (2 * M, 1.5e-7), (inf, 4e-7)], 8 * K, 16 * M, 2, 0.01)
    per_sm = sweep(f"{BANDWIDTH}read-per-sm", [(24 * K, 2e12), (inf, 1e12)], 16 * K, M, 2, 0.01)
    assert set(rates_of([*chase, *per_sm], pascal)) == {"latency/l2", "latency/dram"}


@pytest.mark.parametrize(
    ("plateau_count", "names"), [(4, ["l1", "l2", "l3"]), (3, ["level-1", "level-2", "level-3"])]
)
def test_levels_of_unknown_size_are_named_by_order_or_by_number_with_a_note(
    plateau_count: int, names: list[str]
) -> None:
    caches = [(32 * K, 2e11), (M, 1e11), (32 * M, 5e10)][: plateau_count - 1]
    rows = sweep(f"{BANDWIDTH}read", [*caches, (inf, 1.5e10)], 4 * K, 256 * M, 4, 0.01)
    result = levels(rows, replace(CPU, facts={}))
    assert [Tag.parse(row.ceiling).subject for row in result.rows] == names
    assert result.notes == (BY_ORDER,)


def test_a_ceiling_measured_directly_is_kept_and_main_memory_is_never_replaced() -> None:
    rows = [
        *read(tag=f"{BANDWIDTH}read"),
        measurement("bandwidth/l1/read", 3e11),
        measurement("bandwidth/dram/read", 2e10),
    ]
    device = cpu(32 * K, M, 32 * M)
    run = Run(device, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=rows)
    outcome = model(run)
    assert outcome.ceilings["bandwidth/l1"].rate == pytest.approx(3e11)
    assert outcome.ceilings["bandwidth/dram"].rate == pytest.approx(2e10)
    assert [roof.label for roof in outcome.model.bandwidth] == ["L1", "L2", "L3", "DRAM"]
    assert outcome.model.memory is not None
    assert outcome.model.memory.tag == "bandwidth/dram"


def test_a_rate_above_the_physical_limit_is_not_used() -> None:
    limit = 2e9 * GPU.units * 128  # bytes a clock and SM, at the clock of these points
    rows = sweep(f"{BANDWIDTH}read-per-sm", [(220 * K, 1.1 * limit), (inf, 6e12)], 32 * K, M, 3)
    by_tag = {row.ceiling: row for row in judged(levels(rows, H100).rows, H100)}
    assert by_tag["bandwidth/l1/read"].status == FAILED
    assert "above the physical limit" in by_tag["bandwidth/l1/read"].reason
    assert "bandwidth/l2/read" not in by_tag


def test_the_summary_contains_the_notes() -> None:
    device = cpu(32 * K, M, 384 * M)
    rows = read(24 * M)
    run = Run(device, "2030-01-02T03:04:05Z", {}, {}, status=COMPLETE, measurements=rows)
    outcome = model(run)
    sentences = summary(run, outcome.ceilings, outcome.notes)
    assert [sentence for sentence in sentences if sentence.startswith("L3 ends near ")]
    assert "device reports 384 MiB" in outcome.ceilings["bandwidth/l3/read/1core"].remark


def test_plateaus_leave_out_the_points_between_them() -> None:
    values = [10, 10.2, 9.9, 8, 6, 4, 3, 3.1, 3.0, 2.95]
    split = plateaus(values, [0.0] * len(values), 2, lambda *_: 0.0)
    assert [(p.first, p.last, p.place) for p in split] == [(0, 2, 0), (6, 9, 1)]


def test_two_points_alike_are_no_plateau() -> None:
    values = [10, 10, 10, 7, 7, 5, 3, 3, 3]
    split = plateaus(values, [0.0] * len(values), 3, lambda *_: -0.1)
    assert [(p.first, p.last) for p in split] == [(0, 2), (6, 8)]


def test_one_disturbed_point_splits_no_plateau() -> None:
    values = [10, 10, 10, 6, 10, 10, 10, 3, 3, 3]
    split = plateaus(values, [0.0] * len(values), 3, lambda *_: 0.0)
    assert [(p.first, p.last) for p in split] == [(0, 6), (7, 9)]


def test_points_of_wide_spread_are_no_plateau() -> None:
    """Values from a machine whose neighbours used the last cache too, beyond 5 MiB."""
    quiet = [9.8, 10.4, 10.7, 11.2, 11.6, 11.9, 12.3]
    disturbed = [  # value, spread
        (24.7, 0.99),
        (46.2, 0.84),
        (51.2, 0.9),
        (30.7, 1.18),
        (46.7, 0.44),
        (88.1, 0.5),
        (97.0, 0.5),
        (34.0, 0.47),
    ]
    memory = [153.0, 155.5, 157.1]
    values = [*quiet, *(value for value, _ in disturbed), *memory]
    spreads = [spread for _, spread in disturbed]
    noise = [*(0.02 for _ in quiet), *spreads, *(0.02 for _ in memory)]
    split = plateaus(values, noise, 2, lambda *_: 0.0, falling=False)
    assert [(p.first, p.last) for p in split] == [(0, 6), (15, 17)]
