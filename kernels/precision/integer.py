"""INT8 without scales: integer weights, and products that stay in the integers.

That is the form that MatMulInteger takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.protos import copy_of

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

LARGEST_INT8 = 127
"""The range is kept symmetric: -128 would have no negative."""
OPSET = 10
"""The first with MatMulInteger."""


def integers(values: np.ndarray, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Floats as int8 around zero, and their scale.

    The scale is one FP32 number, or one for each place along ``axis``.
    """
    if axis is None:
        largest = np.abs(values).max(initial=0)
    else:
        others = tuple(other for other in range(values.ndim) if other != axis % values.ndim)
        largest = np.abs(values).max(axis=others, keepdims=True, initial=0)
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(LARGEST_INT8)
    numbers = np.rint(values / scale).astype(np.int8)
    return numbers, scale.reshape(() if axis is None else -1)


def matmul_integer(model: ModelProto) -> Any:
    """A model of one MatMul or Gemm as MatMulInteger: int8 inputs and weights, int32 out.

    A bias is added in int32. Raises Unavailable for any other model: int32 results cannot feed a
    further int8 layer.
    """
    import onnx

    node, constants = _product(model)
    values = {
        name: onnx.numpy_helper.to_array(constants[name])
        for name in node.input
        if name in constants
    }
    scales: dict[str, float] = {}
    stored = []
    for name in node.input[:2]:
        if name in values:
            weights = values[name].T if _attribute(node, "transB") else values[name]
            numbers, scale = integers(weights)
            scales[name] = float(scale)
            stored.append(onnx.numpy_helper.from_array(np.ascontiguousarray(numbers), name))
    result = node.output[0]
    if len(node.input) < 3 or not node.input[2]:
        product = onnx.helper.make_node("MatMulInteger", node.input[:2], [result])
        return _typed(model, [product], stored)
    bias = node.input[2]
    product = onnx.helper.make_node("MatMulInteger", node.input[:2], [f"{result}_product"])
    total = onnx.helper.make_node("Add", [f"{result}_product", bias], [result])
    # Inputs are ±1 in 127 steps.
    accumulator_unit = scales.get(node.input[1], 1 / LARGEST_INT8) / LARGEST_INT8
    bias_numbers = np.rint(values[bias] / accumulator_unit).astype(np.int32)
    stored.append(onnx.numpy_helper.from_array(bias_numbers, bias))
    return _typed(model, [product, total], stored)


def _product(model: ModelProto) -> tuple[Any, dict[str, Any]]:
    """The only node, a product that MatMulInteger can stand for, and the initializers by name."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    ops = ", ".join(dict.fromkeys(node.op_type for node in model.graph.node))
    if len(model.graph.node) != 1 or ops not in ("MatMul", "Gemm"):
        raise Unavailable(f"{ops}: no int8 form of it: MatMulInteger stands for one MatMul or Gemm")
    node = model.graph.node[0]
    is_scaled = _attribute(node, "alpha", 1.0) != 1 or _attribute(node, "beta", 1.0) != 1
    if _attribute(node, "transA") or is_scaled:
        raise Unavailable(f"{ops} {node.name}: no int8 form with transA, alpha or beta")
    if ops == "Gemm" and any(name not in constants for name in node.input[1:]):
        raise Unavailable(f"{ops} {node.name}: no int8 form of weights or bias that are inputs")
    return node, constants


def _attribute(node: NodeProto, name: str, default: float = 0) -> Any:
    import onnx

    for attribute in node.attribute:
        if attribute.name == name:
            return onnx.helper.get_attribute_value(attribute)
    return default


def _typed(model: ModelProto, nodes: list[Any], stored: list[Any]) -> Any:
    """A copy of the model with these nodes and initializers, int8 inputs and int32 outputs."""
    import onnx

    typed = copy_of(model)
    for field, entries in (("node", nodes), ("initializer", stored), ("value_info", [])):
        typed.graph.ClearField(field)
        getattr(typed.graph, field).extend(entries)
    for entry in typed.opset_import:
        if entry.domain in ("", "ai.onnx"):
            # no node of the older version is left
            entry.version = max(entry.version, OPSET)
    for value in typed.graph.input:
        value.type.tensor_type.elem_type = onnx.TensorProto.INT8
    for value in typed.graph.output:
        value.type.tensor_type.elem_type = onnx.TensorProto.INT32
    return typed
