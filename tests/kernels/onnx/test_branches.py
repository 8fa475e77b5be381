"""A branch that is taken is part of the network, whatever its tensors are called.

The other one is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx.reference
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.onnx.graph import graph_of
from kernels.onnx.settle import settle
from tests.kernels.onnx_networks import model_of, open_shapes

make = helper.make_node
SHAPE = (2, 6)


def branch(name: str, nodes: list[Any], result: str, **constants: Any) -> Any:
    """A graph for an If: it has no inputs of its own."""
    weights = [numpy_helper.from_array(np.asarray(value), key) for key, value in constants.items()]
    output = helper.make_empty_tensor_value_info(result)
    return helper.make_graph(nodes, name, [], [output], weights)


def choosing(*pairs: tuple[Any, Any]) -> Any:
    """A model of x with an If for each pair of branches.

    The first branch of a pair is taken where x has two rows.
    """
    nodes = [
        make("Shape", ["x"], ["shape"]),
        make("Gather", ["shape", "first"], ["rows"]),
        make("Equal", ["rows", "two"], ["is_two"]),
    ]
    weights = {"first": np.array(0), "two": np.array(2)}
    last = "x"
    for place, (then, other) in enumerate(pairs):
        result = f"r{place}"
        name = f"if{place}"
        nodes.append(
            make("If", ["is_two"], [result], name=name, then_branch=then, else_branch=other)
        )
        last = f"h{place}"
        nodes.append(make("Relu", [result], [last]))
    nodes.append(make("Identity", [last], ["y"]))
    stored = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    return model_of(nodes, {"x": ("rows", 6)}, ["y"], stored, opset=17)


def unfit() -> Any:
    """A branch that does not fit the shape of x: it must not be taken."""
    return branch("unfit", [make("Conv", ["x", "x"], ["u"])], "u")


def neg(read: str = "x", inner: str = "t") -> Any:
    """A branch that returns -3 times what it reads; inner: the name of a result within it."""
    nodes = [make("Mul", [read, "k"], [inner]), make("Neg", [inner], ["u"])]
    return branch("taken", nodes, "u", k=np.float32(3))


@pytest.mark.parametrize(
    ("pairs", "ops"),
    [
        ([(neg(), unfit())], ["Mul", "Neg", "Relu", "Identity"]),
        (
            [(neg(), unfit()), (neg("h0"), unfit())],
            ["Mul", "Neg", "Relu", "Mul", "Neg", "Relu", "Identity"],
        ),
        ([(neg(inner="x2"), unfit())], ["Mul", "Neg", "Relu", "Identity"]),
        (
            [(branch("through", [make("Exp", ["x"], ["e"])], "x"), unfit())],
            ["Exp", "Identity", "Relu", "Identity"],
        ),
    ],
    ids=["one", "two of the same names", "other names", "handed through"],
)
def test_the_branch_that_is_taken_stands_in_its_place(pairs: list[Any], ops: list[str]) -> None:
    model = choosing(*pairs)
    feeds = {"x": np.arange(12, dtype=np.float32).reshape(SHAPE) - 5}
    right: Any = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    graph = graph_of(model, {"x": SHAPE})
    assert [node.op for node in graph.nodes] == ops
    assert not open_shapes(graph)
    assert graph.outputs[0].shape == SHAPE
    results: Any = onnx.reference.ReferenceEvaluator(graph.model).run(None, feeds)
    assert (results[0] == right[0]).all()


def test_what_reads_it_within_another_graph_follows_its_name() -> None:
    value = helper.make_tensor_value_info
    nodes = [make("Add", ["s", "t"], ["s2"]), make("Identity", ["on"], ["still"])]
    inputs = [
        value("i", TensorProto.INT64, []),
        value("on", TensorProto.BOOL, []),
        value("s", TensorProto.FLOAT, list(SHAPE)),
    ]
    outputs = [
        value("still", TensorProto.BOOL, []),
        value("s2", TensorProto.FLOAT, list(SHAPE)),
    ]
    body = helper.make_graph(nodes, "body", inputs, outputs)
    loop = [make("Exp", ["x"], ["t"]), make("Loop", ["m", "c", "x"], ["u"], body=body)]
    taken = branch("loop", loop, "u", m=np.array(3), c=np.array(True))
    model = choosing((neg(), unfit()), (taken, unfit()))
    feeds = {"x": np.ones(SHAPE, np.float32)}
    right: Any = onnx.reference.ReferenceEvaluator(model).run(None, feeds)
    bound = onnx.ModelProto.FromString(model.SerializeToString())
    bound.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    settled = settle(bound)
    assert "If" not in {node.op_type for node in settled.graph.node}
    results: Any = onnx.reference.ReferenceEvaluator(settled).run(None, feeds)
    assert (results[0] == right[0]).all()


def test_a_condition_that_only_running_tells_is_left() -> None:
    other = branch("o", [make("Abs", ["x"], ["o"])], "o")
    node = make("If", ["c"], ["y"], name="if", then_branch=neg(), else_branch=other)
    model = model_of([node], {"c": (), "x": SHAPE}, ["y"], kinds={"c": TensorProto.BOOL}, opset=17)
    assert [node.op for node in graph_of(model).nodes] == ["If"]


def by_rate() -> Any:
    """An If inside of an If, both of which ask for the rate of sampling that the network is fed."""
    inner = make("If", ["is_fast"], ["u"], then_branch=neg(), else_branch=unfit())
    nodes_of_branch = [make("Greater", ["rate", "low"], ["is_fast"]), inner]
    then = branch("then", nodes_of_branch, "u", low=np.array(9000))
    outer = make("If", ["known"], ["y"], name="if", then_branch=then, else_branch=unfit())
    stored = [numpy_helper.from_array(np.array(16000), "wide")]
    nodes = [make("Equal", ["rate", "wide"], ["known"]), outer]
    kinds = {"rate": TensorProto.INT64}
    return model_of(nodes, {"x": SHAPE, "rate": ()}, ["y"], stored, kinds=kinds, opset=17)


def test_a_condition_that_an_input_tells_is_known_once_that_is_given() -> None:
    assert [node.op for node in graph_of(by_rate()).nodes] == ["Equal", "If"]
    graph = graph_of(by_rate(), values={"rate": 16000})
    assert [node.op for node in graph.nodes] == ["Equal", "Greater", "Mul", "Neg"]
    assert "rate" in {tensor.name for tensor in graph.inputs}, "it is still fed"


def test_a_branch_that_is_not_there_is_no_traceback() -> None:
    model = choosing((neg(), unfit()))
    del model.graph.node[3].attribute[:]
    assert "If" in {node.op_type for node in graph_of(model, {"x": SHAPE}).model.graph.node}
