"""What ONNX Runtime fused is found again in the model, by the names it gives."""

from __future__ import annotations

from probes.importers.nodes import OnnxWork
from probes.importers.onnxruntime.nodes import Ran, nodes_by_operation


def node(op: str, output: str, *reads: str) -> OnnxWork:
    """A node of the model that reads these tensors; its work does not matter here."""
    return OnnxWork(1.0, 2.0, op, output, reads=dict.fromkeys(reads, 4.0))


NODES = {
    "stem": node("Conv", "c0", "x"),
    "relu": node("Relu", "r0", "c0"),
    "main": node("Conv", "c1", "r0"),
    "bn": node("BatchNormalization", "n1", "c1"),
    "add": node("Add", "a1", "n1", "r0"),
    "clip": node("Clip", "k1", "a1"),
    "fc": node("MatMul", "m", "k1"),
    "bias": node("Add", "b", "m"),
    "out": node("Sigmoid", "y", "b"),
}
"""A stem, a block with a shortcut around its convolution, and a classifier."""


def test_a_convolution_named_after_its_last_node_holds_all_that_was_fused() -> None:
    ran = [Ran("r0_nchwc", "Conv"), Ran("n1_nchwc", "Conv", adds=True)]
    assert nodes_by_operation(ran, NODES) == [["stem", "relu"], ["main", "bn", "add", "clip"]]


def test_what_ran_by_itself_belongs_to_no_other() -> None:
    ran = [
        Ran("c0_nchwc", "Conv"),
        Ran("relu", "Relu"),
        Ran("main", "Conv"),
        Ran("add", "Add"),
        Ran("clip", "Clip"),
    ]
    assert nodes_by_operation(ran, NODES) == [["stem"], ["relu"], ["main", "bn"], ["add"], ["clip"]]


def test_a_sum_is_fused_only_where_a_tensor_to_add_goes_in() -> None:
    _, main = nodes_by_operation([Ran("stem", "Conv"), Ran("main", "Conv")], NODES)
    assert main == ["main", "bn"]


def test_an_operation_that_ran_under_a_strange_name_is_counted_with_no_other() -> None:
    ran = [Ran("stem", "Conv"), Ran("Relu_7", "Relu")]
    assert nodes_by_operation(ran, NODES) == [["stem"], []]


def test_a_product_holds_more_only_where_it_was_changed() -> None:
    assert nodes_by_operation([Ran("fc", "MatMul")], NODES) == [["fc"]]
    with_bias = [Ran("fc/MatMulAddFusion/", "Gemm"), Ran("out", "Sigmoid")]
    assert nodes_by_operation(with_bias, NODES) == [["fc", "bias"], ["out"]]
    assert nodes_by_operation([Ran("fused fc", "FusedGemm")], NODES) == [["fc", "bias", "out"]]


def test_of_two_convolutions_that_are_added_each_is_one_operation() -> None:
    nodes = {
        "a": node("Conv", "ca", "x"),
        "b": node("Conv", "cb", "x"),
        "add": node("Add", "s", "ca", "cb"),
    }
    ran = [Ran("ca_nchwc", "Conv"), Ran("s_nchwc", "Conv", adds=True)]
    assert nodes_by_operation(ran, nodes) == [["a"], ["b", "add"]]


def test_a_name_of_nothing_in_the_model_holds_nothing() -> None:
    ran = [Ran("z_nchwc", "Conv"), Ran("r0_nchwc", "MaxPool")]
    assert nodes_by_operation(ran, NODES) == [[], []]
