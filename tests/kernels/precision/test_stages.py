"""A stage is what can have a precision: one operation, with the bound that ends it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.precision.stages import Stage, stages  # noqa: E402


def stages_of(net: Net, *results: str) -> list[Stage]:
    """The stages of a network that ends here."""
    return stages(graph_of(net.model(*results)))


def ops_of(listed: list[Stage]) -> list[tuple[str, int]]:
    """Of each stage, its operation and how many nodes it has."""
    return [(stage.op, len(stage.nodes)) for stage in listed]


def test_a_relu_belongs_to_the_convolution_that_alone_feeds_it() -> None:
    net = Net()
    result = net.add("Relu", net.conv(net.input(1, 4, 8, 8), 4, 6, 3))
    (stage,) = stages_of(net, result)
    assert stage.nodes == ("conv_0", "relu_1")
    assert (stage.name, stage.reads, stage.writes) == ("conv_0", ("x",), "y")
    assert stage.elements == {"x": 4 * 64, "y": 6 * 64}
    assert stage.weights == 6 * 4 * 9 + 6
    assert stage.flops == 2 * 6 * 64 * 4 * 9 + 6 * 64
    assert stage.precisions == ("fp32", "fp16", "bf16", "int8", "fp8")
    assert not stage.passes


def test_a_relu_whose_input_is_read_elsewhere_is_a_stage_of_its_own() -> None:
    net = Net()
    convolved = net.conv(net.input(1, 4, 8, 8), 4, 4, 3)
    total = net.add("Add", convolved, net.add("Relu", convolved))
    assert ops_of(stages_of(net, total)) == [("Conv", 1), ("Relu", 1), ("Add", 1)]


def test_a_relu_whose_input_is_a_result_is_a_stage_of_its_own() -> None:
    net = Net()
    convolved = net.conv(net.input(1, 4, 8, 8), 4, 4, 3)
    bounded = net.add("Relu", convolved)
    assert ops_of(stages_of(net, convolved, bounded)) == [("Conv", 1), ("Relu", 1)]


@pytest.mark.parametrize(("least", "nodes"), [(0.0, 2), (-1.0, 1)])
def test_a_clip_belongs_to_what_it_ends_if_it_starts_at_zero(least: float, nodes: int) -> None:
    net = Net()
    product = net.gemm(net.input(2, 8), 8, 8)
    clipped = net.add("Clip", product, net.constant(least), net.constant(6.0))
    listed = stages_of(net, clipped)
    assert len(listed[0].nodes) == nodes


def test_what_passes_numbers_on_says_so() -> None:
    net = Net()
    x = net.input(1, 4, 8, 8)
    pooled = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    turned = net.add("Transpose", pooled, perm=[0, 2, 3, 1])
    mean = net.add("GlobalAveragePool", x)
    listed = stages_of(net, turned, mean)
    assert [(stage.op, stage.passes) for stage in listed] == [
        ("MaxPool", True),
        ("Transpose", True),
        ("GlobalAveragePool", False),
    ]
    assert all("int8" in stage.precisions for stage in listed)


def test_all_that_a_split_leaves_are_its_results() -> None:
    net = Net()
    parts = net.add_several("Split", net.input(1, 4, 8, 8), outputs=2, axis=1, num_outputs=2)
    (stage,) = stages_of(net, *parts)
    assert stage.passes
    assert stage.results == ("y", "y1")
    assert stage.writes == "y"


def test_a_convolution_whose_weights_are_computed_is_not_in_int8() -> None:
    net = Net()
    x = net.input(1, 4, 8, 8)
    weights = net.add("Mul", net.input(4, 4, 3, 3), net.constant(0.5))
    listed = stages_of(net, net.add("Conv", x, weights))
    assert listed[1].precisions == ("fp32", "fp16", "bf16")


def test_a_product_of_two_activations_can_be_in_int8() -> None:
    net = Net()
    product = net.add("MatMul", net.input(1, 4, 8), net.input(1, 8, 4))
    (stage,) = stages_of(net, product)
    assert stage.reads == ("x", "x1")
    assert "int8" in stage.precisions


def test_an_operation_without_integers_has_floats_only() -> None:
    net = Net()
    (stage,) = stages_of(net, net.add("Erf", net.input(2, 8)))
    assert stage.precisions == ("fp32", "fp16", "bf16")


def test_what_leaves_no_float_is_no_stage() -> None:
    net = Net()
    x = net.input(2, 8)
    shape = net.add("Shape", x)
    largest = net.add("ArgMax", x, axis=1)
    embedded = net.add("Gather", net.weight(8, 4), largest)
    listed = stages_of(net, shape, net.add("Relu", embedded))
    assert ops_of(listed) == [("Relu", 1)]


def test_an_operation_that_onnx_does_not_define_stays_in_fp32() -> None:
    model: Any = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("Gelu", ["x"], ["y"], "gelu", domain="com.microsoft")],
            "made",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [2, 8])],
            [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 8])],
        ),
        opset_imports=[
            onnx.helper.make_opsetid("", 20),
            onnx.helper.make_opsetid("com.microsoft", 1),
        ],
    )
    (stage,) = stages(graph_of(model))
    assert stage.precisions == ("fp32",)


def test_bf16_is_where_a_newer_opset_has_it() -> None:
    net = Net(opset=13)
    (stage,) = stages_of(net, net.conv(net.input(1, 4, 8, 8), 4, 4, 3))
    assert "bf16" in stage.precisions
    assert np.prod([1, 4, 8, 8]) == stage.elements["x"]
