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
from kernels.runtime.domains import ANYTHING, Range, required_ranges
from kernels.runtime.values import BFLOAT16, STRING, numpy_type

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

SEED = 7
PERIOD = 1_000_003
"""Random values, which larger inputs repeat: prime, so that no two rows are alike."""
TEXT = "a"
"""The text in every element of an input of texts."""
KINDS: Mapping[type, str] = {bool: "b", int: "iu", float: "f"}
"""The kinds of arrays, as NumPy names them, that can hold a chosen value of each type."""
SHARE_TRUE = 7 / 8
"""Share of an input of conditions that is true."""
Feeds = Mapping[str, np.ndarray]
"""Arrays by the name of the input."""


@dataclass(frozen=True)
class Chosen:
    """What a caller chose of inputs, by the input's name."""

    values: Mapping[str, float] = field(default_factory=dict)
    """One value for all elements of an input."""
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The shape of an input, where the model leaves it open."""


FREE = Chosen()


def feeds(model: ModelProto, chosen: Chosen = FREE) -> dict[str, np.ndarray]:
    """An array for every input of a ModelProto, by name.

    Values are as chosen, else in the range that the model's operations require, else floats uniform
    over ±1, bytes uniform over their range, other integers one, and conditions mostly true.
    Raises Unavailable for an input that is no tensor, or of a type that cannot be handed over.
    """
    dice = np.random.default_rng(SEED)
    ranges = required_ranges(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    arrays = {}
    for value in model.graph.input:
        name = value.name
        if name in stored:
            continue
        dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        shape = chosen.shapes.get(name, dims)
        special = _special_filling(model.graph, name)
        array = _array(value, shape, dice, ranges.get(name, ANYTHING), special)
        kind = value.type.tensor_type.elem_type
        arrays[name] = _with_chosen_value(array, chosen.values.get(name), kind)
    return arrays


def _with_chosen_value(array: np.ndarray, value: float | None, kind: int) -> np.ndarray:
    """An array of this TensorProto type, full of the value if one is chosen.

    An array that cannot hold the value is returned as it is: a float may be chosen for an input
    that is an integer once its layer is in INT8.
    """
    if value is None:
        return array
    if kind == BFLOAT16 and isinstance(value, float):
        return _bfloat16(np.full(array.shape, value, np.float32))
    if array.dtype.kind in KINDS[type(value)]:
        return np.full(array.shape, value, array.dtype)
    return array


def _bfloat16(values: np.ndarray) -> np.ndarray:
    bits = np.frombuffer(narrowed(values.ravel(), "bf16"), np.uint16)
    return bits.reshape(values.shape).view(numpy_type(BFLOAT16))


Filling = Callable[[tuple[int, ...]], np.ndarray]
"""Makes an array of this shape whose values a range cannot describe."""


def _special_filling(graph: GraphProto, name: str) -> Filling | None:
    """How to fill an input that is a shape, or that says where to write; None for any other.

    Every place to write is given once, so that no write hides an earlier one.
    """
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in graph.input
    }
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        op = node.op_type
        if op == "Slice" and name in node.input[3:4]:
            return _counting
        if len(node.input) < 2 or node.input[1] != name:
            continue
        table = shapes.get(node.input[0], [])
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        has_axis = -len(table) <= axis < len(table)
        if op in ("Unsqueeze", "MaxUnpool"):
            return _counting
        if op == "Reshape":
            return _all_in_one
        if op in ("ScatterElements", "Scatter") and has_axis:
            return partial(_along, axis=axis, rows=table[axis])
        if op == "Split" and has_axis:
            return partial(_parts, whole=table[axis])
        if op == "AffineGrid":
            return partial(_grid_size, batch=table[:1])
        if op == "ScatterND":
            return partial(_places, table=table)
    return None


def _counting(shape: tuple[int, ...]) -> np.ndarray:
    """The numbers from 0 on."""
    return np.arange(elements(shape)).reshape(shape)


def _grid_size(shape: tuple[int, ...], batch: Sequence[int]) -> np.ndarray:
    """The size of a grid that AffineGrid makes: the batch, one channel, 4 along each dimension."""
    size = np.array([*batch, 1, *[4] * 9])
    return size[: elements(shape)].reshape(shape)


def _all_in_one(shape: tuple[int, ...]) -> np.ndarray:
    """A shape of so many dimensions that any number of elements fits: [-1, 1, 1]."""
    dims = np.ones(shape, np.int64)
    dims.reshape(-1)[:1] = -1
    return dims


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
    if not shape:
        return np.zeros(shape, np.int64)
    indexed = [max(1, rows) for rows in table[: shape[-1]]]
    if len(indexed) != shape[-1]:
        return np.zeros(shape, np.int64)
    count = np.arange(elements(shape[:-1])) % elements(indexed)
    return np.stack(np.unravel_index(count, indexed), -1).reshape(shape)


def _array(
    value: ValueInfoProto,
    shape: tuple[int, ...],
    dice: np.random.Generator,
    where: Range,
    special: Filling | None,
) -> np.ndarray:
    """The array of this shape for an input, its values in ``where``.

    special: fills an integer input that a range cannot describe.
    """
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
        return special(shape).astype(dtype) if special else _integers(dice, where, dtype, shape)
    if dtype.kind == "b":
        return _mostly_true(dice, where, shape)
    is_float = dtype.kind == "f" or dtype.isbuiltin != 1  # FP8 is no builtin of NumPy
    if is_float:
        return np.resize(_floats(dice, count, where).astype(dtype), shape)
    return np.zeros(shape, dtype)


def _floats(dice: np.random.Generator, count: int, where: Range) -> np.ndarray:
    """FP32 values, uniform over what of ``where`` lies in ±1, or else over its nearest unit."""
    span = where & Range(-1, 1)
    if where.low == where.high:
        span = where
    elif span.low >= span.high and where.low > 0:
        span = Range(where.low, min(where.high, where.low + 1))
    elif span.low >= span.high:
        span = Range(where.high - 1, where.high)
    width = np.float32(span.high - span.low)
    numbers: np.ndarray = dice.random(count, dtype=np.float32) * width + np.float32(span.low)
    return numbers


def _integers(
    dice: np.random.Generator, where: Range, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray:
    """Integers uniform over ``where``.

    Where it has no upper end, all are its least value above zero. Where it is ANYTHING, bytes are
    uniform over their range, and wider integers are 1.
    """
    limits = np.iinfo(dtype)
    if where == ANYTHING:
        low, high = (limits.min, limits.max) if dtype.itemsize == 1 else (1, 1)
    else:
        low = math.ceil(max(where.low, limits.min, min(0, where.high)))
        if where.high == math.inf:
            low = high = max(low, 1)
        else:
            high = max(low, math.floor(min(where.high, limits.max)))
    count = min(elements(shape), PERIOD)
    return np.resize(dice.integers(low, high, count, dtype, endpoint=True), shape)


def _mostly_true(dice: np.random.Generator, where: Range, shape: tuple[int, ...]) -> np.ndarray:
    """Conditions of which SHARE_TRUE are true, and the first of each row.

    A mask that hides everything would leave nothing to compute.
    """
    if where.low == where.high:
        return np.full(shape, bool(where.low))
    draws = dice.random(min(elements(shape), PERIOD))
    if not shape:
        return np.full(shape, True)
    conditions = np.resize(draws < SHARE_TRUE, shape)
    conditions[..., :1] = True
    return conditions
