"""Rewrite an ONNX model from FP32 to INT8: integers in, integers out, in the forms that runtimes
have kernels for.

The form is a question of the device. On x86, ONNX Runtime's CPU provider multiplies unsigned
activations by signed weights; of signed activations it leaves convolutions in FP32, or runs them
several times slower. TensorRT takes signed activations only, and ONNX Runtime's CUDA provider has
no integer kernel but MatMulInteger.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Unavailable
from kernels.precision.integer import LARGEST, integers, matmul_integer
from kernels.precision.narrow import raised
from kernels.precision.ranges import ranges

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FORMS: Mapping[str, str] = {
    "u8s8": "Q/DQ, activations uint8, weights int8: the CPU provider of ONNX Runtime",
    "s8s8": "Q/DQ, activations int8 around zero, weights int8: TensorRT",
    "integer": (
        "MatMulInteger, int8 in and int32 out: the CUDA provider of ONNX Runtime; products only"
    ),
}
WEIGHTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1,),
    "Gemm": (1,),
    "MatMul": (0, 1),
    "Add": (0, 1),
    "Mul": (0, 1),
}
"""Operations whose stored inputs are quantized, and at which places; Conv and Gemm also have a
bias.
"""
SAME_SCALE = frozenset(
    ("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Gather", "Slice")
)
"""These pass numbers on: with one scale on both sides a runtime runs them on the integers."""
RESCALED = frozenset(
    (
        "Relu",
        "LeakyRelu",
        "Sigmoid",
        "Softmax",
        "AveragePool",
        "GlobalAveragePool",
        "Concat",
        "Split",
        "Resize",
    )
)
"""Further ones that ONNX Runtime or TensorRT runs on integers."""
QUANTIZED = frozenset(WEIGHTS) | SAME_SCALE | RESCALED
BIAS = 2
INT8_OPSET = 13
"""The first whose DequantizeLinear has an axis (ONNX operator changelog); the operation itself came
with 10.
"""
INT8_IR_VERSION = 7
"""What opset 13 is released with (ONNX's table of versions)."""


def quantize(model: ModelProto, per_channel: bool = False, form: str = "u8s8") -> Any:
    """The model in one of FORMS; Unavailable names an operation that has no INT8.

    Scales come from one run on inputs uniform over ±1, so an integer input over its whole range is
    that input.
    """
    if form == "integer":
        return matmul_integer(model)
    missing = [node.op_type for node in model.graph.node if node.op_type not in QUANTIZED]
    if missing:
        raise Unavailable(f"{', '.join(dict.fromkeys(missing))}: no int8 form of it")
    newer = raised(model, INT8_OPSET, INT8_IR_VERSION, "int8")
    return _Quantizing(newer, per_channel, form == "u8s8").result()


class _Quantizing:
    """One rewriting: scales by tensor, and the nodes and initializers written so far."""

    def __init__(self, model: ModelProto, per_channel: bool, unsigned: bool) -> None:
        import onnx

        self.source, self.per_channel = model, per_channel
        self.unsigned, self.activation = unsigned, np.uint8 if unsigned else np.int8
        self.stored = {
            t.name: t for t in model.graph.initializer if t.data_type == onnx.TensorProto.FLOAT
        }
        self.scales = self._scales(ranges(model))
        self.nodes: list[Any] = []
        self.initializers = [t for t in model.graph.initializer if t.name not in self.stored]
        self.weight_scales: dict[str, np.ndarray] = {}

    def _scales(self, found: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, int]]:
        """Scale and zero point by tensor; what is never negative has the whole unsigned range."""
        scales = {}
        for name, (least, most) in found.items():
            size = max(-least, most) or 1.0
            scales[name] = (
                (size / (2 * LARGEST + 1), 0)
                if self.unsigned and least >= 0
                else (size / LARGEST, 128 * self.unsigned)
            )
        for node in self.source.graph.node:
            if node.op_type in SAME_SCALE and node.input[0] in scales:
                scales[node.output[0]] = scales[node.input[0]]
        return {name: ends for name, ends in scales.items() if name not in self._before_relu()}

    def _before_relu(self) -> set[str]:
        """What only a Relu reads stays as it is computed: the range of integers after the Relu then
        does its work.
        """
        graph = self.source.graph
        read = [name for node in graph.node for name in node.input] + [
            value.name for value in graph.output
        ]
        made = {name for node in graph.node for name in node.output}
        return {
            n.input[0] for n in graph.node if n.op_type == "Relu" and read.count(n.input[0]) == 1
        } & made

    def result(self) -> Any:
        import onnx

        made = onnx.ModelProto()
        made.CopyFrom(self.source)
        for node in self.source.graph.node:
            self._add(node)
        for field, values in (("node", self.nodes), ("initializer", self.initializers)):
            made.graph.ClearField(field)
            getattr(made.graph, field).extend(values)
        made.graph.ClearField("value_info")
        for value in [*made.graph.input, *made.graph.output]:
            if value.name in self.scales:
                kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.activation))
                value.type.tensor_type.elem_type = kind
        return made

    def _add(self, node: NodeProto) -> None:
        """The node on decoded integers, its float results encoded again."""
        import onnx

        made = onnx.NodeProto()
        made.CopyFrom(node)
        for place, name in enumerate(node.input):
            if name in self.stored:
                made.input[place] = self._weight(node, place)
            elif name in self.scales:
                made.input[place] = self._decoded(name)
        encoded = [name for name in node.output if name in self.scales]
        made.output[:] = [f"{name}_float" if name in self.scales else name for name in node.output]
        self.nodes.append(made)
        for name in encoded:
            self._link("QuantizeLinear", f"{name}_float", name, *self._ends(name))

    def _ends(self, name: str) -> tuple[str, str]:
        """Names of scale and zero point."""
        scale, zero = self.scales[name]
        return self._store(f"{name}_scale", np.float32(scale)), self._store(
            f"{name}_zero", self.activation(zero)
        )

    def _decoded(self, name: str) -> str:
        if not any(f"{name}_decoded" in node.output for node in self.nodes):
            self._link("DequantizeLinear", name, f"{name}_decoded", *self._ends(name))
        return f"{name}_decoded"

    def _weight(self, node: NodeProto, place: int) -> str:
        """A stored input, quantized, and the node that decodes it; others stay floats, as TensorRT
        wants a bias.
        """
        import onnx

        name, values = node.input[place], onnx.numpy_helper.to_array(self.stored[node.input[place]])
        if (
            node.op_type in ("Conv", "Gemm")
            and place == BIAS
            and self.unsigned
            and node.input[1] in self.weight_scales
        ):
            return self._bias(node, values)
        if place not in WEIGHTS.get(node.op_type, ()):
            return self._store(name, values)
        axis = _output_axis(node) if self.per_channel and values.ndim > 1 else None
        numbers, scale = integers(values, axis)
        self.weight_scales[name] = scale
        return self._decoded_weight(f"{name}_weight", numbers, scale, axis)

    def _bias(self, node: NodeProto, values: np.ndarray) -> str:
        """In the units of the accumulator: scale of the input times that of the weights."""
        scale = np.float32(self.scales[node.input[0]][0] * self.weight_scales[node.input[1]])
        numbers = np.clip(np.rint(values / scale), -(2**31) + 1, 2**31 - 1 - 128).astype(np.int32)
        return self._decoded_weight(
            f"{node.input[BIAS]}_bias", numbers, scale, 0 if scale.ndim else None
        )

    def _decoded_weight(
        self, name: str, numbers: np.ndarray, scale: np.ndarray, axis: int | None
    ) -> str:
        ends = (
            self._store(f"{name}_scale", scale),
            self._store(f"{name}_zero", np.zeros_like(scale, numbers.dtype)),
        )
        along: dict[str, Any] = {} if axis is None else {"axis": axis}
        self._link(
            "DequantizeLinear",
            self._store(f"{name}_int", numbers),
            f"{name}_decoded",
            *ends,
            **along,
        )
        return f"{name}_decoded"

    def _link(
        self, op: str, source: str, result: str, scale: str, zero: str, **attributes: Any
    ) -> None:
        import onnx

        inputs = [source, scale, zero]
        self.nodes.append(
            onnx.helper.make_node(op, inputs, [result], f"{result}_{op.lower()}", **attributes)
        )

    def _store(self, name: str, values: Any) -> str:
        import onnx

        if all(tensor.name != name for tensor in self.initializers):
            self.initializers.append(onnx.numpy_helper.from_array(np.asarray(values), name))
        return name


def _output_axis(node: NodeProto) -> int:
    """Where the output channels of its weights are: the first dimension of Conv, the last of a
    product.
    """
    turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return 0 if node.op_type == "Conv" or turned else 1
