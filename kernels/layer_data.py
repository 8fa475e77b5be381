"""What a layer is fed: an array for each of its inputs, by shape, type, and what reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from kernels.base import Unavailable
from kernels.layer_domains import ANYTHING, Range, needed
from kernels.layer_narrow import narrowed
from kernels.onnx_fold import elements
from kernels.onnx_shapes import is_sized

SEED = 7
PERIOD = 1_000_003  # values that larger inputs repeat: prime, so that no two rows are alike
BFLOAT16 = 16  # TensorProto.BFLOAT16, which NumPy has no type for
KINDS: Mapping[type, str] = {bool: "b", int: "iu", float: "f"}
"""Of a chosen value: the kinds of arrays, as NumPy names them, that can hold it."""
MOSTLY = 7 / 8  # of what is true or false
Feeds = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Chosen:
    """What a caller chose of inputs by name: one value for all elements, and the shape where the model's is open."""

    values: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


FREE = Chosen()


def feeds(model: Any, chosen: Chosen = FREE) -> dict[str, np.ndarray]:
    """An array for every input of a ModelProto: as chosen, or where what reads it is defined, else floats uniform over
    ±1, bytes over their range, other integers one, and what is true or false mostly true.

    BF16 comes as its bits, uint16.
    """
    dice, needs = np.random.default_rng(SEED), needed(model)
    stored = {tensor.name for tensor in model.graph.initializer}
    fed = {}
    for value in model.graph.input:
        if value.name not in stored:
            dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
            shape = dims if is_sized(value) else chosen.shapes.get(value.name, dims)
            own = _of_its_own(model.graph, value.name)
            array = _array(value, shape, dice, needs.get(value.name, ANYTHING), own)
            fed[value.name] = _filled(array, chosen.values.get(value.name), value.type.tensor_type.elem_type)
    return fed


def _filled(array: np.ndarray, value: float | None, kind: int) -> np.ndarray:
    """The array of this TensorProto type, full of the value if one is chosen; as it is if it has another kind by now,
    as the input of a layer in INT8 has for a float."""
    if value is not None and kind == BFLOAT16 and isinstance(value, float):
        return np.full(array.shape, np.frombuffer(narrowed(np.array([value], np.float32), "bf16"), np.uint16))
    if value is None or kind == BFLOAT16 or array.dtype.kind not in KINDS[type(value)]:
        return array
    return np.full(array.shape, value, array.dtype)


Filled = Callable[[tuple[int, ...]], np.ndarray]
"""Of a shape, the array that a range of values cannot describe."""


def _of_its_own(graph: Any, name: str) -> Filled | None:
    """How to fill an input that is a shape, or that says where to write: each place once, lest the last one wins."""
    dims = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.input}
    dims |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if len(node.input) < 2 or node.input[1] != name:
            continue
        table = dims.get(node.input[0], [])
        axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
        if node.op_type == "Reshape":
            return _all_in_one
        if node.op_type in ("ScatterElements", "Scatter") and -len(table) <= axis < len(table):
            return partial(_along, axis=axis, rows=table[axis])
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
    value: Any, shape: tuple[int, ...], dice: np.random.Generator, where: Range, filled: Filled | None
) -> np.ndarray:
    """The array of this shape for an input, a ValueInfoProto."""
    import onnx

    kind = value.type.tensor_type.elem_type
    if kind in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        raise Unavailable(f"input {value.name} is no tensor of numbers: what to feed it is not known")
    count = min(elements(shape), PERIOD)
    if kind == BFLOAT16:
        return np.resize(np.frombuffer(narrowed(_floats(dice, count, where), "bf16"), np.uint16), shape)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    if dtype.kind in "iu":
        return filled(shape).astype(dtype) if filled else _integers(dice, count, where, dtype, shape)
    if dtype.kind == "b":
        return _mostly_true(dice, where, shape)
    return np.resize(_floats(dice, count, where).astype(dtype), shape) if dtype.kind == "f" else np.zeros(shape, dtype)


def _floats(dice: np.random.Generator, count: int, where: Range) -> np.ndarray:
    """Uniform over what is both in ±1 and where they must lie, or over a unit beside it."""
    usual = where & Range(-1, 1)
    if where.low == where.high:
        usual = where
    elif usual.low >= usual.high:
        usual = Range(where.low, min(where.high, where.low + 1)) if where.low > 0 else Range(where.high - 1, where.high)
    width, low = np.float32(usual.high - usual.low), np.float32(usual.low)
    numbers: np.ndarray = dice.random(count, dtype=np.float32) * width + low
    return numbers


def _integers(
    dice: np.random.Generator, count: int, where: Range, dtype: np.dtype[Any], shape: tuple[int, ...]
) -> np.ndarray:
    """Uniform over where they must lie; without an end, the least of it that is above zero; bytes over their range."""
    ends = np.iinfo(dtype)
    if where == ANYTHING:
        low, high = (ends.min, ends.max) if dtype.itemsize == 1 else (1, 1)
    else:
        low = math.ceil(max(where.low, ends.min, min(0, where.high)))
        low = max(low, 1) if where.high == math.inf else low
        high = max(low, math.floor(min(where.high, ends.max))) if where.high < math.inf else low
    return np.resize(dice.integers(low, high, count, dtype, endpoint=True), shape)


def _mostly_true(dice: np.random.Generator, where: Range, shape: tuple[int, ...]) -> np.ndarray:
    """Seven in eight are true, and the first of each row: what hides everything would leave nothing to compute."""
    if where.low == where.high:
        return np.full(shape, bool(where.low))
    filled = np.resize(dice.random(min(elements(shape), PERIOD)) < MOSTLY, shape)
    if shape:
        filled[..., :1] = True
    return filled if shape else np.full(shape, True)


def flat(arrays: Any) -> np.ndarray:
    """All outputs in one vector: of FP32 if none is wider than that, else of FP64."""
    known = [np.asarray(array) for array in arrays]
    kind = np.float32 if all(np.can_cast(array.dtype, np.float32) for array in known) else np.float64
    return np.concatenate([array.ravel().astype(kind, copy=False) for array in known] or [np.zeros(0, kind)])


def from_bits(bits: np.ndarray) -> np.ndarray:
    """BF16 as FP32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
