"""Bind the open dimensions of an ONNX model's inputs: to the shapes asked for, and a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from kernels.onnx.file import OnnxError
from kernels.onnx.protos import (
    computed_values,
    dimensions,
    free_inputs,
    has_rank,
    set_dims,
    shape_text,
)

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

Shapes = Mapping[str, Sequence[int]]
"""Dimensions by the name of an input or of an inner tensor."""


def bind(model: ModelProto, shapes: Shapes | None = None, batch: int | None = None) -> None:
    """Give every input of ``model``, in place, a shape of numbers.

    shapes: of inputs, and of inner tensors whose shape inference cannot find. batch: the first
    dimension of the inputs not in ``shapes`` where it is 1 or open; without it an open one is 1. A
    symbol bound once is bound everywhere. Raises OnnxError for an input that stays open, and says
    how to give its shape.
    """
    shapes = {name: tuple(shape) for name, shape in (shapes or {}).items()}
    _check_names(model, shapes)
    inputs = free_inputs(model)
    declared = {value.name: dimensions(value) for value in inputs}
    symbols: dict[str, int] = {}
    for value in inputs:
        if value.name in shapes:
            numbers = _bind_shape(value, shapes[value.name])
            _add_symbols(symbols, numbers, value.name)
    for value in inputs:
        if value.name not in shapes:
            symbols.update(_bind_batch(value, symbols, batch))
    for value in [*model.graph.input, *computed_values(model)]:
        _bind_symbols(value, symbols)
    for value in computed_values(model):
        _open_unknown(value)
    for value in inputs:
        if value.name not in shapes:
            _check_closed(value)
    if any(_is_resized(declared[value.name], dimensions(value)) for value in inputs):
        _forget_computed(model)
    inner = {name: shape for name, shape in shapes.items() if name not in declared}
    _declare_inner(model, inner)


def _check_names(model: ModelProto, shapes: Shapes) -> None:
    """Raise OnnxError for a name that no input and no result of a node has."""
    names = {value.name for value in model.graph.input}
    for node in model.graph.node:
        names.update(node.output)
    for name in shapes:
        if name not in names:
            inputs = ", ".join(value.name for value in free_inputs(model))
            raise OnnxError(
                f"{name}: no tensor of that name in {model.graph.name}; its inputs are {inputs}"
            )


def _bind_shape(value: ValueInfoProto, shape: Sequence[int]) -> dict[str, int]:
    """Set the shape of an input; returns the number that it gives to each of its symbols."""
    declared = dimensions(value)
    if has_rank(value) and len(shape) != len(declared):
        raise OnnxError(
            f"{value.name}: shape {shape_text(shape)} has {len(shape)} dimensions, the model's "
            f"has {len(declared)}"
        )
    set_dims(value, shape)
    return {
        symbol: number
        for symbol, number in zip(declared, shape, strict=False)
        if isinstance(symbol, str) and symbol
    }


def _add_symbols(symbols: dict[str, int], numbers: Mapping[str, int], name: str) -> None:
    """Add the numbers that input ``name`` gives to symbols; a symbol is one number everywhere."""
    for symbol, number in numbers.items():
        bound = symbols.setdefault(symbol, number)
        if bound != number:
            raise OnnxError(
                f"{name}: {symbol} is {number} there, and {bound} in another input: give one number"
            )


def _bind_batch(
    value: ValueInfoProto, symbols: Mapping[str, int], batch: int | None
) -> dict[str, int]:
    """Set the first dimension of an input where it is a batch; returns the number of its symbol."""
    dims = dimensions(value)
    if not dims:
        return {}
    first = dims[0]
    if first in symbols:  # another input has bound it: ``_bind_symbols`` writes its number
        return {}
    is_open = isinstance(first, str)
    is_one_and_asked = first == 1 and batch is not None
    if not is_open and not is_one_and_asked:
        return {}
    size = batch or 1
    value.type.tensor_type.shape.dim[0].dim_value = size
    return {first: size} if isinstance(first, str) and first else {}


def _bind_symbols(value: ValueInfoProto, symbols: Mapping[str, int]) -> None:
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_param in symbols:
            dim.dim_value = symbols[dim.dim_param]


def _open_unknown(value: ValueInfoProto) -> None:
    """Open the dimensions that old exporters write as 0 or -1 because they do not know them.

    Inference finds them again, and a true 0 as well.
    """
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_value <= 0 and not dim.dim_param:
            dim.ClearField("dim_value")


def _check_closed(value: ValueInfoProto) -> None:
    """Raise OnnxError for an input that still has no shape of numbers."""
    if not value.type.HasField("tensor_type"):
        return
    if not has_rank(value):
        raise OnnxError(
            f"input {value.name} has no shape: give it, such as --shape {value.name}=1x3x224x224"
        )
    dims = dimensions(value)
    if any(isinstance(dim, str) for dim in dims):
        example_size = 224 if len(dims) == 4 else 128  # the side of an image, or words of a text
        example = [example_size if isinstance(dim, str) else dim for dim in dims]
        raise OnnxError(
            f"input {value.name} has dynamic shape {shape_text(dims)}: give it, such as --shape "
            f"{value.name}={shape_text(example)}"
        )


def _is_resized(declared: Sequence[int | str], bound: Sequence[int | str]) -> bool:
    """True if a dimension that was declared as a number is bound to another.

    An input declared without a rank has no dimensions to compare.
    """
    return any(
        isinstance(before, int) and before != after
        for before, after in zip(declared, bound, strict=False)
    )


def _forget_computed(model: ModelProto) -> None:
    """Drop the shapes of computed tensors, in place: they follow from inputs of another size."""
    model.graph.ClearField("value_info")
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _declare_inner(model: ModelProto, shapes: Shapes) -> None:
    """Write these shapes of computed tensors into the model."""
    import onnx

    declared = {value.name: value for value in computed_values(model)}
    for name, shape in shapes.items():
        if name in declared:
            set_dims(declared[name], shape)
        else:  # of unknown type: most are float
            model.graph.value_info.append(
                onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            )
