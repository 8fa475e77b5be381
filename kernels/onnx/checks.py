"""Whether the shapes that a caller gave fit a network.

Inference accepts much that no runtime runs, and goes on behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from kernels.onnx.file import OnnxError, error_text
from kernels.onnx.protos import shape_text
from kernels.onnx.settle import ENLARGING, long_vectors

if TYPE_CHECKING:
    from onnx import ModelProto

CHANNELS = {"Conv": 1, "ConvInteger": 1, "FusedConv": 1, "QLinearConv": 3}
"""Place of a convolution's weights, whose second dimension is the channels of a group."""


def misfit(model: ModelProto) -> str:
    """Where the shapes of ``model`` contradict each other, in ONNX's strict inference; or ""."""
    import onnx.shape_inference

    # Following values would make what these operations enlarge, however large.
    enlarges = any(node.op_type in ENLARGING for node in model.graph.node)
    try:
        follow = not enlarges and not long_vectors(onnx.shape_inference.infer_shapes(model))
        onnx.shape_inference.infer_shapes(model, data_prop=follow, strict_mode=True)
    except Exception as problem:
        text = error_text(problem).replace("[ShapeInferenceError] ", "")
        return text.removeprefix("Inference error(s): ")
    return ""


def check_nodes(nodes: Sequence[Any]) -> None:
    """Raise OnnxError for a Node that waits for itself or that cannot run on its shapes."""
    _check_circles(nodes)
    for node in nodes:
        _check_reshape(node)
        _check_channels(node)


def _check_circles(nodes: Sequence[Any]) -> None:
    makers: dict[str, list[int]] = {}  # in a damaged file two nodes may make one tensor
    for place, node in enumerate(nodes):
        for tensor in node.outputs:
            if tensor:
                makers.setdefault(tensor.name, []).append(place)
    waits: dict[int, list[int]] = {}
    for place, node in enumerate(nodes):
        waits[place] = []
        for tensor in node.inputs:
            if tensor:
                waits[place] += makers.get(tensor.name, [])
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        node = nodes[min(error.args[1])]
        raise OnnxError(
            f"{node.op} {node.name} reads what follows from its own result: it can never run"
        ) from None


def _check_reshape(node: Any) -> None:
    """Raise OnnxError for a Reshape that loses elements: a batch written into the network does so.

    Shape inference takes its target as it stands.
    """
    if node.op != "Reshape" or not node.inputs or not node.outputs:
        return
    before = node.inputs[0]
    after = node.outputs[0]
    if not before or not after or not before.shape or not after.shape:
        return
    if before.size != after.size:
        raise OnnxError(
            f"Reshape {node.name}: {shape_text(before.shape)} does not fit "
            f"{shape_text(after.shape)}, which the network fixes: keep its batch"
        )


def _check_channels(node: Any) -> None:
    """Raise OnnxError for a convolution of other channels than its weights have."""
    if node.op not in CHANNELS:
        return
    data = node.input(0)
    weights = node.input(CHANNELS[node.op])
    if not data or not weights or not data.shape or not weights.shape:
        return
    if len(data.shape) != len(weights.shape) or len(weights.shape) < 2:
        return
    wanted = weights.shape[1] * int(node.attributes.get("group", 1))
    if data.shape[1] != wanted:
        raise OnnxError(
            f"{node.op} {node.name}: its weights take {wanted} channels, its input has "
            f"{data.shape[1]}"
        )
