"""Every peak by its formula; what bounds a measured tag; and nothing guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.theory.limits import excess
from analysis.theory.peaks import peak_for, peaks
from analysis.theory.tables import tables
from kernels.device import Device
from probes.records.measurement import Measurement
from probes.records.run import read_run
from tests.devices import CPU, GPU, measurement

REFERENCE = Path(__file__).parents[3] / "results" / "reference"
ROWS = [(kind, arch) for kind in ("cuda", "cpu") for arch in tables()[kind]]
FP32_LIMIT = 2.0e9 * 100 * 256
"""Operations a second of the made-up GPU: its clock, its SMs, what each does a cycle."""
OBSERVED_HZ = 1.9e9
"""The clock at which the rows of arithmetic here were measured."""
DRAM_LIMIT = 2 * 3e9 * 1000 / 8
"""Bytes a second of its memory: transfers a cycle, clock, bus of 1000 bits."""


@pytest.mark.parametrize(("kind", "arch"), ROWS)
def test_every_row_gives_positive_peaks_with_a_source(kind: str, arch: str) -> None:
    row = tables()[kind][arch]
    device = replace(GPU if kind == "cuda" else CPU, arch=arch)
    by_tag = {tag: p for tag, p in peaks(device, 1e9).items() if tag != "bandwidth/dram"}
    assert len(by_tag) >= 2
    rates = {"vector", "tensor", "matrix", "bytes", "slow"}
    assert set(row) <= {*rates, "sparse", "varies", "nvlink", "source"}
    for tag, peak in by_tag.items():
        assert peak.limit == pytest.approx(1e9 * device.units * (peak.per_clock or 0)), tag
        assert (peak.limit or 0) > 0, tag
        assert peak.value in (None, peak.limit), tag
        assert len(peak.source) > 10, tag


@pytest.mark.parametrize(("kind", "arch"), ROWS)
def test_rows_refer_only_to_rates_that_they_hold(kind: str, arch: str) -> None:
    row = tables()[kind][arch]
    keys = [*row["vector"], *row.get("tensor", {})]
    assert set(row.get("varies", ())) <= set(keys)
    assert set(row.get("sparse", ())) <= {key.split("-")[0] for key in row.get("tensor", {})}
    assert not {name for name in row["source"] if name.isupper()} - set(tables()["sources"])


@pytest.mark.parametrize(
    ("tag", "per_clock"),
    [
        ("compute/fp32", 16),
        ("compute/fp32/sve", 16),
        ("compute/int8/usdot/1core", 64),
        ("compute/int8/smmla", 128),
        ("compute/bf16/sve_bfmmla", 64),
        ("compute/fp64/smmla", None),
    ],
)
def test_each_instruction_of_an_arm_core_has_the_peak_of_its_unit(
    tag: str, per_clock: int | None
) -> None:
    peak = peak_for(tag, replace(CPU, arch="neoverse-v3ae"), 2.6e9)
    assert (peak and peak.per_clock) == per_clock


def test_a_core_of_which_nobody_tells_the_pipes_has_no_peak() -> None:
    assert peak_for("compute/fp32", replace(CPU, arch="carmel"), 2.2e9) is None


@pytest.mark.parametrize(
    ("arch", "operation", "per_clock"),
    [
        ("7.0", "int32/shuffle", 32),
        ("7.5", "int32/shuffle", None),
        ("7.5", "int32/from-fp32", 16),
        ("8.0", "int32/shift", 64),
        ("8.0", "int32/popcount", None),
        ("8.0", "int32/from-fp32", None),
        ("8.7", "fp32/exp2", None),
        ("8.9", "int32/popcount", 16),
        ("9.0", "int32/shuffle", 32),
        ("9.0", "fp32/from-int32", None),
        ("10.0", "fp32/rsqrt", 16),
        ("10.0", "int32/shift", None),
        ("10.3", "fp32/exp2", 32),
        ("10.3", "fp32/rsqrt", None),
        ("12.0", "int32/shuffle", None),
        ("12.1", "int32/popcount", 16),
    ],
)
def test_slow_arithmetic_is_known_only_where_a_guide_tells_and_nothing_disagrees(
    arch: str, operation: str, per_clock: int | None
) -> None:
    peak = peak_for(f"arithmetic/{operation}", replace(GPU, arch=arch))
    assert (peak and peak.per_clock) == per_clock


def test_no_generation_is_lost_from_the_table() -> None:
    until_volta = {"5.0", "5.2", "5.3", "6.0", "6.1", "6.2", "7.0", "7.2"}
    later = {"7.5", "8.0", "8.6", "8.7", "8.9", "9.0", "10.0", "10.3", "11.0", "12.0", "12.1"}
    assert until_volta | later <= set(tables()["cuda"])


@pytest.mark.parametrize("arch", tables()["cuda"])
def test_a_sparse_peak_is_twice_the_dense_one_under_a_tag_of_its_own(arch: str) -> None:
    by_tag = peaks(replace(GPU, arch=arch))
    sparse_tags = [tag for tag in by_tag if "/sparse" in tag]
    for tag in sparse_tags:
        dense = by_tag[tag.replace("sparse", "tensor")]
        assert by_tag[tag].limit == 2 * (dense.limit or 0), tag
    assert "compute/fp64/sparse" not in by_tag
    assert bool(sparse_tags) == bool(tables()["cuda"][arch].get("sparse"))


def test_compute_peaks_follow_an_observed_clock_and_memory_does_not() -> None:
    assert peaks(GPU)["compute/fp32"].value == FP32_LIMIT
    assert peaks(GPU, 1.5e9)["compute/fp32"].value == 1.5e9 * 100 * 256
    assert "1.5 GHz x 100 SMs x 256 FLOP/clk/SM" in peaks(GPU, 1.5e9)["compute/fp32"].formula
    assert peaks(GPU, 1.5e9)["bandwidth/dram"].value == DRAM_LIMIT


@pytest.mark.parametrize("arch", ["9.9", "", "zen4"])
def test_a_device_is_never_looked_up_by_its_name(arch: str) -> None:
    disguised = replace(GPU, name="NVIDIA A100 40GB", arch=arch)
    assert list(peaks(disguised)) == ["bandwidth/dram"]
    assert peak_for("compute/fp32", disguised) is None
    assert peak_for("bandwidth/shared", disguised) is None
    assert above_limit(measurement("compute/fp32", 1e99), disguised) == ""


def test_unknown_memory_and_clock_stay_unknown() -> None:
    by_tag = peaks(CPU)
    assert by_tag["bandwidth/dram"].value is None
    assert by_tag["compute/fp64"].value is None
    assert "unknown" in by_tag["compute/fp64"].formula
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
        ("compute/fp8/wgmma-fp32/e5m2", 8192),
        ("compute/fp8/wgmma_sp-fp32/e5m2/zeros", 16384),
        ("compute/int8/mma_sp-int32", 16384),
        ("compute/fp64/mma", 256),
        ("compute/int8/gemm", 8192),
        ("compute/fp32/gemm", 256),
        ("compute/fp64/gemm", 256),
        ("compute/fp16/gemm-fp32/zeros", 4096),
        ("compute/fp32", 256),
        ("bandwidth/shared/read", 128),
        ("bandwidth/l1", 128),
        ("bandwidth/dram/copy", None),
    ],
)
def test_a_measured_tag_finds_its_peak(tag: str, per_clock: float | None) -> None:
    peak = peak_for(tag, GPU)
    assert peak is not None
    assert peak.per_clock == per_clock


def test_the_peak_of_one_core_is_that_of_one_core() -> None:
    one_core = peak_for("compute/fp64/1core", CPU, 3e9)
    both_cores = peak_for("compute/fp64", CPU, 3e9)
    assert one_core is not None
    assert both_cores is not None
    assert 2 * (one_core.value or 0) == both_cores.value


@pytest.mark.parametrize(
    "tag",
    ["compute/fp3/mma-fp32", "compute/fp64/mma_sp", "latency/dram", "transfer/h2d", "bandwidth/l2"],
)
def test_a_tag_with_no_known_peak_has_none(tag: str) -> None:
    assert peak_for(tag, GPU) is None


@pytest.mark.parametrize(
    ("device", "tag", "clock", "limit", "tolerance"),
    [
        (GPU, "compute/fp32", OBSERVED_HZ, OBSERVED_HZ * 100 * 256, 0.005),
        (CPU, "compute/fp64", 3.0e9, 3.0e9 * 2 * 16, 0.015),
        (GPU, "bandwidth/dram/copy", None, DRAM_LIMIT, 0.005),
    ],
)
def test_a_rate_beyond_the_tolerance_is_above_the_physical_limit(
    device: Device, tag: str, clock: float | None, limit: float, tolerance: float
) -> None:
    under = measurement(tag, limit * (1 + 0.9 * tolerance), clock_hz=clock)
    over = measurement(tag, limit * (1 + 1.1 * tolerance), clock_hz=clock)
    assert above_limit(under, device) == ""
    assert above_limit(over, device).startswith("above the physical limit: ")
    assert above_limit(measurement("latency/dram", 1e99), device) == ""


def above_limit(row: Measurement, device: Device) -> str:
    """Why a row exceeds its physical limit, in words; empty if it does not."""
    too_fast = excess(row, device)
    return too_fast.sentence if too_fast else ""


def swept(tag: str, rate: float, x: float = 1.0, moved: float = 1e9) -> Measurement:
    """A point at ``x`` that moves ``moved`` bytes at ``rate`` operations or bytes a second."""
    work = moved * x if tag.startswith("sweep/compute") else moved
    row = measurement(tag, clock_hz=OBSERVED_HZ, x=x)
    return replace(row, flops=work, bytes=moved, seconds_median=work / rate)


@pytest.mark.parametrize(
    ("over", "limit", "x"),
    [
        ("compute/intensity/fp32", OBSERVED_HZ * 100 * 256, 1000.0),
        ("compute/intensity/fp16-mma-fp32", OBSERVED_HZ * 100 * 4096, 4000.0),
        ("compute/intensity/fp32", DRAM_LIMIT * 2.0, 2.0),
        ("bandwidth/stride/read-fp32", DRAM_LIMIT, 1.0),
        ("bandwidth/gather/read", DRAM_LIMIT, 4096.0),
        ("bandwidth/blocks-per-sm/copy", DRAM_LIMIT, 8.0),
        ("bandwidth/threads/read", DRAM_LIMIT, 2.0),
        ("bandwidth/bank-conflict/shared", OBSERVED_HZ * 100 * 128, 1.0),
        ("bandwidth/cluster/multicast", OBSERVED_HZ * 100 * 128, 4.0),
        ("bandwidth/window/persisting", 2 * DRAM_LIMIT, 1 << 24),
        ("bandwidth/working-set/read-per-sm", OBSERVED_HZ * 100 * 128, 1 << 17),
    ],
)
def test_a_point_of_a_sweep_has_a_limit_too(over: str, limit: float, x: float) -> None:
    device = replace(GPU, last_cache_bytes=0)
    assert above_limit(swept(f"sweep/{over}", 1.002 * limit, x), device) == ""
    too_fast = swept(f"sweep/{over}", 1.01 * limit, x)
    assert "above the physical limit" in above_limit(too_fast, device)


@pytest.mark.parametrize(("mib", "factor"), [(50, 1e3), (100, 2.0), (200, 4 / 3), (800, 16 / 15)])
def test_the_limit_leaves_out_what_the_last_cache_may_keep_of_a_working_set(
    mib: int, factor: float
) -> None:
    """A set may be written faster than memory is, by the factor of all of it over the rest."""
    tag = "sweep/bandwidth/working-set/write"
    moved = float(mib << 20)

    def point(rate: float) -> Measurement:
        return swept(tag, rate, moved, moved)

    assert above_limit(point(0.99 * factor * DRAM_LIMIT), GPU) == ""
    if mib > 50:  # the cache of the made-up GPU holds no more
        assert above_limit(point(1.03 * factor * DRAM_LIMIT), GPU)
    unknown = replace(GPU, last_cache_bytes=None)
    assert above_limit(point(1e3 * DRAM_LIMIT), unknown) == ""


@pytest.mark.parametrize(
    "tag", ["sweep/transfer/size/h2d", "sweep/latency/working-set/chase", "sweep/bandwidth/odd/x"]
)
def test_a_point_with_no_known_limit_is_never_above_it(tag: str) -> None:
    assert above_limit(swept(tag, 1e99), GPU) == ""


@pytest.mark.parametrize("folder", sorted(REFERENCE.iterdir()), ids=lambda folder: folder.name)
def test_no_row_of_a_reference_run_is_above_its_limit(folder: Path) -> None:
    run = read_run(folder)
    reasons = [(row.ceiling, above_limit(row, run.device)) for row in run.measurements]
    assert [(tag, reason) for tag, reason in reasons if reason] == []


def test_a_doubled_operation_count_is_above_the_limit() -> None:
    good = measurement("compute/fp32", 0.98 * OBSERVED_HZ * 100 * 256)
    assert above_limit(good, GPU) == ""
    assert "of 48.6 TFLOP/s" in above_limit(replace(good, flops=2 * (good.flops or 0)), GPU)


def test_the_sentence_names_rate_limit_and_formula() -> None:
    wrong = measurement("compute/fp32", 70.1e12, clock_hz=None)
    expected = "70.1 TFLOP/s of 51.2 TFLOP/s (2 GHz x 100 SMs x 256 FLOP/clk/SM)"
    assert above_limit(wrong, GPU) == f"above the physical limit: {expected}"
    assert above_limit(wrong, replace(GPU, clock_hz=None)) == "", (
        "with no clock the limit is unknown"
    )
    assert above_limit(replace(wrong, status="failed"), GPU) == ""
