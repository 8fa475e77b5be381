"""Shapes of ONNX Runtime's own operations, which ONNX's shape inference does not know.

Each has the shape that a standard operation gives some of its inputs; that one is asked instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kernels.onnx_fold import dimensions

Known = tuple[int, tuple[int, ...]]
"""Element type (TensorProto) and shape."""


class StandIn(NamedTuple):
    """The standard operation, which inputs it takes, and which input has the type of the result."""

    op: str
    places: slice
    type_of: int = 0


FIRST, TWO, PAIR = slice(0, 1), slice(0, 2), slice(0, 4, 3)  # a pair: value, scale, zero point, value
STAND_INS: Mapping[str, StandIn] = {
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), StandIn("Add", PAIR)),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"), StandIn("Identity", FIRST)),
    **dict.fromkeys(("FastGelu", "Gelu", "QuickGelu", "MultiHeadAttention"), StandIn("Identity", FIRST)),
    **dict.fromkeys(("SkipLayerNormalization", "SimplifiedLayerNormalization"), StandIn("Identity", FIRST)),
    "RotaryEmbedding": StandIn("Identity", FIRST),
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


def extend(model: Any) -> int:
    """Write into ``model`` the shapes of outputs that have become known; how many."""
    values = {value.name: value for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]}
    known, made = _known(model, values), 0
    for node in model.graph.node:
        stand_in = STAND_INS.get(node.op_type) if node.domain == "com.microsoft" else None
        if stand_in is None or node.output[0] in known:
            continue
        shape = _ask(stand_in, node, known)
        if shape is not None:
            value = values.get(node.output[0]) or model.graph.value_info.add(name=node.output[0])
            value.type.tensor_type.elem_type = known[node.input[stand_in.type_of]][0]
            set_dims(value, shape)
            made += 1
    return made


def set_dims(value: Any, dims: Sequence[int]) -> None:
    """Give a ValueInfoProto this shape; a scalar has a shape of no dimensions."""
    shape = value.type.tensor_type.shape
    shape.SetInParent()
    shape.ClearField("dim")
    for dim in dims:
        shape.dim.add(dim_value=dim)


def _known(model: Any, values: Mapping[str, Any]) -> dict[str, Known]:
    """Every tensor whose shape is all numbers."""
    known = {tensor.name: (tensor.data_type, tuple(tensor.dims)) for tensor in model.graph.initializer}
    for name, value in values.items():
        numbers = tuple(dim for dim in dimensions(value) if isinstance(dim, int))
        if value.type.tensor_type.HasField("shape") and len(numbers) == len(value.type.tensor_type.shape.dim):
            known[name] = (value.type.tensor_type.elem_type, numbers)
    return known


def _ask(stand_in: StandIn, node: Any, known: Mapping[str, Known]) -> list[int] | None:
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
    inputs = [make.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = make.make_graph([proxy], "ask", inputs, [onnx.ValueInfoProto(name="out")])
    found = dimensions(onnx.shape_inference.infer_shapes(make.make_model(graph)).graph.output[0])
    whole = [dim for dim in found if isinstance(dim, int)]
    return whole if found and len(whole) == len(found) else None


def _turned(node: Any, place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """FusedMatMul transposes the last two dimensions of its inputs, which MatMul cannot."""
    name = "transA" if place == 0 else "transB"
    turn = node.op_type == "FusedMatMul" and any(a.name == name and a.i for a in node.attribute) and len(shape) > 1
    return (*shape[:-2], shape[-1], shape[-2]) if turn else shape
