"""Every peak by its formula; what bounds a measured tag; and nothing guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.theory import above_limit, peak_for, peaks, tables
from probes.harness.records import Device
from tests.devices import CPU, GPU, measurement

@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_every_row_is_positive_and_sourced(kind: str) -> None:
    for name, row in tables()[kind].items():
        rates = [*row["vector"].values(), *row.get("tensor", {}).values()]
        assert rates, name
        assert min(rates) > 0, name
        assert row["source"], name
        assert set(row.get("varies", ())) <= {*row["vector"], *row.get("tensor", {})}, name


def test_the_table_covers_every_generation() -> None:
    majors = {5: "5.0 5.2 5.3", 6: "6.0 6.1 6.2", 7: "7.0 7.2 7.5", 8: "8.0 8.6 8.7 8.9", 9: "9.0"}
    later = {10: "10.0 10.3", 11: "11.0", 12: "12.0 12.1"}
    assert list(tables()["cuda"]) == " ".join((majors | later).values()).split()


def test_sparse_is_twice_dense_and_another_tag() -> None:
    found = peaks(GPU)
    assert found["compute/fp16/sparse-fp32"].value == 2 * (found["compute/fp16/tensor-fp32"].value or 0)
    assert "compute/fp64/sparse" not in found


def test_peaks_at_an_observed_clock() -> None:
    assert peaks(GPU)["compute/fp32"].value == 2.0e9 * 100 * 256
    assert peaks(GPU, 1.5e9)["compute/fp32"].value == 1.5e9 * 100 * 256
    assert "1.5 GHz x 100 SMs x 256 FLOP/clk/SM" in peaks(GPU, 1.5e9)["compute/fp32"].formula
    assert peaks(GPU, 1.5e9)["bandwidth/dram"].value == 2 * 3e9 * 1000 / 8


def test_a_device_is_never_looked_up_by_its_name() -> None:
    disguised = replace(GPU, name="NVIDIA A100 40GB", arch="9.9")
    assert not [tag for tag, p in peaks(disguised).items() if tag.startswith("compute")]
    assert peak_for("compute/fp32", disguised) is None


def test_unknown_memory_and_clock_stay_unknown() -> None:
    found = peaks(CPU)
    assert found["bandwidth/dram"].value is None
    assert found["compute/fp64"].value is None
    assert "unknown" in found["compute/fp64"].formula
    assert peaks(CPU, 3e9)["compute/fp64"].value == 3e9 * 2 * 16


def test_where_products_differ_only_the_limit_is_known() -> None:
    consumer_or_not = replace(GPU, arch="8.6")
    peak = peak_for("compute/fp16/mma-fp32", consumer_or_not)
    assert peak is not None
    assert peak.value is None
    assert peak.limit == 2e9 * 100 * 1024


@pytest.mark.parametrize(
    ("tag", "per_clock"),
    [
        ("compute/fp16/wmma-fp32", 4096),
        ("compute/fp16/wgmma-fp32/zeros", 4096),
        ("compute/fp16/wgmma_sp-fp32", 8192),
        ("compute/fp8/mma-fp32/sustained", 8192),
        ("compute/fp64/mma", 256),
        ("compute/int8/gemm", 8192),
        ("compute/fp32/gemm", 256),
        ("compute/fp32", 256),
        ("bandwidth/shared", 128),
    ],
)
def test_measured_tags_find_their_peak(tag: str, per_clock: float) -> None:
    peak = peak_for(tag, GPU)
    assert peak is not None
    assert peak.per_clock == per_clock


def test_one_core_is_bound_by_one_core() -> None:
    one, all_of_them = peak_for("compute/fp64/1core", CPU, 3e9), peak_for("compute/fp64", CPU, 3e9)
    assert one is not None
    assert all_of_them is not None
    assert 2 * (one.value or 0) == all_of_them.value


@pytest.mark.parametrize("tag", ["compute/fp3/mma-fp32", "latency/dram", "transfer/h2d", "compute", "bandwidth/l7"])
def test_tags_with_no_known_peak(tag: str) -> None:
    assert peak_for(tag, GPU) is None


@pytest.mark.parametrize(
    ("device", "tag", "clock", "limit", "tolerance"),
    [
        (GPU, "compute/fp32", 1.9e9, 1.9e9 * 100 * 256, 0.005),
        (CPU, "compute/fp64", 3.0e9, 3.0e9 * 2 * 16, 0.015),
        (GPU, "bandwidth/dram/copy", None, 7.5e11, 0.005),
    ],
)
def test_rates_above_the_physical_limit(
    device: Device, tag: str, clock: float | None, limit: float, tolerance: float
) -> None:
    under = measurement(tag, limit * (1 + 0.9 * tolerance), clock_hz=clock)
    over = measurement(tag, limit * (1 + 1.1 * tolerance), clock_hz=clock)
    assert above_limit(under, device) == ""
    assert above_limit(over, device).startswith("above the physical limit: ")
    assert above_limit(measurement("latency/dram", 1e99), device) == ""


def test_a_doubled_operation_count_is_above_the_limit() -> None:
    good = measurement("compute/fp32", 0.98 * 1.9e9 * 100 * 256)
    assert above_limit(good, GPU) == ""
    assert "of 48.6 TFLOP/s" in above_limit(replace(good, flops=2 * (good.flops or 0)), GPU)
