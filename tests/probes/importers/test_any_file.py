"""Files of other tools are told apart by what is in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from probes.importers.any_file import read_all
from probes.records.measurement import RidgelineError

DATA = Path(__file__).parent / "data"


def probes_of(*names: str) -> list[str]:
    """The probes of the rows of stored files, which name the tools that wrote them."""
    rows = read_all([DATA / name for name in names], "device", "now", "", {})
    return [row.probe for row in rows]


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
    probes = probes_of(name)
    assert probes
    assert all(tool in probe for probe in probes)


@pytest.mark.parametrize("name", ["ncu_raw.csv", "trt10_profile.json", "plain.csv"])
def test_files_that_a_windows_shell_wrote_are_read_alike(tmp_path: Path, name: str) -> None:
    text = (DATA / name).read_text(encoding="utf-8").replace("\n", "\r\n")
    (tmp_path / name).write_bytes(text.encode("utf-16"))
    rows = read_all([tmp_path / name], "device", "now", "net", {})
    original_rows = read_all([DATA / name], "device", "now", "net", {})
    assert [row.seconds_median for row in rows] == [row.seconds_median for row in original_rows]


def test_a_refusal_that_a_tool_wrote_in_place_of_its_table_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "ncu.csv"
    path.write_text("==PROF== Connected to process 1\n==ERROR== ERR_NVGPUCTRPERM - no permission\n")
    with pytest.raises(
        RidgelineError, match="no table of Nsight Compute: ==ERROR== ERR_NVGPUCTRPERM"
    ):
        read_all([path], "device", "now", "", {})


def test_layer_information_belongs_to_its_profile() -> None:
    profile, layers = DATA / "trt10_profile.json", DATA / "trt10_layers.json"
    described = read_all([profile, layers], "device", "now", "net", {})
    undescribed = read_all([profile], "device", "now", "net", {})
    assert len(described) == len(undescribed)
    described_with_bytes = sum(row.bytes is not None for row in described)
    undescribed_with_bytes = sum(row.bytes is not None for row in undescribed)
    assert described_with_bytes > undescribed_with_bytes


def test_several_files_add_up() -> None:
    together = probes_of("plain.csv", "ort_1.32_cpu.json")
    one_by_one = [*probes_of("plain.csv"), *probes_of("ort_1.32_cpu.json")]
    assert len(together) == len(one_by_one)


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2]", "[]"])
def test_json_of_no_tool_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "what.json"
    path.write_text(text)
    with pytest.raises(RidgelineError, match=r"of no tool that is known: give .*trtexec"):
        read_all([path], "device", "now", "", {})


def test_information_without_times_is_not_enough() -> None:
    with pytest.raises(RidgelineError, match="add the profile"):
        probes_of("trt10_layers.json")


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "in reverse"])
def test_files_of_two_precisions_find_their_own_layers(tmp_path: Path, step: int) -> None:
    for name, datatype, milliseconds in (("fp16", "Half", 1.0), ("fp32", "Float", 2.0)):
        tensor = {"Dimensions": [4, 4], "Format/Datatype": datatype}
        layer = {"Name": "a", "LayerType": "Scale", "Inputs": [tensor], "Outputs": [tensor]}
        (tmp_path / f"{name}.graph.json").write_text(json.dumps({"Layers": [layer]}))
        profile = [{"count": 1}, {"name": "a", "averageMs": milliseconds}]
        (tmp_path / f"{name}.profile.json").write_text(json.dumps(profile))
    paths = sorted(tmp_path.iterdir())[::step]
    rows = read_all(paths, "device", "now", "", {})
    assert {(row.dtype, row.seconds_median) for row in rows} == {("fp16", 1e-3), ("fp32", 2e-3)}


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "again.csv").symlink_to(DATA / "plain.csv")
    with pytest.raises(RidgelineError, match=r"--import .*again\.csv is given twice"):
        read_all([DATA / "plain.csv", tmp_path / "again.csv"], "device", "now", "", {})


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,1e308,1e308,1e-308", "layer 'a': flops is 1e+308, not a number from 1e-09 to 1e+24"),
        ("a,1,1,1e-300", "layer 'a': seconds_median is 1e-300, not a number from 1e-15 to 1e+09"),
        ("a,1,1,1e300", "layer 'a': seconds_median is 1e+300"),
    ],
)
def test_numbers_that_no_machine_has_are_refused(tmp_path: Path, row: str, says: str) -> None:
    (tmp_path / "n.csv").write_text(f"name,flops,bytes,seconds\n{row}\n")
    with pytest.raises(RidgelineError) as error:
        read_all([tmp_path / "n.csv"], "device", "now", "", {})
    assert says in str(error.value)


def test_sizes_whose_product_is_beyond_any_number_are_one_line(tmp_path: Path) -> None:
    tensors = [{"float": [10**18] * 30}]
    args = {"op_name": "Relu", "input_type_shape": tensors, "output_type_shape": tensors}
    event = {"cat": "Node", "ph": "X", "name": "a_kernel_time", "ts": 1, "dur": 1, "args": args}
    (tmp_path / "p.json").write_text(json.dumps([event]))
    with pytest.raises(RidgelineError, match="holds sizes whose product no machine could count"):
        read_all([tmp_path / "p.json"], "device", "now", "", {})


def test_a_network_whose_path_is_no_text_has_a_name_that_is_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"net\xff.csv")
    path.write_text("name,flops,bytes,seconds\na,1,1,1\n")
    (row,) = read_all([path], "device", "now", "", {})
    assert json.loads(row.params)["network"] == "net\ufffd"
