"""Shapes of operations that ONNX's shape inference does not know: ONNX Runtime's own, and some of
ONNX itself.

Most have the shape that a standard operation gives some of its inputs; that one is asked instead.
The others have a row of FIRST_SHAPED: the shape of their first input but for the last dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kernels.onnx.fold import dimensions

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto

Known = tuple[int, tuple[int, ...]]
"""Element type (TensorProto) and shape."""


class StandIn(NamedTuple):
    """The standard operation, which inputs it takes, and which input has the type of the result."""

    op: str
    places: slice
    type_of: int = 0


FIRST, TWO, PAIR = (
    slice(0, 1),
    slice(0, 2),
    slice(0, 4, 3),
)  # a pair: value, scale, zero point, value
OF_ONNX = ("GroupNormalization", "MeanVarianceNormalization")
"""Functions of the standard whose bodies depend on their inputs: ONNX infers nothing through them
(1.23).
"""
STAND_INS: Mapping[str, StandIn] = {
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), StandIn("Add", PAIR)),
    **dict.fromkeys(
        ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"), StandIn("Identity", FIRST)
    ),
    **dict.fromkeys(
        ("FastGelu", "Gelu", "QuickGelu", "MultiHeadAttention"), StandIn("Identity", FIRST)
    ),
    **dict.fromkeys(
        ("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), StandIn("Identity", FIRST)
    ),
    **dict.fromkeys(
        ("SimplifiedLayerNormalization", "RotaryEmbedding"), StandIn("Identity", FIRST)
    ),
    **dict.fromkeys(OF_ONNX, StandIn("Identity", FIRST)),
    "BiasGelu": StandIn("Add", TWO),
    "QLinearGlobalAveragePool": StandIn("GlobalAveragePool", FIRST),
    "QLinearAveragePool": StandIn("AveragePool", FIRST),
    "QLinearConcat": StandIn("Concat", slice(2, None, 3), 2),
    "QGemm": StandIn("Gemm", PAIR),
    "FusedConv": StandIn("Conv", TWO),
    "FusedGemm": StandIn("Gemm", TWO),
    "FusedMatMul": StandIn("MatMul", TWO),
    "DynamicQuantizeMatMul": StandIn("MatMul", TWO),
    "MatMulIntegerToFloat": StandIn("MatMul", TWO, 2),
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
"""A further output of the shape of the first: the sum before it was normalised."""


def extend(model: ModelProto) -> int:
    """Write into ``model`` the shapes of outputs that have become known; how many."""
    values = {
        value.name: value
        for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]
    }
    known, made = _known(model, values), 0
    for node in model.graph.node:
        ours = node.domain == "com.microsoft" or node.op_type in OF_ONNX
        open_ones = [name for name in _alike(node) if name not in known] if ours else []
        found = _result(node, known) if open_ones else None
        if found is None:
            continue
        for name in open_ones:
            value = values.get(name) or model.graph.value_info.add(name=name)
            value.type.tensor_type.elem_type = found[0]
            set_dims(value, found[1])
        made += len(open_ones)
    return made


def _alike(node: NodeProto) -> list[str]:
    """The first output, and one of its shape."""
    further = SAME_OUTPUTS.get(node.op_type, len(node.output))
    return [name for name in (*node.output[:1], *node.output[further : further + 1]) if name]


def _result(node: NodeProto, known: Mapping[str, Known]) -> tuple[int, Sequence[int]] | None:
    """Type and shape of the first output, None where they are open."""
    import onnx

    if (stand_in := STAND_INS.get(node.op_type)) is not None:
        asked = _ask(stand_in, node, known)
        return None if asked is None else (known[node.input[stand_in.type_of]][0], asked)
    last = FIRST_SHAPED.get(node.op_type)
    names = [name for name in node.input[:2] if name]
    if last is None or not names or not set(names) <= known.keys():
        return None
    attributes = {
        attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
    }
    kind, first = known[names[0]]
    return kind, [*first[:-1], last(attributes, [known[name][1] for name in names])]


def set_dims(value: ValueInfoProto, dims: Sequence[int]) -> None:
    """Give a ValueInfoProto this shape; a scalar has a shape of no dimensions."""
    shape = value.type.tensor_type.shape
    shape.SetInParent()
    shape.ClearField("dim")
    for dim in dims:
        shape.dim.add(dim_value=dim)


def _known(model: ModelProto, values: Mapping[str, Any]) -> dict[str, Known]:
    """Every tensor whose shape is all numbers."""
    known = {
        tensor.name: (tensor.data_type, tuple(tensor.dims)) for tensor in model.graph.initializer
    }
    for name, value in values.items():
        numbers = tuple(dim for dim in dimensions(value) if isinstance(dim, int))
        if value.type.tensor_type.HasField("shape") and len(numbers) == len(
            value.type.tensor_type.shape.dim
        ):
            known[name] = (value.type.tensor_type.elem_type, numbers)
    return known


def _ask(stand_in: StandIn, node: NodeProto, known: Mapping[str, Known]) -> list[int] | None:
    """The shape that the standard operation gives these inputs, None where one of them is open."""
    import onnx

    names, make = list(node.input[stand_in.places]), onnx.helper
    typed = node.input[stand_in.type_of] if stand_in.type_of < len(node.input) else ""
    if not names or not {*names, typed} <= known.keys():
        return None
    shapes = {name: _turned(node, place, known[name][1]) for place, name in enumerate(names)}
    allowed = onnx.defs.get_schema(stand_in.op).attributes
    proxy = make.make_node(stand_in.op, names, ["out"])
    proxy.attribute.extend(attribute for attribute in node.attribute if attribute.name in allowed)
    inputs = [
        make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    ]
    graph = make.make_graph([proxy], "ask", inputs, [onnx.ValueInfoProto(name="out")])
    found = dimensions(onnx.shape_inference.infer_shapes(make.make_model(graph)).graph.output[0])
    whole = [dim for dim in found if isinstance(dim, int)]
    return whole if found and len(whole) == len(found) else None


def _turned(node: NodeProto, place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """FusedMatMul transposes the last two dimensions of its inputs, which MatMul cannot."""
    name = "transA" if place == 0 else "transB"
    turn = (
        node.op_type == "FusedMatMul"
        and any(a.name == name and a.i for a in node.attribute)
        and len(shape) > 1
    )
    return (*shape[:-2], shape[-1], shape[-2]) if turn else shape
