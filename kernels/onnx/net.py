"""Build small ONNX models: what the layers we time are written with.

Every number in them is fixed: weights come from one seed and are scaled so that activations stay
near one, shapes are static, and the opset and IR version are written down, so that runtimes of
several years take the same file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.onnx.protos import elements, set_dims

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from onnx import ModelProto

OPSET = 20
"""The first with Gelu and AffineGrid (LayerNormalization: 17); ONNX Runtime reads it from 1.17
on.
"""
IR_VERSION = 9
"""What ONNX 1.15, which brought opset 20, writes."""
SEED = 20
PERIOD = 1_000_003  # numbers that larger weights repeat: prime, so that no two rows are alike


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

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """A node; the name of its output, or the names where ``outputs`` is above one."""
        import onnx

        at = len(self.nodes)
        names = [f"t{at}" if outputs == 1 else f"t{at}_{i}" for i in range(outputs)]
        self.nodes.append(
            onnx.helper.make_node(op, inputs, names, name=f"{op.lower()}_{at}", **attributes)
        )
        return names[0] if outputs == 1 else names

    def constant(self, value: ArrayLike, dtype: str = "float32") -> str:
        """An initializer of these values."""
        import onnx

        name = f"w{len(self.weights)}"
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def weight(self, *shape: int, fan_in: int = 1) -> str:
        """Random weights of variance 1/fan_in, so that a sum of ``fan_in`` products of unit size
        stays near one.
        """
        limit = np.float32(
            np.sqrt(3 / fan_in)
        )  # a uniform distribution over ±limit has variance limit² / 3
        count = int(np.prod(shape, dtype=np.int64))
        values = (
            self._random.random(min(count, PERIOD), dtype=np.float32) * np.float32(2 * limit)
            - limit
        )
        return self.constant(np.resize(values, shape))

    def conv(
        self, x: str, channels: int, out: int, kernel: int, groups: int = 1, stride: int = 1
    ) -> str:
        """A convolution with bias that keeps the size at stride 1; ``kernel`` is odd."""
        fan_in = channels // groups * kernel**2
        weight = self.weight(out, channels // groups, kernel, kernel, fan_in=fan_in)
        window: dict[str, Any] = {
            "kernel_shape": [kernel] * 2,
            "strides": [stride] * 2,
            "pads": [kernel // 2] * 4,
        }
        return str(self.add("Conv", x, weight, self.weight(out), group=groups, **window))

    def gemm(self, x: str, inputs: int, outputs: int) -> str:
        """A fully connected layer with bias."""
        return str(
            self.add("Gemm", x, self.weight(inputs, outputs, fan_in=inputs), self.weight(outputs))
        )

    def model(self, *results: str, shapes: dict[str, tuple[int, ...]] | None = None) -> Any:
        """The ModelProto whose outputs are ``results``; shapes: of inner tensors that inference
        cannot find.
        """
        import onnx

        named = {old: f"y{i or ''}" for i, old in enumerate(results)}
        for node in self.nodes:
            node.input[:] = [named.get(name, name) for name in node.input]
            node.output[:] = [named.get(name, name) for name in node.output]
        given = {named.get(name, name): shape for name, shape in (shapes or {}).items()}
        outputs = [onnx.ValueInfoProto(name=name) for name in named.values()]
        graph = onnx.helper.make_graph(
            self.nodes, "layer", self.inputs, outputs, _headers(self.weights)
        )
        opsets = [onnx.helper.make_opsetid("", self.opset)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        return self._filled(infer(model), given)

    def _filled(self, model: ModelProto, shapes: dict[str, tuple[int, ...]]) -> Any:
        """With the weights' data, and the given shapes in place of inferred ones."""
        for value in [*model.graph.value_info, *model.graph.output]:
            if value.name in shapes:
                set_dims(value, shapes[value.name])
        model.graph.ClearField("initializer")
        model.graph.initializer.extend(self.weights)
        return model


def infer(model: ModelProto) -> Any:
    """The model with the type and shape of every tensor written in."""
    import onnx

    return onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)


def _headers(weights: list[Any]) -> list[Any]:
    """Weights as inference needs them: integers are shapes and keep their values, floats keep only
    their dimensions.
    """
    import onnx

    return [
        onnx.TensorProto(name=w.name, data_type=w.data_type, dims=w.dims)
        if w.data_type == onnx.TensorProto.FLOAT and elements(w.dims) > 8
        else w
        for w in weights
    ]
