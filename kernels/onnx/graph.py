"""Read an ONNX file into plain nodes: operation, attributes, shapes, types, and which are weights.

Everything after this works on Node and Tensor and needs no onnx, so a profile of another tool can
be read on a machine without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.base import ITEMSIZE
from kernels.onnx import checks, fold
from kernels.onnx.assume import declare_shapes, take_branches
from kernels.onnx.bind import Shapes, bind
from kernels.onnx.file import OnnxError, load, without_weights
from kernels.onnx.protos import computed_values, elements, free_inputs, name_nodes
from kernels.onnx.settle import contradicted, settle

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

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
"""Our names of float types, by how TensorProto's names of them begin."""
ALWAYS_RUN = frozenset(("DequantizeLinear", "DequantizeBFP", "Bernoulli", "Multinomial"))
"""Operations that run although all they read is constant: runtimes decode quantized weights as they
go, and the last two are random."""
RANDOM = "Random"
"""How the names of further random operations begin."""


@dataclass(frozen=True)
class Tensor:
    """One value of a graph."""

    name: str
    shape: tuple[int, ...] | None
    """None where it is not known."""
    dtype: str = "fp32"
    """"" where it is not known."""
    weight: bool = False
    """True if it is stored, or follows from what is stored."""
    value: Any = field(default=None, compare=False)
    """The array of a small constant; None of other tensors."""
    kind: int = field(default=0, compare=False)
    """The number of its type in TensorProto's enumeration; 0 where not known.

    ``dtype`` does not tell it: ONNX has several 8-bit floats, all of them our fp8.
    """

    @property
    def size(self) -> int | None:
        """Elements."""
        return None if self.shape is None else elements(self.shape)

    def bytes(self, precision: str = "") -> float | None:
        """Bytes in memory, None where shape or type is not known.

        ``precision`` replaces the type of floats.
        """
        dtype = precision if precision and self.dtype in FLOATS else self.dtype
        item_bytes = ITEM_BYTES.get(dtype)
        if self.size is None or item_bytes is None:
            return None
        return float(math.ceil(self.size * item_bytes))


@dataclass(frozen=True)
class Node:
    """One operation."""

    op: str
    """What it does, by ONNX's name: ``Conv``."""
    name: str
    """Its own name in the network."""
    inputs: tuple[Tensor | None, ...]
    """What it reads, in its places; None is an optional one left out."""
    outputs: tuple[Tensor | None, ...]
    """What it writes, likewise."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Its attributes by name, as Python values."""
    domain: str = ""
    """Who defined the operation; empty for ONNX itself."""
    subgraphs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Operations of If, Loop and Scan, by the attribute that holds them: their work depends on what
    runs."""

    def input(self, place: int) -> Tensor | None:
        """The input at this place, None where there is none."""
        return self.inputs[place] if place < len(self.inputs) else None


@dataclass(frozen=True)
class Graph:
    """A network, in the order it is stored."""

    name: str
    """Name of the network."""
    nodes: tuple[Node, ...]
    """Those that run."""
    inputs: tuple[Tensor, ...]
    """What its user feeds."""
    outputs: tuple[Tensor, ...]
    """What its user gets."""
    weights: tuple[Tensor, ...]
    """Initializers, and results of Constant and ConstantOfShape, which are as good as stored."""
    constant_nodes: tuple[str, ...]
    """Names of the nodes that are done at load time."""
    opsets: Mapping[str, int]
    """Versions by domain."""
    model: Any = field(repr=False, compare=False)
    """The ModelProto that the nodes came from, shapes bound and shape arithmetic folded, without
    the data of large weights."""
    path: Path | None = field(default=None, compare=False)
    """The file that holds those data, if there is one."""
    contradicted: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)
    """Outputs that the file declares otherwise than they are: name -> (shape declared, shape
    found)."""
    constant_results: tuple[Tensor, ...] = field(default=(), compare=False)
    """Results of the nodes that are done at load time, those among ``weights`` included."""

    def peak_bytes(self) -> float:
        """Bytes of all that is in memory at the worst moment of a run, with all weights.

        What has no known size counts as none.
        """
        last_reader: dict[str, int] = {}
        for place, node in enumerate(self.nodes):
            last_reader.update({tensor.name: place for tensor in node.inputs if tensor})
        alive = {
            tensor.name: tensor.bytes() or 0.0
            for tensor in (*self.weights, *self.constant_results, *self.inputs)
        }
        never_freed = {tensor.name for tensor in self.outputs} | alive.keys()
        total = worst = sum(alive.values())
        for place, node in enumerate(self.nodes):
            for tensor in node.outputs:
                if tensor and tensor.name not in alive:
                    alive[tensor.name] = tensor.bytes() or 0.0
                    total += alive[tensor.name]
            worst = max(worst, total)
            touched = {tensor.name for tensor in (*node.inputs, *node.outputs) if tensor}
            for name in touched - never_freed:
                if last_reader.get(name, place) == place:
                    total -= alive.pop(name, 0.0)
        return worst

    def inner_bytes(self) -> float:
        """Of these, the bytes of results: neither weights that are stored nor inputs."""
        stored = {tensor.name: tensor.bytes() or 0.0 for tensor in (*self.weights, *self.inputs)}
        return self.peak_bytes() - sum(stored.values())


def read_graph(
    path: Path | str,
    shapes: Shapes | None = None,
    batch: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Graph:
    """The network in a file, every shape bound as ``bind`` does it. Raises OnnxError.

    values: of inputs, from which further shapes follow, and which branch an If takes.
    """
    return replace(graph_of(load(Path(path)), shapes, batch, values), path=Path(path))


def graph_of(
    model: ModelProto,
    shapes: Shapes | None = None,
    batch: int | None = None,
    values: Mapping[str, float] | None = None,
) -> Graph:
    """The network in a ModelProto, whose inputs are bound in place: see ``read_graph``."""
    may_blame_shapes = _may_blame_shapes(model, shapes)
    bind(model, shapes, batch)
    if values:
        take_branches(model, values)
        declare_shapes(model, values)
    settled = settle(model)
    if may_blame_shapes and (problem := checks.misfit(settled)):
        raise OnnxError(f"the network does not fit the shapes given: {problem}")
    name_nodes(settled)

    tensors = _tensors(settled)
    stored = [tensor.name for tensor in settled.graph.initializer]
    constant_nodes: list[str] = []
    constant_results: list[str] = []
    nodes: list[Node] = []
    names_read = _read_names(settled.graph)
    for proto in settled.graph.node:
        results = [name for name in proto.output if name]
        is_constant = _is_constant(proto, tensors)
        if is_constant:
            for name in results:
                tensors[name] = replace(_tensor(name, tensors), weight=True)
        if not is_constant or proto.op_type in ALWAYS_RUN:
            nodes.append(_node(proto, tensors, names_read))
            continue
        constant_nodes.append(proto.name)
        constant_results += results
        if proto.op_type in ("Constant", "ConstantOfShape"):
            stored += results
    checks.check_nodes(nodes)
    return Graph(
        settled.graph.name,
        tuple(nodes),
        inputs=tuple(tensors[value.name] for value in free_inputs(settled)),
        outputs=tuple(_tensor(value.name, tensors) for value in settled.graph.output),
        weights=tuple(tensors[name] for name in dict.fromkeys(stored)),
        constant_nodes=tuple(constant_nodes),
        opsets={entry.domain: entry.version for entry in settled.opset_import},
        model=settled,
        contradicted=contradicted(model, settled),
        constant_results=tuple(tensors[name] for name in constant_results),
    )


def _may_blame_shapes(model: ModelProto, shapes: Shapes | None) -> bool:
    """True if a contradiction that appears once ``shapes`` are bound is the fault of these shapes.

    It is not where they name inner tensors, whose shapes are guesses of a caller, nor where the
    network contradicts itself before they are bound.
    """
    if not shapes:
        return False
    inputs = {value.name for value in free_inputs(model)}
    return inputs >= set(shapes) and not checks.misfit(without_weights(model))


def dtype_name(kind: int) -> str:
    """Our name of a TensorProto data type: FLOAT is fp32, INT64 int64; "" for UNDEFINED."""
    import onnx

    if not kind:
        return ""
    name = onnx.TensorProto.DataType.Name(kind).lower()
    for prefix, ours in PREFIXES.items():
        if name.startswith(prefix):
            return ours
    return name


def _tensors(model: ModelProto) -> dict[str, Tensor]:
    """What the model declares and stores, by name."""
    tensors = {}
    for value in [*computed_values(model), *model.graph.input]:
        kind = int(value.type.tensor_type.elem_type)
        tensors[value.name] = Tensor(value.name, _shape(value), dtype_name(kind), kind=kind)
    values = fold.constants(model)
    for stored in model.graph.initializer:
        tensors[stored.name] = Tensor(
            stored.name,
            tuple(stored.dims),
            dtype_name(stored.data_type),
            weight=True,
            value=values.get(stored.name),
            kind=stored.data_type,
        )
    return tensors


def _shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        return None
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    return tuple(dim.dim_value for dim in tensor.shape.dim)


def _tensor(name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    """The tensor of this name; one of unknown shape and type where nothing declares it."""
    return tensors.get(name) or Tensor(name, None, "")


def _read_names(graph: GraphProto) -> set[str]:
    """Names that some node, at any depth, or the graph's result reads."""
    names = {value.name for value in graph.output}
    for proto in graph.node:
        names.update(proto.input)
        for _, inner in _inner_graphs(proto):
            names |= _read_names(inner)
    return names


def _is_constant(proto: NodeProto, tensors: Mapping[str, Tensor]) -> bool:
    """True if a node's result is known before the network runs."""
    if proto.op_type.startswith(RANDOM) or any(_inner_graphs(proto)):
        return False
    return all(name in tensors and tensors[name].weight for name in proto.input if name)


def _node(proto: NodeProto, tensors: Mapping[str, Tensor], names_read: set[str]) -> Node:
    """The node, without further outputs that nothing reads, such as the mask of Dropout.

    No runtime computes those, but for the parts of a Split. names_read: what ``_read_names`` says.
    """
    import onnx

    outputs = []
    for place, name in enumerate(proto.output):
        is_computed = place == 0 or name in names_read or proto.op_type == "Split"
        outputs.append(name if is_computed else "")
    subgraphs = {}
    for name, graph in _inner_graphs(proto):
        subgraphs[name] = tuple(inner.op_type for inner in graph.node)
    attributes = {}
    for attribute in proto.attribute:
        if attribute.name in subgraphs:
            continue
        value = onnx.helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        attributes[attribute.name] = value
    return Node(
        proto.op_type,
        proto.name,
        inputs=_places(proto.input, tensors),
        outputs=_places(outputs, tensors),
        attributes=attributes,
        domain=proto.domain,
        subgraphs=subgraphs,
    )


def _places(names: Sequence[str], tensors: Mapping[str, Tensor]) -> tuple[Tensor | None, ...]:
    """The tensors of these names; None for an empty one."""
    return tuple(_tensor(name, tensors) if name else None for name in names)


def _inner_graphs(proto: NodeProto) -> Iterator[tuple[str, Any]]:
    """The graphs that the attributes of a node hold, with the name of the attribute."""
    for attribute in proto.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
