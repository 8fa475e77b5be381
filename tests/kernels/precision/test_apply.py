"""A plan in a network: its codes are those of NumPy, it passes ONNX's checks, and it fuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.base import KernelError, Unavailable  # noqa: E402
from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.onnx.protos import copy_of  # noqa: E402
from kernels.precision.apply import applied, encoded  # noqa: E402
from kernels.precision.stages import Stage, stages  # noqa: E402
from kernels.runtime.door import onnxruntime  # noqa: E402
from tests.kernels.onnx_run import executed, feeds, run  # noqa: E402

CLOSE = 0.04  # of the largest FP32 output: what 8 bits of inputs and weights may cost


def all_in(listed: list[Stage], precision: str) -> dict[str, str]:
    """A plan with each stage in this precision, if it can have it."""
    return {stage.name: precision for stage in listed if precision in stage.precisions}


def in_precision(model: Any, precision: str = "int8", **how: Any) -> Any:
    """The network with all that can be in this precision, its ranges from one run; checked."""
    listed = stages(graph_of(copy_of(model)))
    return planned(model, all_in(listed, precision), **how)


def planned(model: Any, precisions: Mapping[str, str], **how: Any) -> Any:
    """The network with a plan, its ranges from one run; checked."""
    listed = stages(graph_of(copy_of(model)))
    changed = applied(model, listed, precisions, ranges_of_feeds(model, listed), **how)
    onnx.checker.check_model(changed, full_check=True)
    return changed


def unoptimized(model: Any, arrays: Mapping[str, np.ndarray], *names: str) -> dict[str, Any]:
    """Values of these tensors, and of the outputs, with graph optimisation off."""
    ort = onnxruntime()
    probe = copy_of(model)
    outputs = [value.name for value in probe.graph.output]
    for name in dict.fromkeys(names):
        if name not in outputs and name not in arrays:
            probe.graph.output.append(onnx.ValueInfoProto(name=name))
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    results = session.run(None, dict(arrays))
    values = dict(zip([value.name for value in probe.graph.output], results, strict=True))
    return {**arrays, **values}


def ranges_of_feeds(model: Any, listed: list[Stage]) -> dict[str, tuple[float, float]]:
    """Least and largest number of each activation, for the inputs of these tests."""
    names = [name for stage in listed for name in (*stage.reads, *stage.results)]
    values = unoptimized(model, feeds(model), *names)
    return {name: (float(values[name].min()), float(values[name].max())) for name in names}


def ops_of(model: Any) -> list[str]:
    """Its operations, in order."""
    return [node.op_type for node in model.graph.node]


def constants_of(model: Any) -> dict[str, np.ndarray]:
    """Its initializers, by name."""
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def quantized(values: np.ndarray, scale: np.ndarray, zero: np.ndarray) -> np.ndarray:
    """What ONNX's QuantizeLinear says, in NumPy."""
    numbers = np.rint(values.astype(np.float32) / scale) + zero.astype(np.float32)
    ends = np.iinfo(zero.dtype)
    return np.clip(numbers, ends.min, ends.max).astype(zero.dtype)


def check_codes(model: Any) -> int:
    """Hold each code that the network makes against NumPy; returns how many tensors had some."""
    encoders = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    sources = [node.input[0] for node in encoders]
    codes = [node.output[0] for node in encoders]
    values = unoptimized(model, feeds(model), *sources, *codes)
    constants = constants_of(model)
    for node in encoders:
        source, scale, zero = node.input
        expected = quantized(values[source], constants[scale], constants[zero])
        np.testing.assert_array_equal(values[node.output[0]], expected)
    return len(encoders)


def error_of(model: Any, changed: Any) -> float:
    """The largest error of a changed network, over the largest number of its FP32 output."""
    arrays = feeds(model)
    names = [value.name for value in model.graph.output]
    before = unoptimized(model, arrays)
    after = unoptimized(changed, arrays)
    errors = []
    for name in names:
        size = np.abs(before[name]).max() or 1.0
        errors.append(float(np.abs(after[name] - before[name]).max() / size))
    return max(errors)


def convolution() -> Any:
    net = Net()
    return net.model(net.add("Relu", net.conv(net.input(1, 8, 14, 14), 8, 16, 3)))


def depthwise() -> Any:
    net = Net()
    return net.model(net.conv(net.input(1, 16, 14, 14), 16, 16, 3, groups=16))


def fully_connected() -> Any:
    net = Net()
    return net.model(net.gemm(net.input(8, 32), 32, 24))


def turned() -> Any:
    net = Net()
    weights = net.weight(24, 32, fan_in=32)
    return net.model(net.add("Gemm", net.input(8, 32), weights, net.weight(24), transB=1))


def product() -> Any:
    net = Net()
    return net.model(net.add("MatMul", net.input(2, 8, 32), net.weight(32, 24, fan_in=32)))


def two_activations() -> Any:
    net = Net()
    return net.model(net.add("MatMul", net.input(2, 8, 32), net.input(2, 32, 8)))


def residual() -> Any:
    net = Net()
    x = net.input(1, 8, 14, 14)
    inner = net.add("Relu", net.conv(x, 8, 8, 3))
    total = net.add("Add", net.conv(inner, 8, 8, 3), x)
    return net.model(net.add("Relu", total))


def pooled() -> Any:
    net = Net()
    first = net.add("Relu", net.conv(net.input(1, 8, 16, 16), 8, 8, 3))
    smaller = net.add("MaxPool", first, kernel_shape=[2, 2], strides=[2, 2])
    return net.model(net.conv(smaller, 8, 8, 3))


def concatenated() -> Any:
    net = Net()
    x = net.input(1, 8, 14, 14)
    scaled = net.add("Mul", net.conv(x, 8, 8, 1), net.constant(3.0))
    parts = net.add("Concat", net.conv(x, 8, 8, 3), scaled, axis=1)
    return net.model(net.conv(parts, 16, 8, 1))


def transposed() -> Any:
    net = Net()
    weights = net.weight(8, 6, 2, 2, fan_in=8)
    x = net.input(1, 8, 7, 7)
    return net.model(net.add("ConvTranspose", x, weights, net.weight(6), strides=[2, 2]))


def shuffled() -> Any:
    net = Net()
    first = net.conv(net.input(1, 8, 6, 6), 8, 8, 3)
    left, right = net.add_several("Split", first, outputs=2, axis=1, num_outputs=2)
    joined = net.add("Concat", net.conv(left, 4, 4, 3), right, axis=1)
    rows = net.add("Reshape", joined, net.constant([1, 2, 4, 6, 6], "int64"))
    mixed = net.add("Transpose", rows, perm=[0, 2, 1, 3, 4])
    flat = net.add("Reshape", mixed, net.constant([1, 8, 6, 6], "int64"))
    return net.model(net.add("GlobalAveragePool", net.conv(flat, 8, 8, 1)))


NETWORKS = (
    convolution,
    depthwise,
    fully_connected,
    turned,
    product,
    two_activations,
    residual,
    pooled,
    concatenated,
    transposed,
    shuffled,
)


@pytest.mark.parametrize("form", ["u8s8", "s8s8"])
@pytest.mark.parametrize("granularity", ["channel", "tensor", "block"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_codes_are_those_of_numpy_and_floats_are_near(
    network: Any, granularity: str, form: str
) -> None:
    model = network()
    changed = in_precision(model, form=form, granularity=granularity)
    assert check_codes(changed) >= 2
    assert error_of(model, changed) < CLOSE
    run(changed, feeds(changed))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp8"])
def test_other_types_are_near_too(network: Any, precision: str) -> None:
    model = network()
    changed = in_precision(model, precision)
    closeness = {"fp16": 0.003, "bf16": 0.03, "fp8": 0.15}
    if precision == "bf16":
        return  # ONNX Runtime's CPU has no such kernels: the checker has seen it
    assert error_of(model, changed) < closeness[precision]
