"""Read an ONNX file into plain nodes: operation, attributes, shapes, types, and which inputs are
weights.

Everything after this works on Node and Tensor and needs no onnx, so a profile of another tool can
be read on a machine without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.base import ITEMSIZE
from kernels.onnx import checks, fold
from kernels.onnx import shapes as onnx_shapes
from kernels.onnx.fold import elements
from kernels.onnx.shapes import OnnxError, Shapes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, ValueInfoProto

__all__ = ["Graph", "Node", "OnnxError", "Tensor", "graph_of", "read_graph"]

FLOATS = frozenset(("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4"))
ITEM_BYTES: Mapping[str, float] = ITEMSIZE | {
    "fp4": 0.5,
    "int4": 0.5,
    "uint4": 0.5,
    "int2": 0.25,
    "uint2": 0.25,
    "uint8": 1,
    "bool": 1,
    "int16": 2,
    "uint16": 2,
    "uint32": 4,
    "int64": 8,
    "uint64": 8,
    "complex64": 8,
    "complex128": 16,
}
"""Bytes of one element; types under a byte are packed (onnx.proto, TensorProto.DataType)."""
PREFIXES = {
    "float8": "fp8",
    "float4": "fp4",
    "float16": "fp16",
    "bfloat16": "bf16",
    "float": "fp32",
    "double": "fp64",
}
ALWAYS_RUN = frozenset(("DequantizeLinear", "DequantizeBFP", "Bernoulli", "Multinomial"))
"""Kept although all they read is constant: runtimes decode quantized weights as they go, and the
last two are random
"""
RANDOM = "Random"


@dataclass(frozen=True)
class Tensor:
    """One value of a graph: shape None where not known, dtype "" where not known. value: of a small
    constant. kind: its type's number in TensorProto, 0 where not known: several of those are one
    fp8."""

    name: str
    shape: tuple[int, ...] | None
    dtype: str = "fp32"
    weight: bool = False
    value: Any = field(default=None, compare=False)
    kind: int = field(default=0, compare=False)

    @property
    def size(self) -> int | None:
        """Elements."""
        return None if self.shape is None else elements(self.shape)

    def bytes(self, precision: str = "") -> float | None:
        """Bytes in memory; ``precision`` replaces the type of floats. None where shape or type is
        not known.
        """
        each = ITEM_BYTES.get(precision if precision and self.dtype in FLOATS else self.dtype)
        return None if self.size is None or each is None else float(-(-self.size * each // 1))


@dataclass(frozen=True)
class Node:
    """One operation. inputs and outputs keep their places: None is an optional one left out.

    subgraphs: ``{attribute: operations}`` of If, Loop and Scan, whose work depends on what runs.
    """

    op: str
    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    subgraphs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def input(self, place: int) -> Tensor | None:
        """The input at this place, None where there is none."""
        return self.inputs[place] if place < len(self.inputs) else None


@dataclass(frozen=True)
class Graph:
    """A network in the order it is stored: nodes that run; constant holds the names of those done
    at load time.

    weights: initializers and the results of constant nodes that are as good as stored. opsets: by
    domain. model: the ModelProto the nodes came from, shapes bound and shape arithmetic folded,
    without the data of large weights. path: the file that holds those, if there is one.
    contradicted: outputs that the file declares otherwise than they are, as name -> (shape
    declared, shape found). made: results of the nodes that are done at load time.
    """

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    constant: tuple[str, ...]
    opsets: Mapping[str, int]
    model: Any = field(repr=False, compare=False)
    path: Path | None = field(default=None, compare=False)
    contradicted: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)
    made: tuple[Tensor, ...] = field(default=(), compare=False)

    def held_bytes(self) -> float:
        """Bytes of what is alive at the worst moment of a run, weights and what is made of them
        included.

        What has no known size counts as none.
        """
        last: dict[str, int] = {}
        for place, node in enumerate(self.nodes):
            last.update({tensor.name: place for tensor in node.inputs if tensor})
        alive = {
            tensor.name: tensor.bytes() or 0.0
            for tensor in (*self.weights, *self.made, *self.inputs)
        }
        results = {tensor.name for tensor in self.outputs} | alive.keys()
        held = worst = sum(alive.values())
        for place, node in enumerate(self.nodes):
            for tensor in node.outputs:
                if tensor and tensor.name not in alive:
                    alive[tensor.name] = tensor.bytes() or 0.0
                    held += alive[tensor.name]
            worst = max(worst, held)
            read = {tensor.name for tensor in (*node.inputs, *node.outputs) if tensor}
            done = {name for name in read - results if last.get(name, place) == place}
            held -= sum(alive.pop(name, 0.0) for name in done)
        return worst


def read_graph(
    path: Path | str,
    shapes: Shapes | None = None,
    batch: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Graph:
    """The network in a file, every shape bound: see ``shapes.bind``. OnnxError says in a line why
    not.

    values: of inputs, from which further shapes follow, and which branch an If takes.
    """
    return replace(graph_of(onnx_shapes.load(Path(path)), shapes, batch, values), path=Path(path))


def graph_of(
    model: ModelProto,
    shapes: Shapes | None = None,
    batch: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Graph:
    """The same of a ModelProto, whose inputs are bound in place."""
    inputs = {
        value.name for value in onnx_shapes.free_inputs(model)
    }  # of inner tensors a caller may guess
    sound = (
        bool(shapes) and inputs >= set(shapes or ()) and not checks.misfit(onnx_shapes.slim(model))
    )
    onnx_shapes.bind(model, shapes, batch)
    if values:
        onnx_shapes.take_branches(model, values)
        onnx_shapes.take_shapes(model, onnx_shapes.shapes_for(model, values))
    settled = onnx_shapes.settle(model)
    if sound and (problem := checks.misfit(settled)):
        raise OnnxError(f"the network does not fit the shapes given: {problem}")
    onnx_shapes.name_nodes(settled)
    tensors, constant, nodes, stored = (
        _tensors(settled),
        [],
        [],
        [t.name for t in settled.graph.initializer],
    )
    made = list[str]()
    read = _read_names(settled.graph)
    for proto in settled.graph.node:
        fixed = _is_constant(proto, tensors)
        if fixed:
            for output in filter(None, proto.output):
                tensors[output] = _weight(tensors.get(output) or Tensor(output, None, ""))
        if fixed and proto.op_type not in ALWAYS_RUN:
            constant.append(proto.name)
            made += filter(None, proto.output)
            stored += [
                output
                for output in proto.output
                if proto.op_type in ("Constant", "ConstantOfShape")
            ]
        else:
            nodes.append(_node(proto, tensors, read))
    checks.check_nodes(nodes)
    free = [value.name for value in onnx_shapes.free_inputs(settled)]
    return Graph(
        settled.graph.name,
        tuple(nodes),
        tuple(tensors[name] for name in free),
        tuple(_named(value.name, tensors) for value in settled.graph.output),
        tuple(tensors[name] for name in dict.fromkeys(stored)),
        tuple(constant),
        {entry.domain: entry.version for entry in settled.opset_import},
        settled,
        contradicted=onnx_shapes.contradicted(model, settled),
        made=tuple(tensors[name] for name in made),
    )


def dtype_name(kind: int) -> str:
    """Our name of a TensorProto data type: FLOAT is fp32, INT64 int64; "" for UNDEFINED."""
    import onnx

    name = onnx.TensorProto.DataType.Name(kind).lower()
    return (
        next((ours for prefix, ours in PREFIXES.items() if name.startswith(prefix)), name)
        if kind
        else ""
    )


def _tensors(model: ModelProto) -> dict[str, Tensor]:
    values = fold.constants(model)
    found = {
        value.name: Tensor(value.name, _shape(value), dtype_name(_kind(value)), kind=_kind(value))
        for value in [*model.graph.value_info, *model.graph.output, *model.graph.input]
    }
    for tensor in model.graph.initializer:
        dtype, value = dtype_name(tensor.data_type), values.get(tensor.name)
        found[tensor.name] = Tensor(
            tensor.name, tuple(tensor.dims), dtype, True, value, tensor.data_type
        )
    return found


def _kind(value: ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _read_names(graph: GraphProto) -> set[str]:
    """Names that some node, at any depth, or the graph's result reads."""
    names = {value.name for value in graph.output}
    for proto in graph.node:
        names.update(proto.input)
        for _, inner in _graphs(proto):
            names |= _read_names(inner)
    return names


def _is_constant(proto: Any, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a node's result is known before the network runs."""
    if proto.op_type.startswith(RANDOM) or any(_graphs(proto)):
        return False
    return all(name in tensors and tensors[name].weight for name in proto.input if name)


def _weight(tensor: Tensor) -> Tensor:
    return replace(tensor, weight=True)


def _named(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    return tensors.get(name) or Tensor(name, None, "")


def _node(proto: Any, tensors: Mapping[str, Tensor], read: set[str]) -> Node:
    """The node; a further output that nothing reads, such as the mask of Dropout, is left out: none
    computes it.
    """
    import onnx

    outputs = list(enumerate(proto.output))
    names = [
        proto.input,
        [n if n in read or not place or proto.op_type == "Split" else "" for place, n in outputs],
    ]
    places = [tuple(_named(n, tensors) if n else None for n in row) for row in names]
    graphs = {key: tuple(node.op_type for node in graph.node) for key, graph in _graphs(proto)}
    values = {
        a.name: onnx.helper.get_attribute_value(a) for a in proto.attribute if a.name not in graphs
    }
    plain = {
        key: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for key, value in values.items()
    }
    return Node(proto.op_type, proto.name, places[0], places[1], plain, proto.domain, graphs)


def _graphs(proto: Any) -> Iterator[tuple[str, Any]]:
    for attribute in proto.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
