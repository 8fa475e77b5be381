"""Files of other tools are told apart by what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.harness.records import RidgelineError
from probes.importers.any_file import read_all

DATA = Path(__file__).parent / "data"


def read(*names: str) -> list[str]:
    return [row.probe for row in read_all([DATA / name for name in names], "device", "now", "", {})]


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("trt10_profile.json", "trtexec"),
        ("trt8_profile.json", "trtexec"),
        ("trt8_old_profile.json", "trtexec"),
        ("ort_1.32_cpu.json", "onnxruntime"),
        ("ncu_raw.csv", "ncu"),
        ("ncu_long.csv", "ncu"),
        ("ncu_details.csv", "ncu"),
        ("plain.csv", "csv"),
    ],
)
def test_each_file_is_read_as_what_it_is(name: str, tool: str) -> None:
    probes = read(name)
    assert probes
    assert all(tool in probe for probe in probes)


@pytest.mark.parametrize("name", ["ncu_raw.csv", "trt10_profile.json", "plain.csv"])
def test_files_that_a_windows_shell_wrote(tmp_path: Path, name: str) -> None:
    text = (DATA / name).read_text(encoding="utf-8").replace("\n", "\r\n")
    (tmp_path / name).write_bytes(text.encode("utf-16"))
    rows = read_all([tmp_path / name], "device", "now", "net", {})
    assert [row.seconds_median for row in rows] == [
        row.seconds_median for row in read_all([DATA / name], "device", "now", "net", {})
    ]


def test_a_profile_that_was_refused_is_of_its_tool(tmp_path: Path) -> None:
    path = tmp_path / "ncu.csv"
    path.write_text("==PROF== Connected to process 1\n==ERROR== ERR_NVGPUCTRPERM - no permission\n")
    with pytest.raises(RidgelineError, match="no table of Nsight Compute: ==ERROR== ERR_NVGPUCTRPERM"):
        read_all([path], "device", "now", "", {})


def test_layer_information_belongs_to_its_profile() -> None:
    rows = read_all([DATA / "trt10_profile.json", DATA / "trt10_layers.json"], "device", "now", "net", {})
    alone = read_all([DATA / "trt10_profile.json"], "device", "now", "net", {})
    assert len(rows) == len(alone)
    assert sum(row.bytes is not None for row in rows) > sum(row.bytes is not None for row in alone)


def test_several_files_add_up() -> None:
    assert len(read("plain.csv", "ort_1.32_cpu.json")) == len(read("plain.csv")) + len(read("ort_1.32_cpu.json"))


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "[]"])
def test_json_of_no_tool_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "what.json"
    path.write_text(text)
    with pytest.raises(RidgelineError, match=r"of no tool that is known: give trtexec"):
        read_all([path], "device", "now", "", {})


def test_information_without_times_is_not_enough() -> None:
    with pytest.raises(RidgelineError, match="add the profile"):
        read("trt10_layers.json")
