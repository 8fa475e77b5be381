"""Whether the shapes a caller gave fit a network: inference takes much that no runtime runs, and
goes on behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from kernels.onnx.shapes import MAKERS, OnnxError, line, long_vectors, text

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

CHANNELS = {"Conv": 1, "ConvInteger": 1, "FusedConv": 1, "QLinearConv": 3}
"""Place of a convolution's weights, whose second dimension is the channels of a group."""


def misfit(model: ModelProto) -> str:
    """Where, by ONNX's own strict inference, the shapes of ``model`` contradict each other, or
    nothing.
    """
    import onnx.shape_inference

    makes = any(
        node.op_type in MAKERS for node in model.graph.node
    )  # they would be made, however large
    try:
        follow = not makes and not long_vectors(onnx.shape_inference.infer_shapes(model))
        onnx.shape_inference.infer_shapes(model, data_prop=follow, strict_mode=True)
    except Exception as problem:
        return (
            line(problem).replace("[ShapeInferenceError] ", "").removeprefix("Inference error(s): ")
        )
    return ""


def check_nodes(nodes: Sequence[Any]) -> None:
    """OnnxError for a node (as of ``graph``) that cannot run on its shapes, or that waits for
    itself.
    """
    _check_circles(nodes)
    for node in nodes:
        _check_reshape(node)
        _check_channels(node)


def _check_circles(nodes: Sequence[Any]) -> None:
    makers: dict[str, list[int]] = {}  # of a damaged file two nodes may make one tensor
    for place, node in enumerate(nodes):
        for name in (tensor.name for tensor in node.outputs if tensor):
            makers.setdefault(name, []).append(place)
    waits = {
        place: [maker for tensor in node.inputs if tensor for maker in makers.get(tensor.name, ())]
        for place, node in enumerate(nodes)
    }
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as error:
        node = nodes[min(error.args[1])]
        raise OnnxError(
            f"{node.op} {node.name} reads what follows from its own result: it can never run"
        ) from None


def _check_reshape(node: NodeProto) -> None:
    """A batch written into the network shows where a Reshape loses elements; shape inference takes
    it as it stands.
    """
    before, after = (
        node.inputs[0] if node.inputs else None,
        node.outputs[0] if node.outputs else None,
    )
    if (
        node.op == "Reshape"
        and before
        and after
        and before.shape
        and after.shape
        and before.size != after.size
    ):
        old, new = text(before.shape), text(after.shape)
        raise OnnxError(
            f"Reshape {node.name}: {old} does not fit {new}, which the network fixes: "
            "keep its batch"
        )


def _check_channels(node: NodeProto) -> None:
    weights = node.input(CHANNELS[node.op]) if node.op in CHANNELS else None
    data = node.input(0)
    if not (
        weights
        and data
        and weights.shape
        and data.shape
        and len(data.shape) == len(weights.shape) > 1
    ):
        return
    wanted = weights.shape[1] * int(node.attributes.get("group", 1))
    if data.shape[1] != wanted:
        raise OnnxError(
            f"{node.op} {node.name}: its weights take {wanted} channels, its input has "
            f"{data.shape[1]}"
        )
