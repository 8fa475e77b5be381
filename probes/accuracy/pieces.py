"""A network cut across: the part up to a node, and the part from there on.

What one stage changes lies behind it, so only that part is run again for each stage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kernels.onnx.protos import elements, free_inputs
from probes.accuracy.exact import shared_weights, stub_of, without_data

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, ValueInfoProto


class Pieces:
    """A network's nodes in order, from which parts are made."""

    def __init__(self, model: ModelProto) -> None:
        self._model = model
        self.nodes = list(model.graph.node)
        """In the order of the network."""
        self.outputs = [value.name for value in model.graph.output]
        """Names of the network's outputs."""
        self._place_of = {node.name: place for place, node in enumerate(self.nodes)}
        self._writer_of = {
            name: place for place, node in enumerate(self.nodes) for name in node.output if name
        }
        self._fed = {value.name for value in free_inputs(model)}
        self._computed = self._followers()
        self._declared = _declared(model)
        self.weights = shared_weights(model)
        """Large ones, for sessions of its parts."""
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}

    def place(self, names: Sequence[str]) -> tuple[int, int]:
        """The first of these nodes, and the node after the last."""
        places = [self._place_of[name] for name in names]
        return min(places), max(places) + 1

    def live(self, place: int) -> list[str]:
        """Tensors that are fed or computed before a node, and read by it or by one after it."""
        needed = self._needed(self.outputs, stop_before=place)
        names: dict[str, None] = {}
        for node in needed:
            for name in reads(node):
                if name in self._computed and self._writer_of.get(name, -1) < place:
                    names[name] = None
        return list(names)

    def bytes_of(self, names: Sequence[str]) -> int | None:
        """Memory of these tensors of one run, at four bytes an element; None if not known."""
        total = 0
        for name in names:
            value = self._declared.get(name)
            if value is None or not value.type.tensor_type.HasField("shape"):
                return None
            dims = value.type.tensor_type.shape.dim
            if not all(dim.HasField("dim_value") for dim in dims):
                return None
            total += 4 * elements([dim.dim_value for dim in dims])
        return total

    def can_be_fed(self, names: Sequence[str]) -> bool:
        """True if the types of all these tensors are known."""
        return all(
            name in self._declared and self._declared[name].type.tensor_type.elem_type
            for name in names
        )

    def between(
        self,
        start: int,
        live: Sequence[str],
        outputs: Sequence[str],
        with_weights: Sequence[str] = (),
    ) -> Any:
        """A ModelProto of the nodes from ``start`` on that these outputs need.

        live: what it is fed, see ``live``. with_weights: names of nodes whose weights it has;
        those of the others are stubs, for which ``weights`` has the numbers.
        """
        needed = self._needed(outputs, stop_before=start)
        read = {name for node in needed for name in reads(node)}
        source = self._model
        model = type(source)()
        model.ir_version = source.ir_version
        model.opset_import.extend(source.opset_import)
        model.functions.extend(source.functions)
        graph = model.graph
        graph.name = source.graph.name
        graph.node.extend(needed)
        fed = [name for name in live if name in read]
        graph.input.extend(self._value(name) for name in fed)
        graph.output.extend(self._value(name) for name in outputs)
        kept = {name for node in needed if node.name in with_weights for name in reads(node)}
        for name, tensor in self._stored.items():
            if name in read:
                is_kept = name in kept or name not in self.weights
                graph.initializer.append(tensor if is_kept else stub_of(tensor))
        ends = {*fed, *outputs}
        written = {name for node in needed for name in node.output}
        graph.value_info.extend(
            value for name, value in self._declared.items() if name in written and name not in ends
        )
        return model

    def behind(self, place: int) -> list[str]:
        """The network's outputs that are computed by this node or one after it."""
        return [name for name in self.outputs if self._writer_of.get(name, -1) >= place]

    def _value(self, name: str) -> Any:
        import onnx

        return self._declared.get(name) or onnx.ValueInfoProto(name=name)

    def _followers(self) -> set[str]:
        """Names of what is fed and of all that follows from it."""
        computed = set(self._fed)
        for node in self.nodes:
            if computed.intersection(reads(node)):
                computed.update(name for name in node.output if name)
        return computed

    def _needed(self, outputs: Sequence[str], stop_before: int) -> list[NodeProto]:
        """Nodes that outputs need, in order.

        What is computed from inputs before ``stop_before`` is fed; constants are made again.
        """
        wanted = list(outputs)
        places: set[int] = set()
        while wanted:
            name = wanted.pop()
            place = self._writer_of.get(name)
            if place is None or place in places:
                continue
            if place < stop_before and name in self._computed:
                continue
            places.add(place)
            wanted += reads(self.nodes[place])
        return [self.nodes[place] for place in sorted(places)]


def reads(node: NodeProto) -> Iterator[str]:
    """Names of what a node reads, its inner graphs included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                yield from reads(inner)
            yield from (value.name for value in graph.output)


def _declared(model: ModelProto) -> dict[str, ValueInfoProto]:
    """What is known of each tensor's type and shape, by name."""
    import onnx

    inferred = onnx.shape_inference.infer_shapes(without_data(model), data_prop=True)
    graph = inferred.graph
    values = {value.name: value for value in graph.value_info}
    values.update((value.name, value) for value in model.graph.value_info)
    values.update((value.name, value) for value in graph.output)
    values.update((value.name, value) for value in model.graph.input)
    return values
