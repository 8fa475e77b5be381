"""What a layer is fed: an array for each of its inputs, by shape and type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.base import Unavailable
from kernels.layer_narrow import narrowed

SEED = 7
PERIOD = 1_000_003  # values that larger inputs repeat: prime, so that no two rows are alike
BFLOAT16 = 16  # TensorProto.BFLOAT16, which NumPy has no type for
Feeds = Mapping[str, np.ndarray]


def feeds(model: Any) -> dict[str, np.ndarray]:
    """An array for every input of a ModelProto: floats uniform over ±1, bytes over their range, other integers zero.

    BF16 comes as its bits, uint16. Integers beyond bytes are mostly indices: uniform over the table they are looked
    up in where that is known, else zero, which is inside of every table.
    """
    dice, tables = np.random.default_rng(SEED), _tables(model.graph)
    stored = {tensor.name for tensor in model.graph.initializer}
    wanted = [value for value in model.graph.input if value.name not in stored]
    return {value.name: _array(value, dice, tables.get(value.name, 0)) for value in wanted}


def _tables(graph: Any) -> dict[str, int]:
    """Rows of the table (the smallest) in which a tensor is looked up, where Gather alone reads it; else 0."""
    dims = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in graph.input}
    dims |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    found: dict[str, int] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            table = dims.get(node.input[0]) if node.op_type == "Gather" and place == 1 else None
            rows = table[axis] if table else 0
            found[name] = min(found.get(name, rows), rows)
    return found


def _array(value: Any, dice: np.random.Generator, rows: int) -> np.ndarray:
    import onnx

    kind = value.type.tensor_type.elem_type
    if kind in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
        raise Unavailable(f"input {value.name} is no tensor of numbers: what to feed it is not known")
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    count = int(np.prod(shape, dtype=np.int64))
    numbers: np.ndarray = dice.random(min(count, PERIOD), dtype=np.float32) * np.float32(2) - np.float32(1)
    if kind == BFLOAT16:
        return np.resize(np.frombuffer(narrowed(numbers, "bf16"), np.uint16), shape)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        ends = np.iinfo(dtype)
        numbers = dice.integers(ends.min, int(ends.max) + 1, min(count, PERIOD))
    elif dtype.kind in "iu" and rows:
        numbers = dice.integers(0, rows, min(count, PERIOD))
    elif dtype.kind != "f":
        return np.zeros(shape, dtype)
    return np.resize(numbers.astype(dtype), shape)


def flat(arrays: Any) -> np.ndarray:
    """All outputs in one vector: of FP32 if none is wider than that, else of FP64."""
    known = [np.asarray(array) for array in arrays]
    kind = np.float32 if all(np.can_cast(array.dtype, np.float32) for array in known) else np.float64
    return np.concatenate([array.ravel().astype(kind, copy=False) for array in known] or [np.zeros(0, kind)])


def from_bits(bits: np.ndarray) -> np.ndarray:
    """BF16 as FP32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
