"""Find the shapes of a model whose inputs have shapes of numbers.

Exporters compute shapes at run time (Shape, Gather, Concat, Reshape), where plain shape inference
gives up. Once the input shapes are numbers that arithmetic is constant, so it is folded between two
rounds of inference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kernels.onnx.file import OnnxError, error_text, without_weights
from kernels.onnx.fold import fold
from kernels.onnx.protos import (
    computed_values,
    copy_of,
    dimensions,
    has_rank,
    is_sized,
    keep_only,
    shape_text,
)
from kernels.onnx.standins import extend

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

ENLARGING = frozenset(
    ("ConstantOfShape", "Expand", "OneHot", "Pad", "Range", "Resize", "Tile", "Upsample")
)
"""Operations that make many elements of a few."""
HIDDEN_DOMAIN = "ridgeline.hidden"
LONGEST_FOLLOWED = 1 << 18
"""Elements of a vector that inference may follow one by one: more take it a second a node, and
their memory."""


def settle(model: ModelProto) -> Any:
    """A copy of ``model`` with every shape that can be found, without the data of large weights.

    What the file declares counts only where inference finds nothing: an exporter may be wrong, and
    runtimes go by what they infer. Raises OnnxError where shapes do not fit.
    """
    small = without_weights(model)
    inner = {value.name: copy_of(value) for value in small.graph.value_info}
    outer = {value.name: copy_of(value) for value in small.graph.output}
    small.graph.ClearField("value_info")
    for value in small.graph.output:
        value.type.tensor_type.ClearField("shape")
    small = _infer_and_fold(small)
    # Inner tensors first: what is declared of an output that follows from them is not believed.
    for declared in (inner, outer):
        while _take_declared(small, declared):
            small = _infer_and_fold(small)
    return small


def _infer_and_fold(small: Any) -> Any:
    """Infer and fold in turn until nothing more becomes known.

    Where that leaves shapes open, inference follows values that are known in part.
    """
    while True:
        small = _infer(small)
        while fold(small) + extend(small):
            small = _infer(small)
        if not _count_open(small):
            return small
        followed = _infer(small, follow_values=True)
        if _count_open(followed) == _count_open(small):
            return small
        small = followed


def _infer(model: ModelProto, follow_values: bool = False) -> Any:
    """A new model with the shapes that ONNX infers.

    follow_values: infer also from the integers that flow between nodes.
    """
    import onnx.shape_inference

    domains = _hide_costly(model) if follow_values else {}
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=follow_values)
    except Exception as problem:
        raise OnnxError(
            f"{model.graph.name}: shapes do not fit: {error_text(problem)}"
        ) from problem
    finally:
        _show_costly(model, domains)
    _show_costly(inferred, domains)
    return inferred


def _hide_costly(model: ModelProto) -> dict[int, str]:
    """Put nodes that inference had better not follow, in place, into a domain it does not know.

    They make many integers of a few, or read or write long vectors. Inference would follow each
    element, whatever memory and time that takes. Returns their own domains, by place.
    """
    vectors = long_vectors(model)
    domains = {
        place: node.domain
        for place, node in enumerate(model.graph.node)
        if node.op_type in ENLARGING or not vectors.isdisjoint((*node.input, *node.output))
    }
    for place in domains:
        model.graph.node[place].domain = HIDDEN_DOMAIN
    if domains:
        model.opset_import.add(domain=HIDDEN_DOMAIN, version=1)
    return domains


def _show_costly(model: ModelProto, domains: Mapping[int, str]) -> None:
    """Undo ``_hide_costly``, in place."""
    for place, domain in domains.items():
        model.graph.node[place].domain = domain
    if domains:
        opsets = [entry for entry in model.opset_import if entry.domain != HIDDEN_DOMAIN]
        keep_only(model, "opset_import", opsets)


def long_vectors(model: ModelProto) -> set[str]:
    """Names of vectors that are longer than any whose elements say how large something is."""
    values = [*model.graph.input, *computed_values(model)]
    return {
        value.name
        for value in values
        if is_sized(value) and _vector_length(value) > LONGEST_FOLLOWED
    }


def _vector_length(value: ValueInfoProto) -> int:
    """Elements of a vector; 0 for a tensor of another rank."""
    dims = value.type.tensor_type.shape.dim
    return int(dims[0].dim_value) if len(dims) == 1 else 0


def _count_open(model: ModelProto) -> int:
    """How many results of nodes have no known shape."""
    sized = {value.name for value in computed_values(model) if is_sized(value)}
    count = 0
    for node in model.graph.node:
        count += sum(bool(name) and name not in sized for name in node.output)
    return count


def _take_declared(small: Any, declared: dict[str, Any]) -> int:
    """Declare in ``small``, in place, what is declared of tensors whose shape is open.

    What is taken leaves ``declared``, so that it is tried once. Returns how many were taken.
    """
    stored = {tensor.name for tensor in small.graph.initializer}
    values = {value.name: value for value in computed_values(small)}
    names = [name for name in declared if name not in stored and not is_sized(values.get(name))]
    for name in names:
        declaration = declared.pop(name)
        if name not in values:
            small.graph.value_info.append(declaration)
        elif not has_rank(values[name]):
            values[name].CopyFrom(declaration)
        else:
            _fill_open(values[name], declaration)
    return len(names)


def _fill_open(value: ValueInfoProto, declaration: Any) -> None:
    """Give the open dimensions of ``value`` the declared numbers, if there are as many of them."""
    dims = value.type.tensor_type.shape.dim
    declared = declaration.type.tensor_type.shape.dim
    if len(dims) != len(declared):
        return
    for dim, other in zip(dims, declared, strict=True):
        if not dim.HasField("dim_value") and other.HasField("dim_value"):
            dim.dim_value = other.dim_value


def contradicted(model: ModelProto, settled: Any) -> dict[str, tuple[str, str]]:
    """Outputs that the file declares otherwise than they are: name -> (declared, found).

    Both are shapes as ``--shape`` takes them. model: as the file has it. settled: what ``settle``
    made of it.
    """
    outputs = {value.name: value for value in settled.graph.output if is_sized(value)}
    wrong = {}
    for value in model.graph.output:
        if not has_rank(value) or value.name not in outputs:
            continue
        declared = dimensions(value)
        right = dimensions(outputs[value.name])
        differs = any(
            isinstance(old, int) and old != new for old, new in zip(declared, right, strict=False)
        )
        if differs or len(declared) != len(right):
            wrong[value.name] = (
                shape_text(declared) or "a scalar",
                shape_text(right) or "a scalar",
            )
    return wrong
