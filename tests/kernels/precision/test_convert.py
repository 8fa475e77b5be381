"""A model in another type is of that type throughout and computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.base import KernelError, Unavailable  # noqa: E402
from kernels.layers import FAMILIES  # noqa: E402
from kernels.layers.conv import conv  # noqa: E402
from kernels.layers.image import letterbox, normalise, suppress  # noqa: E402
from kernels.layers.matrix import attention, row_op  # noqa: E402
from kernels.layers.precision import product  # noqa: E402
from kernels.onnx.file import LARGEST_VALUE  # noqa: E402
from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.precision.convert import convert  # noqa: E402
from kernels.precision.narrow import narrowed, raised  # noqa: E402
from tests.kernels.onnx_run import feeds, reference, run  # noqa: E402


def small_conv() -> Any:
    """A model of one small convolution."""
    return conv(1, 16, 24, 14, 3)


def dtypes(model: Any) -> set[str]:
    """Types of everything that flows between nodes and is no integer."""
    graph = graph_of(onnx.ModelProto.FromString(model.SerializeToString()))
    names = set()
    for node in graph.nodes:
        names |= {tensor.dtype for tensor in (*node.inputs, *node.outputs) if tensor is not None}
    return {name for name in names if "int" not in name}


@pytest.mark.parametrize("dtype", ["fp32", "tf32"])
def test_fp32_and_tf32_are_the_model_itself(dtype: str) -> None:
    model = small_conv()
    assert convert(model, dtype) is model


@pytest.mark.parametrize(("dtype", "form"), [("fp8", "u8s8"), ("int8", "s4")])
def test_what_is_not_known_is_refused_with_what_is(dtype: str, form: str) -> None:
    with pytest.raises(KernelError, match=r"use .*8"):
        convert(small_conv(), dtype, form=form)


@pytest.mark.parametrize(
    "make",
    [small_conv, lambda: attention(1, 32), lambda: row_op("Gelu", 4, 64), lambda: letterbox(1, 32)],
)
def test_fp16_is_fp16_throughout_and_close(make: Any) -> None:
    model = make()
    before = model.SerializeToString()
    changed = convert(model, "fp16")
    onnx.checker.check_model(changed, full_check=True)
    halves = {name: values.astype(np.float16) for name, values in feeds(model).items()}
    floats = {name: values.astype(np.float32) for name, values in halves.items()}
    answer = run(changed, halves)[0]
    expected = run(model, floats)[0]
    assert answer.dtype == np.float16
    assert dtypes(changed) == {"fp16"}
    assert all(node.op_type != "Cast" for node in changed.graph.node)
    rounding = 4e-3 * np.abs(expected).max()  # about four steps of FP16, which has 11 bits
    np.testing.assert_allclose(answer.astype(np.float32), expected, atol=rounding)
    assert model.SerializeToString() == before


def test_uint8_images_are_cast_to_the_type_asked() -> None:
    changed = convert(normalise(1, 16), "fp16")
    (image,) = changed.graph.input
    assert image.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert run(changed, feeds(changed))[0].dtype == np.float16


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "fc"])
def test_every_layer_has_the_types_its_family_asks_of_a_gpu(family: str) -> None:
    row = FAMILIES[family]
    for layer in row.layers("cpu"):  # the GPU's layers, smaller
        wanted = () if layer.fixed else layer.dtypes or row.dtypes["cuda"]
        for dtype in {"fp16", "bf16"}.intersection(wanted):
            model = layer.make()
            changed = convert(model, dtype)
            onnx.checker.check_model(changed, full_check=True)
            assert dtypes(changed) == {dtype}
            assert len(changed.graph.node) == len(model.graph.node)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_suppression_alone_has_no_narrow_type(dtype: str) -> None:
    with pytest.raises(Unavailable, match=f"NonMaxSuppression.*no {dtype}"):
        convert(suppress(1, 96), dtype)


def test_what_has_no_fp16_inside_a_network_is_cast() -> None:
    net = Net()
    boxes = net.add("Mul", net.input(1, 200, 4), net.constant(2.0))
    scores = net.input(1, 1, 200)
    most = net.constant([5], "int64")
    overlap = net.constant([0.5])
    left = net.add("NonMaxSuppression", boxes, scores, most, overlap)
    changed = convert(net.model(left, boxes), "fp16")
    onnx.checker.check_model(changed, full_check=True)
    ops = [node.op_type for node in changed.graph.node]
    assert ops == ["Mul", "Cast", "Cast", "NonMaxSuppression"]
    results = run(changed, feeds(changed))
    assert [result.dtype for result in results] == [np.int64, np.float16]


def test_fp16_keeps_infinities_and_clips_what_it_cannot_hold() -> None:
    values = np.array([-np.inf, -3.4e38, 1.5, 7e4, np.inf], np.float32)
    halves = np.frombuffer(narrowed(values, "fp16"), "<f2")
    assert halves.tolist() == [-np.inf, -65504, 1.5, 65504, np.inf]


def test_bf16_weights_are_the_nearest_bf16() -> None:
    values = np.random.default_rng(3).normal(size=2000).astype(np.float32)
    # two ties, of which one goes down to the even neighbour and the other one up
    values[:4] = 1 + 2.0**-8, 1 + 3 * 2.0**-8, np.inf, -0.0
    rounded = as_bf16(values).astype(np.float64)
    mantissa, exponent = np.frexp(values[4:].astype(np.float64))
    nearest = np.ldexp(np.rint(mantissa * 256), exponent - 8)  # 8 bits of mantissa
    np.testing.assert_array_equal(rounded[4:], nearest)
    assert rounded[:4].tolist() == [1, 1 + 2.0**-6, np.inf, 0]
    assert np.signbit(rounded[3])
    assert np.isnan(as_bf16(np.full(1, np.nan, np.float32))).all()


def as_bf16(values: np.ndarray) -> np.ndarray:
    """The values as BF16 has them, in FP32."""
    bits = np.frombuffer(narrowed(values, "bf16"), "<u2").astype("<u4")
    return (bits << 16).view("<f4")


def test_a_bf16_product_is_close() -> None:
    model = row_op("Gelu", 4, 64)
    changed = convert(model, "bf16")
    bfloat16 = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16)
    arrays = feeds(model)
    answer = reference(changed, {"x": arrays["x"].astype(bfloat16)})[0].astype(np.float32)
    # inputs are at most 1, and BF16 has 8 bits: some steps of 2**-8
    np.testing.assert_allclose(answer, run(model, arrays)[0], atol=0.02)


def test_a_newer_opset_keeps_every_weight() -> None:
    net = Net(opset=11)
    model = net.model(net.conv(net.input(1, 16, 8, 8), 16, 24, 3))
    assert max(np.prod(tensor.dims) for tensor in model.graph.initializer) > LARGEST_VALUE
    before = model.SerializeToString()
    newer = raised(model, 21, 10, "int8")
    assert newer.opset_import[0].version == 21
    arrays = feeds(model)
    np.testing.assert_array_equal(run(newer, arrays)[0], run(model, arrays)[0])
    assert model.SerializeToString() == before, "the model itself stays as it is"


def test_bf16_stays_at_the_opset_where_it_can() -> None:
    written = product(4)
    same = convert(written, "bf16")
    assert same.opset_import[0].version == written.opset_import[0].version
    newer = convert(small_conv(), "bf16")
    assert newer.opset_import[0].version >= 22  # the first one whose Conv takes BF16
