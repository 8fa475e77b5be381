"""The work of an operation that ONNX Runtime ran.

It is that of the nodes it holds; without those, what follows from its shapes.
"""

from __future__ import annotations

from collections.abc import Sequence

from kernels.onnx.graph import Node, Tensor
from kernels.onnx.work import work_of
from kernels.runtime.launch import INTEGER
from probes.importers.layer_row import NodeWork, total
from probes.importers.onnxruntime.nodes import LAYOUT

CONTROL = frozenset(("If", "Loop", "Scan"))
"""Operations that run others, whose events lie within theirs."""
Shape = tuple[str, list[int]]
"""Type and dimensions of a tensor."""


def work(
    name: str, op: str, inputs: Sequence[Shape], outputs: Sequence[Shape], nodes: Sequence[NodeWork]
) -> tuple[float | None, float | None, str]:
    """Operations, compulsory bytes and a remark.

    nodes: those that ran as this operation, first the one it is named for.
    """
    if op in CONTROL:
        return 0.0, None, "control flow: the operations it runs are rows of their own"
    flops, moved = _of_nodes(op, nodes) if nodes else (None, None)
    if flops is not None and moved is not None:
        return flops, moved, ""
    way_out = "" if nodes else ", give the model"
    flops_of_shapes, bytes_of_shapes, remark = _of_shapes(name, op, inputs, outputs, way_out)
    if flops is None:
        flops = flops_of_shapes
    if moved is None:
        moved = bytes_of_shapes
    return flops, moved, remark


def _of_shapes(
    name: str, op: str, inputs: Sequence[Shape], outputs: Sequence[Shape], way_out: str
) -> tuple[float | None, float | None, str]:
    """Operations, bytes and a remark that says what they follow from, or what is missing."""
    if op.endswith(("MatMul", "Gemm")) and len(inputs) == 1 and outputs and inputs[0][1]:
        dtype, left = inputs[0]
        _, result = outputs[0]
        packed_weights = (dtype, [left[-1], result[-1]])  # which the profile does not list
        inputs = [*inputs, packed_weights]
    tensors = [
        Tensor(f"{name} {i}", tuple(shape), dtype)
        for i, (dtype, shape) in enumerate((*inputs, *outputs))
    ]
    if not tensors:
        return None, None, f"work of {op} unknown: the profile holds no shapes{way_out}"
    count = len(inputs)
    layer = work_of(Node(op, name, tuple(tensors[:count]), tuple(tensors[count:])))
    remark = ""
    if layer.flops is None:
        remark = f"FLOPs of {op} unknown: the profile holds no attributes{way_out}"
    elif layer.flops:
        remark = "work from the shapes in the profile"
        if LAYOUT in name:
            remark += f", where channels are padded to whole blocks: it may be less{way_out}"
    return layer.flops, layer.compulsory_bytes, remark


def _of_nodes(op: str, nodes: Sequence[NodeWork]) -> tuple[float | None, float | None]:
    """Operations of these nodes, and the bytes that cross their border.

    What one node writes and the next one reads does not cross it.
    """
    first, *rest = nodes
    inside = {node.output for node in nodes}
    ran_on_integers = op.startswith(INTEGER) and not first.op.startswith(INTEGER)
    moved = [first.integer_bytes if ran_on_integers else first.bytes]
    for node in rest:
        moved += [size for tensor, size in node.reads.items() if tensor not in inside]
    return total([node.flops for node in nodes]), total(moved)
