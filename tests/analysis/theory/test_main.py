"""``python -m analysis.theory``: what it prints, and that bad input is one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.theory import __main__
from analysis.theory.products import products

ROOT = Path(__file__).parents[3]


def output_of(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    """Run the program; returns its exit code, its output and its errors."""
    code = __main__.main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_product_is_printed_with_formulas_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = output_of(capsys, "--spec", "NVIDIA A100 40GB")
    row = next(line for line in out.splitlines() if "compute/fp32 " in line)
    assert (code, err) == (0, "")
    assert row.split()[1:3] == ["19.5", "TFLOP/s"]
    assert "12.5 FLOP/byte" in row
    assert "1.41 GHz x 108 SMs x 128 FLOP/clk/SM [1]" in row
    assert "2430 MT/s x 5120 bits / 8 [2]" in out
    assert (
        "[1] NVIDIA A100 data sheet: FP32 19.5 TFLOP/s, 1555 GB/s; CUDA C++ Programming Guide"
        in out
    )


def test_an_alias_says_which_product_it_took_and_which_others_it_fits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = output_of(capsys, "--spec", "A100")
    assert (code, err) == (0, "")
    assert out.startswith("A100 -> NVIDIA A100 40GB (also: NVIDIA A100 80GB)\nNVIDIA A100 40GB\n")


def test_json_is_nothing_but_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = output_of(capsys, "--spec", "3090", "--json")
    data = json.loads(out)
    assert (code, err) == (0, "3090 -> GeForce RTX 3090\n")
    assert data["device"] == "GeForce RTX 3090"
    assert data["peaks"]["bandwidth/dram"]["value"] == pytest.approx(936e9)
    assert data["peaks"]["compute/fp32"]["unit"] == "FLOP/s"
    assert data["ridges"]["compute/fp32"] == pytest.approx(38.0, rel=0.002)


def test_a_gpu_is_computed_from_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--capability", "9.0", "--sms", "132", "--clock", "1.98e9", "--json"]
    code, out, _ = output_of(capsys, *argv)
    fp32 = json.loads(out)["peaks"]["compute/fp32"]
    assert (code, fp32["value"]) == (0, 1.98e9 * 132 * 256)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--capability", "1.0"], "no compute capability '1.0' is known"),
        (["--capability", "9.0", "--sms", "132"], "needs --sms and --clock too"),
        (["--sms", "132", "--clock", "2e9"], "--sms needs --capability too"),
        (["--capability", "9.0", "--core", "zen4"], "give those of one"),
        (["--spec", "A100", "--sms", "3"], "--spec stands alone"),
    ],
)
def test_numbers_of_a_gpu_that_do_not_fit_are_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], line: str
) -> None:
    code, out, err = output_of(capsys, *argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert line in err


def test_a_cpu_is_computed_from_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["--cpu-cores", "8", "--clock", "3.0e9", "--core", "haswell", "--memory", "2666e6x8x6"]
    code, out, _ = output_of(capsys, *argv, "--json")
    data = json.loads(out)
    values = {tag: peak["value"] for tag, peak in data["peaks"].items()}
    assert code == 0
    assert values == pytest.approx(
        {
            "compute/fp64": 0.384e12,
            "compute/fp32": 0.768e12,
            "bandwidth/l1": 1.536e12,
            "bandwidth/dram": 127.968e9,
        },
        rel=1e-6,
    )
    assert data["ridges"]["compute/fp64"] == pytest.approx(3.0, rel=0.001)
    assert data["peaks"]["bandwidth/dram"]["source"] == "as given"


def test_a_rate_that_varies_is_an_upper_bound(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output_of(capsys, "--core", "skylake-x", "--cpu-cores", "1", "--clock", "2e9")
    assert code == 0
    assert "<= 64.0 GFLOP/s" in out
    assert "at most: products of this architecture differ" in out


def test_memory_alone_has_a_bandwidth(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output_of(capsys, "--memory", "2666e6x8x6")
    assert code == 0
    assert "128 GB/s" in out


def test_products_and_cores_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert output_of(capsys, "--spec", "list")[1].splitlines() == list(products())
    assert "neoverse-v2" in output_of(capsys, "--core", "list")[1].splitlines()
    assert json.loads(output_of(capsys, "--spec", "list", "--json")[1]) == list(products())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--spec", "A9000"], "no product is called 'A9000'; --spec list"),
        (["--spec", ""], "no product is called ''"),
        (["--spec", "A100", "--clock", "1e9"], "--spec stands alone"),
        (
            ["--core", "z80", "--cpu-cores", "1", "--clock", "1e6"],
            "no CPU core is called 'z80'; --core list",
        ),
        (["--core", "zen4"], "needs --cpu-cores and --clock too"),
        (["--cpu-cores", "8"], "need --core too"),
        (["--clock", "3e9"], "need --core too"),
        (
            ["--core", "zen4", "--cpu-cores", "no", "--clock", "3e9"],
            "--cpu-cores: 'no' is not a number of cores",
        ),
        (
            ["--core", "zen4", "--cpu-cores", "0", "--clock", "3e9"],
            "--cpu-cores: '0' is not a number of cores",
        ),
        (
            ["--core", "zen4", "--cpu-cores", "2", "--clock=-3e9"],
            "--clock: '-3e9' is not a clock in Hz",
        ),
        (
            ["--core", "zen4", "--cpu-cores", "2", "--clock", "nan"],
            "--clock: 'nan' is not a clock in Hz",
        ),
        (["--memory", "fast"], "'fast' is not RATExBYTESxCHANNELS"),
        ([], "nothing to compute"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    code, out, err = output_of(capsys, *argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_reader_that_leaves_early_sees_no_traceback() -> None:
    command = f"{sys.executable} -u -m analysis.theory --spec A100 | head -n 1"
    process = subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (process.stdout.count("\n"), process.stderr) == (1, "")
