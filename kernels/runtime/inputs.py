"""What a layer is fed: an array for each of its inputs, by shape, type, and what reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.protos import elements
from kernels.precision.narrow import narrowed
from kernels.runtime.domains import ANYTHING, Range, needed
from kernels.runtime.values import BFLOAT16, STRING, numpy_type

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

SEED = 7
PERIOD = 1_000_003  # values that larger inputs repeat: prime, so that no two rows are alike
TEXT = "a"  # what every text is
KINDS: Mapping[type, str] = {bool: "b", int: "iu", float: "f"}
"""Of a chosen value: the kinds of arrays, as NumPy names them, that can hold it."""
MOSTLY = 7 / 8  # of what is true or false
Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Chosen:
    """What a caller chose of inputs by name: one value for all elements, and the shape where the
    model's is open.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


FREE = Chosen()


def feeds(model: ModelProto, chosen: Chosen = FREE) -> dict[str, np.ndarray]:
    """An array for every input of a ModelProto: as chosen, or where what reads it is defined, else
    floats uniform over ±1, bytes over their range, other integers one, and what is true or false
    mostly true.

    Raises Unavailable for an input that is no tensor, or of a type that cannot be handed over.
    """
    dice, needs = np.random.default_rng(SEED), needed(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    fed = {}
    for value in model.graph.input:
        if value.name not in stored:
            dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            shape = chosen.shapes.get(value.name, dims)
            own = _of_its_own(model.graph, value.name)
            array = _array(value, shape, dice, needs.get(value.name, ANYTHING), own)
            fed[value.name] = _filled(
                array, chosen.values.get(value.name), value.type.tensor_type.elem_type
            )
    return fed


def _filled(array: np.ndarray, value: float | None, kind: int) -> np.ndarray:
    """The array of this TensorProto type, full of the value if one is chosen; as it is if it has
    another kind by now, as the input of a layer in INT8 has for a float."""
    if value is None:
        return array
    if kind == BFLOAT16 and isinstance(value, float):
        return _bfloat16(np.full(array.shape, value, np.float32))
    return (
        np.full(array.shape, value, array.dtype)
        if array.dtype.kind in KINDS[type(value)]
        else array
    )


def _bfloat16(values: np.ndarray) -> np.ndarray:
    bits = np.frombuffer(narrowed(values.ravel(), "bf16"), np.uint16)
    return bits.reshape(values.shape).view(numpy_type(BFLOAT16))


Filled = Callable[[tuple[int, ...]], np.ndarray]
"""Of a shape, the array that a range of values cannot describe."""


def _of_its_own(graph: GraphProto, name: str) -> Filled | None:
    """How to fill an input that is a shape, or that says where to write: each place once, lest the
    last one wins.
    """
    dims = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in graph.input
    }
    dims |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Slice" and name in node.input[3:4]:
            return lambda shape: np.arange(elements(shape)).reshape(shape)
        if len(node.input) < 2 or node.input[1] != name:
            continue
        table = dims.get(node.input[0], [])
        if node.op_type == "Unsqueeze":
            return lambda shape: np.arange(elements(shape)).reshape(shape)
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        if node.op_type == "Reshape":
            return _all_in_one
        if node.op_type in ("ScatterElements", "Scatter") and -len(table) <= axis < len(table):
            return partial(_along, axis=axis, rows=table[axis])
        if node.op_type == "Split" and -len(table) <= axis < len(table):
            return partial(_parts, whole=table[axis])
        if node.op_type == "AffineGrid":
            return lambda shape: np.array([*table[:1], 1, *[4] * 9])[: elements(shape)].reshape(
                shape
            )
        if node.op_type == "ScatterND":
            return partial(_places, table=table)
        if node.op_type == "MaxUnpool":
            return lambda shape: np.arange(elements(shape)).reshape(shape)
    return None


def _all_in_one(shape: tuple[int, ...]) -> np.ndarray:
    """A shape of so many dimensions that any number of elements fits: [-1, 1, 1]."""
    filled = np.ones(shape, np.int64)
    filled.reshape(-1)[:1] = -1
    return filled


def _parts(shape: tuple[int, ...], whole: int) -> np.ndarray:
    """Sizes that add up to a whole, the last one the largest."""
    count = max(1, elements(shape))
    sizes = np.full(shape, whole // count, np.int64)
    sizes.reshape(-1)[-1:] += whole % count
    return sizes


def _along(shape: tuple[int, ...], axis: int, rows: int) -> np.ndarray:
    """Indices that count along one dimension."""
    return np.indices(shape)[axis] % max(1, rows)


def _places(shape: tuple[int, ...], table: Sequence[int]) -> np.ndarray:
    """Rows of coordinates, (..., k), that walk through the first k dimensions of a table."""
    known = [max(1, rows) for rows in table[: shape[-1]]] if shape else []
    if not shape or len(known) != shape[-1]:
        return np.zeros(shape, np.int64)
    count = np.arange(elements(shape[:-1])) % elements(known)
    return np.stack(np.unravel_index(count, known), -1).reshape(shape)


def _array(
    value: ValueInfoProto,
    shape: tuple[int, ...],
    dice: np.random.Generator,
    where: Range,
    filled: Filled | None,
) -> np.ndarray:
    """The array of this shape for an input, a ValueInfoProto."""
    kind = value.type.tensor_type.elem_type
    if not value.type.HasField("tensor_type"):
        raise Unavailable(f"input {value.name} is no tensor: what to feed it is not known")
    if kind == STRING:
        return np.full(shape, TEXT, object)
    dtype = numpy_type(kind)
    count = min(elements(shape), PERIOD)
    if kind == BFLOAT16:
        return _bfloat16(np.resize(_floats(dice, count, where), shape))
    if dtype.kind in "iu":
        return (
            filled(shape).astype(dtype) if filled else _integers(dice, count, where, dtype, shape)
        )
    if dtype.kind == "b":
        return _mostly_true(dice, where, shape)
    floats = dtype.kind == "f" or dtype.isbuiltin != 1
    return (
        np.resize(_floats(dice, count, where).astype(dtype), shape)
        if floats
        else np.zeros(shape, dtype)
    )


def _floats(dice: np.random.Generator, count: int, where: Range) -> np.ndarray:
    """Uniform over what is both in ±1 and where they must lie, or over a unit beside it."""
    usual = where & Range(-1, 1)
    if where.low == where.high:
        usual = where
    elif usual.low >= usual.high:
        usual = (
            Range(where.low, min(where.high, where.low + 1))
            if where.low > 0
            else Range(where.high - 1, where.high)
        )
    width, low = np.float32(usual.high - usual.low), np.float32(usual.low)
    numbers: np.ndarray = dice.random(count, dtype=np.float32) * width + low
    return numbers


def _integers(
    dice: np.random.Generator,
    count: int,
    where: Range,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
) -> np.ndarray:
    """Uniform over where they must lie; without an end, the least of it that is above zero; bytes
    over their range.
    """
    ends = np.iinfo(dtype)
    if where == ANYTHING:
        low, high = (ends.min, ends.max) if dtype.itemsize == 1 else (1, 1)
    else:
        low = math.ceil(max(where.low, ends.min, min(0, where.high)))
        low = max(low, 1) if where.high == math.inf else low
        high = max(low, math.floor(min(where.high, ends.max))) if where.high < math.inf else low
    return np.resize(dice.integers(low, high, count, dtype, endpoint=True), shape)


def _mostly_true(dice: np.random.Generator, where: Range, shape: tuple[int, ...]) -> np.ndarray:
    """Seven in eight are true, and the first of each row: what hides everything would leave nothing
    to compute.
    """
    if where.low == where.high:
        return np.full(shape, bool(where.low))
    filled = np.resize(dice.random(min(elements(shape), PERIOD)) < MOSTLY, shape)
    if shape:
        filled[..., :1] = True
    return filled if shape else np.full(shape, True)
