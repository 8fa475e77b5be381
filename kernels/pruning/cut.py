"""A network without some of its channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.protos import copy_of, set_dims
from kernels.pruning.follow import attributes_of
from kernels.pruning.groups import L1, Channels

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SIZES_INPUT_OPSET = 13
"""From which a Split reads its sizes."""
LARGEST_INFERRED = 2**31 - 1
"""Bytes of the largest network whose shapes ONNX infers in memory."""


def cut(channels: Channels, kept: Mapping[str, int], ranking: str = L1) -> Any:
    """The ModelProto in which these groups keep so many channels, by the group's name.

    Raises Unavailable for a group that is not there, or a count that it cannot have.
    """
    import onnx

    groups = {group.name: group for group in channels.groups}
    removed: set[int] = set()
    for name, count in kept.items():
        group = groups.get(name)
        if group is None:
            raise Unavailable(f"{name} is no group of channels of this network")
        if not 0 < count <= group.channels or count % group.width:
            raise Unavailable(f"{name} has {group.channels} channels, and cannot keep {count}")
        removed.update(group.removed(count, ranking))
    is_left = np.ones(channels.followed.units.count, bool)
    is_left[list(removed)] = False
    stays = {axis: is_left[roots] for axis, roots in channels.roots.items()}
    model = copy_of(channels.model)
    for tensor in model.graph.initializer:
        for axis in channels.followed.stored_axes.get(tensor.name, {}):
            mask = stays[tensor.name, axis]
            if not mask.all():
                numbers = onnx.numpy_helper.to_array(tensor).compress(mask, axis)
                stored = onnx.numpy_helper.from_array(np.ascontiguousarray(numbers), tensor.name)
                tensor.CopyFrom(stored)
    rewriting = _Rewriting(model, channels, stays)
    for node in model.graph.node:
        rewriting.rewrite(node)
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    for value in model.graph.input:  # old files list weights there, too
        if value.name in shapes:
            set_dims(value, shapes[value.name])
    del model.graph.value_info[:]
    if model.ByteSize() > LARGEST_INFERRED:
        return model
    return onnx.shape_inference.infer_shapes(model)


class _Rewriting:
    """Changes what nodes say of numbers of channels."""

    def __init__(
        self, model: ModelProto, channels: Channels, stays: Mapping[tuple[str, int], np.ndarray]
    ) -> None:
        """stays: which places of an axis are left, by tensor and axis."""
        self.model = model
        self.followed = channels.followed
        self.stays = stays

    def rewrite(self, node: NodeProto) -> None:
        """Change a node in place."""
        if node.op_type == "Conv":
            self._groups(node)
        elif node.op_type == "Reshape":
            self._dims(node, 1)
        elif node.op_type == "Resize" and len(node.input) > 3 and node.input[3]:
            self._dims(node, 3)
        elif node.op_type == "Split":
            self._sizes(node)

    def _is_cut(self, name: str, axis: int) -> bool:
        mask = self.stays.get((name, axis))
        return mask is not None and not mask.all()

    def _count(self, name: str, axis: int) -> int:
        return int(self.stays[name, axis].sum())

    def _groups(self, node: NodeProto) -> None:
        """A depthwise convolution has a group for each channel that is left."""
        shape = self.followed.shapes[node.input[1]]
        groups = int(attributes_of(node).get("group", 1))
        if groups == 1 or shape[1] > 1 or not self._is_cut(node.input[0], 1):
            return
        for attribute in node.attribute:
            if attribute.name == "group":
                attribute.i = self._count(node.input[0], 1)

    def _dims(self, node: NodeProto, place: int) -> None:
        """A stored shape names the channels that are left."""
        written = node.output[0]
        stored = self.followed.constant(node.input[place])
        if stored is None:
            return
        dims = stored.copy()
        for axis in range(len(dims)):
            if dims[axis] > 0 and self._is_cut(written, axis):
                dims[axis] = self._count(written, axis)
        if (dims != stored).any():
            node.input[place] = self._store(f"{node.name}_cut_shape", dims)

    def _sizes(self, node: NodeProto) -> None:
        """Parts of a Split are as large as what is left of them."""
        rank = len(self.followed.shapes[node.input[0]])
        axis = int(attributes_of(node).get("axis", 0)) % rank
        if not any(self._is_cut(name, axis) for name in node.output):
            return
        sizes = [self._count(name, axis) for name in node.output]
        old = [entry for entry in node.attribute if entry.name not in ("split", "num_outputs")]
        del node.attribute[:]
        node.attribute.extend(old)
        if self.followed.opset < SIZES_INPUT_OPSET:
            entry = node.attribute.add(name="split")
            entry.type = entry.INTS
            entry.ints.extend(sizes)
            return
        del node.input[1:]
        node.input.append(self._store(f"{node.name}_cut_sizes", np.array(sizes)))

    def _store(self, name: str, numbers: np.ndarray) -> str:
        """Store whole numbers; returns their name."""
        import onnx

        tensor = onnx.numpy_helper.from_array(numbers.astype(np.int64), name)
        self.model.graph.initializer.append(tensor)
        return name
