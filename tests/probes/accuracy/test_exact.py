"""Exact runs compute what the network says: no kernel saturates, and each rounding is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.precision.convert import convert
from kernels.runtime.answers import DEPLOYED
from kernels.runtime.answers import answers as timed_answers
from kernels.runtime.saturation import saturates
from probes.accuracy.exact import Exact, add_outputs, answers, widened
from probes.records.measurement import RidgelineError
from tests import trained

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def saturating() -> tuple[Any, np.ndarray, np.ndarray]:
    """A product in INT8 whose sums of two products exceed 16 bits, its input, and its answer."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    random = np.random.default_rng(0)
    codes = random.integers(120, 128, (64, 32)).astype(np.int8)
    x = random.uniform(0.9, 1, (1, 64)).astype(np.float32)
    scales = {"xs": np.float32(1 / 255), "ws": np.float32(1 / 127), "ys": np.float32(64 / 255)}
    stored = {
        "w": codes,
        **scales,
        "u": np.uint8(0),
        "s": np.int8(0),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "u"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "u"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "s"], ["wd"]),
        helper.make_node("MatMul", ["xd", "wd"], ["p"]),
        helper.make_node("QuantizeLinear", ["p", "ys", "u"], ["yq"]),
        helper.make_node("DequantizeLinear", ["yq", "ys", "u"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "saturating",
        [helper.make_tensor_value_info("x", 1, [1, 64])],
        [helper.make_tensor_value_info("y", 1, [1, 32])],
        [numpy_helper.from_array(np.array(value), name) for name, value in stored.items()],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    product = np.rint(x * 255) @ codes.astype(np.float64) / 255 / 127
    answer = np.clip(np.rint(product / scales["ys"]), 0, 255) * scales["ys"]
    return model, x, answer


def saturated(x: np.ndarray) -> np.ndarray:
    """What a kernel makes of that product which adds two products at a time in 16 bits."""
    codes = np.random.default_rng(0).integers(120, 128, (64, 32))
    products = np.rint(x.T * 255) * codes
    pairs = np.clip(products[0::2] + products[1::2], -(2**15), 2**15 - 1)
    step = 64 / 255
    return np.clip(np.rint(pairs.sum(0) / 255 / 127 / step), 0, 255) * step


def test_a_kernel_that_saturates_takes_no_part() -> None:
    model, x, answer = saturating()
    wrong = saturated(x)
    session = Exact(model)
    exact = session.run({"x": x})["y"]
    step = 64 / 255
    assert np.abs(wrong - answer).min() > 50 * step  # the planted product does saturate
    assert np.abs(exact - answer).max() < 0.01 * step
    level = session._session.get_session_options().graph_optimization_level
    assert level.name == "ORT_DISABLE_ALL"  # where nothing saturates, answers do not show it
    deployed = timed_answers(model, {"x": x}, DEPLOYED)[0]
    expected = wrong if saturates() else answer
    assert np.abs(deployed - expected).max() <= 1.01 * step


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_narrow_floats_are_rounded_after_each_operation(dtype: str) -> None:
    import ml_dtypes

    narrow = np.dtype(np.float16 if dtype == "fp16" else ml_dtypes.bfloat16)
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    random = np.random.default_rng(1)
    weights = random.normal(size=(16, 8)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["p"]),
            helper.make_node("Mul", ["p", "p"], ["y"]),
        ],
        "square",
        [helper.make_tensor_value_info("x", 1, [1, 16])],
        [helper.make_tensor_value_info("y", 1, [1, 8])],
        [numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = convert(helper.make_model(graph, opset_imports=opsets, ir_version=8), dtype)
    x = random.normal(size=(1, 16)).astype(narrow)
    product = (x.astype(np.float32) @ weights.astype(narrow).astype(np.float32)).astype(narrow)
    square = (product.astype(np.float32) ** 2).astype(narrow)
    result = Exact(model).run({"x": x})["y"]
    assert result.dtype == narrow
    largest_step = float(np.abs(square.astype(np.float32)).max()) * 2.0**-7
    assert np.abs(result.astype(np.float32) - square.astype(np.float32)).max() <= largest_step
    assert (result == square).mean() > 0.8  # sums of another order round otherwise here and there


def test_a_network_without_narrow_floats_stays_as_it_is() -> None:
    model, _, _ = saturating()
    assert widened(model) is model


def test_answers_come_input_by_input_and_inner_results_can_be_asked_for() -> None:
    model, x, _ = saturating()
    add_outputs(model, ["p"])
    results = list(answers(model, [{"x": x}, {"x": x / 2}]))
    assert [sorted(result) for result in results] == [["p", "y"], ["p", "y"]]
    assert results[1]["p"].sum() < 0.6 * results[0]["p"].sum()


def test_what_cannot_be_run_is_refused_in_one_line() -> None:
    model, x, _ = saturating()
    with pytest.raises(RidgelineError, match="the network cannot be run: "):
        Exact(model).run({"x": x[:, :3]})
    model.graph.node[3].op_type = "Unheard"
    with pytest.raises(RidgelineError, match="saturating cannot be run by onnxruntime") as refusal:
        Exact(model)
    assert "\n" not in str(refusal.value)


@pytest.mark.skipif(bool(trained.missing()), reason=f"{trained.missing()} is not installed")
def test_trained_digits_are_read() -> None:
    inputs, labels = trained.digits_data()
    unseen = range(trained.TRAINED_ON, len(inputs), 5)
    feeds = ({"x": inputs[index : index + 1]} for index in unseen)
    read = [result["scores"].argmax() for result in answers(trained.digits_network(), feeds)]
    assert np.mean(read == labels[list(unseen)]) > 0.9


@pytest.mark.skipif(bool(trained.missing()), reason=f"{trained.missing()} is not installed")
def test_an_outlier_channel_changes_no_answer_in_floats() -> None:
    inputs, _ = trained.digits_data()
    feeds = [{"x": inputs[index : index + 1]} for index in range(9)]
    plain = answers(trained.digits_network(), feeds)
    planted = answers(trained.digits_network(outlier=30.0), feeds)
    for first, second in zip(plain, planted, strict=True):
        assert np.allclose(first["scores"], second["scores"], atol=1e-4)
