"""What a layer should answer: what its definition says, where that can be trusted.

Elsewhere, what the unoptimised runtime says.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import onnx.reference
import pytest
from onnx import helper, numpy_helper

from kernels.base import Fault, Unavailable
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import reference as layer_reference
from kernels.runtime.reference import Size
from probes.harness.check import difference
from tests.kernels.onnx_networks import model_of

SMALL = Size(1.0, 1.0)  # so little work and data that definitions in NumPy are fast enough
SAME = 1e-6  # relative difference up to which two answers are one


def model(
    op: str, *shapes: tuple[int, ...], outputs: int = 1, opset: int = 17, **attributes: Any
) -> Any:
    """A model of one operation, whose inputs have these shapes."""
    inputs = {f"x{place}": shape for place, shape in enumerate(shapes)}
    results = [f"y{place}" for place in range(outputs)]
    node = helper.make_node(op, list(inputs), results, **attributes)
    return onnx.shape_inference.infer_shapes(model_of([node], inputs, results, opset=opset))


def test_a_definition_whose_answer_has_another_shape_is_none() -> None:
    pool = model("GlobalMaxPool", (1, 8, 32))
    feeds = layer_inputs.feeds(pool)
    (answer,) = layer_reference.expected(pool, feeds, SMALL)
    assert (answer == feeds["x0"].max(axis=2, keepdims=True)).all()


@pytest.mark.filterwarnings("error")
def test_what_has_no_number_for_an_answer_is_no_warning() -> None:
    zero = numpy_helper.from_array(np.zeros(4, np.float32), "zero")
    nodes = [
        helper.make_node("Div", ["x", "zero"], ["h"]),
        helper.make_node("Softmax", ["h"], ["y"]),
    ]
    network = model_of(nodes, {"x": (3, 4)}, ["y"], [zero], opset=17)
    (answer,) = layer_reference.expected(network, layer_inputs.feeds(network), SMALL)
    assert np.isnan(answer).all()


@pytest.mark.parametrize(
    ("network", "size"),
    [
        (model("Relu", (4,)), Size(1e9, 1.0)),
        (model("Relu", (4,)), Size(0.0, 1e9)),
        (model("Relu", (4,)), Size(None, 1.0)),
        (model("Relu", (4,)), Size(1.0, None)),
        (model("Relu", (4,), opset=13), SMALL),
        (model("MaxPool", (1, 1, 4, 4), kernel_shape=[2, 2]), SMALL),
    ],
    ids=["too much work", "too large", "unknown work", "unknown size", "of another opset", "slow"],
)
def test_where_definitions_do_not_fit_none_is_asked(
    network: Any, size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx.reference, "ReferenceEvaluator", lambda *_: pytest.fail("asked"))
    feeds = layer_inputs.feeds(network)
    assert layer_reference.expected(network, feeds, size)[0].size
    assert not list(layer_reference.dispute(network, feeds, np.zeros(4), size))


def test_a_definition_that_stands_alone_is_no_fault_of_the_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = layer_kernel.TimedLayer("Relu", lambda: model("Relu", (64,)))
    kernel = layer.kernel("cpu")
    right = kernel.reference("fp32", 1)
    wrong = right[::-1].copy()
    monkeypatch.setattr(layer_reference, "by_definition", lambda *_: pytest.fail("asked again"))
    (appeal,) = kernel.appeals("fp32", right, wrong)
    assert appeal.fault == "disputed"
    assert not any(difference(*pair, SAME) for pair in appeal.pairs)
    (other,) = kernel.appeals("fp32", wrong, right)
    assert any(difference(*pair, SAME) for pair in other.pairs), "the layer itself was wrong"
    words = appeal.words(Fault(3, 8, 0.5))
    assert "otherwise in 3 of 8 values, by up to 50 % of the largest" in words


def test_what_nothing_can_answer_is_a_reason_not_a_failure() -> None:
    node = helper.make_node("Odd", ["x"], ["y"], domain="mine")
    odd = model_of([node], {"x": (4,)}, ["y"], domains=["mine"])
    with pytest.raises(Unavailable, match=r"nothing else says what it should answer: .*Odd"):
        layer_kernel.TimedLayer("Odd", lambda: odd).kernel("cpu").reference("fp32", 1)


def dropout_in_training() -> Any:
    """A model that drops each element by chance: without its third input it drops none."""
    node = helper.make_node("Dropout", ["x", "ratio", "training"], ["y"])
    ratio = numpy_helper.from_array(np.float32(0.5), "ratio")
    training = numpy_helper.from_array(np.array(True), "training")
    return model_of([node], {"x": (4, 4)}, ["y"], [ratio, training])


@pytest.mark.parametrize(
    "network",
    [
        model("RandomNormalLike", (4, 4)),
        model("Bernoulli", (4, 4)),
        dropout_in_training(),
    ],
    ids=lambda network: network.graph.node[0].op_type,
)
def test_of_what_throws_dice_only_the_count_is_checked(network: Any) -> None:
    kernel = layer_kernel.TimedLayer("Random", lambda: network).kernel("cpu")
    first, *_ = kernel.appeals("fp32", np.ones(16), np.zeros(16))
    assert first.fault == "random"
    assert not any(difference(*pair, SAME) for pair in first.pairs)
    short, *_ = kernel.appeals("fp32", np.ones(15), np.zeros(16))
    assert difference(*short.pairs[0], SAME)
    assert "random" in first.words(Fault(16, 16, 1.0))


def test_what_throws_no_dice_has_no_such_excuse() -> None:
    for network in (model("Relu", (4,)), model("Dropout", (4,))):
        make = partial(type(network).FromString, network.SerializeToString())
        kernel = layer_kernel.TimedLayer("Relu", make).kernel("cpu")
        appeals = kernel.appeals("fp32", np.ones(4), np.zeros(4))
        assert "random" not in {appeal.fault for appeal in appeals}


def test_an_answer_beyond_fp16_is_no_fault_and_saves_no_other_value() -> None:
    right = np.array([-3.4e38, 7e4, 1.0, 2.0])
    (appeal,) = layer_reference.overflow(np.array([-65504.0, np.inf, 1.0, 3.0]), right)
    ((answer, expected),) = appeal.pairs
    assert (answer.tolist(), expected.tolist()) == ([0, 0, 1, 3], [0, 0, 1, 2])
    words = appeal.words(Fault(2, 4, None))
    assert words == "FP16 ends at 65504: 2 of 4 values of the FP32 answer lie beyond"
    wrong_sign = np.array([65504.0, 1.0, 1.0, 2.0])
    right = np.array([-7e4, 1.0, 1.0, 2.0])
    assert not list(layer_reference.overflow(wrong_sign, right))


def squared_twice() -> Any:
    """A network whose answer is small, though a result inside of it is not."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["square"], "first"),
        helper.make_node("Sub", ["square", "square"], ["y"], "second"),
    ]
    ends = [helper.make_tensor_value_info(name, 1, (2,)) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.mark.parametrize(("largest", "is_excused"), [(1e3, True), (2.0, False)])
def test_a_result_inside_beyond_fp16_excuses_answers_that_are_no_numbers(
    largest: float, is_excused: bool
) -> None:
    size = layer_reference.Size(1e3, 1e3)
    inputs = {"x": np.array([largest, 1.0], np.float32)}
    found, right = np.array([np.nan, 5.0]), np.array([0.0, 0.0])
    appeals = list(layer_reference.inner_overflow(squared_twice(), inputs, found, right, size))
    assert bool(appeals) == is_excused
    for appeal in appeals:
        ((answer, expected),) = appeal.pairs
        assert (answer.tolist(), expected.tolist()) == ([0, 5], [0, 0])
        assert "1e+06" in appeal.words(Fault(1, 2, None))
