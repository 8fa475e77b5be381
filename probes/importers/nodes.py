"""The work of a model's nodes for the importers: by name, in the order of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kernels.onnx.graph import Node
from kernels.onnx.work import work_of


@dataclass(frozen=True)
class OnnxWork:
    """The work of one node; None where it is unknown."""

    flops: float | None
    """Operations."""
    bytes: float | None
    """Compulsory bytes."""
    op: str
    """Its operation."""
    output: str
    """The name of its first output."""
    integer_bytes: float | None = None
    """Compulsory bytes in INT8, as a runtime runs it between Q/DQ nodes."""
    reads: Mapping[str, float | None] = field(default_factory=dict)
    """Bytes of each input that is no weight, by name."""
    slow: Mapping[str, float] | None = None
    """Slow operations by name."""


def nodes_of(nodes: Iterable[Node], precision: str = "") -> dict[str, OnnxWork]:
    """Work by node name; ``precision`` replaces the type of float tensors (``fp16``)."""
    return {node.name: _work(node, precision) for node in nodes}


def _work(node: Node, precision: str) -> OnnxWork:
    work = work_of(node, precision)
    output = node.outputs[0].name if node.outputs and node.outputs[0] else ""
    reads = {t.name: t.bytes(precision) for t in node.inputs if t is not None and not t.weight}
    integer = work_of(node, "int8").compulsory_bytes
    return OnnxWork(work.flops, work.compulsory_bytes, node.op, output, integer, reads, work.slow)
