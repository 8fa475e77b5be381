"""INT8 where the runtime saturates: x86 without VNNI adds two products of bytes in 16 bits.

A sum that does not fit is cut off. ONNX Runtime has a way out (session entry
``session.x64quantprecision``), but saturates unless it is asked not to, since that is
fast. So a layer is timed as it is deployed, and checked with the saturation taken out: by that
entry, which computes with unsigned weights instead, or with weights of seven bits, whose
products fit. No processor is asked for its name: a product whose answer is known shows whether this
runtime saturates on this machine.
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
"""The fact of a row whose own result is wrong for this reason alone."""
LARGEST_UNSIGNED = 255
LARGEST_SIGNED = 127
"""The largest bytes, unsigned and signed."""
TERMS = 64
"""Rows, columns and terms of the product that is asked."""
OPSET, IR_VERSION = 13, 7
INT8 = 3  # TensorProto.INT8


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

    make, kinds = onnx.helper, onnx.TensorProto
    weights = onnx.numpy_helper.from_array(np.full((TERMS, TERMS), LARGEST_SIGNED, np.int8), "w")
    inputs = [make.make_tensor_value_info("x", kinds.UINT8, [TERMS, TERMS])]
    outputs = [make.make_tensor_value_info("y", kinds.INT32, [TERMS, TERMS])]
    graph = make.make_graph(
        [make.make_node("MatMulInteger", ["x", "w"], ["y"])], "largest", inputs, outputs, [weights]
    )
    model = make.make_model(
        graph, opset_imports=[make.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    (product,) = answers(model, {"x": np.full((TERMS, TERMS), LARGEST_UNSIGNED, np.uint8)})
    return bool((product != TERMS * LARGEST_UNSIGNED * LARGEST_SIGNED).any())


def multiplies_integers(model: ModelProto) -> bool:
    """True if an operation is itself a product of integers, not one of floats between Q/DQ."""
    return any(node.op_type.startswith(INTEGER) for node in model.graph.node)


def holds_bytes(model: ModelProto) -> bool:
    """True if a weight or an input is a signed byte: only sums of their products saturate."""
    return stores_bytes(model) or _is_fed_bytes(model)


def stores_bytes(model: ModelProto) -> bool:
    """True if every signed byte is stored, as the runtime's way out of saturation needs it."""
    has_stored = any(tensor.data_type == INT8 for tensor in model.graph.initializer)
    return has_stored and not _is_fed_bytes(model)


def _is_fed_bytes(model: ModelProto) -> bool:
    return any(value.type.tensor_type.elem_type == INT8 for value in model.graph.input)


def tame(model: ModelProto, inputs: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    """The model and inputs with signed weights and inputs halved, so that no sum saturates."""
    import onnx
    from onnx.numpy_helper import from_array, to_array

    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    for tensor in halved.graph.initializer:
        if tensor.data_type == INT8 and len(tensor.dims) > 1:  # others are zero points
            tensor.CopyFrom(from_array(to_array(tensor) // 2, tensor.name))
    halved_inputs = dict(inputs)
    for name, array in inputs.items():
        if array.dtype == np.int8:
            halved_inputs[name] = array // 2
    return halved, halved_inputs
