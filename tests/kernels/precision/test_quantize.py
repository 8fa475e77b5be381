"""INT8 models run on integers alone and compute what the FP32 model does.

An operation that has no such form is named.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.base import Unavailable  # noqa: E402
from kernels.layers.conv import conv, matmul_of_rows, separable  # noqa: E402
from kernels.layers.matrix import attention, row_op, square  # noqa: E402
from kernels.layers.precision import conv_between_floats, unfused  # noqa: E402
from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net, infer  # noqa: E402
from kernels.precision.convert import convert  # noqa: E402
from kernels.runtime import static  # noqa: E402
from kernels.runtime.door import onnxruntime  # noqa: E402
from tests.kernels.onnx_networks import model_of, open_shapes  # noqa: E402
from tests.kernels.onnx_run import executed, feeds, run  # noqa: E402

CLOSE = 0.03  # of the largest FP32 output: what rounding inputs and weights to 8 bits may cost
INTEGER_KERNELS = {"Conv": "QLinearConv", "Gemm": "QGemm", "MatMul": "QLinearMatMul"}


def small_conv() -> Any:
    """A model of one small convolution."""
    return conv(1, 16, 24, 14, 3)


def gemm(weights: np.ndarray, **attributes: Any) -> Any:
    """A model of one matrix product with these weights and a bias."""
    net = Net()
    x = net.input(8, 32)
    return net.model(net.add("Gemm", x, net.constant(weights), net.weight(24), **attributes))


def shrunk(values: np.ndarray) -> np.ndarray:
    """Columns of very different size: what one scale cannot hold."""
    return values * np.logspace(-3, 0, values.shape[1], dtype=np.float32)


def integer_error(model: Any, **how: Any) -> np.ndarray:
    """How far each output of the INT8 form is from FP32, as a part of the largest FP32 output."""
    changed = convert(model, "int8", **how)
    zero_in = 0 if how.get("form") == "s8s8" else 128
    numbers = feeds(changed)["x"].clip(zero_in - 127, None)
    values = (numbers.astype(np.float32) - zero_in) * np.float32(1 / 127)
    expected = run(model, {"x": values})[0]
    zero_out, scale = _last_encoding(changed)
    encoded = run(changed, {"x": numbers})[0]
    decoded = (encoded.astype(np.float32) - zero_out) * scale
    return np.asarray(np.abs(decoded - expected) / np.abs(expected).max())


def _last_encoding(model: Any) -> tuple[float, float]:
    """Zero point and scale of the last QuantizeLinear."""
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer
    }
    encoders = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    _, scale, zero_point = encoders[-1].input
    return float(constants[zero_point]), float(constants[scale])


def end_kinds(model: Any) -> set[int]:
    """Types of the inputs and outputs, as TensorProto numbers them."""
    ends = (*model.graph.input, *model.graph.output)
    return {value.type.tensor_type.elem_type for value in ends}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(
    "make", [small_conv, lambda: gemm(weights_of(32, 24)), lambda: matmul_of_rows(16, 32, 24)]
)
def test_int8_runs_on_integers_alone_and_is_close(
    make: Any, per_channel: bool, tmp_path: Path
) -> None:
    model = make()
    changed = convert(model, "int8", per_channel)
    onnx.checker.check_model(changed, full_check=True)
    assert end_kinds(changed) == {onnx.TensorProto.UINT8}
    ran = executed(changed, tmp_path)
    assert INTEGER_KERNELS[model.graph.node[0].op_type] in ran
    assert set(ran) <= {*INTEGER_KERNELS.values(), "Transpose"}
    assert integer_error(model, per_channel=per_channel).max() < CLOSE


def weights_of(*shape: int) -> np.ndarray:
    """Random weights of a shape, the same ones each time."""
    return np.random.default_rng(4).uniform(-0.3, 0.3, shape).astype(np.float32)


@pytest.mark.parametrize("form", ["u8s8", "s8s8"])
def test_both_forms_of_activations_are_close(form: str) -> None:
    assert integer_error(small_conv(), form=form).max() < CLOSE


def test_signed_activations_have_no_zero_point() -> None:
    changed = convert(small_conv(), "int8", form="s8s8")
    stored = changed.graph.initializer
    zero_points = [tensor for tensor in stored if tensor.name.endswith("_zero")]
    zeros = [onnx.numpy_helper.to_array(tensor) for tensor in zero_points]
    assert len(zeros) >= 3, "of the input, the weights and the output"
    assert not any(zero.any() for zero in zeros)
    kinds = {tensor.data_type for tensor in stored}
    assert onnx.TensorProto.INT32 not in kinds, "TensorRT decodes no int32"
    assert end_kinds(changed) == {onnx.TensorProto.INT8}


@pytest.mark.parametrize("turned", [False, True])
def test_a_scale_for_each_channel_keeps_small_channels(turned: bool) -> None:
    weights = shrunk(weights_of(32, 24))
    model = gemm(weights.T.copy(), transB=1) if turned else gemm(weights)
    changed = convert(model, "int8", per_channel=True)
    constants = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in changed.graph.initializer
    }
    expected_scales = np.abs(weights).max(axis=0) / 127
    np.testing.assert_allclose(constants["w0_weight_scale"], expected_scales, rtol=1e-6)
    assert constants["w0_weight_int"].dtype == np.int8


def test_a_chain_stays_on_integers(tmp_path: Path) -> None:
    ran = executed(convert(separable(1, 16, 8), "int8"), tmp_path)
    assert ran.count("QLinearConv") == 2
    assert set(ran) <= {"QLinearConv", "Transpose"}


def test_relu_is_part_of_the_integer_convolution_before_it(tmp_path: Path) -> None:
    net = Net()
    model = net.model(net.add("Relu", net.conv(net.input(1, 16, 8, 8), 16, 16, 3)))
    assert set(executed(convert(model, "int8"), tmp_path)) <= {"QLinearConv", "Transpose"}
    assert integer_error(model).max() < CLOSE


def test_int8_between_floats_pays_for_both_conversions_and_unfused_has_no_integers(
    tmp_path: Path,
) -> None:
    fused = conv_between_floats(1, "u8s8")
    loose = unfused(1)
    ran = executed(fused, tmp_path)
    assert {"QuantizeLinear", "QLinearConv", "DequantizeLinear"} <= set(ran)
    assert "Conv" not in ran
    assert "QLinearConv" not in executed(loose, tmp_path)
    arrays = feeds(fused)
    plain = run(conv(1, 64, 64, 56, 3), arrays)[0]
    for model in (fused, loose):
        assert np.abs(run(model, arrays)[0] - plain).max() < CLOSE * np.abs(plain).max()


@pytest.mark.parametrize(
    "make", [lambda: gemm(weights_of(32, 24)), lambda: gemm(weights_of(24, 32), transB=1)]
)
def test_the_integer_form_is_the_product_in_int32(make: Any) -> None:
    model = make()
    changed = convert(model, "int8", form="integer")
    onnx.checker.check_model(changed, full_check=True)
    numbers = feeds(changed)["x"].clip(-127)
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
    expected = run(model, {"x": numbers.astype(np.float32) / np.float32(127)})[0]
    product = run(changed, {"x": numbers})[0]
    assert product.dtype == np.int32
    assert changed.graph.node[0].op_type == "MatMulInteger"
    scaled = product * float(np.abs(weights).max()) / 127**2
    assert np.abs(scaled - expected).max() < CLOSE * np.abs(expected).max()


def test_the_integer_form_of_an_old_network_has_an_opset_with_its_product() -> None:
    model = gemm(weights_of(32, 24))
    model.opset_import[0].version = 9
    changed = convert(model, "int8", form="integer")
    onnx.checker.check_model(changed, full_check=True)
    assert run(changed, feeds(changed))[0].dtype == np.int32


def test_the_integer_form_of_two_activations_is_exact() -> None:
    changed = convert(square(24), "int8", form="integer")
    arrays = feeds(changed)
    expected = arrays["x"].astype(np.int32) @ arrays["x1"].astype(np.int32)
    np.testing.assert_array_equal(run(changed, arrays)[0], expected)


@pytest.mark.parametrize(
    ("make", "form", "why"),
    [
        (lambda: row_op("LayerNormalization", 4, 64), "u8s8", "LayerNormalization: no int8"),
        (small_conv, "integer", "Conv: no int8 form"),
        (lambda: attention(1, 32), "integer", "Transpose, MatMul.*one MatMul"),
        (lambda: gemm(weights_of(32, 24), alpha=0.5), "integer", "no int8 form with .*alpha"),
    ],
)
def test_what_has_no_int8_says_so(make: Any, form: str, why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        convert(make(), "int8", form=form)


def test_converted_models_have_known_shapes() -> None:
    for dtype in ("fp16", "bf16", "int8"):
        changed = infer(convert(separable(1, 16, 8), dtype))
        assert not open_shapes(graph_of(changed))


def test_a_network_that_the_quantizer_cannot_run_is_skipped() -> None:
    odd = onnx.helper.make_node("Odd", ["x"], ["y"], domain="mine")
    model = model_of([odd], {"x": (4,)}, ["y"], domains=["mine"])
    message = r"no int8 of the whole: onnxruntime's quantizer: .*mine:Odd"
    with pytest.raises(Unavailable, match=message):
        static.quantized(lambda: model, "cpu")


def test_a_shared_bias_is_not_taken_for_the_result_of_a_layer() -> None:
    """The quantizer numbers the copies of a bias: "conv" and 2 was the name of a result."""
    make = onnx.helper.make_node
    results = [f"conv{place}" for place in range(6)]
    ends = pairwise(["x", *results])
    nodes = [make("Conv", [before, "w", "conv"], [after]) for before, after in ends]
    nodes += [make("Neg", [name], [f"minus_{name}"]) for name in results]
    nodes.append(make("Concat", [f"minus_{name}" for name in results], ["y"], axis=1))
    random = np.random.default_rng(0)
    weights = [
        onnx.numpy_helper.from_array(random.random((4, 4, 1, 1), np.float32), "w"),
        onnx.numpy_helper.from_array(random.random(4, np.float32), "conv"),
    ]
    model = model_of(nodes, {"x": (1, 4, 8, 8)}, ["y"], weights)
    quantized = static.quantized(lambda: model, "cpu")
    session = onnxruntime().InferenceSession(
        quantized.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (output,) = session.run(None, {"x": np.ones((1, 4, 8, 8), np.float32)})
    assert output.shape == (1, 4 * len(results), 8, 8)
