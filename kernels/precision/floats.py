"""The network of floats below one that has Q/DQ nodes, and what those nodes say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.fold import fold
from kernels.onnx.protos import copy_of, keep_only, name_nodes
from kernels.precision.apply import CODES_OF, encoded
from kernels.precision.flow import Range
from kernels.precision.narrow import FLOAT
from kernels.precision.scales import LARGEST_FP8
from kernels.precision.stages import (
    ENDED,
    FP8,
    FP32,
    IN_FP8,
    IN_INT8,
    INT8,
    PRODUCTS,
    SCORING,
    WEIGHT,
    WEIGHTED,
    Stage,
    names_read_inside,
)
from kernels.precision.units import BOUNDS, DECODE, ENCODE

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

CODING = (ENCODE, DECODE)
ON_CODES_NAMES = """
ConvInteger MatMulInteger DynamicQuantizeLinear QLinearConv QLinearMatMul QGemm
"""
ON_CODES = frozenset(ON_CODES_NAMES.split())
"""Operations that compute on codes themselves: of them no network of floats can be made."""
ON_INTEGERS = IN_INT8 | SCORING
"""Operations that run on integers where a tool says so; a plan leaves a last Softmax in floats."""
BEFORE_RELU = ENDED | {"BatchNormalization"}
"""Operations after which tools leave a Relu out, since codes that start at zero do its work."""
RELU6 = 6.0
"""Where the Clip ends that tools leave out likewise."""
NEAR = 1e-3
"""How far the end of a range may be from that, as a part of it: scales are rounded."""


def has_codes(model: ModelProto) -> bool:
    """True for a network with Q/DQ nodes."""
    return any(node.op_type in CODING for node in model.graph.node)


def floats_of(model: ModelProto) -> Any:
    """The network of floats: activations pass Q/DQ nodes unchanged, and weights are decoded.

    An activation has the shortest name of those that it has before, between and after its Q/DQ
    nodes; inputs and results keep theirs. Raises Unavailable for a network whose operations
    multiply codes themselves.
    """
    return _Decoding(model).floats()


def ranges_of(model: ModelProto) -> dict[str, Range]:
    """The range of each activation that Q/DQ nodes encode, as their scales say it.

    By the names of ``floats_of``.
    """
    return _Decoding(model).ranges()


def precisions_of(model: ModelProto, stages: Sequence[Stage]) -> dict[str, str]:
    """In which precision a network with Q/DQ nodes runs each stage of its network of floats.

    INT8 or FP8 where all that an operation reads is decoded, and, but for products, its result is
    encoded; FP32 else.
    """
    return _Decoding(model).precisions(stages)


class _Decoding:
    """A network with Q/DQ nodes: a copy, its constants folded."""

    def __init__(self, model: ModelProto) -> None:
        self.model = copy_of(model)
        name_nodes(self.model)
        fold(self.model)
        self.graph = self.model.graph
        ops = {node.op_type for node in self.graph.node}
        if multiplying := sorted(ops & ON_CODES):
            raise Unavailable(
                f"no network of floats below {', '.join(multiplying)}: only below Q/DQ nodes"
            )
        self.stored = {tensor.name: tensor for tensor in self.graph.initializer}
        self.inputs = [value.name for value in self.graph.input if value.name not in self.stored]
        self.outputs = [value.name for value in self.graph.output]
        self.makers = {name: node for node in self.graph.node for name in node.output if name}
        self.readers: dict[str, list[Any]] = {}
        for node in self.graph.node:
            for name in dict.fromkeys(node.input):
                self.readers.setdefault(name, []).append(node)
        self.decoded: dict[str, np.ndarray] = {}
        """Weights that only integers of the file tell, by the name of the floats."""
        self.encoders: list[Any] = []
        """The Q/DQ nodes of activations."""
        self.aliases: dict[str, list[str]] = {}
        """All names of an activation, by each of them."""
        for node in self.graph.node:
            if node.op_type not in CODING:
                continue
            tensor = self.stored.get(node.input[0])
            if tensor is not None and node.op_type == DECODE:
                self.decoded[node.output[0]] = self._values(node)
            elif tensor is not None and tensor.data_type != FLOAT:
                raise Unavailable(f"{node.name}: it encodes weights that are no FP32")
            else:
                self._alias(node.input[0], node.output[0])
                if not self._is_weight(node.input[0]):
                    self.encoders.append(node)
        for activation, codes in encoded(self.model).items():
            self._alias(codes, activation)
        self.names = {
            alias: self._chosen(names) for names in self.aliases.values() for alias in names
        }
        """The name that an activation has in the network of floats, by each of its names here."""
        self.types = self._types_of_codes()
        """INT8 or FP8 of each tensor of codes, by name."""

    def _alias(self, first: str, second: str) -> None:
        """Say that two names are of one activation."""
        joined = [*self.aliases.get(first, [first]), *self.aliases.get(second, [second])]
        for name in joined:
            self.aliases[name] = joined

    def _is_weight(self, name: str) -> bool:
        """True if a name is of stored floats that are encoded and decoded."""
        return any(alias in self.stored for alias in self.aliases.get(name, [name]))

    def _chosen(self, names: Sequence[str]) -> str:
        """Of the names of one activation, that of the network of floats."""
        for fixed in (self.inputs, self.stored, self.outputs):
            for name in names:
                if name in fixed:
                    return name
        return min(names, key=len)

    def _values(self, decoder: NodeProto) -> np.ndarray:
        """The floats that a DequantizeLinear makes of stored codes."""
        import onnx

        names = [name for name in decoder.input if name]
        if any(name not in self.stored for name in names):
            raise Unavailable(f"{decoder.name}: the scale of its weights is computed")
        codes, scale, *rest = (
            onnx.numpy_helper.to_array(self.stored[name]).astype(np.float64) for name in names
        )
        zero = rest[0] if rest else np.zeros_like(scale)
        attributes = {entry.name: entry.i for entry in decoder.attribute}
        axis = attributes.get("axis", 1)
        block = attributes.get("block_size", 0)
        values = (codes - _spread(zero, codes, axis, block)) * _spread(scale, codes, axis, block)
        return np.asarray(values, np.float32)

    def name_of(self, name: str) -> str:
        """The name of an activation in the network of floats."""
        return self.names.get(name, name)

    def floats(self) -> Any:
        """The network of floats."""
        import onnx

        bounds = self._left_out()
        kept = [node for node in self.graph.node if node.op_type not in CODING]
        inside = [name for name in names_read_inside(kept) if self.name_of(name) != name]
        if inside or self.decoded.keys() & names_read_inside(kept):
            raise Unavailable("no network of floats: a branch or loop in it reads decoded numbers")
        for node in kept:
            self._decode_parts(node)
            node.input[:] = [self.name_of(name) for name in node.input]
            node.output[:] = [self.name_of(name) for name in node.output]
        nodes: list[Any] = []
        for node in kept:
            nodes.append(copy_of(node))
            if node.output and node.output[0] in bounds:
                nodes.append(self._bound(nodes[-1], bounds[node.output[0]]))
        for names in {id(names): names for names in self.aliases.values()}.values():
            nodes += self._further_results(names)
        keep_only(self.graph, "node", nodes)
        read = {name for node in self.graph.node for name in node.input}
        weights = [
            onnx.numpy_helper.from_array(values, name) for name, values in self.decoded.items()
        ]
        initializers = [
            tensor
            for tensor in (*self.graph.initializer, *weights)
            if tensor.name in read or tensor.name in self.outputs
        ]
        keep_only(self.graph, "initializer", initializers)
        for value in (*self.graph.input, *self.graph.output):
            if value.name in self.names:
                value.type.tensor_type.elem_type = FLOAT
        self._drop_stale()
        return self.model

    def _decode_parts(self, node: Any) -> None:
        """Let a Concat of codes read floats where it reads stored codes, in place."""
        if node.op_type != "Concat" or self.types.keys().isdisjoint(node.output):
            return
        around = {*node.input, *node.output}
        for place, name in enumerate(node.input):
            if name not in self.stored:
                continue
            coding = next(
                (other for other in self.encoders if around & {other.input[0], other.output[0]}),
                None,
            )
            if coding is None:
                raise Unavailable(f"{node.name}: nothing says the scale of its stored codes")
            node.input[place] = f"{name}_floats_of_{node.name}"
            decoder = copy_of(coding)
            decoder.input[0] = name
            self.decoded[node.input[place]] = self._values(decoder)

    def _left_out(self) -> dict[str, float]:
        """Activations whose codes do the work of a Relu that the file leaves out, by their names.

        Of each, the end of their range. Codes start at zero there, while what makes the activation
        may leave less.
        """
        ends: dict[str, float] = {}
        for node in self.encoders:
            maker = self.makers.get(node.input[0])
            if node.op_type != ENCODE or maker is None or maker.op_type not in BEFORE_RELU:
                continue
            is_read_elsewhere = len(self.readers[node.input[0]]) > 1
            if is_read_elsewhere or node.input[0] in self.outputs:
                continue
            known = self._range(node)
            if known is not None and known[0] == 0:
                ends[self.name_of(node.input[0])] = known[1]
        return ends

    def _bound(self, node: Any, end: float) -> Any:
        """A Relu that reads what a node leaves; a Clip if the range ends where that of ReLU6 does.

        The node's result gets another name, in place.
        """
        import onnx

        name = node.output[0]
        node.output[0] = f"{name}_unbounded"
        if abs(end - RELU6) > NEAR * RELU6:
            return onnx.helper.make_node("Relu", [node.output[0]], [name], f"{name}_relu")
        ends = {f"{name}_least": 0.0, f"{name}_most": RELU6}
        for stored, value in ends.items():
            self.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(value), stored))
        return onnx.helper.make_node("Clip", [node.output[0], *ends], [name], f"{name}_clip")

    def _further_results(self, names: Sequence[str]) -> Iterable[Any]:
        """Nodes that copy an activation to the results it has besides its name."""
        import onnx

        chosen = self._chosen(names)
        for name in names:
            if name in self.outputs and name != chosen:
                yield onnx.helper.make_node("Identity", [chosen], [name], f"{name}_copy")

    def _drop_stale(self) -> None:
        """Drop what was declared of codes, and what says where they are."""
        left = {name for node in self.graph.node for name in node.output}
        values = [
            value
            for value in self.graph.value_info
            if value.name in left and value.name not in self.names
        ]
        keep_only(self.graph, "value_info", values)
        facts = [entry for entry in self.model.metadata_props if entry.key != CODES_OF]
        keep_only(self.model, "metadata_props", facts)

    def ranges(self) -> dict[str, Range]:
        """The range of each activation that has codes."""
        ranges: dict[str, Range] = {}
        for node in self.encoders:
            name = self.name_of(node.input[0])
            if name not in ranges and (known := self._range(node)) is not None:
                ranges[name] = known
        return ranges

    def _range(self, node: NodeProto) -> Range | None:
        """The least and the largest float that has a code; None where the scale is computed."""
        import onnx

        if node.input[1] not in self.stored:
            return None
        scale = onnx.numpy_helper.to_array(self.stored[node.input[1]]).astype(np.float64)
        zero = self._zero_point(node)
        least: float
        most: float
        if zero.dtype.kind not in "iu":
            least, most = -LARGEST_FP8, LARGEST_FP8
        else:
            least, most = np.iinfo(zero.dtype).min, np.iinfo(zero.dtype).max
        if zero.dtype.kind == "i" and not np.any(zero):
            least = -most  # around zero, the range is symmetric
        offset = zero.astype(np.float64)
        low = float(((least - offset) * scale).min())
        high = float(((most - offset) * scale).max())
        return low, high

    def _zero_point(self, node: NodeProto) -> np.ndarray:
        """The zero point of a Q/DQ node: zero in uint8 where the file has none."""
        import onnx

        if len(node.input) > 2 and node.input[2] in self.stored:
            return np.asarray(onnx.numpy_helper.to_array(self.stored[node.input[2]]))
        return np.asarray(0, np.uint8)

    def _types_of_codes(self) -> dict[str, str]:
        """INT8 or FP8 of each tensor of codes, by name."""
        types: dict[str, str] = {}
        for node in self.encoders:
            codes = node.output[0] if node.op_type == ENCODE else node.input[0]
            types[codes] = INT8 if self._zero_point(node).dtype.kind in "iu" else FP8
        for node in self.graph.node:
            if node.op_type not in CODING and node.input and node.input[0] in types:
                for name in node.output:
                    types.setdefault(name, types[node.input[0]])
        return types

    def precisions(self, stages: Sequence[Stage]) -> dict[str, str]:
        """In which precision each stage runs."""
        nodes = {node.name: node for node in self.graph.node}
        return {stage.name: self._precision(stage, nodes) for stage in stages}

    def _precision(self, stage: Stage, nodes: Mapping[str, Any]) -> str:
        if stage.name not in nodes:
            return FP32
        node = nodes[stage.name]
        types: set[str | None] = set()
        for name in node.input:
            if self.name_of(name) in stage.reads:
                types.add(self._type_read(name))
        if len(types) != 1 or self._has_float_weights(node):
            return FP32
        (precision,) = types
        if node.op_type not in (IN_FP8 if precision == FP8 else ON_INTEGERS):
            return FP32
        needs_encoding = precision == INT8 and node.op_type not in PRODUCTS
        if precision is None or (needs_encoding and not self._is_encoded(node.output[0])):
            return FP32
        return precision

    def _type_read(self, name: str) -> str | None:
        """INT8 or FP8 of the codes, or decoded codes, that a node reads; None of floats."""
        maker = self.makers.get(name)
        if maker is not None and maker.op_type == DECODE:
            return self.types.get(maker.input[0])
        return self.types.get(name)

    def _has_float_weights(self, node: NodeProto) -> bool:
        """True for a convolution or product whose weights are stored in floats."""
        return node.op_type in WEIGHTED and node.input[WEIGHT] in self.stored

    def _is_encoded(self, name: str) -> bool:
        """True if a result is codes, or is encoded, by way of a Relu that alone reads it."""
        if name in self.types:
            return True
        readers = self.readers.get(name, [])
        if any(reader.op_type == ENCODE for reader in readers):
            return True
        is_bounded = len(readers) == 1 and readers[0].op_type in BOUNDS
        if not is_bounded or name in self.outputs:
            return False
        return self._is_encoded(readers[0].output[0])


def _spread(scale: np.ndarray, codes: np.ndarray, axis: int, block: int) -> np.ndarray:
    """Scales as they lie beside the codes: one for all, one a place on an axis, or blocks."""
    if scale.size == 1:
        return scale.reshape(())
    if block:
        repeated = np.repeat(scale, block, axis)
        return np.take(repeated, range(codes.shape[axis]), axis)
    shape = [1] * codes.ndim
    shape[axis] = scale.size
    return scale.reshape(shape)
