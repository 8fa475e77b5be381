"""The work of an operation that ONNX Runtime ran: that of the nodes it holds, else what follows
from its shapes.
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


def work(
    name: str, op: str, inputs: Sequence[Shape], outputs: Sequence[Shape], nodes: Sequence[NodeWork]
) -> tuple[float | None, float | None, str]:
    """Operations, compulsory bytes and a remark. nodes: those that ran as this one, its own
    first.
    """
    if op in CONTROL:
        return 0.0, None, "control flow: the operations it runs are rows of their own"
    flops, moved = _of_nodes(op, nodes) if nodes else (None, None)
    if flops is not None and moved is not None:
        return flops, moved, ""
    known, crossing, remark = _of_shapes(
        name, op, inputs, outputs, "" if nodes else ", give the model"
    )
    return known if flops is None else flops, crossing if moved is None else moved, remark


def _of_shapes(
    name: str, op: str, inputs: Sequence[Shape], outputs: Sequence[Shape], way_out: str
) -> tuple[float | None, float | None, str]:
    if op.endswith(("MatMul", "Gemm")) and len(inputs) == 1 and outputs and inputs[0][1]:
        inputs = [
            *inputs,
            (inputs[0][0], [inputs[0][1][-1], outputs[0][1][-1]]),
        ]  # packed weights are not listed
    tensors = [
        Tensor(f"{name} {i}", tuple(shape), kind)
        for i, (kind, shape) in enumerate((*inputs, *outputs))
    ]
    found = work_of(Node(op, name, tuple(tensors[: len(inputs)]), tuple(tensors[len(inputs) :])))
    if not tensors:
        return None, None, f"work of {op} unknown: the profile holds no shapes{way_out}"
    if found.flops is None:
        return (
            None,
            found.compulsory_bytes,
            f"FLOPs of {op} unknown: the profile holds no attributes{way_out}",
        )
    padded = (
        f", where channels are padded to whole blocks: it may be less{way_out}"
        if LAYOUT in name
        else ""
    )
    return (
        found.flops,
        found.compulsory_bytes,
        f"work from the shapes in the profile{padded}" if found.flops else "",
    )


def _of_nodes(op: str, nodes: Sequence[NodeWork]) -> tuple[float | None, float | None]:
    """Their operations, and the bytes that cross their border: what one writes and the next reads
    does not.
    """
    first, *rest = nodes
    inside = {node.output for node in nodes}
    further = [size for node in rest for tensor, size in node.reads.items() if tensor not in inside]
    narrowed = op.startswith(INTEGER) and not first.op.startswith(INTEGER)
    moved = first.integer_bytes if narrowed else first.bytes
    return total([node.flops for node in nodes]), total([moved, *further])
