"""Which nodes are timed as one layer: an operation with the Q/DQ around it, and nothing else."""

from __future__ import annotations

import numpy as np
import onnx

from kernels.onnx import cut
from kernels.onnx.graph import Graph, graph_of
from kernels.onnx.net import Net
from kernels.precision.convert import convert
from kernels.precision.units import units
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import reference as layer_reference
from kernels.runtime.reference import Size
from tests.kernels.onnx_networks import model_of

LARGE = Size(1e12, 1e12)
"""Too large for definitions in NumPy."""


def quantized() -> Graph:
    """A convolution with ReLU, one more, and the sum of both, in INT8."""
    net = Net()
    first = net.add("Relu", net.conv(net.input(1, 8, 6, 6), 8, 8, 3))
    second = net.conv(first, 8, 8, 3)
    model = net.model(net.add("Add", first, second))
    return graph_of(convert(model, "int8"))


def test_an_operation_is_one_with_what_decodes_and_encodes_for_it() -> None:
    graph = quantized()
    layers = units(graph)
    assert [unit.node.op for unit in layers] == ["Conv", "Conv", "Add"]
    first, second, total = ([node.op for node in unit.nodes] for unit in layers)
    assert first == [*3 * ["DequantizeLinear"], "Conv", "Relu", "QuantizeLinear"]
    assert second == [*3 * ["DequantizeLinear"], "Conv", "QuantizeLinear"]
    assert total == [*2 * ["DequantizeLinear"], "Add", "QuantizeLinear"]


def test_each_is_a_model_that_takes_and_gives_integers() -> None:
    graph = quantized()
    for unit in units(graph):
        model = cut.layer_model(graph, *unit.nodes)
        onnx.checker.check_model(model)
        ends = [*model.graph.input, *model.graph.output]
        kinds = {value.type.tensor_type.elem_type for value in ends}
        assert kinds == {onnx.TensorProto.UINT8}
        feeds = layer_inputs.feeds(model)
        assert layer_reference.expected(model, feeds, LARGE)[0].any()


def test_without_integers_each_node_is_alone() -> None:
    net = Net()
    graph = graph_of(net.model(net.add("Relu", net.conv(net.input(1, 8, 6, 6), 8, 8, 3))))
    assert [[node.op for node in unit.nodes] for unit in units(graph)] == [["Conv"], ["Relu"]]


def test_floats_that_are_read_elsewhere_too_stay_a_layer() -> None:
    scale = onnx.numpy_helper.from_array(np.array(0.1, np.float32), "s")
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "s"], ["d"], name="decode"),
        onnx.helper.make_node("Relu", ["d"], ["r"], name="relu"),
        onnx.helper.make_node("QuantizeLinear", ["r", "s"], ["q"], name="encode"),
        onnx.helper.make_node("Erf", ["d"], ["y"], name="erf"),
    ]
    kinds = {"x": onnx.TensorProto.UINT8}
    graph = graph_of(model_of(nodes, {"x": (1, 8)}, ["q", "y"], [scale], kinds))
    names = {unit.node.name: [node.name for node in unit.nodes] for unit in units(graph)}
    assert names == {"decode": ["decode"], "relu": ["decode", "relu", "encode"], "erf": ["erf"]}
