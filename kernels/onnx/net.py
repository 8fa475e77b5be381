"""Build small ONNX models: what the layers we time are written with.

Every number in them is fixed: weights come from one seed and are scaled so that activations stay
near one, shapes are static, and the opset and IR version are written down, so that runtimes of
several years take the same file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.protos import computed_values, elements, set_dims

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from onnx import ModelProto

OPSET = 20
"""The first with Gelu and AffineGrid (LayerNormalization: 17). ONNX Runtime reads it from 1.17
on."""
IR_VERSION = 9
"""What ONNX 1.15, which brought opset 20, writes."""
SEED = 20
PERIOD = 1_000_003
"""Random numbers that larger weights repeat: prime, so that no two rows are alike."""
LARGEST_SHAPE = 8
"""Elements of the largest float constant whose values shape inference may need."""


class Net:
    """A graph that grows node by node; each method returns the name of the tensor it made.

    Inputs are called x, x1, ... and outputs y, y1, ...; ``model`` ends it.
    """

    def __init__(self, opset: int = OPSET) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.weights: list[Any] = []
        self._random = np.random.default_rng(SEED)

    def input(self, *shape: int, dtype: str = "float32") -> str:
        """A graph input of this shape and NumPy type."""
        import onnx

        name = f"x{len(self.inputs) or ''}"
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.inputs.append(onnx.helper.make_tensor_value_info(name, kind, shape))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output; returns its name."""
        output = f"t{len(self.nodes)}"
        self._append(op, inputs, [output], attributes)
        return output

    def add_several(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Add a node of several outputs; returns their names."""
        names = [f"t{len(self.nodes)}_{place}" for place in range(outputs)]
        self._append(op, inputs, names, attributes)
        return names

    def _append(
        self, op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Any]
    ) -> None:
        import onnx

        name = f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(op, inputs, outputs, name=name, **attributes))

    def constant(self, value: ArrayLike, dtype: str = "float32") -> str:
        """An initializer of these values."""
        import onnx

        name = f"w{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def weight(self, *shape: int, fan_in: int = 1) -> str:
        """Random weights of variance 1/fan_in.

        A sum of ``fan_in`` products with values of unit size then stays near one.
        """
        limit = np.float32(np.sqrt(3 / fan_in))  # uniform over ±limit: variance limit² / 3
        count = min(elements(shape), PERIOD)
        from_zero_to_one = self._random.random(count, dtype=np.float32)
        values = from_zero_to_one * np.float32(2 * limit) - limit
        return self.constant(np.resize(values, shape))

    def conv(
        self, x: str, channels: int, out: int, kernel: int, groups: int = 1, stride: int = 1
    ) -> str:
        """A convolution with bias that keeps the size at stride 1; ``kernel`` is odd."""
        group_channels = channels // groups
        fan_in = group_channels * kernel**2
        weight = self.weight(out, group_channels, kernel, kernel, fan_in=fan_in)
        bias = self.weight(out)
        window: dict[str, Any] = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [kernel // 2] * 4,
        }
        return self.add("Conv", x, weight, bias, group=groups, **window)

    def gemm(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected layer with bias."""
        weight = self.weight(inputs, outputs, fan_in=inputs)
        bias = self.weight(outputs)
        return self.add("Gemm", x, weight, bias)

    def model(self, *results: str, shapes: dict[str, tuple[int, ...]] | None = None) -> Any:
        """The ModelProto whose outputs are ``results``.

        shapes: of tensors, inner ones or results, whose shape inference cannot find.
        """
        import onnx

        new_names = {old: f"y{place or ''}" for place, old in enumerate(results)}
        for node in self.nodes:
            node.input[:] = [new_names.get(name, name) for name in node.input]
            node.output[:] = [new_names.get(name, name) for name in node.output]
        outputs = [onnx.ValueInfoProto(name=name) for name in new_names.values()]
        graph = onnx.helper.make_graph(
            self.nodes, "layer", self.inputs, outputs, _headers(self.weights)
        )
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        model = infer(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION))
        new_shapes = {new_names.get(name, name): shape for name, shape in (shapes or {}).items()}
        for value in computed_values(model):  # which may hold an output twice
            if value.name in new_shapes:
                set_dims(value, new_shapes[value.name])
        model.graph.ClearField("initializer")
        model.graph.initializer.extend(self.weights)
        return model


def infer(model: ModelProto) -> Any:
    """The model with the type and shape of every tensor written in."""
    import onnx

    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def _headers(weights: list[Any]) -> list[Any]:
    """Weights as inference needs them, which copies them: large floats without their values."""
    import onnx

    headers = []
    for weight in weights:
        is_float = weight.data_type == onnx.TensorProto.FLOAT
        if is_float and elements(weight.dims) > LARGEST_SHAPE:
            headers.append(
                onnx.TensorProto(name=weight.name, data_type=weight.data_type, dims=weight.dims)
            )
        else:
            headers.append(weight)
    return headers
