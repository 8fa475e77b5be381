"""A measured device for other tools: JSON, and a machine file of kerncraft."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis.export import main

REFERENCE = Path(__file__).parents[3] / "results/reference"
CPU, GPU = REFERENCE / "amd-epyc", REFERENCE / "nvidia-h200"


def test_a_device_tells_its_peaks_with_source_and_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(GPU), "--device"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["device"]["name"] == "NVIDIA H200"
    assert told["measured_on"] == ["2026-11-28"]
    levels = {row["level"]: row for row in told["memory"]}
    assert levels["dram"]["peak"] == pytest.approx(4.71e12, rel=0.01)
    assert levels["dram"]["theory_source"]
    assert levels["l2"]["theory"] is None
    fp32 = [row for row in told["compute"] if row["type"] == "fp32" and not row["path"]]
    assert [row["units"] for row in fp32] == ["vector"]
    assert fp32[0]["instruction"] == "FFMA"


def test_a_device_of_the_atlas_is_known_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["NVIDIA H200", "--device"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == len(told["measured_on"]) >= 2


def test_a_machine_file_is_yaml_that_holds_what_was_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    yaml = pytest.importorskip("yaml")
    assert main([str(CPU), "--kerncraft"]) == 0
    told = yaml.safe_load(capsys.readouterr().out)
    assert told["model name"] == "AMD EPYC"
    assert told["clock"] == "4.20 GHz"
    assert told["FLOPs per cycle"]["DP"] == {"total": 32, "FMA": 32}
    assert [level["level"] for level in told["memory hierarchy"]] == ["L1", "L2", "L3", "MEM"]
    assert told["memory hierarchy"][0]["size per group"] == "49.15 kB"
    measured = told["benchmarks"]["measurements"]["L1"][1]
    assert measured["cores"] == [1, 2]
    assert measured["results"]["load"] == ["551.64 GB/s", "1076.80 GB/s"]


def test_what_nobody_measured_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(CPU), "--kerncraft"]) == 0
    assert "in-core model: INFORMATION_REQUIRED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        ([str(GPU), "--kerncraft"], "--kerncraft describes CPUs, and NVIDIA H200 is none"),
        ([str(GPU), "ceilings", "--device"], "TABLE and --out go with the tables of a run"),
        (["no such device", "--device"], "is not a run of Ridgeline"),
    ],
)
def test_bad_input_is_one_line(
    argv: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line
