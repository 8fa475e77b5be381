"""Rewrite an ONNX model from FP32 to INT8, in the forms that runtimes have kernels for.

Its inputs and outputs are integers too. The form is a question of the device. On x86, ONNX
Runtime's CPU provider multiplies unsigned activations by signed weights; of signed activations it
leaves convolutions in FP32, or runs them several times slower. TensorRT takes signed activations
only, and ONNX Runtime's CUDA provider has no integer kernel but MatMulInteger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.protos import copy_of
from kernels.precision.integer import LARGEST_INT8, integers, matmul_integer
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
bias."""
SAME_SCALE = frozenset(
    ("MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Gather", "Slice")
)
"""These pass numbers on: with one scale on both sides a runtime runs them on the integers."""
RESCALED_NAMES = """
Relu LeakyRelu Sigmoid Softmax AveragePool GlobalAveragePool Concat Split Resize
"""
RESCALED = frozenset(RESCALED_NAMES.split())
"""Further ones that ONNX Runtime or TensorRT runs on integers."""
QUANTIZED = frozenset(WEIGHTS) | SAME_SCALE | RESCALED
BIAS = 2
"""The place of the bias of Conv and Gemm."""
LARGEST_BIAS = 2**31 - 1 - 128
"""Of int32; FP32 rounds anything larger up to 2**31, which int32 does not have."""
INT8_OPSET = 13
"""The first whose DequantizeLinear has an axis (ONNX operator changelog). The operation itself came
with 10."""
INT8_IR_VERSION = 7
"""What opset 13 is released with (ONNX's table of versions)."""


def quantize(model: ModelProto, per_channel: bool = False, form: str = "u8s8") -> Any:
    """The model in one of FORMS. Raises Unavailable for an operation that has no INT8.

    Scales come from one run on inputs uniform over ±1, so an integer input over its whole range is
    that input.
    """
    if form == "integer":
        return matmul_integer(model)
    missing = [node.op_type for node in model.graph.node if node.op_type not in QUANTIZED]
    if missing:
        raise Unavailable(f"{', '.join(dict.fromkeys(missing))}: no int8 form of it")
    newer = raised(model, INT8_OPSET, INT8_IR_VERSION, "int8")
    return _Quantizing(newer, per_channel, is_unsigned=form == "u8s8").result()


class Scale(NamedTuple):
    """What an activation's integers mean: value = scale · (integer - zero point)."""

    scale: float
    zero_point: int


class _Quantizing:
    """One rewriting, into nodes and initializers of its own."""

    def __init__(self, model: ModelProto, per_channel: bool, is_unsigned: bool) -> None:
        import onnx

        self.source = model
        self.per_channel = per_channel
        self.is_unsigned = is_unsigned
        self.activation = np.uint8 if is_unsigned else np.int8
        """The type of activations."""
        self.stored = {
            tensor.name: tensor
            for tensor in model.graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT
        }
        """FP32 initializers of the source, by name."""
        self.scales = self._scales(ranges(model))
        """Of the activations that are integers, by name."""
        self.weight_scales: dict[str, np.ndarray] = {}
        """Of the weights that are quantized so far, by name."""
        self.nodes: list[Any] = []
        self.initializers = [
            tensor for tensor in model.graph.initializer if tensor.name not in self.stored
        ]

    def _scales(self, activation_ranges: Mapping[str, tuple[float, float]]) -> dict[str, Scale]:
        scales = {}
        for name, (least, most) in activation_ranges.items():
            size = max(-least, most) or 1.0
            if self.is_unsigned and least >= 0:
                scales[name] = Scale(size / (2 * LARGEST_INT8 + 1), 0)  # all of the unsigned range
            else:
                scales[name] = Scale(size / LARGEST_INT8, 128 if self.is_unsigned else 0)
        for node in self.source.graph.node:
            if node.op_type in SAME_SCALE and node.input[0] in scales:
                scales[node.output[0]] = scales[node.input[0]]
        floats = self._before_relu()
        return {name: scale for name, scale in scales.items() if name not in floats}

    def _before_relu(self) -> set[str]:
        """Results that only a Relu reads, which stay floats.

        The range of integers after the Relu then does its work.
        """
        graph = self.source.graph
        computed = {name for node in graph.node for name in node.output}
        read = Counter(value.name for value in graph.output)
        for node in graph.node:
            read.update(node.input)
        before_relu = {node.input[0] for node in graph.node if node.op_type == "Relu"}
        return {name for name in before_relu & computed if read[name] == 1}

    def result(self) -> Any:
        """The quantized model."""
        import onnx

        for node in self.source.graph.node:
            self._add(node)
        model = copy_of(self.source)
        for field, entries in (("node", self.nodes), ("initializer", self.initializers)):
            model.graph.ClearField(field)
            getattr(model.graph, field).extend(entries)
        model.graph.ClearField("value_info")
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self.activation))
        for value in [*model.graph.input, *model.graph.output]:
            if value.name in self.scales:
                value.type.tensor_type.elem_type = kind
        return model

    def _add(self, node: NodeProto) -> None:
        """Add the node, which reads decoded integers and whose float results are encoded again."""
        floating = copy_of(node)
        for place, name in enumerate(node.input):
            if name in self.stored:
                floating.input[place] = self._weight(node, place)
            elif name in self.scales:
                floating.input[place] = self._decoded(name)
        encoded = [name for name in node.output if name in self.scales]
        for place, name in enumerate(node.output):
            if name in self.scales:
                floating.output[place] = f"{name}_float"
        self.nodes.append(floating)
        for name in encoded:
            scale, zero = self._scale_and_zero(name)
            self._link("QuantizeLinear", f"{name}_float", name, scale, zero)

    def _scale_and_zero(self, name: str) -> tuple[str, str]:
        """Store scale and zero point of an activation; returns their names."""
        scale = self.scales[name]
        return (
            self._store(f"{name}_scale", np.float32(scale.scale)),
            self._store(f"{name}_zero", self.activation(scale.zero_point)),
        )

    def _decoded(self, name: str) -> str:
        """Decode an activation, once; returns the name of the floats."""
        decoded = f"{name}_decoded"
        if not any(decoded in node.output for node in self.nodes):
            scale, zero = self._scale_and_zero(name)
            self._link("DequantizeLinear", name, decoded, scale, zero)
        return decoded

    def _weight(self, node: NodeProto, place: int) -> str:
        """Quantize a stored input and decode it; returns the name of the floats.

        A bias stays float for TensorRT, as does what is no weight.
        """
        import onnx

        name = node.input[place]
        values = onnx.numpy_helper.to_array(self.stored[name])
        is_bias = node.op_type in ("Conv", "Gemm") and place == BIAS
        if is_bias and self.is_unsigned and node.input[1] in self.weight_scales:
            return self._bias(node, values)
        if place not in WEIGHTS.get(node.op_type, ()):
            return self._store(name, values)
        axis = _output_axis(node) if self.per_channel and values.ndim > 1 else None
        numbers, scale = integers(values, axis)
        self.weight_scales[name] = scale
        return self._decoded_weight(f"{name}_weight", numbers, scale, axis)

    def _bias(self, node: NodeProto, values: np.ndarray) -> str:
        """A bias in the units of the accumulator: scale of the input times that of the weights."""
        scale = np.float32(self.scales[node.input[0]].scale * self.weight_scales[node.input[1]])
        numbers = np.rint(values / scale)
        clipped = np.clip(numbers, -(2**31) + 1, LARGEST_BIAS).astype(np.int32)
        axis = 0 if scale.ndim else None
        return self._decoded_weight(f"{node.input[BIAS]}_bias", clipped, scale, axis)

    def _decoded_weight(
        self, name: str, numbers: np.ndarray, scale: np.ndarray, axis: int | None
    ) -> str:
        """Store integers and decode them; returns the name of the floats."""
        scale_name = self._store(f"{name}_scale", scale)
        zero_name = self._store(f"{name}_zero", np.zeros_like(scale, numbers.dtype))
        source = self._store(f"{name}_int", numbers)
        attributes = {} if axis is None else {"axis": axis}
        result = f"{name}_decoded"
        self._link("DequantizeLinear", source, result, scale_name, zero_name, **attributes)
        return result

    def _link(
        self, op: str, source: str, result: str, scale: str, zero: str, **attributes: Any
    ) -> None:
        """Add a QuantizeLinear or DequantizeLinear."""
        import onnx

        name = f"{result}_{op.lower()}"
        self.nodes.append(
            onnx.helper.make_node(op, [source, scale, zero], [result], name, **attributes)
        )

    def _store(self, name: str, values: Any) -> str:
        """Add an initializer, once; returns its name."""
        import onnx

        if all(tensor.name != name for tensor in self.initializers):
            self.initializers.append(onnx.numpy_helper.from_array(np.asarray(values), name))
        return name


def _output_axis(node: NodeProto) -> int:
    """Where the output channels of the weights are: first dimension of Conv, last of a product."""
    is_turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
    return 0 if node.op_type == "Conv" or is_turned else 1
