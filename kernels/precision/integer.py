"""INT8 without scales: integer weights, and products that stay in the integers, as MatMulInteger
has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

LARGEST = 127
"""Of int8, kept symmetric: -128 would have no negative."""


def integers(values: np.ndarray, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Floats as int8 around zero, and their scale: one FP32 number, or one for each place along
    ``axis``.
    """
    others = (
        None if axis is None else tuple(i for i in range(values.ndim) if i != axis % values.ndim)
    )
    largest = np.abs(values).max(axis=others, keepdims=axis is not None, initial=0)
    scale = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(LARGEST)
    return np.rint(values / scale).astype(np.int8), scale.reshape(-1 if axis is not None else ())


def matmul_integer(model: ModelProto) -> Any:
    """A model of one MatMul or Gemm as MatMulInteger: int8 inputs and weights, int32 out; a bias is
    added in int32.

    Unavailable for any other model: int32 results cannot feed a further int8 layer.
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
            turned = values[name].T if _attribute(node, "transB") else values[name]
            numbers, scale = integers(turned)
            scales[name] = float(scale)
            stored.append(onnx.numpy_helper.from_array(np.ascontiguousarray(numbers), name))
    result, bias = node.output[0], node.input[2] if len(node.input) > 2 else ""
    nodes = [
        onnx.helper.make_node(
            "MatMulInteger", node.input[:2], [f"{result}_product" if bias else result]
        )
    ]
    if bias:
        unit = (
            scales.get(node.input[1], 1 / LARGEST) / LARGEST
        )  # of the accumulator: inputs are ±1 in 127 steps
        stored.append(
            onnx.numpy_helper.from_array(np.rint(values[bias] / unit).astype(np.int32), bias)
        )
        nodes.append(onnx.helper.make_node("Add", [f"{result}_product", bias], [result]))
    return _typed(model, nodes, stored)


def _product(model: ModelProto) -> tuple[Any, dict[str, Any]]:
    """The only node, and the initializers by name."""
    nodes, constants = (
        list(model.graph.node),
        {tensor.name: tensor for tensor in model.graph.initializer},
    )
    ops = ", ".join(dict.fromkeys(node.op_type for node in nodes))
    if len(nodes) != 1 or ops not in ("MatMul", "Gemm"):
        raise Unavailable(f"{ops}: no int8 form of it: MatMulInteger stands for one MatMul or Gemm")
    if _attribute(nodes[0], "transA") or any(
        _attribute(nodes[0], name, 1.0) != 1 for name in ("alpha", "beta")
    ):
        raise Unavailable(f"{ops} {nodes[0].name}: no int8 form with transA, alpha or beta")
    if ops == "Gemm" and any(name not in constants for name in nodes[0].input[1:]):
        raise Unavailable(f"{ops} {nodes[0].name}: no int8 form of weights or bias that are inputs")
    return nodes[0], constants


def _attribute(node: NodeProto, name: str, otherwise: float = 0) -> Any:
    import onnx

    return next(
        (onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), otherwise
    )


def _typed(model: ModelProto, nodes: list[Any], stored: list[Any]) -> Any:
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    for field, values in (("node", nodes), ("initializer", stored), ("value_info", [])):
        made.graph.ClearField(field)
        getattr(made.graph, field).extend(values)
    for value in made.graph.input:
        value.type.tensor_type.elem_type = onnx.TensorProto.INT8
    for value in made.graph.output:
        value.type.tensor_type.elem_type = onnx.TensorProto.INT32
    return made
