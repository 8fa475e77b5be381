"""Cut a network into layers that are models of their own; make the whole one that can run.

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
from kernels.onnx.assume import take_branches
from kernels.onnx.bind import Shapes, bind
from kernels.onnx.file import load, read_external
from kernels.onnx.graph import FLOATS, Graph, Node, Tensor, read_graph
from kernels.onnx.net import IR_VERSION
from kernels.onnx.protos import copy_of, keep_only, name_nodes

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

POSITIVE = frozenset(
    ("BatchNormalization", "QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul")
)
"""Operations whose weights must not be negative: a variance stands under a root, and the others
have scales."""
SIZED_BY_DATA = frozenset(
    ("NonMaxSuppression", "NonZero", "Unique", "Compress", "Loop", "If", "Scan")
)
"""Only their data tell how much comes out: a shape that was given by ``--shape`` is a guess, for
what follows."""
TYPE_NAMES = {
    "fp64": "DOUBLE",
    "fp32": "FLOAT",
    "fp16": "FLOAT16",
    "bf16": "BFLOAT16",
    "fp8": "FLOAT8E4M3FN",
    "fp4": "FLOAT4E2M1",
}
"""TensorProto's names of our types, where they differ by more than their case."""
PERIOD = 1_000_003
"""Random numbers that larger weights repeat: prime, so that no two rows are alike."""
SEED = 3


def layer_model(graph: Graph, *nodes: Node, hollow: bool = False) -> Any:
    """A ModelProto of these nodes, which follow each other: it reads inputs and stores weights.

    hollow: large weights keep only their type and shape. Raises Unavailable where a shape is not
    known, and for a node that runs a network of its own.
    """
    import onnx

    for node in nodes:
        if node.subgraphs:
            raise Unavailable(
                f"{node.op} {node.name}: it runs a network of its own, and is not timed alone"
            )
    inner = {tensor.name for node in nodes for tensor in node.outputs if tensor is not None}
    read: dict[str, tuple[Tensor, Node]] = {}
    for node in nodes:
        for tensor in node.inputs:
            if tensor is not None and tensor.name not in inner:
                read[tensor.name] = (tensor, node)
    stored = []
    inputs = []
    for tensor, reader in read.values():
        if tensor.weight or tensor.value is not None:
            stored.append(_stored(tensor, reader, hollow, graph.path))
        else:
            inputs.append(_declared(tensor))
    last = nodes[-1]
    outputs = [_result(tensor, last) for tensor in last.outputs if tensor is not None]
    protos = [_proto(graph, node.name) for node in nodes]
    cut = onnx.helper.make_graph(protos, last.name, inputs, outputs, stored)
    opsets = [onnx.helper.make_opsetid(domain, version) for domain, version in graph.opsets.items()]
    return onnx.helper.make_model(cut, opset_imports=opsets, ir_version=_ir_version(opsets))


def _ir_version(opsets: Any) -> int:
    """The oldest IR version that these opsets allow.

    A runtime often knows the opsets, and not the version that the exporter stamped on the file.
    """
    import onnx

    return max(IR_VERSION, int(onnx.helper.find_min_ir_version_for(opsets, ignore_unknown=True)))


def key_of(graph: Graph, *nodes: Node) -> str:
    """What equal layers share: operation, attributes, shapes, types and small constants.

    A layer is one node, or nodes that follow each other.
    """
    return " ".join(_key_of_node(graph, node) for node in nodes)


def _key_of_node(graph: Graph, node: Node) -> str:
    """The node without its name, its tensors numbered, and what is known of each of them."""
    proto = copy_of(_proto(graph, node.name))
    proto.name = ""
    proto.doc_string = ""
    names = dict.fromkeys(name for name in (*proto.input, *proto.output) if name)
    numbers = {name: str(number) for number, name in enumerate(names)}
    for places in (proto.input, proto.output):
        places[:] = [numbers.get(name, "") for name in places]
    tensors: list[object] = []
    for tensor in (*node.inputs, *node.outputs):
        if tensor is None:
            tensors.append(None)
        else:
            tensors.append((tensor.shape, tensor.dtype, tensor.weight, repr(tensor.value)))
    return f"{proto.SerializeToString(deterministic=True)!r} {tensors}"


BOUND, OPEN_OUTPUTS, OPEN = "bound", "open outputs", "open"
"""Which shapes of the ends of a whole network are numbers, see ``network_model``."""


def network_model(
    path: Path,
    shapes: Shapes | None,
    batch: int | None,
    ends: str = BOUND,
    values: Mapping[str, float] | None = None,
    may_invent: bool = True,
) -> Any:
    """The network in a file, every weight stored: those that nodes make of a constant are random.

    ends: BOUND, all shapes are numbers; OPEN_OUTPUTS, those of the outputs are left to the runtime,
    where the file is wrong about them; OPEN, those of the inputs are as the file has them, too: a
    runtime that knows them looks into branches that are never taken, and refuses what would not fit
    there. values: of inputs; an If is then the branch that it takes with them, and with what is
    known of shapes. may_invent: whether weights may be random, as times allow and answers do not;
    if not, those of one value stay nodes, and Unavailable is raised where data are missing.
    """
    graph = read_graph(path, shapes, batch, values)
    weights = {tensor.name: tensor for tensor in graph.weights}
    model = _with_data(path, weights, may_invent)
    if ends != OPEN:
        bind(model, shapes, batch)
    if values is not None:
        take_branches(model, values)
    name_nodes(model)
    if may_invent:
        _store_constants(model, weights)
    model.ir_version = _ir_version(model.opset_import)
    # The runtime infers inner shapes itself, and would hold itself to a guess.
    model.graph.ClearField("value_info")
    _declare_outputs(model, graph, ends)
    return model


def _with_data(path: Path, weights: Mapping[str, Tensor], may_invent: bool) -> Any:
    """The ModelProto of a file with the data of its weights.

    They are random where the file that holds them is not at hand, if they ``may_invent``; else
    Unavailable is raised.
    """
    import onnx

    with suppress(OSError, ValueError, onnx.checker.ValidationError):
        return onnx.load(str(path))
    model = load(path)
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            name = tensor.name
            if not may_invent:
                raise Unavailable(
                    f"the data of its weights {name} cannot be read: put the files that it was "
                    "saved with beside it"
                )
            tensor.CopyFrom(_random(weights[name], name, _readers(model, name)))
    return model


def _store_constants(model: ModelProto, weights: Mapping[str, Tensor]) -> None:
    """Replace nodes that only make a weight of one value by random weights, in place."""
    stored = {tensor.name for tensor in model.graph.initializer}
    others = []
    for node in model.graph.node:
        if not _makes_weight(node, weights):
            others.append(node)
            continue
        name = node.output[0]
        if name not in stored:
            model.graph.initializer.append(_random(weights[name], name, _readers(model, name)))
    keep_only(model.graph, "node", others)


def _makes_weight(node: NodeProto, weights: Mapping[str, Tensor]) -> bool:
    """True if a node fills a float weight with one value; integers of one value are shapes."""
    if node.op_type != "ConstantOfShape":
        return False
    weight = weights.get(node.output[0])
    return weight is not None and bool(weight.shape) and weight.dtype in FLOATS


def _declare_outputs(model: ModelProto, graph: Graph, ends: str) -> None:
    """Declare the outputs of the whole network, in place, as far as they are known and asked."""
    import onnx

    sized_by_data = any(node.op in SIZED_BY_DATA for node in graph.nodes)
    for value, known in zip(model.graph.output, graph.outputs, strict=True):
        undeclared = onnx.ValueInfoProto(name=value.name)
        if ends != BOUND:
            value.CopyFrom(undeclared)
        elif known.shape is not None and known.dtype:
            value.CopyFrom(undeclared if sized_by_data else _declared(known))


def _readers(model: ModelProto, name: str) -> set[str]:
    """The operations that read a tensor."""
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
    """The declaration of an output; its type and shape are open where only the runtime can tell."""
    import onnx

    if tensor.shape is None or not tensor.dtype or node.op in SIZED_BY_DATA:
        return onnx.ValueInfoProto(name=tensor.name)
    return _declared(tensor)


def _stored(tensor: Tensor, node: Node, hollow: bool, path: Path | None) -> Any:
    """A weight of ``node`` as a TensorProto.

    Small values, integers and scales are its own; the others are random.
    """
    import onnx

    if tensor.value is not None:
        return onnx.numpy_helper.from_array(np.asarray(tensor.value), tensor.name)
    if hollow and tensor.shape is not None and tensor.dtype:
        return onnx.TensorProto(name=tensor.name, data_type=kind_of(tensor), dims=tensor.shape)
    needs_its_own = tensor.dtype not in FLOATS or node.op in POSITIVE
    if path is not None and needs_its_own:
        weight = _weights_of(path, path.stat().st_mtime_ns).get(tensor.name)
        if weight is not None and tuple(weight.dims) == tensor.shape:
            return _with_its_data(weight, path) or _random(tensor, tensor.name, {node.op})
    return _random(tensor, tensor.name, {node.op})


@lru_cache(maxsize=1)
def _weights_of(path: Path, changed_ns: int) -> dict[str, Any]:
    """The weights in a file, as it was changed last, by name.

    Those in files of their own are references to them.
    """
    return {tensor.name: tensor for tensor in load(path).graph.initializer}


def _with_its_data(tensor: TensorProto, path: Path) -> Any:
    """The TensorProto with what lies in a file of its own; None where that is not at hand."""
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return tensor
    filled = copy_of(tensor)
    read_external(filled, path)
    return None if filled.data_location == onnx.TensorProto.EXTERNAL else filled


def _random(tensor: Tensor, name: str, readers: set[str]) -> Any:
    """Random weights for these operations, the same each time.

    Their variance is 1 / fan-in: activations stay within FP16, also where shortcuts add them up.
    """
    import onnx

    if tensor.shape is None:
        raise Unavailable(f"weight {name} has no known shape")
    random = np.random.default_rng(SEED)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind_of(tensor))
    count = min(tensor.size or 0, PERIOD)
    numbers: np.ndarray
    if dtype.kind in "iu" and dtype.itemsize == 1:
        numbers = random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, count)
    elif dtype.kind in "iub":
        numbers = random.integers(0, 2, count)
    else:
        numbers = random.uniform(*_range(tensor.shape, readers), count)
    return onnx.numpy_helper.from_array(np.resize(numbers.astype(dtype), tensor.shape), name)


def _range(shape: tuple[int, ...], readers: set[str]) -> tuple[float, float]:
    """Ends of random floats: near one where they must be positive, small where they are added."""
    if readers & POSITIVE:
        return 0.9, 1.1
    if len(shape) < 2:
        return -0.1, 0.1
    fan_in = np.prod(shape[1:]) if len(shape) > 2 else shape[0]
    limit = float(np.sqrt(3 / max(1, fan_in)))  # uniform over ±limit: variance limit² / 3
    return -limit, limit


def kind_of(tensor: Tensor) -> int:
    """The number of a tensor's type in TensorProto."""
    import onnx

    if tensor.kind:
        return tensor.kind
    name = TYPE_NAMES.get(tensor.dtype, tensor.dtype.upper())
    return int(onnx.TensorProto.DataType.Value(name))
