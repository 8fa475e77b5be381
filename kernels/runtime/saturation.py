"""INT8 where the runtime saturates: x86 without VNNI adds two products of bytes in 16 bits.

A sum that does not fit is cut off: it saturates. ONNX Runtime has a way out (session entry
``session.x64quantprecision``), but takes it only when asked, since saturating is fast. So a layer
is timed as it is deployed, and its numbers are checked without saturation. Where all signed bytes
are stored in the model, that entry does it: it makes weights unsigned. Else weights and inputs are
halved: of seven bits, two products fit.

No processor is asked for its name. A product whose answer is known shows whether this runtime
saturates on this machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Fault
from kernels.runtime.answers import answers
from kernels.runtime.launch import INTEGER

if TYPE_CHECKING:
    from onnx import ModelProto

FAULT = "saturated"
"""Name of the fact in a row whose own result is wrong for this reason alone."""
LARGEST_UNSIGNED = 255
LARGEST_SIGNED = 127
"""The largest bytes, unsigned and signed."""
TERMS = 64
"""Rows, columns and terms of the product whose answer is known."""
OPSET, IR_VERSION = 13, 7
"""Operator set and file format of that product: old enough for any runtime to read."""
INT8 = 3
"""TensorProto.INT8, a signed byte, known without importing onnx."""


def words(fault: Fault) -> str:
    """The remark of a row with this fault."""
    return (
        f"INT8 saturates on this CPU: the runtime's own result is wrong in {fault}; without "
        "saturation it is right"
    )


@cache
def saturates() -> bool:
    """True if the runtime gets a product of the largest bytes wrong on this CPU."""
    import onnx

    make = onnx.helper
    types = onnx.TensorProto
    weights = onnx.numpy_helper.from_array(np.full((TERMS, TERMS), LARGEST_SIGNED, np.int8), "w")
    inputs = [make.make_tensor_value_info("x", types.UINT8, [TERMS, TERMS])]
    outputs = [make.make_tensor_value_info("y", types.INT32, [TERMS, TERMS])]
    nodes = [make.make_node("MatMulInteger", ["x", "w"], ["y"])]
    graph = make.make_graph(nodes, "largest", inputs, outputs, [weights])
    model = make.make_model(
        graph, opset_imports=[make.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    (product,) = answers(model, {"x": np.full((TERMS, TERMS), LARGEST_UNSIGNED, np.uint8)})
    right = TERMS * LARGEST_UNSIGNED * LARGEST_SIGNED
    return bool((product != right).any())


def multiplies_integers(model: ModelProto) -> bool:
    """True if an operation is itself a product of integers.

    A product of floats between QuantizeLinear and DequantizeLinear is none.
    """
    return any(node.op_type.startswith(INTEGER) for node in model.graph.node)


def holds_bytes(model: ModelProto) -> bool:
    """True if a weight or an input is a signed byte: only sums of their products saturate."""
    return stores_bytes(model) or _is_fed_bytes(model)


def stores_bytes(model: ModelProto) -> bool:
    """True if there are signed bytes and all are stored, as the runtime's way out needs them."""
    has_stored = any(tensor.data_type == INT8 for tensor in model.graph.initializer)
    return has_stored and not _is_fed_bytes(model)


def _is_fed_bytes(model: ModelProto) -> bool:
    """True if an input is of signed bytes."""
    return any(value.type.tensor_type.elem_type == INT8 for value in model.graph.input)


def tame(model: ModelProto, inputs: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    """The model and its inputs with all signed bytes halved, so that no sum saturates.

    Its answer is another, which must be checked against the reference for the same halves.
    """
    import onnx
    from onnx.numpy_helper import from_array, to_array

    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    for tensor in halved.graph.initializer:
        is_weight = len(tensor.dims) > 1  # zero points are scalars or vectors
        if is_weight and tensor.data_type == INT8:
            tensor.CopyFrom(from_array(to_array(tensor) // 2, tensor.name))
    halved_inputs = dict(inputs)
    for name, array in inputs.items():
        if array.dtype == np.int8:
            halved_inputs[name] = array // 2
    return halved, halved_inputs
