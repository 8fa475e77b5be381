"""Every kind of layer that TensorRT names has its family, and its work where its shapes tell it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes.importers.trtexec import read as trtexec
from probes.importers.trtexec.kinds import MOVES, SAME_AS, family_of_kind, kind_of, own_flops
from probes.records.measurement import RidgelineError

ENUM = """
CONVOLUTION FULLY_CONNECTED ACTIVATION POOLING LRN SCALE SOFTMAX DECONVOLUTION CONCATENATION
ELEMENTWISE UNARY PADDING SHUFFLE REDUCE TOPK GATHER MATRIX_MULTIPLY RAGGED_SOFTMAX CONSTANT
RNN_V2 IDENTITY CAST SLICE SHAPE PARAMETRIC_RELU RESIZE TRIP_LIMIT RECURRENCE ITERATOR LOOP_OUTPUT
SELECT ASSERTION FILL QUANTIZE DEQUANTIZE SCATTER CONDITION CONDITIONAL_OUTPUT CONDITIONAL_INPUT
EINSUM ONE_HOT NON_ZERO GRID_SAMPLE NMS REVERSE_SEQUENCE NORMALIZATION SQUEEZE UNSQUEEZE
CUMULATIVE DYNAMIC_QUANTIZE ATTENTION_INPUT ATTENTION_OUTPUT ROTARY_EMBEDDING KVCACHE_UPDATE
DIST_COLLECTIVE
"""
"""``enum class LayerType`` of NvInfer.h; plugins and MOE say nothing of what they do."""


@pytest.mark.parametrize("name", ENUM.split())
def test_every_kind_of_the_api_is_known(name: str) -> None:
    spellings = (name, f"k{name}", name.title().replace("_", ""))
    for spelling in spellings:
        kind = kind_of({"Name": "x", "LayerType": spelling})
        assert kind in MOVES or kind in SAME_AS, spelling
        assert family_of_kind(kind)


@pytest.mark.parametrize(
    ("spelling", "family"),
    [
        ("CaskConvolution", "convolution"),
        ("CaskGemmConvolution", "convolution"),
        ("correlation", "convolution"),
        ("CaskDeconvolutionV2", "convolution"),
        ("conv_act_pool", "convolution"),
        ("CudnnConvolution", "convolution"),
        ("CaskFlattenConvolution", "convolution"),
        ("gemm", "matmul"),
        ("CaskGemm", "matmul"),
        ("CaskPooling", "pooling"),
        ("TiledPooling", "pooling"),
        ("maxpool", "pooling"),
        ("CaskSoftMaxV2", "softmax"),
        ("Reformat", "movement"),
        ("NoOp", "movement"),
        ("TrainStation", "movement"),
        ("signal", "movement"),
        ("wait", "movement"),
        ("shape_call", "movement"),
        ("Slice", "movement"),
        ("Padding", "movement"),
        ("ShuffleV2", "movement"),
        ("kgen", ""),
        ("Myelin", ""),
        ("fusion", ""),
        ("PluginV3", ""),
    ],
)
def test_kinds_of_the_inspector_have_their_family(spelling: str, family: str) -> None:
    assert family_of_kind(kind_of({"Name": "x", "LayerType": spelling})) == family


def layer(
    kind: str, inputs: list[list[int]], outputs: list[list[int]], **more: Any
) -> dict[str, Any]:
    """What the inspector says of a layer called x, with tensors of these shapes in half precision.

    ``more`` holds the attributes of its kind.
    """
    return {
        "Name": "x",
        "LayerType": kind,
        "Inputs": [half_tensor(shape) for shape in inputs],
        "Outputs": [half_tensor(shape) for shape in outputs],
        **more,
    }


def half_tensor(shape: list[int]) -> dict[str, Any]:
    """What the inspector says of a tensor of two bytes an element."""
    return {"Dimensions": shape, "Format/Datatype": "Half"}


IMAGE, SMALL = [2, 8, 10, 10], [2, 8, 5, 5]
"""Two images of eight channels, of 100 and of 25 places."""
WEIGHTS = {"Weights": {"Type": "Half", "Count": 16 * 8 * 9}}
"""Of a convolution from 8 to 16 channels with a window of 3x3."""


@pytest.mark.parametrize(
    ("described", "flops"),
    [
        (layer("CaskConvolution", [IMAGE], [[2, 16, 10, 10]], **WEIGHTS), 2 * 16 * 8 * 9 * 2 * 100),
        (
            layer("New", [IMAGE], [[2, 16, 10, 10]], ParameterType="Convolution", **WEIGHTS),
            2 * 16 * 8 * 9 * 2 * 100,
        ),
        (
            layer("CaskDeconvolutionV2", [SMALL], [[2, 16, 10, 10]], **WEIGHTS),
            2 * 16 * 8 * 9 * 2 * 25,
        ),
        (
            layer("FullyConnected", [[4, 128, 1, 1]], [[4, 9, 1, 1]], Weights={"Count": 1152}),
            2 * 1152 * 4,
        ),
        (layer("CaskConvolution", [IMAGE], [[-1, 16, 10, 10]], **WEIGHTS), None),
        (layer("CaskConvolution", [IMAGE], [[2, 16, 10, 10]]), None),
        (layer("MatrixMultiply", [[3, 4, 8], [3, 8, 5]], [[3, 4, 5]]), 2 * 3 * 4 * 5 * 8),
        (layer("gemm", [[8, 4], [5, 8]], [[4, 5]]), 2 * 4 * 5 * 8),
        (layer("gemm", [[4, 4], [4, 4]], [[4, 4]]), 2 * 4 * 4 * 4),
        (layer("gemm", [[8, 4]], [[4, 5]]), None),
        (layer("gemm", [[7, 4], [8, 5]], [[4, 5]]), None),
        (layer("SoftMax", [[4, 10]], [[4, 10]]), 5 * 40),
        (layer("ElementWise", [[4, 10], [4, 10]], [[4, 10]]), 40),
        (layer("Scale", [[4, 10]], [[4, 10]]), 80),
        (layer("Reduce", [[4, 10]], [[4, 1]]), 40),
        (layer("PointWiseV2", [[4, 10]], [[4, 10]], NbOperations=7), 7 * 40),
        (layer("PointWiseV2", [[4, 10]], [[4, 10]]), None),
        (layer("Activation", [[4, 10]], [[4, 10]], ActivationType="SIGMOID"), 4 * 40),
        (layer("Activation", [[4, 10]], [[4, 10]]), None),
        (layer("CaskPooling", [IMAGE], [SMALL], PoolingType="MAX", WindowSize=[2, 2]), 4 * 400),
        (layer("Pooling", [IMAGE], [SMALL], PoolingType="AVERAGE", WindowSize=[2, 2]), 5 * 400),
        (layer("Pooling", [IMAGE], [SMALL], WindowSize="2x2"), None),
        (layer("kgen", [IMAGE], [IMAGE]), None),
        (layer("Resize", [SMALL], [IMAGE]), None),
        *(
            (layer(kind, [IMAGE], [SMALL]), 0.0)
            for kind in ("Slice", "Padding", "Gather", "Cast", "Shuffle", "wait")
        ),
    ],
)
def test_what_the_description_tells_is_counted_and_nothing_is_guessed(
    described: dict[str, Any], flops: float
) -> None:
    assert own_flops(described) == flops


def read(tmp_path: Path, *layers: dict[str, Any] | str, **more: Any) -> list[Any]:
    """The rows of a profile of these layers, described in full or named only.

    ``more`` stands beside the layers in the file that describes them.
    """
    names = [layer if isinstance(layer, str) else layer["Name"] for layer in layers]
    times = [{"name": name, "averageMs": 1} for name in names]
    profile, info = tmp_path / "profile.json", tmp_path / "layers.json"
    profile.write_text(json.dumps([{"count": 1}, *times]))
    info.write_text(json.dumps({"Layers": layers, **more}))
    return trtexec.read(profile, "GPU", "now", info)


def test_a_pad_moves_all_it_reads_and_a_slice_only_what_it_writes(tmp_path: Path) -> None:
    pad = layer("Padding", [IMAGE], [[2, 8, 12, 12]], ParameterType="Slice") | {"Name": "pad"}
    cut = layer("Slice", [IMAGE], [SMALL]) | {"Name": "cut"}
    padded, sliced = read(tmp_path, pad, cut)
    assert (padded.flops, padded.ceiling) == (0.0, "layer/movement")
    assert padded.bytes == 2 * 2 * 8 * (100 + 144)
    assert (sliced.flops, sliced.ceiling) == (0.0, "layer/movement")
    assert sliced.bytes == 2 * 2 * 8 * 25 * 2


def test_types_of_version_11_stand_beside_formats_or_with_the_tensors_of_the_network(
    tmp_path: Path,
) -> None:
    linear = "Row major linear format (kLINEAR)"
    conv = {
        "Name": "conv",
        "LayerType": "CaskConvolution",
        "ParameterType": "Convolution",
        "Weights": WEIGHTS["Weights"],
        "Inputs": [{"Name": "x", "Location": "Device", "Format": linear}],
        "Outputs": [
            {"Name": "t", "Dimensions": [2, 16, 10, 10], "Format": linear, "DataType": "Half"}
        ],
    }
    relu = layer("kgen", [], []) | {
        "Name": "relu",
        "Inputs": [
            {"Name": "t", "Dimensions": [2, 16, 10, 10], "Format": linear, "Datatype": "BFloat16"}
        ],
        "Outputs": [{"Name": "y", "Format": linear}],
    }
    network_tensors = [
        {
            "Name": "x",
            "IOMode": "Input",
            "DataType": "Float",
            "Dimensions": IMAGE,
            "ProfileInfo": [{"Format": linear}],
        },
        {"Name": "y", "IOMode": "Output", "DataType": "Int8", "Dimensions": [2, 16, 10, 10]},
    ]
    first, second = read(tmp_path, conv, relu, **{"I/O Tensors": network_tensors})
    assert (first.dtype, first.flops) == ("fp16", 2 * 16 * 8 * 9 * 2 * 100)
    assert first.bytes == 4 * 2 * 8 * 100 + 2 * 3200 + 2 * 16 * 8 * 9
    assert (second.dtype, second.bytes, second.flops) == ("bf16", 2 * 3200 + 3200, None)


@pytest.mark.parametrize(
    "words", ["kHALF", "Half", "FP16", "Row major linear FP16 format", "float16"]
)
def test_a_type_is_known_by_any_of_its_words(tmp_path: Path, words: str) -> None:
    tensors = [{"Dimensions": [4, 4], "DataType": words}]
    (row,) = read(
        tmp_path, {"Name": "x", "LayerType": "Scale", "Inputs": tensors, "Outputs": tensors}
    )
    assert (row.dtype, row.bytes, row.reason) == ("fp16", 64.0, "")


def test_layers_of_version_11_may_be_names_alone(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "conv1", **{"I/O Tensors": [{"Name": "x"}, 7, {"Name": ["x"]}]})
    assert (row.layer, row.ceiling, row.flops) == ("conv1", "layer/convolution", None)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"Weights": {"Count": -5}}, "layer 1 (x): Count of Weights is -5"),
        ({"Bias": {"Count": "many"}}, "layer 1 (x): Count of Bias is 'many'"),
        ({"LayerType": ["a"]}, "layer 1 (x): LayerType is ['a'], not text"),
        ({"Inputs": [{"Dimensions": [-2]}]}, "layer 1 (x): Inputs are not tensors with Dimensions"),
        ({"Outputs": [{"Dimensions": [True]}]}, "layer 1 (x): Outputs are not tensors"),
        ({"Inputs": {"Name": "x"}}, "layer 1 (x): Inputs are not tensors"),
    ],
)
def test_a_layer_that_no_engine_has_is_named(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(RidgelineError) as error:
        read(tmp_path, layer("Scale", [], []) | changed)
    assert says in str(error.value)
