"""Shapes of operations that ONNX's inference does not know: ONNX Runtime's own, and some of ONNX.

Most have the shape that a standard operation gives some of their inputs: that one is asked instead,
see STAND_INS. The others have a row of FIRST_SHAPED: the shape of their first input but for the
last dimension. A new operation is one row of either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kernels.onnx.protos import computed_values, dimensions, has_rank, set_dims

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto


class Typed(NamedTuple):
    """What is known of a tensor."""

    kind: int
    """Element type, as TensorProto numbers it."""
    shape: Sequence[int]


@dataclass(frozen=True)
class StandIn:
    """The standard operation that gives an output of the same shape."""

    op: str
    places: slice
    """The inputs that it takes."""
    type_of: int = 0
    """The place of the input whose type the result has."""


FIRST = slice(0, 1)
FIRST_TWO = slice(0, 2)
QUANTIZED_PAIR = slice(0, 4, 3)
"""Two values, each followed by its scale and zero point."""
AS_FIRST = StandIn("Identity", FIRST)
QUANTIZED_SUM = StandIn("Add", QUANTIZED_PAIR)
FUNCTIONS = ("GroupNormalization", "MeanVarianceNormalization")
"""Functions of the standard whose bodies depend on their inputs: ONNX infers nothing through them
(1.23)."""
STAND_INS: Mapping[str, StandIn] = {
    "GroupNormalization": AS_FIRST,
    "MeanVarianceNormalization": AS_FIRST,
    "QLinearSigmoid": AS_FIRST,
    "QLinearLeakyRelu": AS_FIRST,
    "QLinearSoftmax": AS_FIRST,
    "FastGelu": AS_FIRST,
    "Gelu": AS_FIRST,
    "QuickGelu": AS_FIRST,
    "MultiHeadAttention": AS_FIRST,
    "RotaryEmbedding": AS_FIRST,
    "SimplifiedLayerNormalization": AS_FIRST,
    "SkipLayerNormalization": AS_FIRST,
    "SkipSimplifiedLayerNormalization": AS_FIRST,
    "BiasGelu": StandIn("Add", FIRST_TWO),
    "QLinearAdd": QUANTIZED_SUM,
    "QLinearMul": QUANTIZED_SUM,
    "QLinearGlobalAveragePool": StandIn("GlobalAveragePool", FIRST),
    "QLinearAveragePool": StandIn("AveragePool", FIRST),
    "QLinearConcat": StandIn("Concat", slice(2, None, 3), type_of=2),
    "QGemm": StandIn("Gemm", QUANTIZED_PAIR),
    "FusedConv": StandIn("Conv", FIRST_TWO),
    "FusedGemm": StandIn("Gemm", FIRST_TWO),
    "FusedMatMul": StandIn("MatMul", FIRST_TWO),
    "DynamicQuantizeMatMul": StandIn("MatMul", FIRST_TWO),
    "MatMulIntegerToFloat": StandIn("MatMul", FIRST_TWO, type_of=2),
}


def _columns(attributes: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> int:
    """Of a product with packed weights: their columns."""
    return int(attributes["N"])


def _values(attributes: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> int:
    """Of ONNX Runtime's Attention, whose weights make queries, keys and values: the values."""
    _, weights = shapes
    sizes = attributes.get("qkv_hidden_sizes") or [weights[-1] // 3]
    return int(sizes[-1])


def _queries(attributes: Mapping[str, Any], shapes: Sequence[Sequence[int]]) -> int:
    """Of GroupQueryAttention: the queries, without keys and values that stand beside them."""
    width = shapes[0][-1]
    keys_are_apart = len(shapes) > 1
    if keys_are_apart:
        return width
    heads = int(attributes["num_heads"])
    all_heads = heads + 2 * int(attributes["kv_num_heads"])
    return width // all_heads * heads


FIRST_SHAPED: Mapping[str, Callable[[Mapping[str, Any], Sequence[Sequence[int]]], int]] = {
    "MatMulNBits": _columns,
    "Attention": _values,
    "GroupQueryAttention": _queries,
}
"""The last dimension, from the attributes and the shapes of the first two inputs, absent ones left
out."""
SAME_OUTPUTS = {"SkipLayerNormalization": 3, "SkipSimplifiedLayerNormalization": 3}
"""The place of a further output of the shape of the first: the sum before it was normalised."""


def extend(model: ModelProto) -> int:
    """Write the shapes of outputs that have become known into ``model``; returns how many."""
    values = {value.name: value for value in [*model.graph.input, *computed_values(model)]}
    typed = _typed_tensors(model, values)
    count = 0
    for node in model.graph.node:
        if node.domain != "com.microsoft" and node.op_type not in FUNCTIONS:
            continue
        open_outputs = [name for name in _same_outputs(node) if name not in typed]
        if not open_outputs:
            continue
        result = _result(node, typed)
        if result is None:
            continue
        for name in open_outputs:
            value = values.get(name) or model.graph.value_info.add(name=name)
            value.type.tensor_type.elem_type = result.kind
            set_dims(value, result.shape)
        count += len(open_outputs)
    return count


def _typed_tensors(model: ModelProto, values: Mapping[str, ValueInfoProto]) -> dict[str, Typed]:
    """Every tensor whose shape is all numbers: initializers, and those of ``values``."""
    typed = {
        tensor.name: Typed(tensor.data_type, tuple(tensor.dims))
        for tensor in model.graph.initializer
    }
    for name, value in values.items():
        dims = dimensions(value)
        numbers = tuple(dim for dim in dims if isinstance(dim, int))
        if has_rank(value) and len(numbers) == len(dims):
            typed[name] = Typed(value.type.tensor_type.elem_type, numbers)
    return typed


def _same_outputs(node: NodeProto) -> list[str]:
    """The names of the first output and of one of its shape."""
    names = list(node.output[:1])
    further = SAME_OUTPUTS.get(node.op_type)
    if further is not None:
        names += node.output[further : further + 1]
    return [name for name in names if name]


def _result(node: NodeProto, typed: Mapping[str, Typed]) -> Typed | None:
    """Type and shape of the first output; None where they are open."""
    import onnx

    stand_in = STAND_INS.get(node.op_type)
    if stand_in is not None:
        shape = _shape_by(stand_in, node, typed)
        return None if shape is None else Typed(typed[node.input[stand_in.type_of]].kind, shape)
    last = FIRST_SHAPED.get(node.op_type)
    names = [name for name in node.input[:2] if name]
    if last is None or not names or not set(names) <= typed.keys():
        return None
    attributes = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    first = typed[names[0]]
    try:
        size = last(attributes, [typed[name].shape for name in names])
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        return None  # not as the operation is defined
    return Typed(first.kind, [*first.shape[:-1], size])


def _shape_by(stand_in: StandIn, node: NodeProto, typed: Mapping[str, Typed]) -> list[int] | None:
    """The shape that the standard operation gives these inputs; None where one of them is open."""
    import onnx

    make = onnx.helper
    names = list(node.input[stand_in.places])
    type_source = node.input[stand_in.type_of] if stand_in.type_of < len(node.input) else ""
    if not names or not {*names, type_source} <= typed.keys():
        return None
    inputs = []
    shapes = {name: _turned(node, place, typed[name].shape) for place, name in enumerate(names)}
    for name, shape in shapes.items():
        inputs.append(make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    allowed = onnx.defs.get_schema(stand_in.op).attributes
    proxy = make.make_node(stand_in.op, names, ["out"])
    proxy.attribute.extend(attribute for attribute in node.attribute if attribute.name in allowed)
    graph = make.make_graph([proxy], "ask", inputs, [onnx.ValueInfoProto(name="out")])
    inferred = onnx.shape_inference.infer_shapes(make.make_model(graph))
    dims = dimensions(inferred.graph.output[0])
    numbers = [dim for dim in dims if isinstance(dim, int)]
    return numbers if dims and len(numbers) == len(dims) else None


def _turned(node: NodeProto, place: int, shape: Sequence[int]) -> Sequence[int]:
    """The shape as MatMul reads it: FusedMatMul may exchange the last two dimensions."""
    if node.op_type != "FusedMatMul" or len(shape) < 2:
        return shape
    name = "transA" if place == 0 else "transB"
    is_turned = any(attribute.name == name and attribute.i for attribute in node.attribute)
    return (*shape[:-2], shape[-1], shape[-2]) if is_turned else shape
