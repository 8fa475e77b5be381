"""A layer of TensorRT holds the nodes that its name stands for, as each version makes names."""

from __future__ import annotations

import pytest

from probes.importers.nodes import OnnxWork
from probes.importers.trtexec.nodes import nodes_by_layer

OPS = ("Cast", "Relu", "Unsqueeze_3", "MatMul", "Softmax", "Squeeze", "Sigmoid")
"""Of a network whose nodes follow each other in this order; a number tells two alike apart."""
NODES = {f"/{op}": OnnxWork(1.0, 1.0, op.split("_")[0], f"/{op}_output_0") for op in OPS}


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("/MatMul + /Relu || /Softmax + /Sigmoid", ["Relu", "MatMul", "Softmax", "Sigmoid"]),
        (
            "{ForeignNode[/Unsqueeze_3 + /Unsqueeze_4.../Softmax]}",
            ["Unsqueeze_3", "MatMul", "Softmax"],
        ),
        (
            "{ForeignNode[/Relu.../Softmax + /Squeeze]}",
            ["Relu", "Unsqueeze_3", "MatMul", "Softmax", "Squeeze"],
        ),
        (
            (
                "{ForeignNode[w + (Unnamed Layer* 57) [Shuffle].../Relu + (Unnamed Layer* 3) "
                "[Shuffle]]}"
            ),
            ["Cast", "Relu"],
        ),
        ("{ForeignNode[/Softmax...nothing]}", ["Softmax"]),
        ("w + /Cast_quantize_scale_node + /MatMul + PWN(/Relu)", ["Cast", "Relu", "MatMul"]),
        ("/Cast_dequantize_scale_node_clone_1", ["Cast"]),
        ("/MatMul_output_0_quantize_scale_node", ["MatMul"]),
    ],
)
def test_a_layer_holds_the_nodes_in_its_name(name: str, inside: list[str]) -> None:
    assert nodes_by_layer([{"Name": name}], {}, NODES) == [([f"/{op}" for op in inside], False)]


def test_a_foreign_node_leaves_what_lies_before_its_fused_start() -> None:
    names = ["{ForeignNode[/Unsqueeze_3 + /Unsqueeze_4.../Softmax + /Squeeze]}", "PWN(/Sigmoid)"]
    first, second = nodes_by_layer([{"Name": name} for name in names], {}, NODES)
    assert first == (["/Unsqueeze_3", "/MatMul", "/Softmax", "/Squeeze"], False)
    assert second == (["/Sigmoid"], False)
