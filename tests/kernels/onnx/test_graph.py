"""The network reader on small models of one difficulty each, and on networks of the onnx wheel."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from kernels.onnx.graph import Graph, OnnxError, graph_of, read_graph  # noqa: E402
from kernels.onnx.work import work_of  # noqa: E402
from tests.kernels.onnx_networks import header, model_of, open_shapes  # noqa: E402

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
make = helper.make_node


def flattening() -> Any:
    """A network that flattens as exporters write it: x.reshape(x.shape[0], -1), then a product."""
    nodes = [
        make("Conv", ["x", "w"], ["c"], name="conv"),
        make("Shape", ["c"], ["shape"]),
        make("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0))),
        make("Gather", ["shape", "zero"], ["batch"]),
        make("Unsqueeze", ["batch", "axes"], ["batch1"]),
        make("Concat", ["batch1", "rest"], ["target"], axis=0),
        make("Reshape", ["c", "target"], ["flat"], name="flatten"),
        make("MatMul", ["flat", "dense"], ["y"], name="dense"),
    ]
    weights = [
        header("w", (8, 3, 3, 3)),
        header("dense", (8 * 36, 10)),
        numpy_helper.from_array(np.array([0]), "axes"),
        numpy_helper.from_array(np.array([-1]), "rest"),
    ]
    return model_of(nodes, {"x": ("N", 3, "H", "W")}, ["y"], weights)


def named(graph: Graph, name: str) -> Any:
    """The node of a network with this name."""
    return next(node for node in graph.nodes if node.name == name)


def test_dynamic_shapes_are_bound_and_shape_arithmetic_is_folded() -> None:
    graph = graph_of(flattening(), {"x": (4, 3, 8, 8)})
    assert [node.op for node in graph.nodes] == ["Conv", "Reshape", "MatMul"]
    assert graph.outputs[0].shape == (4, 10) and not open_shapes(graph)
    assert named(graph, "flatten").inputs[1].value.tolist() == [4, -1]
    assert work_of(named(graph, "dense")).flops == 2 * 4 * 288 * 10


def test_conditions_over_shapes_are_folded() -> None:
    def whole(name: str, *values: int) -> Any:
        return numpy_helper.from_array(np.array(values), name)

    nodes = [
        make("Shape", ["x"], ["s"]),
        make("Less", ["s", "eight"], ["small"]),
        make("Not", ["small"], ["large"]),
        make("Or", ["large", "small"], ["any"]),
        make("Xor", ["any", "small"], ["other"]),
        make("Where", ["other", "s", "ones"], ["target"]),
        make("Expand", ["one", "target"], ["y"], name="spread"),
        make("Add", ["x", "y"], ["z"], name="z"),
    ]
    weights = [
        whole("eight", 8, 8),
        whole("ones", 1, 1),
        numpy_helper.from_array(np.zeros((1, 1), np.float32), "one"),
    ]
    graph = graph_of(model_of(nodes, {"x": ("N", 9)}, ["z"], weights))
    assert [node.name for node in graph.nodes] == ["z"] and not open_shapes(graph)


def test_an_open_shape_names_the_input_and_the_way_out() -> None:
    message = r"input x has dynamic shape 1x3xHxW.*--shape x=1x3x224x224"
    with pytest.raises(OnnxError, match=message):
        graph_of(flattening())
    with pytest.raises(OnnxError, match="its inputs are x"):
        graph_of(flattening(), {"image": (1, 3, 8, 8)})
    with pytest.raises(OnnxError, match="1x3x8 has 3 dimensions, the model's has 4"):
        graph_of(flattening(), {"x": (1, 3, 8)})


def test_one_symbol_means_one_number_everywhere() -> None:
    nodes = [make("MatMul", ["a", "b"], ["y"], name="m")]
    model = model_of(nodes, {"a": ("batch", "length", 8), "b": ("batch", 8, "length")}, ["y"])
    graph = graph_of(model, {"a": (2, 5, 8)})
    assert graph.inputs[1].shape == (2, 8, 5) and graph.outputs[0].shape == (2, 5, 5)


@pytest.mark.parametrize(
    ("declared", "batch", "expected"),
    [("N", 4, 4), (1, 4, 4), (None, 4, 4), ("N", None, 1), (3, 4, 3)],
)
def test_batch_sets_the_first_dimension(declared: Any, batch: int | None, expected: int) -> None:
    model = model_of([make("Relu", ["x"], ["y"])], {"x": (declared, 6)}, ["y"])
    assert graph_of(model, batch=batch).outputs[0].shape == (expected, 6)


@pytest.mark.parametrize(("number_type", "folded"), [(np.int64, False), (np.float32, True)])
def test_a_division_by_zero_among_constants_is_never_warned_of(
    number_type: Any, folded: bool, recwarn: pytest.WarningsRecorder
) -> None:
    nodes = [make("Div", ["a", "b"], ["q"], name="div"), make("Add", ["x", "q"], ["y"])]
    weights = [
        numpy_helper.from_array(np.array([7], number_type), "a"),
        numpy_helper.from_array(np.array([0], number_type), "b"),
    ]
    model = model_of(nodes, {"x": (4,)}, ["y"], weights)
    model.graph.input[0].type.tensor_type.elem_type = model.graph.initializer[0].data_type
    assert ("div" not in graph_of(model).constant_nodes) is folded
    assert not recwarn.list


@pytest.mark.parametrize("unknown", [-1, 0])
def test_numbers_that_stand_for_unknown_are_no_sizes(unknown: int) -> None:
    nodes = [make("Relu", ["x"], ["h"]), make("Relu", ["h"], ["y"])]
    model = model_of(nodes, {"x": (unknown, 6)}, ["y"])
    shape = (unknown, 6)
    inner = helper.make_tensor_value_info("h", TensorProto.FLOAT, shape)
    model.graph.value_info.append(inner)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, shape))
    relus = graph_of(model, batch=4).nodes
    assert [relu.outputs[0].shape for relu in relus if relu.outputs[0]] == [(4, 6), (4, 6)]
    assert sum(work_of(relu).flops or 0 for relu in relus) == 48


def test_a_batch_written_into_the_network_is_named() -> None:
    with pytest.raises(OnnxError, match=r"Reshape .* does not fit .* keep its batch"):
        read_graph(LIGHT / "light_resnet50.onnx", batch=8)


def test_weights_made_by_constant_of_shape_are_weights() -> None:
    graph = read_graph(LIGHT / "light_resnet50.onnx")
    assert {node.op for node in graph.nodes}.isdisjoint({"Constant", "ConstantOfShape"})
    assert graph.constant_nodes
    assert [tensor.name for tensor in graph.inputs] == ["gpu_0/data_0"]
    parameters = sum(work_of(node).parameters for node in graph.nodes)
    assert parameters == 25_610_152  # of the weights, biases and statistics that this file names


@pytest.mark.parametrize("path", sorted(LIGHT.glob("*.onnx")), ids=lambda path: path.stem)
def test_no_shape_stays_open_in_the_wheel(path: Path) -> None:
    assert not open_shapes(read_graph(path))


def test_a_transposed_weight_is_a_weight_and_a_decoded_one_stays_a_layer() -> None:
    nodes = [
        make("Transpose", ["w"], ["turned"], name="turn"),
        make("DequantizeLinear", ["q", "scale"], ["decoded"], name="decode"),
        make("MatMul", ["x", "turned"], ["h"], name="first"),
        make("MatMul", ["h", "decoded"], ["y"], name="second"),
    ]
    weights = [
        header("w", (64, 32)),
        header("q", (64, 16), TensorProto.INT8),
        numpy_helper.from_array(np.array(0.5, np.float32), "scale"),
    ]
    graph = graph_of(model_of(nodes, {"x": (4, 32)}, ["y"], weights))
    assert [node.name for node in graph.nodes] == ["decode", "first", "second"]
    assert graph.constant_nodes == ("turn",)
    assert work_of(named(graph, "first")).parameters == 64 * 32
    assert work_of(named(graph, "decode")).parameter_bytes == 64 * 16 + 4


def test_branches_and_loops_are_named_not_guessed() -> None:
    branch = helper.make_graph(
        [make("Relu", ["x"], ["r"])], "b", [], [onnx.ValueInfoProto(name="r")]
    )
    choose = make("If", ["flag"], ["y"], name="choose", then_branch=branch, else_branch=branch)
    inputs = {"x": (4,), "flag": ()}
    graph = graph_of(model_of([choose], inputs, ["y"], kinds={"flag": TensorProto.BOOL}))
    assert graph.nodes[0].subgraphs == {"then_branch": ("Relu",), "else_branch": ("Relu",)}
    work = work_of(graph.nodes[0])
    assert work.flops is None
    assert "If choose" in work.problem
    assert "then_branch (1 nodes)" in work.problem


def test_functions_of_the_model_are_inlined() -> None:
    body = [make("Mul", ["a", "a"], ["s"]), make("Add", ["s", "a"], ["b"])]
    opsets = [helper.make_opsetid("", 20)]
    function = helper.make_function("mine", "Square", ["a"], ["b"], body, opsets)
    square = make("Square", ["x"], ["y"], domain="mine")
    model = model_of([square], {"x": (4, 4)}, ["y"], domains=["mine"])
    model.functions.append(function)
    graph = graph_of(model)
    assert [node.op for node in graph.nodes] == ["Mul", "Add"]
    assert sum(work_of(node).flops or 0 for node in graph.nodes) == 32


def test_what_follows_an_unknown_operation_is_named_or_given() -> None:
    def model() -> Any:
        nodes = [
            make("Odd", ["x"], ["h"], name="odd", domain="mine"),
            make("Relu", ["h"], ["y"], name="relu"),
        ]
        return model_of(nodes, {"x": (4, 4)}, ["y"], domains=["mine"])

    lost = graph_of(model())
    assert open_shapes(lost) == ["Odd odd: h", "Relu relu: h", "Relu relu: y"]
    assert "relu" in work_of(named(lost, "relu")).problem
    shaped = graph_of(model(), {"h": (4, 8)})
    assert not open_shapes(shaped) and work_of(named(shaped, "relu")).flops == 32


def runtime_model() -> Any:
    """A quantized network as ONNX Runtime's quantizer writes it."""
    quantized = ("s", "z")
    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("QLinearAdd", ["x", *quantized, "x", *quantized, *quantized], "sum", {}),
        ("QLinearConcat", [*quantized, "sum", *quantized, "x", *quantized], "both", {"axis": 1}),
        (
            "QLinearGlobalAveragePool",
            ["both", *quantized, *quantized],
            "mean",
            {"channels_last": 0},
        ),
        ("FusedMatMul", ["f", "w"], "y", {"transB": 1, "alpha": 0.5}),
    ]
    protos = [
        make(op, inputs, [output], name=output, domain="com.microsoft", **attributes)
        for op, inputs, output, attributes in nodes
    ]
    inputs = {"x": (2, 8, 4, 4), "f": (2, 16)}
    weights = [
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(1, np.uint8), "z"),
        header("w", (10, 16)),
    ]
    return model_of(
        protos, inputs, ["mean", "y"], weights, {"x": TensorProto.UINT8}, domains=["com.microsoft"]
    )


def test_operations_of_onnx_runtime_have_shapes() -> None:
    graph = graph_of(runtime_model())
    results = {}
    for node in graph.nodes:
        tensor = node.outputs[0]
        if tensor:
            results[node.name] = (tensor.shape, tensor.dtype)
    assert results == {
        "sum": ((2, 8, 4, 4), "uint8"),
        "both": ((2, 16, 4, 4), "uint8"),
        "mean": ((2, 16, 1, 1), "uint8"),
        "y": ((2, 10), "fp32"),
    }
    assert [work_of(node).flops for node in graph.nodes] == [256, 0, 512 + 32, 2 * 2 * 16 * 10]


def test_a_transformer_of_the_runtime_has_shapes_from_end_to_end() -> None:
    own: dict[str, Any] = {"domain": "com.microsoft"}
    nodes = [
        make("Attention", ["x", "qkv", "bias"], ["a"], name="attention", num_heads=2, **own),
        make("SkipLayerNormalization", ["a", "x", "g"], ["n", "", "", "sum"], name="norm", **own),
        make(
            "MatMulNBits",
            ["n", "packed", "scales"],
            ["up"],
            name="up",
            K=16,
            N=32,
            bits=4,
            block_size=16,
            **own,
        ),
        make("MatMul", ["up", "down"], ["h"], name="down"),
        make("SkipSimplifiedLayerNormalization", ["h", "sum", "g"], ["y"], name="last", **own),
    ]
    weights = [
        header("qkv", (16, 48)),
        header("bias", (48,)),
        header("g", (16,)),
        header("down", (32, 16)),
        header("packed", (32, 1, 8), TensorProto.UINT8),
        header("scales", (32,)),
    ]
    graph = graph_of(model_of(nodes, {"x": (2, 5, 16)}, ["y"], weights, domains=["com.microsoft"]))
    assert not open_shapes(graph) and graph.outputs[0].shape == (2, 5, 16)
    assert named(graph, "up").outputs[0].shape == (2, 5, 32)
    assert work_of(named(graph, "last")).flops == 5 * 160 + 4 * 10


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("MatMulNBits", ["x", "w"]),
        ("Attention", ["x"]),
        ("Attention", ["x", "scalar"]),
        ("GroupQueryAttention", ["x"]),
    ],
)
def test_a_node_that_its_operation_does_not_allow_has_no_known_shape(
    op: str, inputs: list[str]
) -> None:
    odd = make(op, inputs, ["h"], name="odd", domain="com.microsoft", num_heads=0, kv_num_heads=0)
    relu = make("Relu", ["h"], ["y"])
    weights = [header("w", (16, 48)), header("scalar", ())]
    model = model_of([odd, relu], {"x": (2, 5, 16)}, ["y"], weights, domains=["com.microsoft"])
    graph = graph_of(model)
    assert f"{op} odd: h" in open_shapes(graph)
    assert work_of(named(graph, "odd")).flops is None


@pytest.mark.parametrize(
    ("op", "further"), [("GroupNormalization", ["g", "g"]), ("MeanVarianceNormalization", [])]
)
def test_shapes_go_on_behind_a_function_of_the_standard(op: str, further: list[str]) -> None:
    groups: dict[str, Any] = {"num_groups": 2} if further else {}
    weights = [header("g", (4,))] if further else []
    nodes = [
        make(op, ["x", *further], ["n"], name="norm", **groups),
        make("Relu", ["n"], ["y"], name="last"),
    ]
    graph = graph_of(model_of(nodes, {"x": (1, 4, 8, 8)}, ["y"], weights, opset=21))
    assert named(graph, "last").outputs[0].shape == (1, 4, 8, 8)
    assert work_of(named(graph, "norm")).compulsory_bytes == 4 * (2 * 256 + 4 * len(further[:1]))


def test_sparse_weights_have_the_shape_they_stand_for() -> None:
    model = model_of([make("MatMul", ["x", "w"], ["y"], name="m")], {"x": (2, 4)}, ["y"])
    values = numpy_helper.from_array(np.ones(2, np.float32), "w")
    places = numpy_helper.from_array(np.array([1, 9]), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 3]))
    graph = graph_of(model)
    assert graph.nodes[0].inputs[1].shape == (4, 3)  # type: ignore[union-attr]
    assert work_of(graph.nodes[0]).flops == 2 * 2 * 4 * 3


def test_an_output_nobody_reads_is_left_out() -> None:
    model = model_of([make("Dropout", ["x"], ["y", "mask"])], {"x": (4, 4)}, ["y"])
    assert graph_of(model).nodes[0].outputs[1] is None
    split = model_of([make("Split", ["x"], ["y", "rest"], num_outputs=2)], {"x": (4, 4)}, ["y"])
    assert graph_of(split).nodes[0].outputs[1].shape == (2, 4)  # type: ignore[union-attr]


def test_more_elements_than_a_register_counts() -> None:
    graph = graph_of(model_of([make("Relu", ["x"], ["y"])], {"x": (2**31 - 1,) * 3}, ["y"]))
    assert work_of(graph.nodes[0]).compulsory_bytes == pytest.approx(8 * 2.0**93)


def test_every_node_has_a_name_of_its_own() -> None:
    nodes = [
        make("Relu", ["x"], ["a"], name=""),
        make("Relu", ["a"], ["b"], name="Relu_3"),
        make("Relu", ["b"], ["c"], name="twin"),
        make("Relu", ["c"], ["d"], name=""),
        make("Relu", ["d"], ["y"], name="twin"),
    ]
    graph = graph_of(model_of(nodes, {"x": (4,)}, ["y"]))
    assert [node.name for node in graph.nodes] == ["Relu_0", "Relu_3", "twin", "Relu_3_2", "twin_2"]


def test_attributes_types_and_optional_inputs_are_kept() -> None:
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    resize = make("Resize", ["x", "", "scales"], ["y"], mode="linear", name="up")
    in_half = {"x": TensorProto.FLOAT16}
    graph = graph_of(model_of([resize], {"x": (1, 1, 4, 4)}, ["y"], [scales], in_half))
    node = graph.nodes[0]
    assert node.attributes == {"mode": "linear"}
    assert node.inputs[1] is None
    assert node.input(9) is None
    assert (node.outputs[0].shape, node.outputs[0].dtype) == ((1, 1, 8, 8), "fp16")  # type: ignore[union-attr]
    assert graph.opsets == {"": 20}


def test_external_weights_are_not_read_but_small_ones_are(tmp_path: Path) -> None:
    big = np.zeros((64, 64), np.float32)
    target = np.array([2, 32])
    weights = [numpy_helper.from_array(big, "w"), numpy_helper.from_array(target, "to")]
    nodes = [make("MatMul", ["x", "w"], ["h"]), make("Reshape", ["h", "to"], ["y"])]
    model = model_of(nodes, {"x": (1, 64)}, ["y"], weights)
    path = tmp_path / "net.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="data", size_threshold=0)
    graph = read_graph(path)
    assert graph.outputs[0].shape == (2, 32)
    assert graph.nodes[0].inputs[1].value is None  # type: ignore[union-attr]
    assert [weight.shape for weight in graph.weights if weight.name == "w"] == [(64, 64)]


def declaring(shape: list[int | str] | None, inner: list[int] | None = None) -> Any:
    """A model that reshapes x of 2x6, by way of h, to y of 3x4.

    shape: what the file declares of y. inner: what it declares of h.
    """
    nodes = [make("Relu", ["x"], ["h"]), make("Reshape", ["h", "to"], ["y"])]
    target = numpy_helper.from_array(np.array([3, 4]), "to")
    model = model_of(nodes, {"x": ("rows", 6)}, ["y"], [target])
    if shape is not None:
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, shape))
    if inner is not None:
        model.graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, inner))
    return model


@pytest.mark.parametrize(
    ("declared", "contradicted"),
    [
        (None, {}),
        (["a", "b"], {}),
        ([3, 4], {}),
        ([12], {"y": ("12", "3x4")}),
        (["a", "b", "c"], {"y": ("axbxc", "3x4")}),
        ([4, "b"], {"y": ("4xb", "3x4")}),
        ([], {"y": ("a scalar", "3x4")}),
    ],
)
def test_what_a_file_declares_wrongly_is_told_and_not_believed(
    declared: list[int | str] | None, contradicted: dict[str, tuple[str, str]]
) -> None:
    graph = graph_of(declaring(declared), {"x": (2, 6)})
    assert graph.outputs[0].shape == (3, 4)
    assert graph.contradicted == contradicted


def test_a_wrong_shape_inside_of_a_file_is_not_believed_either() -> None:
    graph = graph_of(declaring([3, 4], inner=[7]), {"x": (2, 6)})
    assert graph.nodes[0].outputs[0].shape == (2, 6)  # type: ignore[union-attr]


def test_what_inference_does_not_know_is_taken_from_the_file() -> None:
    nodes = [make("Odd", ["x"], ["h"], domain="mine"), make("Relu", ["h"], ["y"], name="known")]
    model = model_of(nodes, {"x": (2, 6)}, ["y"], domains=["mine"])
    model.graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, [5, 7]))
    assert graph_of(model).outputs[0].shape == (5, 7)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [5, 9]))
    assert graph_of(model).contradicted == {"y": ("5x9", "5x7")}


def test_bad_files_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "net.onnx"
    text.write_text("no network\n")
    with pytest.raises(OnnxError, match="not an ONNX model") as problem:
        read_graph(text)
    assert "\n" not in str(problem.value)
    with pytest.raises(OnnxError, match=r"gone.onnx: cannot be read"):
        read_graph(tmp_path / "gone.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(OnnxError, match=r"needs onnx: pip install"):
        read_graph(text)


def test_an_odd_key_of_external_data_is_never_warned_of(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    weight = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL
    )
    for key in ("location", "odd"):
        weight.external_data.add(key=key, value="data")
    path = tmp_path / "net.onnx"
    onnx.save(model_of([make("Add", ["x", "w"], ["y"])], {"x": (4,)}, ["y"], [weight]), str(path))
    assert read_graph(path).nodes
    assert not recwarn.list
