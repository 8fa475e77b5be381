"""Which operations of a network can have a precision of their own.

A stage is one operation that reads float activations and leaves one, with a Relu or Clip that ends
it: runtimes run those two as one, and integers do the work of the second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.graph import Graph, Node, Tensor
from kernels.onnx.work import work_of
from kernels.precision.narrow import BF16_OPSET, NARROW, slot_types
from kernels.precision.quantize import QUANTIZED
from kernels.precision.units import DECODE, ENCODE

if TYPE_CHECKING:
    from onnx import GraphProto

FP32, INT8, FP8 = "fp32", "int8", "fp8"
ONNX_DOMAINS = ("", "ai.onnx")
"""Where ONNX's own schemas count."""
WEIGHT = 1
"""The place of the weights of a convolution or product."""
CONVOLUTIONS = frozenset(("Conv", "ConvTranspose"))
PRODUCTS = frozenset(("Gemm", "MatMul"))
WEIGHTED = CONVOLUTIONS | PRODUCTS
"""Operations that have weights."""
ENDED = WEIGHTED | {"Add"}
"""Operations that runtimes run as one with a Relu or Clip after them."""
IN_FP8 = frozenset(("Conv", *PRODUCTS))
PASSING_NAMES = """
MaxPool Reshape Transpose Flatten Squeeze Unsqueeze Slice Gather Concat Split Identity Expand Tile
DepthToSpace SpaceToDepth
"""
PASSING = frozenset(PASSING_NAMES.split())
"""Operations that pass numbers on as they are, and take 8-bit integers as well as floats."""
IN_INT8 = QUANTIZED | PASSING | CONVOLUTIONS | {"Clip"}
"""Operations that ONNX Runtime or TensorRT has on integers."""


SCORING = frozenset(("Softmax", "LogSoftmax"))
"""Operations that make probabilities of scores."""


@dataclass(frozen=True)
class Stage:
    """An operation that can have a precision of its own."""

    name: str
    """That of its main node."""
    op: str
    """What that does, by ONNX's name."""
    nodes: tuple[str, ...]
    """Names of its nodes in order: the main one, and a Relu or Clip that only it feeds."""
    reads: tuple[str, ...]
    """The float activations that it reads."""
    writes: str
    """The float activation that it leaves: the first, if it leaves several."""
    elements: Mapping[str, int]
    """Elements of each of these tensors; 0 where they are not known."""
    weights: int
    """Elements of its weights."""
    flops: float | None
    """Operations of one run; None is unknown."""
    precisions: tuple[str, ...]
    """Those that it can have: ``fp32`` first, then of fp16, bf16, int8 and fp8."""
    passes: bool
    """True if it passes numbers on as they are: a Reshape, a MaxPool. It then runs on the integers
    where its neighbours do."""
    results: tuple[str, ...] = ()
    """All float activations that it leaves: a Split has several."""


def stages(graph: Graph) -> list[Stage]:
    """The stages of a network of FP32 numbers, in its order.

    What reads or leaves no FP32 activation is none: shape arithmetic, a Cast, an embedding.
    """
    edges = _Edges(graph)
    in_order: list[Stage] = []
    ends: set[str] = set()  # nodes that end an earlier stage
    for node in graph.nodes:
        is_coding = node.op in (ENCODE, DECODE)
        if node.name in ends or is_coding or not _reads(node) or not _results(node):
            continue
        end = edges.end_of(node)
        if end is not None:
            ends.add(end.name)
        in_order.append(_stage(node, end, edges))
    return in_order


def is_bound(node: Node) -> bool:
    """True for a Relu, and for a Clip that leaves nothing below zero."""
    if node.op == "Clip":
        least = node.input(1)
        value = node.attributes.get("min") if least is None else least.value
        return value is not None and float(np.min(value)) == 0
    return node.op == "Relu"


class _Edges:
    """Who reads the tensors of a graph, and which are stored."""

    def __init__(self, graph: Graph) -> None:
        self.stored = {tensor.name for tensor in graph.weights}
        """Names of the weights whose numbers stand in the file."""
        self.opset = max(
            (graph.opsets.get(domain, 1) for domain in ONNX_DOMAINS),
            default=1,
        )
        self.answers = {tensor.name for tensor in graph.outputs}
        """Names of the network's outputs."""
        self._kept = self.answers | names_read_inside(graph.model.graph.node)
        """Tensors that others than nodes of this graph read."""
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(tensor.name for tensor in node.inputs if tensor):
                self._readers.setdefault(name, []).append(node)

    def end_of(self, node: Node) -> Node | None:
        """The Relu or Clip that alone reads the result of a node, as a runtime fuses them."""
        result = node.outputs[0]
        if node.op not in ENDED or result is None or result.name in self._kept:
            return None
        readers = self._readers.get(result.name, [])
        if len(readers) != 1 or not is_bound(readers[0]):
            return None
        return readers[0]


def names_read_inside(nodes: Iterable[Any]) -> set[str]:
    """Names that the branches and bodies within these NodeProtos read."""
    names: set[str] = set()
    for node in nodes:
        for graph in _inner_graphs(node):
            names |= _all_read(graph)
    return names


def _all_read(graph: GraphProto) -> set[str]:
    """Names that nodes of a graph read, at any depth, and those of its results."""
    names = {value.name for value in graph.output}
    for node in graph.node:
        names.update(node.input)
    return names | names_read_inside(graph.node)


def _inner_graphs(node: Any) -> Iterable[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _stage(node: Node, end: Node | None, edges: _Edges) -> Stage:
    """The stage of a node and the one that ends it."""
    nodes = [node] if end is None else [node, end]
    reads = _reads(node)
    results = _results(nodes[-1])
    flops = [work_of(part).flops for part in nodes]
    known = [count for count in flops if count is not None]
    return Stage(
        node.name,
        node.op,
        nodes=tuple(part.name for part in nodes),
        reads=tuple(reads),
        writes=next(iter(results)),
        elements={name: tensor.size or 0 for name, tensor in (reads | results).items()},
        weights=work_of(node).parameters,
        flops=sum(known) if len(known) == len(flops) else None,
        precisions=_precisions(nodes, edges),
        passes=_passes(node),
        results=tuple(results),
    )


def _reads(node: Node) -> dict[str, Tensor]:
    """The FP32 activations that a node reads, by name."""
    return {
        tensor.name: tensor
        for tensor in node.inputs
        if tensor and tensor.dtype == FP32 and not tensor.weight
    }


def _results(node: Node) -> dict[str, Tensor]:
    """The FP32 activations that a node leaves, by name."""
    return {tensor.name: tensor for tensor in node.outputs if tensor and tensor.dtype == FP32}


def _precisions(nodes: list[Node], edges: _Edges) -> tuple[str, ...]:
    """What the nodes of a stage can be in, FP32 first."""
    precisions = [FP32]
    for dtype in NARROW:
        opset = edges.opset if dtype != "bf16" else max(edges.opset, _newest(BF16_OPSET))
        if all(_is_narrow(node, dtype, opset) for node in nodes):
            precisions.append(dtype)
    if _has_integers(nodes[0], edges) and not _is_last_softmax(nodes[-1], edges):
        precisions.append(INT8)
        if nodes[0].op in IN_FP8:
            precisions.append(FP8)
    return tuple(precisions)


def _is_last_softmax(node: Node, edges: _Edges) -> bool:
    """True for the Softmax that answers: 8 bits of a probability would end as 0 or 1, and it has so
    little work that nothing is won."""
    if node.op not in SCORING:
        return False
    return any(tensor.name in edges.answers for tensor in node.outputs if tensor)


def _newest(opset: int) -> int:
    """This version of ONNX's operations, or the newest that is installed."""
    import onnx

    return min(opset, int(onnx.defs.onnx_opset_version()))


def _is_narrow(node: Node, dtype: str, opset: int) -> bool:
    """True if a node takes and leaves all its FP32 activations in a narrow type."""
    if node.subgraphs:
        return False
    activations = _reads(node).keys() | _results(node).keys()
    for side, tensors in (("inputs", node.inputs), ("outputs", node.outputs)):
        for place, tensor in enumerate(tensors):
            is_activation = tensor is not None and tensor.name in activations
            if is_activation and not _takes(node, side, place, dtype, opset):
                return False
    return True


def _takes(node: Node, side: str, place: int, dtype: str, opset: int) -> bool:
    """True if ONNX lets the node have this input or output in FP16 or BF16."""
    types = slot_types(node.op, node.domain, opset, side, place)
    return types is not None and f"tensor({NARROW[dtype]})" in types


def _has_integers(node: Node, edges: _Edges) -> bool:
    """True if a node can run on 8-bit integers, with weights that are stored."""
    if node.domain not in ONNX_DOMAINS or node.op not in IN_INT8:
        return False
    outputs = [tensor for tensor in node.outputs if tensor]
    if len(outputs) > 1 and node.op != "Split":
        return False
    weights = [tensor for tensor in node.inputs if tensor and tensor.dtype == FP32]
    if node.op == "MatMul":
        weights = [tensor for tensor in weights if tensor.weight]
    elif node.op in WEIGHTED:
        weights = weights[WEIGHT:]
    else:
        weights = [tensor for tensor in weights if tensor.weight]
    return all(tensor.name in edges.stored for tensor in weights)


def _passes(node: Node) -> bool:
    """True if a node passes numbers on as they are."""
    if node.domain not in ONNX_DOMAINS:
        return False
    if node.op == "Resize":
        return node.attributes.get("mode", "nearest") == "nearest"
    outputs = [tensor for tensor in node.outputs if tensor]
    return node.op in PASSING and (len(outputs) == 1 or node.op == "Split")
