"""A fused layer of TensorRT is the sum of the nodes it holds, in the files of several versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from probes.importers.trtexec import read as trtexec
from probes.importers.trtexec.nodes import nodes_by_layer
from probes.records.measurement import OK, SKIPPED, Measurement, RidgelineError

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Node:
    """The work of a node of the model, as far as these tests need it."""

    flops: float
    bytes: float
    op: str
    output: str = ""
    integer_bytes: float | None = None
    reads: Mapping[str, float | None] = field(default_factory=dict)
    slow: Mapping[str, float] | None = None


NODES8 = {
    "Conv_0": Node(2359296.0, 100.0, "Conv"),
    "Relu_1": Node(16384.0, 200.0, "Relu"),
    "Sigmoid_2": Node(49152.0, 300.0, "Sigmoid"),
    "Mul_3": Node(16384.0, 400.0, "Mul"),
    "MatMul_4": Node(327680.0, 500.0, "MatMul"),
    "Reshape_5": Node(0.0, 600.0, "Reshape"),
    "Add_6": Node(5120.0, 700.0, "Add"),
}
NODES10 = {
    "/conv/Conv": Node(2359296.0, 1.0, "Conv"),
    "/act/Relu": Node(16384.0, 2.0, "Relu"),
    "/soft/Softmax": Node(80000.0, 3.0, "Softmax"),
    "/Mul": Node(16384.0, 4.0, "Mul"),
    "/fc/MatMul": Node(327680.0, 5.0, "MatMul"),
}


def by_layer(rows: list[Measurement]) -> dict[str, Measurement]:
    """The rows by the names of their layers."""
    return {json.loads(row.params)["layer"]: row for row in rows}


def test_a_node_without_a_name_is_called_by_its_output() -> None:
    nodes = {"Conv_0": Node(5.0, 1.0, "Conv", "t1"), "Relu_1": Node(3.0, 1.0, "Relu", "t2")}
    assert nodes_by_layer([{"Name": "node_of_t1 + t2"}], {}, nodes) == [
        (["Conv_0", "Relu_1"], False)
    ]


def test_layers_of_version_8_hold_the_nodes_their_names_say() -> None:
    rows = trtexec.read(DATA / "trt8_profile.json", "GPU", "now", DATA / "trt8_layers.json", NODES8)
    layers = by_layer(rows)
    conv = layers["Conv_0 + Relu_1"]
    assert (conv.flops, conv.kernel, conv.ceiling, conv.dtype) == (
        2359296 + 16384,
        "Conv",
        "layer/convolution",
        "fp16",
    )
    assert conv.bytes == 2 * (8 * 32 * 32 + 16 * 32 * 32 + 1152 + 16)
    assert conv.seconds_median == pytest.approx(39.9e-6)
    assert layers["PWN(PWN(Sigmoid_2), Mul_3)"].flops == 49152 + 16384
    assert layers["{ForeignNode[MatMul_4...Add_6]}"].flops == 327680 + 5120
    assert sum(row.flops or 0 for row in rows) == sum(node.flops for node in NODES8.values())
    assert sum(json.loads(row.params)["bytes_of_nodes"] or 0 for row in rows) == 2800


def test_a_reformat_computes_nothing_and_a_constant_takes_no_time() -> None:
    rows = trtexec.read(DATA / "trt8_profile.json", "GPU", "now", DATA / "trt8_layers.json", NODES8)
    layers = by_layer(rows)
    reformat = layers["Reformatting CopyNode for Input Tensor 0 to Conv_0 + Relu_1"]
    assert (reformat.flops, reformat.bytes, reformat.status) == (0.0, 8 * 32 * 32 * (4 + 2), OK)
    constant = layers["(Unnamed Layer* 14) [Constant]"]
    assert (constant.status, constant.reason) == (SKIPPED, "trtexec measured no time")


def test_names_alone_still_hold_their_nodes() -> None:
    rows = trtexec.read(
        DATA / "trt8_profile.json", "GPU", "now", DATA / "trt8_names_only.json", NODES8
    )
    assert sum(row.flops or 0 for row in rows) == sum(node.flops for node in NODES8.values())
    assert by_layer(rows)["Conv_0 + Relu_1"].bytes == 300


def test_the_profile_alone_has_times_and_says_what_is_unknown() -> None:
    rows = trtexec.read(DATA / "trt8_old_profile.json", "GPU", "now")
    assert [row.seconds_median for row in rows] == pytest.approx([40e-6, 20e-6])
    assert all(row.flops is None for row in rows)
    assert all("names no node of the model" in row.reason for row in rows)
    assert json.loads(rows[0].params)["runs"] == 625


def test_a_convolution_without_a_model_knows_its_work() -> None:
    rows = trtexec.read(DATA / "trt8_profile.json", "GPU", "now", DATA / "trt8_layers.json")
    layers = by_layer(rows)
    assert layers["Conv_0 + Relu_1"].flops == 2 * 16 * 8 * 9 * 32 * 32


def test_a_node_that_no_layer_names_is_told() -> None:
    rows = trtexec.read(DATA / "trt8_old_profile.json", "GPU", "now", nodes=NODES8)
    assert trtexec.left_out(rows, NODES8) == ["MatMul_4", "Add_6"]


@pytest.mark.parametrize(
    "name",
    [
        "[trainStation1]",
        "(Unnamed Layer* 714) [Constant]",
        "/neck/Concat_/neck/Resize_output_0_clone_0 copy",
        "[HostToDeviceCopy 0]",
        "[ShapeHostToDeviceCopy 1]",
        "[DeviceToShapeHostCopy 0]",
        "[NoOp]",
        "signal^bb^0",
        "Reformatting CopyNode for Output Tensor 0 to Conv_0 + Relu_1",
    ],
)
def test_layers_of_the_runtime_compute_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "profile.json"
    path.write_text(json.dumps([{"count": 11}, {"name": name, "timeMs": 16.72}]))
    (row,) = trtexec.read(path, "GPU", "now", nodes=NODES8)
    assert (row.flops, row.reason, row.seconds_median) == (0.0, "", pytest.approx(1.52e-3))
    assert row.ceiling == "layer/movement", "also where it is named after the layer it feeds"
    assert (row.kernel == "Reformat") == name.startswith("Reformatting"), (
        "the advice is to remove it"
    )


def test_version_10_names_nodes_in_metadata_and_each_is_counted_once() -> None:
    rows = trtexec.read(
        DATA / "trt10_profile.json", "GPU", "now", DATA / "trt10_layers.json", NODES10
    )
    layers = by_layer(rows)
    assert layers["/conv/Conv + /act/Relu"].flops == 2359296 + 16384
    faster_part = layers["__myl_MaxSubExpSum_myl0_1"]
    assert (faster_part.flops, faster_part.reason) == (
        0.0,
        "part of a node whose work is counted with a slower layer",
    )
    assert layers["__myl_DivMul_myl0_2"].flops == 80000 + 16384
    assert (layers["/fc/MatMul_myl0_3"].flops, layers["/fc/MatMul_myl0_3"].dtype) == (
        327680,
        "fp16",
    )
    assert sum(row.flops or 0 for row in rows) == sum(node.flops for node in NODES10.values())


def test_a_profile_alone_does_not_tell_types_and_the_row_says_so(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    path.write_text('[{"count": 3}, {"name": "Conv_0 + Relu_1", "averageMs": 1}]')
    (row,) = trtexec.read(path, "GPU", "now", nodes=NODES8)
    assert (row.dtype, row.reason) == (
        "fp32",
        "type not given (--exportLayerInfo tells it): fp32 assumed",
    )


def test_a_name_without_metadata_loses_what_tensorrt_added() -> None:
    names = ["/fc/MatMul_myl0_3", "node_of_/Mul", "{ForeignNode[onnx::w_1.../act/Relu_output_0]}"]
    nodes = nodes_by_layer([{"Name": name} for name in names], {}, NODES10)
    assert nodes == [
        (["/fc/MatMul"], False),
        (["/Mul"], False),
        (["/conv/Conv", "/act/Relu"], False),
    ]


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (
            '[{"count": 3}, {"name": "a", "averageMs": "x"}]',
            "element 2 (a): averageMs is 'x', not a time in ms",
        ),
        ('[{"count": 3}, {"name": "a"}]', "element 2 (a): no time"),
        (
            '[{"count": 3}, {"name": null, "averageMs": 1}]',
            "element 2: its name is None, not the name of a layer",
        ),
        (
            '[{"count": true}, {"name": "a", "averageMs": 1}]',
            "element 1: neither a name nor the count of runs",
        ),
        ('[{"count": 3}, 7]', "element 2: 7 is not an object"),
        ('[{"count": 3}, {"nam": "a"}]', "element 2: neither a name nor the count"),
        ('[{"count": 3}]', "names no layer"),
        ('{"Layers": []}', "is not a profile of trtexec"),
        ('[{"count": 3},\n {"name": "a", ', "line 2 column 16 is not JSON"),
    ],
)
def test_a_malformed_profile_is_one_line_with_its_element(
    tmp_path: Path, profile: str, says: str
) -> None:
    path = tmp_path / "profile.json"
    path.write_text(profile)
    with pytest.raises(RidgelineError) as error:
        trtexec.read(path, "GPU", "now")
    assert says in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_malformed_layer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "layers.json"
    for text, says in (('{"Layers": [{"Nam": 1}]}', "layer 1"), ("[]", "no list 'Layers'")):
        path.write_text(text)
        with pytest.raises(RidgelineError, match=says):
            trtexec.read(DATA / "trt8_profile.json", "GPU", "now", path)
