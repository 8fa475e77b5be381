"""Read and change the protobuf messages of ONNX: what all modules of this folder do with them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, count
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto


def elements(shape: Sequence[int]) -> int:
    """How many elements a tensor of this shape has: 1 for a scalar."""
    # NumPy's integers, as which a dimension may come, would overflow
    return prod(map(int, shape))


def dimensions(value: ValueInfoProto) -> list[int | str]:
    """The dimensions of a tensor: numbers, symbols, and "" for neither.

    Old exporters write 0 or -1 for a dimension that they do not know.
    """
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param
        for dim in value.type.tensor_type.shape.dim
    ]


def shape_text(dims: Sequence[int | str]) -> str:
    """``1x3x224x224``, as ``--shape`` takes it."""
    return "x".join(str(dim) or "?" for dim in dims)


def has_rank(value: ValueInfoProto) -> bool:
    """True for a tensor whose number of dimensions is known."""
    return bool(value.type.tensor_type.HasField("shape"))


def is_sized(value: ValueInfoProto | None) -> bool:
    """True for a tensor of known type whose every dimension is a number."""
    if value is None:
        return False
    tensor = value.type.tensor_type
    if not tensor.elem_type or not tensor.HasField("shape"):
        return False
    return all(dim.HasField("dim_value") for dim in tensor.shape.dim)


def set_dims(value: ValueInfoProto, dims: Sequence[int]) -> None:
    """Give a tensor this shape; a scalar has a shape of no dimensions."""
    shape = value.type.tensor_type.shape
    shape.SetInParent()
    shape.ClearField("dim")
    for dim in dims:
        shape.dim.add(dim_value=dim)


def free_inputs(model: ModelProto) -> list[Any]:
    """The graph inputs that a caller feeds.

    Up to version 3 of the file format (``ir_version``), weights are listed among the inputs too.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def computed_values(model: ModelProto) -> list[Any]:
    """What the model declares of the tensors that its nodes compute, as ValueInfoProtos."""
    return [*model.graph.value_info, *model.graph.output]


def copy_of(message: Any) -> Any:
    """A message of its own with the same content."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def keep_only(message: ModelProto | GraphProto, field: str, entries: Sequence[Any]) -> None:
    """Leave only these entries of a repeated field, in place.

    The field owns its entries and frees them, so what stays is copied first.
    """
    copies = [copy_of(entry) for entry in entries]
    message.ClearField(field)  # type: ignore[arg-type]
    getattr(message, field).extend(copies)


def name_nodes(model: ModelProto) -> None:
    """Give every node, in place, a name that no other node has.

    Exporters write none, or one name twice. A layer is found by its name, and ONNX Runtime refuses
    a model of two nodes with one name.
    """
    written = {node.name for node in model.graph.node}
    taken = set[str]()
    for place, node in enumerate(model.graph.node):
        base = node.name or f"{node.op_type}_{place}"
        numbered = (f"{base}_{number}" for number in count(2))
        for name in chain((base,), numbered):
            is_of_another = name in written and name != node.name
            if name not in taken and not is_of_another:
                break
        node.name = name
        taken.add(name)
