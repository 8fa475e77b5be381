"""Operations that compute on codes themselves, as the same on floats between Q/DQ nodes.

ONNX Runtime's quantizer writes either (``QuantFormat.QOperator``, or ``QDQ``), and runs both by the
same kernels. The second says the same of any operation, so that only it need be understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.protos import copy_of, keep_only, name_nodes
from kernels.precision.units import DECODE, ENCODE

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

MICROSOFT = "com.microsoft"
AXIS_OPSET = 13
"""The first whose DequantizeLinear has an axis."""
PARTS = 3
"""Inputs of an operand: its codes, their scale, and their zero point."""


@dataclass(frozen=True)
class Form:
    """How an operation on codes is written, and what it is on floats."""

    op: str
    """The operation on floats, by ONNX's name."""
    operands: int = 1
    """Operands at the start of its inputs, of PARTS inputs each; the second may be weights."""
    bias: int | None = None
    """The place of a bias in int32, in units of the product of both scales."""
    result: int = 3
    """The place of the result's scale; that of its zero point follows."""


FORMS: Mapping[str, Form] = {
    "QLinearConv": Form("Conv", operands=2, bias=8, result=6),
    "QLinearMatMul": Form("MatMul", operands=2, result=6),
    "QGemm": Form("Gemm", operands=2, bias=6, result=7),
    "QLinearAdd": Form("Add", operands=2, result=6),
    "QLinearMul": Form("Mul", operands=2, result=6),
    "QLinearAveragePool": Form("AveragePool"),
    "QLinearGlobalAveragePool": Form("GlobalAveragePool"),
    "QLinearLeakyRelu": Form("LeakyRelu"),
    "QLinearReduceMean": Form("ReduceMean"),
    "QLinearSigmoid": Form("Sigmoid"),
    "QLinearSoftmax": Form("Softmax"),
}
"""Of ONNX (QLinearConv, QLinearMatMul) and ONNX Runtime (docs/ContribOperators.md)."""
CONCAT = "QLinearConcat"
"""Its result comes first, then any number of operands."""
NOT_ON_FLOATS = frozenset(("channels_last", "opset"))
"""Attributes that the operation on floats does not have."""


def opened(model: ModelProto) -> Any:
    """A copy whose operations on codes are operations on floats between Q/DQ nodes.

    The network itself where it has none. Raises Unavailable where one cannot be written so.
    """
    if not any(node.op_type in FORMS or node.op_type == CONCAT for node in model.graph.node):
        return model
    copy = copy_of(model)
    name_nodes(copy)
    _Opening(copy).open()
    return copy


class _Opening:
    """One rewriting of a network, in place."""

    def __init__(self, model: Any) -> None:
        self.graph = model.graph
        self.stored = {tensor.name: tensor for tensor in self.graph.initializer}
        self.opset = max(
            (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
            default=1,
        )
        self.taken = {name for node in self.graph.node for name in (*node.input, *node.output)}
        self.nodes: list[Any] = []
        self.decoded: dict[tuple[str, ...], str] = {}
        """The floats of codes, by their names and those of their scale and zero point."""

    def open(self) -> None:
        """Rewrite the network."""
        for node in self.graph.node:
            if node.op_type == CONCAT:
                self._concat(node)
            elif node.op_type in FORMS:
                self._node(node, FORMS[node.op_type])
            else:
                self.nodes.append(copy_of(node))
        keep_only(self.graph, "node", self.nodes)

    def _node(self, node: NodeProto, form: Form) -> None:
        for attribute in node.attribute:
            if attribute.name == "channels_last" and attribute.i:
                raise Unavailable(f"{node.name}: {node.op_type} with its channels last is not read")
        axes = [0, _channel_axis(node)]
        reads = []
        for place in range(form.operands):
            parts = node.input[PARTS * place : PARTS * (place + 1)]
            reads.append(self._floats_of(node, parts, axes[place]))
        bias = _input(node, form.bias)
        if bias:
            reads.append(self._bias(node, bias))
        self._add(node, form.op, reads, _input(node, form.result), _input(node, form.result + 1))

    def _concat(self, node: NodeProto) -> None:
        operands = list(node.input[2:])
        reads = [
            self._floats_of(node, operands[place : place + PARTS], 0)
            for place in range(0, len(operands), PARTS)
        ]
        self._add(node, "Concat", reads, node.input[0], node.input[1])

    def _add(self, node: NodeProto, op: str, reads: list[str], scale: str, zero: str) -> None:
        """Add the operation on floats, and what encodes its result, if anything does."""
        import onnx

        codes = node.output[0]
        floats = self._fresh(f"{codes}_floats") if scale else codes
        main = onnx.helper.make_node(op, reads, [floats], node.name)
        main.attribute.extend(
            copy_of(attribute)
            for attribute in node.attribute
            if attribute.name not in NOT_ON_FLOATS
        )
        self.nodes.append(main)
        if scale:
            names = [floats, scale, zero] if zero else [floats, scale]
            encoder = onnx.helper.make_node(ENCODE, names, [codes], f"{node.name}_encode")
            self.nodes.append(encoder)

    def _floats_of(self, node: NodeProto, parts: Any, axis: int) -> str:
        """The name of the floats of an operand; what decodes it is added if needed.

        axis: along which a scale of several numbers lies.
        """
        import onnx

        names = tuple(name for name in parts if name)
        if names in self.decoded:
            return self.decoded[names]
        floats = self._fresh(f"{names[0]}_decoded")
        decoder = onnx.helper.make_node(DECODE, names, [floats], f"{floats}_node")
        self._set_axis(node, decoder, names[1], axis)
        self.nodes.append(decoder)
        self.decoded[names] = floats
        return floats

    def _set_axis(self, node: NodeProto, decoder: Any, scale: str, axis: int) -> None:
        import onnx

        tensor = self.stored.get(scale)
        if tensor is None or np.prod(tensor.dims, dtype=int) == 1:
            return
        if self.opset < AXIS_OPSET:
            raise Unavailable(
                f"{node.name}: scales of channels need opset {AXIS_OPSET}, and it has {self.opset}"
            )
        decoder.attribute.append(onnx.helper.make_attribute("axis", axis))

    def _bias(self, node: NodeProto, bias: str) -> str:
        """The floats of a bias, whose scale is the product of those of the operands."""
        import onnx

        names = [node.input[1], node.input[1 + PARTS]]
        if any(name not in self.stored for name in names):
            raise Unavailable(f"{node.name}: the scale of its bias is computed")
        first, second = (onnx.numpy_helper.to_array(self.stored[name]) for name in names)
        alpha = next((entry.f for entry in node.attribute if entry.name == "alpha"), 1.0)
        scale = self._fresh(f"{bias}_scale")
        product = np.asarray(first * second * np.float32(alpha), np.float32)
        values = product.reshape(()) if product.size == 1 else product.ravel()
        self.stored[scale] = onnx.numpy_helper.from_array(values, scale)
        self.graph.initializer.append(self.stored[scale])
        return self._floats_of(node, [bias, scale], 0)

    def _fresh(self, name: str) -> str:
        """A name like this that no tensor has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _input(node: NodeProto, place: int | None) -> str:
    """The name of an input; empty if the node has none there."""
    return node.input[place] if place is not None and place < len(node.input) else ""


def _channel_axis(node: NodeProto) -> int:
    """Along which axis the weights of an operation have a scale for each output channel."""
    is_turned = any(entry.name == "transB" and entry.i for entry in node.attribute)
    return 0 if node.op_type == "QLinearConv" or is_turned else 1
