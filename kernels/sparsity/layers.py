"""The weights of a network as (row, place, column), and networks with some of them zero.

What patterns mean by these axes stands in ``kernels.sparsity.patterns``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.protos import copy_of
from kernels.precision.stages import CONVOLUTIONS, ONNX_DOMAINS, WEIGHT, WEIGHTED

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

    from kernels.precision.stages import Stage

FP32 = 1
"""TensorProto.FLOAT."""
NO_NEIGHBOURS = "each of its channels reads one input: no neighbours that a pattern could span"
"""Why a depthwise convolution has no pattern."""


@dataclass(frozen=True)
class Weights:
    """The stored weights of one layer."""

    stage: Stage
    """The layer: one operation, and the Relu that ends it."""
    tensor: str
    """Name of the stored tensor."""
    shape: tuple[int, ...]
    """As it is stored."""
    groups: int = 1
    """Of a convolution: input channels that no output channel shares."""
    is_turned: bool = False
    """True of a product whose stored rows are its output channels (``transB`` of Gemm)."""
    numbers: np.ndarray = field(repr=False, compare=False, default_factory=lambda: np.empty(0))
    """The weights, as (row, place, column)."""

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.stage.name

    @property
    def problem(self) -> str:
        """Why no pattern fits the layer; empty if they do."""
        return NO_NEIGHBOURS if self.numbers.shape[2] == 1 else ""

    def arranged(self, stored: np.ndarray) -> np.ndarray:
        """A stored array as (row, place, column)."""
        if self.stage.op == "Conv":
            return self._of_convolution(stored)
        if self.stage.op == "ConvTranspose":
            return self._of_transposed_convolution(stored)
        by_row = stored if self.is_turned else np.swapaxes(stored, -1, -2)
        return by_row.reshape(-1, 1, by_row.shape[-1])

    def _of_convolution(self, stored: np.ndarray) -> np.ndarray:
        rows, columns = stored.shape[:2]
        return np.moveaxis(stored, 1, -1).reshape(rows, -1, columns)

    def _of_transposed_convolution(self, stored: np.ndarray) -> np.ndarray:
        """Stored are (input channel, output channel of a group, window)."""
        columns, rows = stored.shape[0] // self.groups, stored.shape[1]
        by_group = stored.reshape(self.groups, columns, rows, -1)
        return by_group.transpose(0, 2, 3, 1).reshape(self.groups * rows, -1, columns)

    def stored(self, arranged: np.ndarray) -> np.ndarray:
        """What was arranged as (row, place, column), as it is stored."""
        places = self.arranged(np.arange(prod(self.shape)).reshape(self.shape))
        back = np.empty(prod(self.shape), arranged.dtype)
        back[places.ravel()] = arranged.ravel()
        return back.reshape(self.shape)

    def masked(self, kept: np.ndarray) -> np.ndarray:
        """The weights as they are stored, with zeros where they are not kept."""
        return self.stored(np.where(kept, self.numbers, np.float32(0)))


def weights_of(model: ModelProto, stages: Sequence[Stage]) -> list[Weights]:
    """The weights of all layers of a network whose numbers are stored in FP32, in its order.

    A tensor that several layers share is that of the first.
    """
    nodes = {node.name: node for node in model.graph.node}
    stored = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == FP32}
    layers: list[Weights] = []
    seen: set[str] = set()
    for stage in stages:
        node = nodes.get(stage.nodes[0])
        if node is None or node.domain not in ONNX_DOMAINS or stage.op not in WEIGHTED:
            continue
        name = node.input[WEIGHT] if len(node.input) > WEIGHT else ""
        if name not in stored or name in seen or len(stored[name].dims) < 2:
            continue
        seen.add(name)
        layers.append(_weights(stage, node, stored[name]))
    return layers


def _weights(stage: Stage, node: NodeProto, tensor: Any) -> Weights:
    import onnx

    attributes = {entry.name: entry.i for entry in node.attribute}
    array = onnx.numpy_helper.to_array(tensor)
    groups = int(attributes.get("group", 1)) if stage.op in CONVOLUTIONS else 1
    is_turned = stage.op == "Gemm" and bool(attributes.get("transB"))
    weights = Weights(stage, tensor.name, tuple(array.shape), groups, is_turned)
    arranged = np.ascontiguousarray(weights.arranged(array))
    return Weights(stage, tensor.name, weights.shape, groups, is_turned, arranged)


def replaced(model: ModelProto, arrays: Mapping[str, np.ndarray]) -> Any:
    """A copy of the network with these numbers in its stored tensors, by name."""
    import onnx

    copy = copy_of(model)
    for tensor in copy.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(onnx.numpy_helper.from_array(arrays[tensor.name], tensor.name))
    return copy
