"""The best that can be trusted, and never silence about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.model.ceilings import Ceiling, ceilings, is_roof
from probes.records.measurement import FAILED, OK, SKIPPED, Measurement
from probes.records.table import columns_of
from tests.devices import CPU, GPU, measurement


def test_the_columns_are_the_contract() -> None:
    assert ",".join(columns_of(Ceiling)) == (
        "schema_version,device,started,tag,rate,unit,nominal_peak,observed_peak,share_nominal,share_observed,"
        "backend,dtype,clock_hz,spread,samples,status,remark,trusted,doubt,dropped,emulated,"
        "power_w,joules,per_watt,instruction"
    )


def test_the_best_measurement_speaks_for_a_tag() -> None:
    rows = [measurement("compute/fp32", 4e13), measurement("compute/fp32", 4.5e13, backend="numba")]
    ceiling = ceilings(rows, GPU)["compute/fp32"]
    assert ceiling.rate == pytest.approx(4.5e13)
    assert ceiling.backend == "numba"
    assert ceiling.unit == "FLOP/s"
    assert ceiling.nominal_peak == 2e9 * 100 * 256
    assert ceiling.observed_peak == 1.9e9 * 100 * 256
    assert ceiling.share_observed == pytest.approx(4.5e13 / (1.9e9 * 25600))
    assert ceiling.spread == pytest.approx(0.002)


def test_a_level_is_the_best_of_its_operations() -> None:
    rows = [
        measurement("bandwidth/dram/copy", 6e11, kernel="copy"),
        measurement("bandwidth/dram/read", 7e11, kernel="read"),
        measurement("bandwidth/dram/zeros", 7.4e11, kernel="zeros"),
    ]
    by_tag = ceilings(rows, GPU)
    assert by_tag["bandwidth/dram"].rate == pytest.approx(7e11)
    assert "read" in by_tag["bandwidth/dram"].remark
    assert by_tag["bandwidth/dram"].share_nominal == pytest.approx(7 / 7.5)


def of_memory(kernel: str, rate: float, spread: float | None, **changed: Any) -> Measurement:
    """A row of main memory; ``spread``: half of the interval over the median, None if unknown."""
    median = 1e-3
    low, high = None, None
    if spread is not None:
        low, high = median * (1 - spread), median * (1 + spread)
    tag = f"bandwidth/dram/{kernel}"
    return measurement(tag, rate, kernel=kernel, seconds_low=low, seconds_high=high, **changed)


@pytest.mark.parametrize(
    ("other", "rate"),
    [
        (of_memory("write", 7.73e10, 0.538), 5.37e10),
        (of_memory("write", 7.73e10, 0.01, trusted=False), 5.37e10),
        (of_memory("write", 7.73e10, None), 5.37e10),
        (of_memory("write", 5.6e10, 0.03), 5.6e10),
    ],
    ids=["wild", "disturbed", "few samples", "a little less quiet"],
)
def test_no_row_wins_by_its_noise(other: Measurement, rate: float) -> None:
    by_tag = ceilings([of_memory("read", 5.37e10, 0.013), other], CPU)
    assert by_tag["bandwidth/dram"].rate == pytest.approx(rate)
    assert by_tag["bandwidth/dram/write"].rate == pytest.approx(other.rate), (
        "alone, it speaks for its own tag"
    )


def test_no_time_wins_by_its_noise() -> None:
    quiet = measurement(
        "overhead/launch", seconds_median=3e-6, seconds_low=2.9e-6, seconds_high=3.1e-6
    )
    wild = measurement("overhead/launch", seconds_median=2e-6, seconds_low=1e-6, seconds_high=9e-6)
    assert ceilings([wild, quiet], GPU)["overhead/launch"].rate == 3e-6


def test_memory_has_no_observed_clock() -> None:
    tag = "bandwidth/dram/copy"
    ceiling = ceilings([measurement(tag, 6e11, clock_hz=3e9)], GPU)[tag]
    assert ceiling.clock_hz is None
    assert ceiling.observed_peak is None
    assert ceiling.unit == "B/s"


def test_a_failed_backend_beside_a_good_one_is_named() -> None:
    rows = [
        measurement("compute/fp32"),
        measurement("compute/fp32", 9e99, backend="numba", status=FAILED),
    ]
    ceiling = ceilings(rows, GPU)["compute/fp32"]
    assert (ceiling.status, ceiling.backend) == (OK, "raw")
    assert "failed: fma/numba" in ceiling.remark


@pytest.mark.parametrize("status", [FAILED, SKIPPED])
def test_a_tag_with_nothing_good_says_why(status: str) -> None:
    row = measurement("compute/bf16", status=status, reason="sm_75 has no bf16")
    ceiling = ceilings([row], GPU)["compute/bf16"]
    assert (ceiling.status, ceiling.rate, ceiling.remark) == (status, None, "sm_75 has no bf16")
    assert not is_roof(ceiling)


def test_an_unknown_peak_is_empty() -> None:
    ceiling = ceilings([measurement("bandwidth/dram/copy", 4e10)], CPU)["bandwidth/dram/copy"]
    assert ceiling.nominal_peak is None
    assert ceiling.share_nominal is None


@pytest.mark.parametrize(
    ("tag", "roof"),
    [
        ("compute/fp32", True),
        ("compute/fp16/wgmma-fp32", True),
        ("compute/fp16/wgmma-fp32/zeros", False),
        ("compute/fp64/1core", False),
        ("compute/fp32/sustained", False),
        ("bandwidth/dram", True),
        ("bandwidth/l2", True),
        ("bandwidth/dram/copy", False),
        ("transfer/h2d", False),
        ("latency/dram", False),
        ("overhead/launch", False),
    ],
)
def test_only_a_rate_that_programs_can_expect_draws_a_roof(tag: str, roof: bool) -> None:
    assert is_roof(ceilings([measurement(tag)], GPU)[tag]) == roof


def test_an_emulated_path_draws_no_roof() -> None:
    row = measurement("compute/int4/mma-int32", emulated=True)
    assert not is_roof(ceilings([row], GPU)["compute/int4/mma-int32"])


def test_remarks_of_the_row_are_kept() -> None:
    row = measurement("compute/fp32", reason="not quiet: the median is known to ±4.0%")
    assert "not quiet" in ceilings([row], GPU)["compute/fp32"].remark


def test_the_shortest_time_speaks_for_a_tag_and_points_of_sweeps_and_layers_never_do() -> None:
    rows = [
        measurement("latency/l2", seconds_median=3e-7, clock_hz=2e9),
        measurement("latency/l2", seconds_median=2e-7, clock_hz=2e9),
        measurement("sweep/latency/working-set/chase"),
        measurement("layer/conv"),
    ]
    by_tag = ceilings(rows, GPU)
    assert set(by_tag) == {"latency/l2"}
    assert (by_tag["latency/l2"].rate, by_tag["latency/l2"].unit) == (2e-7, "s")
    assert by_tag["latency/l2"].clock_hz == 2e9
    assert not is_roof(by_tag["latency/l2"])


def test_a_memory_inside_the_units_is_held_against_their_observed_clock() -> None:
    row = measurement("bandwidth/shared/read", 1.2e13, clock_hz=1e9)
    ceiling = ceilings([row], GPU)["bandwidth/shared"]
    assert ceiling.observed_peak == 1e9 * 100 * 128
    assert ceiling.share_observed == pytest.approx(1.2e13 / 1.28e13)
    assert ceiling.clock_hz == 1e9
