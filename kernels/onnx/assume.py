"""What follows where inputs have known values: the branches that are taken, and further shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.branches import IF, inline
from kernels.onnx.file import LARGEST_VALUE, without_weights
from kernels.onnx.fold import constants
from kernels.onnx.protos import computed_values, dimensions, elements, is_sized, keep_only
from kernels.onnx.settle import settle

if TYPE_CHECKING:
    from onnx import ModelProto


def take_branches(model: ModelProto, values: Mapping[str, float]) -> None:
    """Replace every If, in place, by the branch that it takes where inputs have these values.

    A network with a branch for each rate of sampling becomes that of the rate it is fed.
    """
    while any(node.op_type == IF for node in model.graph.node):
        replaced = inline(model, constants(_settle_with(model, values)))
        if not replaced:
            return


def declare_shapes(model: ModelProto, values: Mapping[str, float]) -> None:
    """Declare in ``model``, in place, the shapes that are known where inputs have these values.

    The shapes of its inputs are bound. An input that says how large something is would else leave
    it open until the network runs.
    """
    declared = {value.name: value for value in computed_values(model)}
    for value in computed_values(_settle_with(model, values)):
        if not is_sized(value):
            continue
        if value.name not in declared:
            model.graph.value_info.append(value)
        elif not is_sized(declared[value.name]):
            declared[value.name].CopyFrom(value)


def _settle_with(model: ModelProto, values: Mapping[str, float]) -> Any:
    """What ``settle`` makes of the model where these inputs are constants."""
    import onnx

    fixed = without_weights(model)
    inputs = {value.name: value for value in fixed.graph.input}
    for name, number in values.items():
        shape = [dim for dim in dimensions(inputs[name]) if isinstance(dim, int)]
        is_open = len(shape) < len(dimensions(inputs[name]))
        if is_open or elements(shape) > LARGEST_VALUE:
            continue
        dtype = onnx.helper.tensor_dtype_to_np_dtype(inputs[name].type.tensor_type.elem_type)
        array = np.full(shape, number).astype(dtype)
        fixed.graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    stored = {tensor.name for tensor in fixed.graph.initializer}
    keep_only(fixed.graph, "input", [value for name, value in inputs.items() if name not in stored])
    return settle(fixed)
