"""Parts of a network as models of their own: one node alone, and the whole with the weights that
only run time makes.

Values do not change what a layer costs, so floats are random ones of the same shape. Integers keep
their own: they are indices, or quantized weights, whose products saturate or not by how large they
are.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.onnx import shapes as onnx_shapes
from kernels.onnx.fold import keep
from kernels.onnx.graph import FLOATS, Graph, Node, Tensor, read_graph
from kernels.onnx.net import IR_VERSION

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

POSITIVE = frozenset(
    ("BatchNormalization", "QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul")
)
"""Operations whose weights must not be negative: a variance stands under a root, and the others
have scales.
"""
SIZED_BY_DATA = frozenset(
    ("NonMaxSuppression", "NonZero", "Unique", "Compress", "Loop", "If", "Scan")
)
"""Only their data tell how much comes out: a shape that was given by ``--shape`` is a guess, for
what follows.
"""
KINDS = {
    "fp64": "DOUBLE",
    "fp32": "FLOAT",
    "fp16": "FLOAT16",
    "bf16": "BFLOAT16",
    "fp8": "FLOAT8E4M3FN",
    "fp4": "FLOAT4E2M1",
}
"""TensorProto's names of our types, where they differ by more than their case."""
BLOCK = 1_000_003  # random numbers that large weights repeat: prime, so that no two rows are alike
SEED = 3


def alone(graph: Graph, *nodes: Node, hollow: bool = False) -> Any:
    """A ModelProto of this node only, or of some in a row: what it reads is its input, weights are
    stored.

    hollow: large weights keep only their type and shape. Raises Unavailable where they are unknown.
    """
    import onnx

    for node in nodes:
        if node.subgraphs:
            raise Unavailable(
                f"{node.op} {node.name}: it runs a network of its own, and is not timed alone"
            )
    inner = {t.name for node in nodes for t in node.outputs if t is not None}
    read = {
        t.name: (t, node)
        for node in nodes
        for t in node.inputs
        if t is not None and t.name not in inner
    }
    held = {
        name: each for name, each in read.items() if each[0].weight or each[0].value is not None
    }
    stored = {name: _stored(t, node, hollow, graph.path) for name, (t, node) in held.items()}
    inputs = [_declared(tensor) for name, (tensor, _) in read.items() if name not in stored]
    outputs = [_result(tensor, nodes[-1]) for tensor in nodes[-1].outputs if tensor is not None]
    protos = [_proto(graph, node.name) for node in nodes]
    made = onnx.helper.make_graph(protos, nodes[-1].name, inputs, outputs, list(stored.values()))
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in graph.opsets.items()]
    return onnx.helper.make_model(made, opset_imports=opsets, ir_version=_ir_version(opsets))


def _ir_version(opsets: Any) -> int:
    """The oldest that these opsets allow: a runtime often knows them, and not what the exporter
    stamped on the file.
    """
    import onnx

    return max(IR_VERSION, int(onnx.helper.find_min_ir_version_for(opsets, ignore_unknown=True)))


def key_of(graph: Graph, *nodes: Node) -> str:
    """What two nodes (or rows of them) share that are the same layer: operation, attributes,
    shapes, types, small constants."""
    return " ".join(_key_of(graph, node) for node in nodes)


def _key_of(graph: Graph, node: Node) -> str:
    import onnx

    proto = onnx.NodeProto()
    proto.CopyFrom(_proto(graph, node.name))
    proto.name, proto.doc_string = "", ""
    places = {
        name: str(i)
        for i, name in enumerate(dict.fromkeys(filter(None, [*proto.input, *proto.output])))
    }
    for names in (proto.input, proto.output):
        names[:] = [places.get(name, "") for name in names]
    tensors = [
        (t.shape, t.dtype, t.weight, repr(t.value)) if t else None
        for t in (*node.inputs, *node.outputs)
    ]
    return f"{proto.SerializeToString(deterministic=True)!r} {tensors}"


BOUND, OPEN_OUTPUTS, OPEN = "bound", "open outputs", "open"


def whole(
    path: Path,
    shapes: Mapping[str, Any] | None,
    batch: int | None,
    ends: str = BOUND,
    values: Mapping[str, float] | None = None,
) -> Any:
    """The network in a file, every weight stored: those that nodes make of a constant are random.

    ends: BOUND, all shapes are numbers; OPEN_OUTPUTS, those of the outputs are left to the runtime,
    where the file is wrong about them; OPEN, those of the inputs are as the file has them, too: a
    runtime that knows them looks into branches that are never taken, and refuses what would not fit
    there. values: of inputs; an If is then the branch that it takes with them, and with what is
    known of shapes.
    """
    import onnx

    graph = read_graph(path, shapes, batch, values)
    made = {tensor.name: tensor for tensor in graph.weights}
    model = _with_data(path, made)
    if ends != OPEN:
        onnx_shapes.bind(model, shapes, batch)
    if values is not None:
        onnx_shapes.take_branches(model, values)
    onnx_shapes.name_nodes(model)
    filled = {tensor.name for tensor in model.graph.initializer}
    kept = [node for node in model.graph.node if not _constant(node, made)]
    for node in model.graph.node:
        if _constant(node, made) and node.output[0] not in filled:
            name = node.output[0]
            model.graph.initializer.append(_random(made[name], name, _readers(model, name)))
    keep(model.graph, "node", kept)
    model.ir_version = _ir_version(model.opset_import)
    model.graph.ClearField(
        "value_info"
    )  # the runtime infers them, and would hold itself to a guess
    by_data = any(node.op in SIZED_BY_DATA for node in graph.nodes)
    for value, known in zip(model.graph.output, graph.outputs, strict=True):
        if ends != BOUND:
            value.CopyFrom(onnx.ValueInfoProto(name=value.name))
        elif known.shape is not None and known.dtype:
            value.CopyFrom(onnx.ValueInfoProto(name=value.name) if by_data else _declared(known))
    return model


def _with_data(path: Path, weights: Mapping[str, Tensor]) -> Any:
    """The ModelProto of a file with the data of its weights, random ones where their own file is
    not at hand.
    """
    import onnx

    with suppress(OSError, ValueError, onnx.checker.ValidationError):
        return onnx.load(str(path))
    model = onnx_shapes.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor.CopyFrom(
                _random(weights[tensor.name], tensor.name, _readers(model, tensor.name))
            )
    return model


def _constant(node: NodeProto, weights: Mapping[str, Tensor]) -> bool:
    """Whether a node only makes a weight of one value: those of other data keep theirs, and
    integers are shapes.
    """
    made = weights.get(node.output[0]) if node.op_type == "ConstantOfShape" else None
    return made is not None and bool(made.shape) and made.dtype in FLOATS


def _readers(model: ModelProto, name: str) -> set[str]:
    return {node.op_type for node in model.graph.node if name in node.input}


def _proto(graph: Graph, name: str) -> Any:
    """The node as it is stored, by the name the reader gave it."""
    return next(proto for proto in graph.model.graph.node if proto.name == name)


def _declared(tensor: Tensor) -> Any:
    import onnx

    if tensor.shape is None or not tensor.dtype:
        raise Unavailable(
            f"tensor {tensor.name} has no known shape: give it by --shape {tensor.name}=..."
        )
    return onnx.helper.make_tensor_value_info(tensor.name, kind_of(tensor), tensor.shape)


def _result(tensor: Tensor, node: Node) -> Any:
    """What a node writes; how large it is, and of which type, is left to the runtime where only
    that can tell.
    """
    import onnx

    known = tensor.shape is not None and tensor.dtype and node.op not in SIZED_BY_DATA
    return _declared(tensor) if known else onnx.ValueInfoProto(name=tensor.name)


def _stored(tensor: Tensor, node: Node, hollow: bool, path: Path | None) -> Any:
    """A weight as a TensorProto: its own small values, integers and scales; else random ones."""
    import onnx

    if tensor.value is not None:
        return onnx.numpy_helper.from_array(np.asarray(tensor.value), tensor.name)
    if hollow and tensor.shape is not None and tensor.dtype:
        return onnx.TensorProto(name=tensor.name, data_type=kind_of(tensor), dims=tensor.shape)
    if path is not None and (tensor.dtype not in FLOATS or node.op in POSITIVE):
        own = _in_file(path, path.stat().st_mtime_ns).get(tensor.name)
        if own is not None and tuple(own.dims) == tensor.shape:
            return _with_its_data(own, path) or _random(tensor, tensor.name, {node.op})
    return _random(tensor, tensor.name, {node.op})


@lru_cache(maxsize=1)
def _in_file(path: Path, changed_ns: int) -> dict[str, Any]:
    """The weights in a file, as it was changed last, by name; those in files of their own as
    references to them.
    """
    return {tensor.name: tensor for tensor in onnx_shapes.load(path).graph.initializer}


def _with_its_data(tensor: TensorProto, path: Path) -> Any:
    """The TensorProto with what lies in a file of its own; None where that is not at hand."""
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return tensor
    whole = onnx.TensorProto()
    whole.CopyFrom(tensor)
    onnx_shapes.fetch(whole, path)
    return None if whole.data_location == onnx.TensorProto.EXTERNAL else whole


def _random(tensor: Tensor, name: str, readers: set[str]) -> Any:
    """Weights of variance 1 / fan-in: activations stay within FP16, also where shortcuts add them
    up.
    """
    import onnx

    if tensor.shape is None:
        raise Unavailable(f"weight {name} has no known shape")
    shape, count = tensor.shape, tensor.size or 0
    dtype, dice = onnx.helper.tensor_dtype_to_np_dtype(kind_of(tensor)), np.random.default_rng(SEED)
    numbers: np.ndarray
    if dtype.kind in "iub":
        narrow = dtype.itemsize == 1 and dtype.kind in "iu"
        ends = (np.iinfo(dtype).min, np.iinfo(dtype).max + 1) if narrow else (0, 2)
        numbers = dice.integers(*ends, min(count, BLOCK))
    else:
        least, most = _range(shape, readers)
        numbers = dice.uniform(least, most, min(count, BLOCK))
    return onnx.numpy_helper.from_array(np.resize(numbers.astype(dtype), shape), name)


def _range(shape: tuple[int, ...], readers: set[str]) -> tuple[float, float]:
    """Of random weights: near one where they must be positive, small where they are added."""
    if readers & POSITIVE:
        return 0.9, 1.1
    if len(shape) < 2:
        return -0.1, 0.1
    limit = float(np.sqrt(3 / max(1, np.prod(shape[1:]) if len(shape) > 2 else shape[0])))
    return -limit, limit


def kind_of(tensor: Tensor) -> int:
    """TensorProto's number of its type."""
    import onnx

    return tensor.kind or int(
        onnx.TensorProto.DataType.Value(KINDS.get(tensor.dtype, tensor.dtype.upper()))
    )
