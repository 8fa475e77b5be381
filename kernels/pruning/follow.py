"""Follow channels through a network: which places of which tensors go together.

Each axis of a tensor whose places can go has labels: the unit of each place. An operation passes
labels on, unites those that it ties, starts new ones (its own output channels), or fixes them where
it cannot be followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.graph import graph_of
from kernels.onnx.protos import computed_values, copy_of, free_inputs
from kernels.precision.stages import ONNX_DOMAINS, names_read_inside
from kernels.pruning.units import Labels, Units

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Axes = dict[int, Labels]
"""Labels by axis."""
OUTPUT = "the network's output has them"
UNKNOWN_SHAPE = "a shape behind it is not known"
ELEMENTWISE_NAMES = """
Abs Add And Cast Ceil Celu Clip Cos Div Dropout Elu Equal Erf Exp Floor Gelu Greater HardSigmoid
HardSwish Identity LeakyRelu Less Log Max Mean Min Mish Mul Neg Not Or Pow PRelu QuickGelu
Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign Sqrt Sub Sum Swish Tan Tanh
ThresholdedRelu Where Xor
"""
ELEMENTWISE = frozenset(ELEMENTWISE_NAMES.split())
"""Operations that work place by place, and fit their inputs to each other from the last axis."""
SPATIAL_NAMES = """
AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool Resize Upsample
"""
SPATIAL = frozenset(SPATIAL_NAMES.split())
"""Operations that work in each channel of its own."""
RESHAPING = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze"))
REDUCING_NAMES = """
ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
"""
REDUCING = frozenset(REDUCING_NAMES.split())
NORMALISING = frozenset(("BatchNormalization", "InstanceNormalization"))
"""Each channel has its own numbers in all further inputs."""


@dataclass(frozen=True)
class Filters:
    """The output channels of one layer."""

    layer: str
    """Name of the node."""
    tensor: str
    """Name of its stored weights."""
    axis: int
    """Of its output channels in these."""
    labels: Labels
    """Their units."""
    written: str
    """Name of the activation that the layer leaves."""


class Followed:
    """A network whose channels were followed."""

    def __init__(self, model: ModelProto) -> None:
        """model: a network with all weights; every node has a name."""
        import onnx

        self.units = Units()
        self.axes: dict[str, Axes] = {}
        """Labels of activations, by name."""
        self.stored_axes: dict[str, Axes] = {}
        """Labels of stored tensors, by name."""
        self.readers: dict[str, list[str]] = {}
        """Names of the nodes that read a stored tensor."""
        self.filters: list[Filters] = []
        """Of all layers with output channels, in the network's order."""
        self.scales: list[Filters] = []
        """Scales of normalisations that stand in the network."""
        self.opset = max(
            (entry.version for entry in model.opset_import if entry.domain in ONNX_DOMAINS),
            default=1,
        )
        self.stored = {tensor.name: tensor for tensor in model.graph.initializer}
        settled = graph_of(copy_of(model)).model
        self.shapes: dict[str, tuple[int, ...]] = {}
        for value in [*computed_values(settled), *free_inputs(settled)]:
            dims = value.type.tensor_type.shape.dim
            is_known = value.type.tensor_type.HasField("shape")
            if is_known and all(dim.HasField("dim_value") for dim in dims):
                self.shapes[value.name] = tuple(dim.dim_value for dim in dims)
        for tensor in model.graph.initializer:
            self.shapes[tensor.name] = tuple(tensor.dims)
        self.constants = set(self.stored)
        """Names of all that is stored, or follows from what is stored."""
        self._to_array = onnx.numpy_helper.to_array
        for node in model.graph.node:
            self._follow(node)
        kept = {value.name for value in model.graph.output}
        for name in kept:
            self._fix_tensor(name, OUTPUT)
        for name in names_read_inside(model.graph.node):
            self._fix_tensor(name, "a branch or loop reads it")

    def labels(self, name: str, axis: int) -> Labels | None:
        """The labels of one axis of an activation; None if its places cannot go."""
        return self.axes.get(name, {}).get(axis)

    def constant(self, name: str) -> np.ndarray | None:
        """The numbers of a stored tensor; None if it is none."""
        tensor = self.stored.get(name)
        return None if tensor is None else np.asarray(self._to_array(tensor))

    def _follow(self, node: NodeProto) -> None:
        """Give labels to what a node writes."""
        reads = [name for name in node.input if name]
        if all(name in self.constants for name in reads) and not _has_graph(node):
            self.constants.update(node.output)
            return
        names = [name for name in (*reads, *node.output) if name]
        if not any(self.axes.get(name) for name in reads) and node.op_type not in STARTING:
            return
        if any(name not in self.shapes for name in names if not self._is_spare(node, name)):
            self.fix_inputs(node, UNKNOWN_SHAPE)
            return
        rule = RULES.get(node.op_type) if node.domain in ONNX_DOMAINS else None
        if rule is None:
            self.fix_inputs(node, f"{node.op_type} is not followed")
            return
        for name in reads:
            if name in self.stored:
                self.readers.setdefault(name, []).append(node.name)
        rule(self, node)

    def _is_spare(self, node: NodeProto, name: str) -> bool:
        """True for a further result, such as the mask of Dropout, which has no shape."""
        return node.op_type != "Split" and name in list(node.output)[1:]

    def fix_inputs(self, node: NodeProto, reason: str) -> None:
        """Fix all that a node reads."""
        for name in node.input:
            self._fix_tensor(name, reason)

    def _fix_tensor(self, name: str, reason: str) -> None:
        for labels in self.axes.get(name, {}).values():
            self.units.fix(labels, reason)

    def only(self, name: str, axes: Sequence[int], reason: str) -> None:
        """Fix the labels of all other axes of a tensor."""
        for axis, labels in self.axes.get(name, {}).items():
            if axis not in axes:
                self.units.fix(labels, reason)

    def give(self, name: str, axis: int, labels: Labels) -> None:
        """Give labels to one axis of an activation."""
        self.axes.setdefault(name, {})[axis] = labels

    def store(self, name: str, axis: int, labels: Labels) -> None:
        """Give labels to one axis of a stored tensor; fix them if it is none."""
        if name not in self.stored:
            self.units.fix(labels, "weights that are computed are not followed")
            return
        axes = self.stored_axes.setdefault(name, {})
        if axis in axes:  # several layers share the tensor
            self.units.unite(axes[axis], labels)
        axes[axis] = labels

    def start(self, node: NodeProto, axis: int, count: int) -> Labels:
        """New labels for the output channels of a layer, along this axis of its weights."""
        labels = self.units.fresh(count)
        name = node.input[1]
        self.store(name, axis, labels)
        self.filters.append(Filters(node.name, name, axis, labels, node.output[0]))
        return labels


def _has_graph(node: NodeProto) -> bool:
    return any(attribute.HasField("g") for attribute in node.attribute)


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values, by name."""
    import onnx

    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}


def _convolution(network: Followed, node: NodeProto) -> None:
    read, weights, written = node.input[0], node.input[1], node.output[0]
    groups = int(attributes_of(node).get("group", 1))
    shape = network.shapes[weights]
    network.only(read, (1,), "they are no channels of a convolution")
    labels = network.labels(read, 1)
    if weights not in network.stored:
        network.fix_inputs(node, "weights that are computed are not followed")
        return
    if groups > 1 and shape[1] == 1:
        results = _depthwise(network, node, labels, shape[0] // groups)
    else:
        results = network.start(node, 0, shape[0])
        if groups > 1:
            results = _tied(network, results, groups)
            network.store(weights, 0, results)
        if labels is not None:
            if groups > 1:
                labels = _tied(network, labels, groups)
            network.store(weights, 1, labels[: shape[1]])
    if results is None:
        return
    if len(node.input) > 2 and node.input[2]:
        network.store(node.input[2], 0, results)
    network.give(written, 1, results)


def _tied(network: Followed, labels: Labels, groups: int) -> Labels:
    """The same labels with channels of the same place in each group united: all groups stay as
    large as each other."""
    by_group = labels.reshape(groups, -1)
    for further in by_group[1:]:
        network.units.unite(by_group[0], further)
    return np.tile(by_group[0], groups)


def _depthwise(
    network: Followed, node: NodeProto, labels: Labels | None, multiplier: int
) -> Labels | None:
    """The output channels of a depthwise convolution go with the input channels they are of."""
    if labels is None:
        return None
    results = np.repeat(labels, multiplier)
    weights = node.input[1]
    network.store(weights, 0, results)
    network.filters.append(Filters(node.name, weights, 0, results, node.output[0]))
    return results


def _transposed_convolution(network: Followed, node: NodeProto) -> None:
    read, weights, written = node.input[0], node.input[1], node.output[0]
    groups = int(attributes_of(node).get("group", 1))
    shape = network.shapes[weights]
    network.only(read, (1,), "they are no channels of a convolution")
    labels = network.labels(read, 1)
    if groups > 1 or weights not in network.stored:
        network.fix_inputs(node, "a transposed convolution in groups is not followed")
        return
    results = network.start(node, 1, shape[1])
    if labels is not None:
        network.store(weights, 0, labels)
    if len(node.input) > 2 and node.input[2]:
        network.store(node.input[2], 0, results)
    network.give(written, 1, results)


def _gemm(network: Followed, node: NodeProto) -> None:
    attributes = attributes_of(node)
    read, weights, written = node.input[0], node.input[1], node.output[0]
    if attributes.get("transA") or weights not in network.stored:
        network.fix_inputs(node, "a product of two activations is not followed")
        return
    network.only(read, (1,), "they are rows of a product")
    in_axis, out_axis = (1, 0) if attributes.get("transB") else (0, 1)
    labels = network.labels(read, 1)
    if labels is not None:
        network.store(weights, in_axis, labels)
    results = network.start(node, out_axis, network.shapes[weights][out_axis])
    if len(node.input) > 2 and node.input[2]:
        _store_last(network, node.input[2], results)
    network.give(written, 1, results)


def _store_last(network: Followed, name: str, labels: Labels) -> None:
    """Give labels to the last axis of a stored bias, unless it is one number for all."""
    shape = network.shapes[name]
    if not shape or shape[-1] == 1:
        return
    if name not in network.stored:
        network.units.fix(labels, "weights that are computed are not followed")
        return
    network.store(name, len(shape) - 1, labels)


def _product(network: Followed, node: NodeProto) -> None:
    left, right, written = node.input[0], node.input[1], node.output[0]
    if right in network.stored and len(network.shapes[right]) == 2:
        last = len(network.shapes[left]) - 1
        for axis, labels in network.axes.get(left, {}).items():
            if axis != last:
                network.give(written, axis, labels)
        inner = network.labels(left, last)
        if inner is not None:
            network.store(right, 0, inner)
        count = network.shapes[right][1]
        network.give(written, last, network.start(node, 1, count))
        return
    if left in network.constants or right in network.constants:
        network.fix_inputs(node, "a product with stored numbers of this shape is not followed")
        return
    _product_of_two(network, left, right, written)


def _product_of_two(network: Followed, left: str, right: str, written: str) -> None:
    """The inner axes of both go together, outer ones are passed on, all others stay."""
    rank = len(network.shapes[written])
    if not len(network.shapes[left]) == len(network.shapes[right]) == rank >= 2:
        for name in (left, right):
            network.only(name, (), "a product of different ranks is not followed")
        return
    reason = "a product of two activations keeps them"
    network.only(left, (rank - 2, rank - 1), reason)
    network.only(right, (rank - 2, rank - 1), reason)
    _join(network, [network.labels(left, rank - 1), network.labels(right, rank - 2)], reason)
    for name, axis in ((left, rank - 2), (right, rank - 1)):
        labels = network.labels(name, axis)
        if labels is not None:
            network.give(written, axis, labels)


def _join(network: Followed, parts: Sequence[Labels | None], reason: str) -> Labels | None:
    """Unite the labels of axes that go together; fix them if one of these cannot go."""
    labelled = [labels for labels in parts if labels is not None]
    if not labelled:
        return None
    for labels in labelled[1:]:
        network.units.unite(labelled[0], labels)
    if len(labelled) < len(parts):
        network.units.fix(labelled[0], reason)
    return labelled[0]


def _elementwise(network: Followed, node: NodeProto) -> None:
    written = node.output[0]
    shape = network.shapes[written]
    for axis, length in enumerate(shape):
        if length == 1:
            continue
        parts: list[Labels | None] = []
        stored: list[tuple[str, int]] = []
        for name in filter(None, node.input):
            own_axis = axis - len(shape) + len(network.shapes[name])
            if own_axis < 0 or network.shapes[name][own_axis] != length:
                continue
            if name in network.constants:
                stored.append((name, own_axis))
            else:
                parts.append(network.labels(name, own_axis))
        reason = f"{node.op_type} joins them with what keeps its channels"
        labels = _join(network, parts, reason)
        if labels is None:
            continue
        for name, own_axis in stored:
            network.store(name, own_axis, labels)
        network.give(written, axis, labels)


def _channel_by_channel(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    network.only(read, (0, 1), f"{node.op_type} works along them")
    for axis in (0, 1):
        labels = network.labels(read, axis)
        if labels is None:
            continue
        if network.shapes[written][axis] != len(labels):
            network.units.fix(labels, f"{node.op_type} works along them")
            continue
        network.give(written, axis, labels)


def _normalisation(network: Followed, node: NodeProto) -> None:
    _channel_by_channel(network, node)
    labels = network.labels(node.input[0], 1)
    if labels is None:
        return
    for name in list(node.input)[1:]:
        network.store(name, 0, labels)
    network.scales.append(Filters(node.name, node.input[1], 0, labels, node.output[0]))


def _layer_normalisation(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    rank = len(network.shapes[read])
    for axis, labels in network.axes.get(read, {}).items():
        for name in list(node.input)[1:]:
            own_axis = axis - rank + len(network.shapes[name])
            if own_axis >= 0 and network.shapes[name][own_axis] == len(labels):
                network.store(name, own_axis, labels)
        network.give(written, axis, labels)


def _softmax(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    rank = len(network.shapes[read])
    axis = int(attributes_of(node).get("axis", -1 if network.opset >= 13 else 1)) % rank
    summed = [axis] if network.opset >= 13 else range(axis, rank)
    for own_axis, labels in network.axes.get(read, {}).items():
        if own_axis in summed:
            network.units.fix(labels, f"{node.op_type} works on all of them")
        network.give(written, own_axis, labels)


def _concat(network: Followed, node: NodeProto) -> None:
    written = node.output[0]
    rank = len(network.shapes[written])
    joined = int(attributes_of(node)["axis"]) % rank
    for axis in range(rank):
        parts = [network.labels(name, axis) for name in node.input]
        if all(labels is None for labels in parts):
            continue
        if axis != joined:
            labels = _join(network, parts, "Concat joins them with what keeps its channels")
            assert labels is not None
            network.give(written, axis, labels)
            continue
        pieces = []
        for name, part in zip(node.input, parts, strict=True):
            if part is None:
                part = network.units.fresh(network.shapes[name][axis])
                network.units.fix(part, "they are no channels of a layer")
            pieces.append(part)
        network.give(written, axis, np.concatenate(pieces))


def _split(network: Followed, node: NodeProto) -> None:
    read = node.input[0]
    rank = len(network.shapes[read])
    split_axis = int(attributes_of(node).get("axis", 0)) % rank
    for axis, labels in network.axes.get(read, {}).items():
        start = 0
        for name in node.output:
            if axis != split_axis:
                network.give(name, axis, labels)
                continue
            end = start + network.shapes[name][axis]
            network.give(name, axis, labels[start:end])
            start = end


def _transpose(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    rank = len(network.shapes[read])
    order = list(attributes_of(node).get("perm", range(rank)[::-1]))
    for axis, labels in network.axes.get(read, {}).items():
        network.give(written, order.index(axis), labels)


def _reduce(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    rank = len(network.shapes[read])
    attributes = attributes_of(node)
    axes = attributes.get("axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = network.constant(node.input[1])
        if axes is None:
            network.fix_inputs(node, f"axes of {node.op_type} are computed")
            return
    reduced = {int(axis) % rank for axis in (range(rank) if axes is None else axes)}
    keeps = bool(attributes.get("keepdims", 1))
    for axis, labels in network.axes.get(read, {}).items():
        if axis in reduced:
            if node.op_type != "ReduceMean":  # a mean is one of fewer channels
                network.units.fix(labels, f"{node.op_type} works on all of them")
            continue
        before = sum(other < axis for other in reduced)
        network.give(written, axis if keeps else axis - before, labels)


def _pad(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    for axis, labels in network.axes.get(read, {}).items():
        if network.shapes[read][axis] != network.shapes[written][axis]:
            network.units.fix(labels, "Pad adds to them")
            continue
        network.give(written, axis, labels)


def _slice(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    for axis, labels in network.axes.get(read, {}).items():
        if network.shapes[read][axis] != network.shapes[written][axis]:
            network.units.fix(labels, "Slice takes a part of them")
            continue
        network.give(written, axis, labels)


def _gather(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    if node.input[1] not in network.constants:
        network.fix_inputs(node, "Gather takes what is computed")
        return
    rank = len(network.shapes[read])
    taken = int(attributes_of(node).get("axis", 0)) % rank
    added = len(network.shapes[node.input[1]]) - 1
    for axis, labels in network.axes.get(read, {}).items():
        if axis == taken:
            network.units.fix(labels, "Gather takes some of them")
            continue
        network.give(written, axis if axis < taken else axis + added, labels)


def _reshape(network: Followed, node: NodeProto) -> None:
    read, written = node.input[0], node.output[0]
    if node.op_type == "Reshape" and node.input[1] not in network.stored:
        network.fix_inputs(node, "the shape of a Reshape is computed")
        return
    before, after = network.shapes[read], network.shapes[written]
    for own_axes, new_axes in blocks(before, after):
        labelled = [axis for axis in own_axes if network.labels(read, axis) is not None]
        if not labelled:
            continue
        if len(labelled) > 1:
            for axis in labelled:
                network.units.fix(network.axes[read][axis], "Reshape merges two kinds of channels")
            continue
        own_shape = [before[axis] for axis in own_axes]
        place = own_axes.index(labelled[0])
        spread = [1] * len(own_shape)
        spread[place] = own_shape[place]
        labels = network.axes[read][labelled[0]].reshape(spread)
        flat = np.broadcast_to(labels, own_shape).reshape([after[axis] for axis in new_axes])
        _give_reshaped(network, written, new_axes, flat)


def _give_reshaped(network: Followed, name: str, axes: Sequence[int], flat: Labels) -> None:
    """Give labels to the axis along which they change; to the longest, united, if to several."""
    candidates = [place for place in range(flat.ndim) if flat.shape[place] > 1]
    if not candidates:  # one channel, which cannot go
        return
    for place in candidates:
        rows = np.moveaxis(flat, place, 0).reshape(flat.shape[place], -1)
        if (rows == rows[:, :1]).all():
            network.give(name, axes[place], rows[:, 0])
            return
    longest = max(candidates, key=lambda place: flat.shape[place])
    rows = np.moveaxis(flat, longest, 0).reshape(flat.shape[longest], -1)
    for column in rows.T[1:]:
        network.units.unite(rows[:, 0], column)
    network.give(name, axes[longest], rows[:, 0])


def blocks(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Axes of two shapes of as many elements that hold the same of these, in order."""
    pairs = []
    own, new = 0, 0
    while own < len(before) or new < len(after):
        own_axes: list[int] = []
        new_axes: list[int] = []
        sizes = [1, 1]
        while True:
            lacks_own = not own_axes and own < len(before)
            lacks_new = not new_axes and new < len(after)
            if lacks_own or (sizes[0] < sizes[1] and not lacks_new):
                own_axes.append(own)
                own += 1
            elif lacks_new or sizes[0] > sizes[1]:
                new_axes.append(new)
                new += 1
            else:
                break
            sizes = [
                prod(before[axis] for axis in own_axes),
                prod(after[axis] for axis in new_axes),
            ]
        pairs.append((own_axes, new_axes))
    return pairs


Rule = Callable[[Followed, Any], None]
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    **dict.fromkeys(SPATIAL, _channel_by_channel),
    **dict.fromkeys(RESHAPING, _reshape),
    **dict.fromkeys(REDUCING, _reduce),
    **dict.fromkeys(NORMALISING, _normalisation),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    "Conv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "Gemm": _gemm,
    "MatMul": _product,
    "LayerNormalization": _layer_normalisation,
    "Concat": _concat,
    "Split": _split,
    "Transpose": _transpose,
    "Pad": _pad,
    "Slice": _slice,
    "Gather": _gather,
}
"""What an operation does to labels; an operation that is not named here fixes them."""
STARTING = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
"""Operations with output channels of their own."""
