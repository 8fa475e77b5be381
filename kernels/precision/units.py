"""Which nodes of a network are one layer: each node, but an operation with its Q/DQ nodes.

Those tell a runtime to run the operation on the integers, as one with them. Without them it would
be timed on floats.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.onnx.graph import FLOATS, Graph, Node
from kernels.precision.quantize import QUANTIZED

ENCODE, DECODE = "QuantizeLinear", "DequantizeLinear"
BOUNDS = frozenset(("Relu", "Clip"))
"""Operations that the range of the integers does, where they stand before the encoding."""


@dataclass(frozen=True)
class Unit:
    """A layer."""

    node: Node
    """Gives the layer its name and work."""
    nodes: tuple[Node, ...]
    """All that is timed as this layer, in order."""


def units(graph: Graph) -> list[Unit]:
    """The layers of a network, in its order.

    Q/DQ nodes are layers of their own where no operation runs with them.
    """
    edges = _Edges(graph)
    all_units = [Unit(node, edges.around(node)) for node in graph.nodes]
    mains: dict[str, set[str]] = {}  # of each Q/DQ or bound, the operations that run with it
    for unit in all_units:
        for node in unit.nodes:
            if node is not unit.node:
                mains.setdefault(node.name, set()).add(unit.node.name)
    return [
        unit
        for unit in all_units
        if not edges.belongs_to(unit.node, mains.get(unit.node.name, set()))
    ]


class _Edges:
    """Who makes and who reads the tensors of a graph."""

    def __init__(self, graph: Graph) -> None:
        self._results = {tensor.name for tensor in graph.outputs}
        self._makers: dict[str, Node] = {}
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for tensor in node.outputs:
                if tensor:
                    self._makers[tensor.name] = node
            for name in dict.fromkeys(tensor.name for tensor in node.inputs if tensor):
                self._readers.setdefault(name, []).append(node)

    def around(self, node: Node) -> tuple[Node, ...]:
        """The node with those that decode all it reads and the one that encodes what it writes.

        The node alone where it reads floats, where nothing encodes its result, or where no runtime
        has it on integers.
        """
        if node.op not in QUANTIZED:
            return (node,)
        before = []
        for tensor in node.inputs:
            if tensor and tensor.dtype in FLOATS:
                maker = self._makers.get(tensor.name)
                is_stored = maker is None and tensor.weight
                if not is_stored:
                    before.append(maker)
        decoders = [maker for maker in before if maker is not None and maker.op == DECODE]
        reads_floats = len(decoders) < len(before)
        after = self._encoders(node)
        if not decoders or reads_floats or not after:
            return (node,)
        return tuple({each.name: each for each in (*decoders, node, *after)}.values())

    def _encoders(self, node: Node) -> list[Node]:
        """The nodes that follow up to the encoding, by way of a bound.

        Empty if the result is read elsewhere too, or is never encoded.
        """
        after: list[Node] = []
        while not after or after[-1].op in BOUNDS:
            result = node.outputs[0] if node.outputs else None
            if result is None or result.name in self._results:
                return []
            readers = self._readers.get(result.name, [])
            if len(readers) != 1 or readers[0].op not in {ENCODE, *BOUNDS}:
                return []
            node = readers[0]
            after.append(node)
        return after

    def belongs_to(self, node: Node, mains: set[str]) -> bool:
        """True if a node runs with the operations ``mains`` only, so that its cost is theirs.

        What encodes or bounds a result has no other way by ``_encoders``. What decodes may also be
        read elsewhere.
        """
        if not mains:
            return False
        if node.op != DECODE:
            return True
        names = {tensor.name for tensor in node.outputs if tensor}
        readers: set[str] = set()
        for name in names:
            readers.update(reader.name for reader in self._readers.get(name, []))
        return readers <= mains and names.isdisjoint(self._results)
