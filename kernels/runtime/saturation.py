"""INT8 where the runtime saturates: x86 without VNNI adds two products of bytes in 16 bits, and
cuts off the rest.

ONNX Runtime knows it (session entry ``session.x64quantprecision``) and does it all the same, since
it is fast. So a layer is timed as it is deployed, and checked with the saturation taken out: by
that entry, which computes with unsigned weights instead, or with weights of seven bits, whose
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
LARGEST_UNSIGNED, LARGEST_SIGNED, TERMS = 255, 127, 64
OPSET, IR_VERSION = 13, 7
INT8 = 3  # TensorProto.INT8


def words(fault: Fault) -> str:
    """What a row says of this fault."""
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
    """True if an operation of the model is a product of integers already, not one between Q/DQ
    nodes.
    """
    return any(node.op_type.startswith(INTEGER) for node in model.graph.node)


def holds_bytes(model: ModelProto) -> bool:
    """True if a weight or an input of the model is a signed byte: only sums of their products
    saturate.
    """
    return stores_bytes(model) or any(
        value.type.tensor_type.elem_type == INT8 for value in model.graph.input
    )


def stores_bytes(model: ModelProto) -> bool:
    """True if every signed byte is stored, as the runtime's way out of saturation needs it."""
    fed = any(value.type.tensor_type.elem_type == INT8 for value in model.graph.input)
    return not fed and any(tensor.data_type == INT8 for tensor in model.graph.initializer)


def tame(model: ModelProto, given: Mapping[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    """The same model and inputs with every signed weight and input halved: then no sum of two
    products saturates.
    """
    import onnx

    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    for tensor in halved.graph.initializer:
        if tensor.data_type == INT8 and len(tensor.dims) > 1:  # others are zero points
            tensor.CopyFrom(
                onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor) // 2, tensor.name)
            )
    fed = {name: array // 2 if array.dtype == np.int8 else array for name, array in given.items()}
    return halved, fed
