"""Fold the shape arithmetic of an ONNX model.

Nodes that read small constants and known shapes become constants.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kernels.onnx.branches import inline
from kernels.onnx.file import LARGEST_VALUE
from kernels.onnx.protos import copy_of, dimensions, elements, keep_only

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

LITERALS = ("value", "value_int", "value_ints", "value_float", "value_floats")
"""Attributes of Constant that hold numbers."""
ARITHMETIC_NAMES = """
Abs Add And Cast CastLike Ceil Clip Concat ConstantOfShape Div Equal Expand Floor Gather
GatherElements Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg Not Or Pow Range
ReduceMax ReduceMin ReduceProd ReduceSum Reshape Round ScatterND Sign Slice Sqrt Squeeze Sub Sum
Tile Transpose Unsqueeze Where Xor
"""
ARITHMETIC = frozenset(ARITHMETIC_NAMES.split())
"""Operations of which shapes are computed."""


def constants(model: ModelProto) -> dict[str, np.ndarray]:
    """Values of the small initializers, by name."""
    import onnx

    values = {}
    for tensor in model.graph.initializer:
        is_external = tensor.data_location == onnx.TensorProto.EXTERNAL
        if not is_external and elements(tensor.dims) <= LARGEST_VALUE:
            with suppress(ValueError, TypeError):  # a type that NumPy does not have
                values[tensor.name] = onnx.numpy_helper.to_array(tensor)
    return values


def fold(model: ModelProto) -> int:
    """Replace nodes of small known result by initializers, in place, and an If by its branch.

    Returns how many nodes were replaced.
    """
    import onnx

    values = constants(model)
    outputs = {value.name for value in model.graph.output}
    replaced = inline(model, values)
    declared = {value.name: value for value in [*model.graph.value_info, *model.graph.input]}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    remaining = []
    folded = 0
    for node in model.graph.node:
        tensor = None
        if outputs.isdisjoint(node.output):
            tensor = _folded(node, values, stored, declared, model.opset_import)
        if tensor is None:
            remaining.append(node)
            continue
        tensor.name = node.output[0]
        model.graph.initializer.append(tensor)
        folded += 1
        if elements(tensor.dims) <= LARGEST_VALUE:
            values[tensor.name] = onnx.numpy_helper.to_array(tensor)
    if folded:
        keep_only(model.graph, "node", remaining)
        # Inference would go by what was declared of them before.
        names = {tensor.name for tensor in model.graph.initializer}
        others = [value for value in model.graph.value_info if value.name not in names]
        keep_only(model.graph, "value_info", others)
    return folded + replaced


def _folded(
    node: NodeProto,
    values: Mapping[str, np.ndarray],
    stored: Mapping[str, TensorProto],
    declared: Mapping[str, ValueInfoProto],
    opsets: Any,
) -> Any:
    """The result of a node as a TensorProto; None where it is not known or is a large weight."""
    import onnx

    if node.op_type == "Constant" and node.attribute and node.attribute[0].name in LITERALS:
        return _literal(node)
    if node.op_type in ("Shape", "Size"):
        result = _shape_of(node, stored, declared)
    else:
        result = _evaluated(node, values, opsets)
    return None if result is None else onnx.numpy_helper.from_array(result)


def _literal(node: NodeProto) -> Any:
    """The TensorProto that a Constant holds."""
    import onnx

    attribute = node.attribute[0]
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        return copy_of(value)
    dtype = np.float32 if "float" in attribute.name else np.int64
    return onnx.numpy_helper.from_array(np.array(value, dtype=dtype))


def _shape_of(
    node: NodeProto,
    stored: Mapping[str, TensorProto],
    declared: Mapping[str, ValueInfoProto],
) -> np.ndarray | None:
    """The result of a Shape or Size; None where a dimension of its input is open."""
    name = node.input[0]
    dims: Sequence[int | str]
    if name in stored:
        dims = list(stored[name].dims)
    elif name in declared and declared[name].type.tensor_type.HasField("shape"):
        dims = dimensions(declared[name])
    else:
        return None
    if any(isinstance(dim, str) for dim in dims):
        return None
    numbers = np.array(dims, dtype=np.int64)
    if node.op_type == "Size":
        return np.array(numbers.prod(), dtype=np.int64)
    ends: dict[str, int] = {attribute.name: attribute.i for attribute in node.attribute}
    return numbers[ends.get("start", 0) : ends.get("end", len(dims))]


def _evaluated(node: NodeProto, values: Mapping[str, np.ndarray], opsets: Any) -> np.ndarray | None:
    """The result of shape arithmetic on small constants; None for any other node."""
    import onnx.reference

    if node.domain not in ("", "ai.onnx") or node.op_type not in ARITHMETIC:
        return None
    names = [name for name in node.input if name]
    if not set(names) <= values.keys():
        return None
    if _most_elements(node, [values[name] for name in names]) > LARGEST_VALUE:
        return None
    if node.op_type == "ConstantOfShape" and not _is_integer(node):
        return None  # a weight, not a shape
    make = onnx.helper
    graph = make.make_graph(
        [node],
        "fold",
        [make.make_empty_tensor_value_info(name) for name in dict.fromkeys(names)],
        [make.make_empty_tensor_value_info(node.output[0])],
    )
    # A division of integers by zero has no value; that of floats is infinite.
    is_integer = any(values[name].dtype.kind in "iu" for name in names)
    by_zero: Literal["raise", "ignore"] = "raise" if is_integer else "ignore"
    try:
        model = make.make_model(graph, opset_imports=list(opsets))
        with np.errstate(all="ignore", divide=by_zero), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = onnx.reference.ReferenceEvaluator(model)
            results: Any = evaluator.run(None, {name: values[name] for name in names})
        result = np.asarray(results[0])
    except Exception:  # a shape that does not fit, or an operation that the reference lacks
        return None
    return result if result.size <= LARGEST_VALUE else None


def _most_elements(node: NodeProto, values: Sequence[np.ndarray]) -> float:
    """Elements of the result of an operation, or more, before it is evaluated.

    A few bytes of a file may ask for all of memory.
    """
    numbers = [[float(number) for number in value.ravel()] for value in values]
    if node.op_type == "ConstantOfShape":
        return math.prod(numbers[0])
    if node.op_type == "Range" and len(numbers) == 3:
        start, limit, delta = (row[0] if row else 0.0 for row in numbers)
        return abs(limit - start) / abs(delta) + 1 if delta else math.inf
    if node.op_type == "Tile" and len(numbers) == 2:
        return float(values[0].size) * math.prod(numbers[1])
    if node.op_type == "Expand" and len(numbers) == 2:
        most_repeats = math.prod(max(1.0, dim) for dim in numbers[1])
        return float(max(1, values[0].size)) * most_repeats
    if node.op_type in ("Gather", "Concat"):
        return 0.0  # of no more than its inputs, each of which is small, times as many rows
    shapes = [value.shape for value in values]
    try:
        return float(elements(np.broadcast_shapes(*shapes)))
    except ValueError:  # of shapes that say how to move, not what to combine
        return float(max((elements(shape) for shape in shapes), default=1))


def _is_integer(node: NodeProto) -> bool:
    """True if a ConstantOfShape makes integers or truth values, which may be shapes."""
    import onnx

    integers = {onnx.TensorProto.INT64, onnx.TensorProto.INT32, onnx.TensorProto.BOOL}
    return any(attribute.t.data_type in integers for attribute in node.attribute)
