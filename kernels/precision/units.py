"""Which nodes of a network are one layer: a node alone, but for an operation between Q/DQ nodes.

Those tell a runtime to run the operation on the integers, as one with them; alone it would be timed
on floats.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.onnx.graph import FLOATS, Graph, Node
from kernels.precision.quantize import QUANTIZED

ENCODE, DECODE = "QuantizeLinear", "DequantizeLinear"
BOUNDS = frozenset(("Relu", "Clip"))
"""What the range of the integers does, where it stands before their encoding."""


@dataclass(frozen=True)
class Unit:
    """A layer: the node that gives it its name and work, and all nodes that it is timed with, in
    order.
    """

    node: Node
    nodes: tuple[Node, ...]


def units(graph: Graph) -> list[Unit]:
    """The layers of a network in its order; Q/DQ nodes are layers of their own where no operation
    runs with them.
    """
    edges = _Edges(graph)
    found = [Unit(node, edges.around(node)) for node in graph.nodes]
    parts: dict[str, set[str]] = {}
    for unit in found:
        for node in unit.nodes:
            if node is not unit.node:
                parts.setdefault(node.name, set()).add(unit.node.name)
    return [
        unit
        for unit in found
        if not edges.read_only_by(unit.node, parts.get(unit.node.name, set()))
    ]


class _Edges:
    """Who makes and who reads the tensors of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._maker = {
            tensor.name: node for node in graph.nodes for tensor in node.outputs if tensor
        }
        self._results = {tensor.name for tensor in graph.outputs}
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(tensor.name for tensor in node.inputs if tensor):
                self._readers.setdefault(name, []).append(node)

    def around(self, node: Node) -> tuple[Node, ...]:
        """The node between those that decode all it reads and the one that encodes what it writes,
        or alone.
        """
        read = [
            t.name
            for t in node.inputs
            if t and t.dtype in FLOATS and (t.name in self._maker or not t.weight)
        ]
        before = [self._maker.get(name) for name in read]
        decoded = [made for made in before if made is not None and made.op == DECODE]
        after = self._encoded(node)
        if node.op not in QUANTIZED or not decoded or len(decoded) < len(before) or not after:
            return (node,)
        return tuple({made.name: made for made in (*decoded, node, *after)}.values())

    def _encoded(self, node: Node) -> list[Node]:
        """What follows up to the encoding, by way of a bound; nothing if it goes another way
        too.
        """
        after: list[Node] = []
        while not after or after[-1].op in BOUNDS:
            name = str(node.outputs[0].name) if node.outputs and node.outputs[0] else ""
            readers = self._readers.get(name, [])
            if len(readers) != 1 or name in self._results or readers[0].op not in {ENCODE, *BOUNDS}:
                return []
            node = readers[0]
            after.append(node)
        return after

    def read_only_by(self, node: Node, mains: set[str]) -> bool:
        """Whether a part of these layers is nothing else: what is encoded or bounded there is, by
        the way it goes.
        """
        names = [tensor.name for tensor in node.outputs if tensor] if node.op == DECODE else []
        readers = {reader.name for name in names for reader in self._readers.get(name, [])}
        return bool(mains) and readers <= mains and not self._results & set(names)
