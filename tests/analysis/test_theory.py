"""Every peak by its formula, against the vendors' figures; and nothing guessed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from analysis import specs, theory
from analysis.theory import above_limit, peak_for, peaks, tables
from probes.harness.records import Device, RidgelineError
from tests.devices import CPU, GPU, measurement

FIGURES = [  # product, tag, figure of the data sheet or whitepaper
    ("NVIDIA A100 40GB", "compute/fp64", 9.7e12),
    ("NVIDIA A100 40GB", "compute/fp32", 19.5e12),
    ("NVIDIA A100 40GB", "compute/fp16", 78e12),
    ("NVIDIA A100 40GB", "compute/bf16", 39e12),
    ("NVIDIA A100 40GB", "compute/int8", 78e12),
    ("NVIDIA A100 40GB", "compute/fp16/tensor-fp32", 312e12),
    ("NVIDIA A100 40GB", "compute/fp16/sparse-fp32", 624e12),
    ("NVIDIA A100 40GB", "compute/int8/tensor-int32", 624e12),
    ("NVIDIA A100 40GB", "compute/tf32/tensor-fp32", 156e12),
    ("NVIDIA A100 40GB", "compute/fp64/tensor", 19.5e12),
    ("NVIDIA A100 40GB", "bandwidth/dram", 1555e9),
    ("NVIDIA A100 80GB", "bandwidth/dram", 2039e9),
    ("NVIDIA H100 SXM", "compute/fp16/tensor-fp32", 989e12),
    ("NVIDIA H100 SXM", "compute/fp8/tensor-fp32", 1979e12),
    ("NVIDIA H100 SXM", "bandwidth/dram", 3.35e12),
    ("NVIDIA H200", "bandwidth/dram", 4.8e12),
    ("GeForce RTX 3080 10GB", "compute/fp32", 29.8e12),
    ("GeForce RTX 3080 10GB", "compute/fp16/tensor-fp32", 59.5e12),
    ("GeForce RTX 3080 10GB", "compute/fp16/tensor-fp16", 119e12),
    ("GeForce RTX 4090", "compute/fp32", 82.6e12),
    ("GeForce RTX 4090", "compute/fp16/tensor-fp32", 165.2e12),
    ("Quadro RTX 6000", "bandwidth/dram", 672e9),
    ("Quadro RTX 6000", "compute/fp32", 16.3e12),
    ("NVIDIA Tesla V100 SXM2", "compute/fp16/tensor-fp32", 125e12),
    ("NVIDIA Tesla V100 SXM2", "compute/fp64", 7.8e12),
    ("Jetson AGX Xavier", "compute/fp32", 1.41e12),
    ("Jetson AGX Xavier", "compute/fp16", 2.82e12),
    ("Jetson AGX Xavier", "compute/int8/tensor-int32", 22.6e12),
    ("Jetson AGX Xavier", "bandwidth/dram", 137e9),
    ("Jetson AGX Orin 64GB", "compute/fp32", 5.3e12),
    ("Jetson AGX Orin 64GB", "bandwidth/dram", 204.8e9),
]


@pytest.mark.parametrize(("name", "tag", "figure"), FIGURES)
def test_published_figures(name: str, tag: str, figure: float) -> None:
    device, row = specs.spec_device(name)
    assert peaks(device, row=row)[tag].value == pytest.approx(figure, rel=0.006)


@pytest.mark.parametrize(("name", "expected"), [("GeForce RTX 3080 10GB", 39.2), ("Jetson AGX Xavier", 10.3)])
def test_ridge_points(name: str, expected: float) -> None:
    device, row = specs.spec_device(name)
    found = peaks(device, row=row)
    ridge = (found["compute/fp32"].value or 0) / (found["bandwidth/dram"].value or 1)
    assert ridge == pytest.approx(expected, rel=0.004)


@pytest.mark.parametrize("name", tables()["spec"])
def test_every_product_has_known_memory_and_a_source(name: str) -> None:
    device, row = specs.spec_device(name)
    found = peaks(device, row=row)
    assert (found["bandwidth/dram"].value or 0) > 1e10
    assert all(p.value and p.source and p.formula for p in found.values()), "a product's own rates leave none open"


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


def text_of(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = specs.main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_product_with_formula_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = text_of(capsys, "--spec", "NVIDIA A100 40GB")
    assert (code, err) == (0, "")
    assert "1.41 GHz x 108 SMs x 128 FLOP/clk/SM" in out
    assert "NVIDIA A100 whitepaper" in out


def test_an_alias_says_what_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = text_of(capsys, "--spec", "a100", "--json")
    assert (code, err) == (0, "a100 -> NVIDIA A100 40GB\n")
    data = json.loads(out)
    assert data["peaks"]["compute/fp64"]["value"] == pytest.approx(9.7e12, rel=0.006)
    assert data["ridges"]["compute/fp32"] == pytest.approx(12.5, rel=0.01)


def test_a_cpu_by_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = text_of(
        capsys, "--cpu-cores", "8", "--clock", "3.0e9", "--core", "haswell", "--memory", "2666e6x8x6", "--json"
    )
    found = {tag: peak["value"] for tag, peak in json.loads(out)["peaks"].items()}
    assert code == 0
    assert found["compute/fp64"] == pytest.approx(0.384e12)
    assert found["compute/fp32"] == pytest.approx(0.768e12)
    assert found["bandwidth/dram"] == pytest.approx(128e9, rel=0.001)


def test_memory_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = text_of(capsys, "--memory", "2666e6x8x6")
    assert code == 0
    assert "128 GB/s" in out


@pytest.mark.parametrize("argument", ["--spec", "--core"])
def test_lists(capsys: pytest.CaptureFixture[str], argument: str) -> None:
    code, out, _ = text_of(capsys, argument, "list")
    assert code == 0
    assert len(out.splitlines()) > 20


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--spec", "A9000"], "no product is called 'A9000'"),
        (["--core", "z80", "--cpu-cores", "1", "--clock", "1e6"], "no CPU core is called 'z80'"),
        (["--core", "zen4"], "needs --cpu-cores and --clock too"),
        (["--cpu-cores", "8"], "needs --core too"),
        (["--core", "zen4", "--cpu-cores", "no", "--clock", "3e9"], "no"),
        (["--core", "zen4", "--cpu-cores", "2", "--clock", "-3e9"], "clock"),
        (["--memory", "fast"], "'fast' is not RATExBYTESxCHANNELS"),
        (["--memory", "1e9x-8x2"], "is not RATExBYTESxCHANNELS"),
        ([], "nothing to compute"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    code, out, err = text_of(capsys, *argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_find_spec_prefers_the_exact_name() -> None:
    assert specs.find_spec("Jetson Nano") == "Jetson Nano"
    with pytest.raises(RidgelineError):
        specs.find_spec("Voodoo 2")


def test_theory_is_the_module_to_run() -> None:
    assert theory.__doc__
    assert theory.TABLES.exists()
