"""Fold the shape arithmetic of an ONNX model: nodes over small constants and known shapes become
constants.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kernels.onnx.branches import inline

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

LITERALS = ("value", "value_int", "value_ints", "value_float", "value_floats")
# elements: shapes, axes, scales. Larger constants are weights and only their shape matters
SMALL = 1024
ARITHMETIC = (
    "Abs Add And Cast CastLike Ceil Clip Concat ConstantOfShape Div Equal Expand Floor "
    "Gather GatherElements Greater "
    "GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Pow Range "
    "ReduceMax ReduceMin ReduceProd "
    "ReduceSum Reshape Round ScatterND Sign Slice Sqrt Squeeze Sub Sum Tile Transpose "
    "Unsqueeze Where Xor"
)


def elements(shape: Sequence[int]) -> int:
    """How many elements a tensor of this shape has: 1 for a scalar."""
    return prod(map(int, shape))  # of Python's numbers, which do not overflow


def dimensions(value: ValueInfoProto) -> list[int | str]:
    """Of a ValueInfoProto: numbers, symbols, "" for neither. Old exporters write 0 or -1 for an
    open one.
    """
    shape = value.type.tensor_type.shape.dim
    return [
        d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else d.dim_param for d in shape
    ]


def constants(model: ModelProto) -> dict[str, np.ndarray]:
    """Values of the small initializers."""
    import onnx

    found = {}
    for tensor in model.graph.initializer:
        if elements(tensor.dims) <= SMALL and tensor.data_location != onnx.TensorProto.EXTERNAL:
            with suppress(ValueError, TypeError):  # a type that NumPy does not have
                found[tensor.name] = onnx.numpy_helper.to_array(tensor)
    return found


def fold(model: ModelProto) -> int:
    """Turn nodes of known small result into initializers, and an If of known condition into its
    branch; how many.
    """
    import onnx

    known, outputs = constants(model), {value.name for value in model.graph.output}
    taken = inline(model, known)
    shaped: dict[str, Any] = {v.name: v for v in [*model.graph.value_info, *model.graph.input]}
    shaped |= {tensor.name: tensor for tensor in model.graph.initializer}
    kept, folded = [], 0
    for node in model.graph.node:
        tensor = (
            None
            if outputs & set(node.output)
            else _constant(node, known, shaped, model.opset_import)
        )
        if tensor is None:
            kept.append(node)
            continue
        tensor.name, folded = node.output[0], folded + 1
        model.graph.initializer.append(tensor)
        if elements(tensor.dims) <= SMALL:
            known[tensor.name] = onnx.numpy_helper.to_array(tensor)
    if folded:
        keep(model.graph, "node", kept)
        stored = {
            tensor.name for tensor in model.graph.initializer
        }  # inference goes by what was said of them before
        keep(
            model.graph,
            "value_info",
            [value for value in model.graph.value_info if value.name not in stored],
        )
    return folded + taken


def keep(message: ModelProto | GraphProto, field: str, kept: Sequence[Any]) -> None:
    """Only these of a repeated field, which owns them: so copies of them."""
    copies = [type(each).FromString(each.SerializeToString()) for each in kept]
    message.ClearField(field)  # type: ignore[arg-type]
    getattr(message, field).extend(copies)


def _constant(
    node: NodeProto, known: Mapping[str, np.ndarray], shaped: Mapping[str, Any], opsets: Any
) -> Any:
    """The value of a node as a TensorProto, or None where it is not known or is a large weight."""
    import onnx

    if node.op_type == "Constant" and node.attribute and node.attribute[0].name in LITERALS:
        value = onnx.helper.get_attribute_value(node.attribute[0])
        if isinstance(value, onnx.TensorProto):
            return onnx.TensorProto.FromString(value.SerializeToString())
        kind = np.float32 if "float" in node.attribute[0].name else np.int64
        return onnx.numpy_helper.from_array(np.array(value, dtype=kind))
    result = (
        _shape(node, shaped)
        if node.op_type in ("Shape", "Size")
        else _evaluate(node, known, opsets)
    )
    return None if result is None else onnx.numpy_helper.from_array(result)


def _shape(node: NodeProto, shaped: Mapping[str, Any]) -> np.ndarray | None:
    found = shaped.get(node.input[0])
    if found is None or (
        not hasattr(found, "dims") and not found.type.tensor_type.HasField("shape")
    ):
        return None
    dims = list(found.dims) if hasattr(found, "dims") else dimensions(found)
    if any(isinstance(dim, str) for dim in dims):
        return None
    ends: dict[str, int] = {attribute.name: attribute.i for attribute in node.attribute}
    numbers = np.array(dims, dtype=np.int64)
    if node.op_type == "Size":
        return np.array(numbers.prod(), dtype=np.int64)
    return numbers[ends.get("start", 0) : ends.get("end", len(dims))]


def _evaluate(node: NodeProto, known: Mapping[str, np.ndarray], opsets: Any) -> np.ndarray | None:
    """The result of a shape-arithmetic node over small constants; None for any other."""
    import onnx.reference

    inputs = [name for name in node.input if name]
    if (
        node.domain not in ("", "ai.onnx")
        or node.op_type not in ARITHMETIC.split()
        or not set(inputs) <= known.keys()
    ):
        return None
    if _size(node, [known[name] for name in inputs]) > SMALL or (
        node.op_type == "ConstantOfShape" and _is_float(node)
    ):
        return None
    make = onnx.helper
    graph = make.make_graph(
        [node],
        "fold",
        [make.make_empty_tensor_value_info(n) for n in dict.fromkeys(inputs)],
        [make.make_empty_tensor_value_info(node.output[0])],
    )
    whole = any(known[name].dtype.kind in "iu" for name in inputs)
    by_zero: Literal["raise", "ignore"] = (
        "raise" if whole else "ignore"
    )  # of whole numbers that is no value at all
    try:
        model = make.make_model(graph, opset_imports=list(opsets))
        with np.errstate(all="ignore", divide=by_zero), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results: Any = onnx.reference.ReferenceEvaluator(model).run(
                None, {n: known[n] for n in inputs}
            )
        result = np.asarray(results[0])
    except (
        Exception
    ):  # a shape that does not fit or an operation the reference lacks: then it stays a node
        return None
    return result if result.size <= SMALL else None


def _size(node: NodeProto, values: Sequence[np.ndarray]) -> float:
    """Elements of the result of an operation, or more, before it is evaluated: a few bytes of a
    file may ask for all of memory."""
    ends = [[float(end) for end in value.ravel()] for value in values]
    shapes = [value.shape for value in values]
    if node.op_type == "ConstantOfShape":
        return math.prod(ends[0])
    if node.op_type == "Range" and len(ends) == 3:
        start, limit, delta = (row[0] if row else 0.0 for row in ends)
        return abs(limit - start) / abs(delta) + 1 if delta else math.inf
    if node.op_type == "Tile" and len(ends) == 2:
        return float(values[0].size) * math.prod(ends[1])
    if node.op_type == "Expand" and len(ends) == 2:
        return float(max(1, values[0].size)) * math.prod(max(1.0, end) for end in ends[1])
    if node.op_type in ("Gather", "Concat"):
        return 0.0  # of no more than its inputs, each of which is small, times as many rows
    try:
        return float(elements(np.broadcast_shapes(*shapes)))
    except ValueError:  # of shapes that say how to move, not what to combine
        return float(max((elements(shape) for shape in shapes), default=1))


def _is_float(node: NodeProto) -> bool:
    """Whether a ConstantOfShape makes floats: those are weights, not shapes."""
    import onnx

    kinds: list[int] = [attribute.t.data_type for attribute in node.attribute]
    return not {onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL} & set(kinds)
