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
from kernels.precision.floats import floats_of  # noqa: E402
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
    integers = [name for name, values in constants_of(model).items() if values.dtype.kind in "iu"]
    encoders = [
        node
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[2] in integers
    ]
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


def channel_scales(weights: np.ndarray, axis: int) -> np.ndarray:
    """The scale of each output channel, in NumPy: its largest weight is 127."""
    others = tuple(other for other in range(weights.ndim) if other != axis)
    return np.abs(weights).max(axis=others) / np.float32(127)


def convolved(x: np.ndarray, weights: np.ndarray, groups: int) -> np.ndarray:
    """A convolution of integers by 3x3 weights that keeps the size, in NumPy."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    channels = x.shape[1] // groups
    outputs = weights.shape[0] // groups
    parts = []
    for group in range(groups):
        read = windows[:, group * channels : (group + 1) * channels]
        of_group = weights[group * outputs : (group + 1) * outputs]
        parts.append(np.einsum("bchwkl,ockl->bohw", read, of_group))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize(
    ("network", "groups"),
    [(convolution, 1), (depthwise, 16), (turned, 0)],
    ids=["convolution", "depthwise", "turned"],
)
def test_integers_alone_give_the_codes(network: Any, groups: int) -> None:
    """Weights, bias and result follow from the FP32 network by integer arithmetic in NumPy.

    The network multiplies the same integers as floats, whose last bit may turn a half: so a code
    may differ by one, and seldom does.
    """
    model = network()
    weights, bias = (onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    changed = in_precision(model)
    constants = constants_of(changed)
    scales = channel_scales(weights, 0)
    shape = [-1, *[1] * (weights.ndim - 1)]
    weight_codes = np.rint(weights / scales.reshape(shape)).astype(np.int64)
    np.testing.assert_array_equal(constants["w0_codes"], weight_codes)

    x_scale, x_zero = constants["x_scale"], constants["x_zero"].astype(np.int64)
    y_scale, y_zero = constants["y_scale"], constants["y_zero"].astype(np.int64)
    bias_codes = np.rint(bias / (x_scale * scales).astype(np.float64)).astype(np.int64)
    np.testing.assert_array_equal(constants["w1_codes"], bias_codes)

    codes = encoded(changed)
    values = unoptimized(changed, feeds(model), *codes.values())
    x_codes = quantized(feeds(model)["x"], x_scale, constants["x_zero"]).astype(np.int64)
    np.testing.assert_array_equal(values[codes["x"]], x_codes)

    by_channel: tuple[int, ...] = (1, -1)
    if groups:
        by_channel = (1, -1, 1, 1)
        total = convolved(x_codes - x_zero, weight_codes, groups)
    else:
        total = (x_codes - x_zero) @ weight_codes.T
    total = total + bias_codes.reshape(by_channel)
    factors = (x_scale * scales / y_scale).astype(np.float64).reshape(by_channel)
    expected = np.clip(np.rint(total * factors) + y_zero, 0, 255)
    differences = np.abs(values[codes["y"]].astype(np.int64) - expected)
    assert differences.max() <= 1
    assert np.mean(differences > 0) < 0.002


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
@pytest.mark.parametrize("precision", ["fp16", "bf16", "fp8"])
def test_other_types_are_near_too(network: Any, precision: str) -> None:
    model = network()
    changed = in_precision(model, precision)
    closeness = {"fp16": 0.003, "bf16": 0.03, "fp8": 0.15}
    if precision == "bf16":
        return  # the runtime's CPU has no such kernels: the checker has seen it
    assert error_of(model, changed) < closeness[precision]


def test_a_plan_of_fp32_alone_is_the_network() -> None:
    model = residual()
    listed = stages(graph_of(copy_of(model)))
    same = applied(model, listed, all_in(listed, "fp32"), {})
    assert same.SerializeToString() == model.SerializeToString()


@pytest.mark.parametrize(
    ("network", "operation", "count"),
    [
        (convolution, "QLinearConv", 1),
        (depthwise, "QLinearConv", 1),
        (residual, "QLinearConv", 2),
        (residual, "QLinearAdd", 1),
        (pooled, "QLinearConv", 2),
        (fully_connected, "QGemm", 1),
        (turned, "QGemm", 1),
        (two_activations, "QLinearMatMul", 1),
    ],
    ids=lambda what: getattr(what, "__name__", str(what)),
)
def test_the_runtime_fuses_it_into_integer_kernels(
    network: Any, operation: str, count: int, tmp_path: Path
) -> None:
    changed = in_precision(network())
    kernels = executed(changed, tmp_path)
    assert kernels.count(operation) == count
    assert not {"Conv", "Relu", "Add", "Gemm", "MatMul"} & set(kernels)


def test_max_pooling_runs_on_the_integers(tmp_path: Path) -> None:
    changed = in_precision(pooled())
    pooling = next(node for node in changed.graph.node if node.op_type == "MaxPool")
    codes = encoded(changed)
    assert pooling.input[0] in codes.values()
    assert pooling.output[0] in codes.values()
    # of the input, of the first convolution and of the second: none around the pooling
    assert ops_of(changed).count("QuantizeLinear") == 3
    # the runtime may put the channels last between them
    kernels = [op for op in executed(changed, tmp_path) if op != "Transpose"]
    first, last = "QuantizeLinear", "DequantizeLinear"
    names = [op.removeprefix("Nhwc") for op in kernels]
    assert names == [first, "QLinearConv", "MaxPool", "QLinearConv", last]


def test_the_encoding_comes_after_the_relu() -> None:
    changed = in_precision(convolution())
    ops = ops_of(changed)
    assert ops[ops.index("Conv") :] == ["Conv", "Relu", "QuantizeLinear", "DequantizeLinear"]


def test_what_a_relu_bounds_has_its_zero_at_the_least_code() -> None:
    model = convolution()
    listed = stages(graph_of(copy_of(model)))
    wide = {"x": (-1.0, 1.0), "y": (-4.0, 4.0)}
    changed = applied(model, listed, all_in(listed, "int8"), wide)
    encoders = [node for node in changed.graph.node if node.op_type == "QuantizeLinear"]
    constants = constants_of(changed)
    assert [int(constants[node.input[2]]) > 0 for node in encoders] == [True, False]


def test_all_that_a_concat_joins_has_one_scale() -> None:
    model = concatenated()
    listed = stages(graph_of(copy_of(model)))
    known = ranges_of_feeds(model, listed)
    changed = planned(model, all_in(listed, "int8"))
    joined = next(stage for stage in listed if stage.op == "Concat")
    of_codes = {node.output[0]: node for node in changed.graph.node}
    constants = constants_of(changed)
    codes = encoded(changed)
    scales = {float(constants[of_codes[codes[name]].input[1]]) for name in joined.reads}
    low = min(0, *(known[name][0] for name in (*joined.reads, joined.writes)))
    high = max(known[name][1] for name in (*joined.reads, joined.writes))
    assert scales == {float(np.float32((high - low) / 255))}


def test_a_concat_that_floats_read_keeps_the_scales_of_its_parts() -> None:
    net = Net()
    x = net.input(1, 4, 8, 8)
    joined = net.add("Concat", net.conv(x, 4, 4, 3), net.conv(x, 4, 4, 1), axis=1)
    model = net.model(net.add("Erf", joined))
    changed = planned(model, {"conv_0": "int8", "conv_1": "int8"})
    assert ops_of(changed)[-2:] == ["Concat", "Erf"]
    asked = planned(model, {"conv_0": "int8", "conv_1": "int8", "concat_2": "int8"})
    assert ops_of(asked)[-3:] == ["Concat", "DequantizeLinear", "Erf"]


def test_one_stage_in_int8_is_between_floats() -> None:
    model = residual()
    changed = planned(model, {"conv_0": "int8"})
    assert ops_of(changed).count("QuantizeLinear") == 2
    added = next(node for node in changed.graph.node if node.op_type == "Add")
    assert "x" in added.input  # which stays float for it, as it was
    assert error_of(model, changed) < CLOSE


def test_stages_that_pass_numbers_on_have_no_integers_of_their_own() -> None:
    model = pooled()
    same = planned(model, {"maxpool_2": "int8"})
    assert same.SerializeToString() == model.SerializeToString()


def test_between_stages_in_fp16_is_no_cast() -> None:
    model = pooled()
    changed = planned(model, {"conv_0": "fp16", "conv_3": "fp16"})
    assert ops_of(changed) == ["Cast", "Conv", "Relu", "MaxPool", "Conv", "Cast"]
    assert error_of(model, changed) < 0.003


def test_a_stage_in_fp32_between_others_is_cast_to_and_from() -> None:
    net = Net()
    first = net.conv(net.input(1, 4, 8, 8), 4, 4, 3)
    middle = net.add("Erf", first)
    model = net.model(net.conv(middle, 4, 4, 3))
    changed = planned(model, {"conv_0": "fp16", "conv_2": "int8"})
    ops = ops_of(changed)
    assert ops[: ops.index("Erf") + 1] == ["Cast", "Conv", "Cast", "Erf"]
    assert ops.count("Cast") == 2
    assert error_of(model, changed) < CLOSE


def test_a_bias_that_does_not_fit_its_scale_keeps_its_value() -> None:
    net = Net()
    x = net.input(1, 4, 8, 8)
    weights = np.full((2, 4, 1, 1), 0.1, np.float32)
    weights[0] = 1e-12  # a dead channel: all that it leaves is its bias
    bias = net.constant([0.5, 0.25])
    model = net.model(net.add("Conv", x, net.constant(weights), bias))
    changed = in_precision(model)
    assert error_of(model, changed) < CLOSE


@pytest.mark.parametrize(("form", "kind"), [("u8s8", "int32"), ("s8s8", "float32")])
def test_a_bias_is_integers_on_the_cpu_and_floats_for_tensorrt(form: str, kind: str) -> None:
    changed = in_precision(convolution(), form=form)
    constants = constants_of(changed)
    bias = constants["w1_codes" if "w1_codes" in constants else "w1"]
    assert bias.dtype == kind


def test_operations_that_share_weights_share_their_codes() -> None:
    net = Net()
    x = net.input(1, 4, 8, 8)
    weights = net.weight(4, 4, 1, 1, fan_in=4)
    bias = net.weight(4)
    first = net.add("Conv", x, weights, bias)
    model = net.model(net.add("Conv", net.add("Relu", first), weights, bias))
    changed = in_precision(model)
    sources = [node.input[0] for node in changed.graph.node if node.op_type == "DequantizeLinear"]
    assert sources.count("w0_codes") == 1
    # the units of the two accumulators differ, and so do the integers of their biases
    assert len([name for name in sources if name.startswith("w1_codes")]) == 2
    assert error_of(model, changed) < CLOSE


def test_weights_that_a_constant_node_holds_are_quantized() -> None:
    net = Net()
    weights = onnx.numpy_helper.from_array(np.ones((4, 4, 1, 1), np.float32))
    model = net.model(net.add("Conv", net.input(1, 4, 8, 8), net.add("Constant", value=weights)))
    changed = in_precision(model)
    assert ops_of(changed).count("DequantizeLinear") == 3
    assert error_of(model, changed) < CLOSE


def test_weights_have_the_scales_asked_for() -> None:
    shapes = {}
    for granularity in ("tensor", "channel", "block"):
        changed = in_precision(turned(), granularity=granularity)
        decoders = [node for node in changed.graph.node if node.op_type == "DequantizeLinear"]
        constants = constants_of(changed)
        (weights,) = (node for node in decoders if node.input[0] == "w0_codes")
        shapes[granularity] = constants[weights.input[1]].shape
    assert shapes == {"tensor": (), "channel": (24,), "block": (24, 1)}


def test_an_opset_too_old_is_raised() -> None:
    net = Net(opset=11)
    model = net.model(net.conv(net.input(1, 4, 8, 8), 4, 4, 3))
    changed = in_precision(model)
    assert changed.opset_import[0].version >= 13
    assert error_of(model, changed) < CLOSE


def test_facts_go_into_the_file() -> None:
    model = convolution()
    listed = stages(graph_of(copy_of(model)))
    plan = all_in(listed, "int8")
    known = ranges_of_feeds(model, listed)
    changed = applied(model, listed, plan, known, metadata={"ridgeline.plan": "{}"})
    assert ("ridgeline.plan", "{}") in [
        (entry.key, entry.value) for entry in changed.metadata_props
    ]


def test_what_cannot_be_is_refused() -> None:
    net = Net()
    model = net.model(net.add("Erf", net.conv(net.input(1, 4, 8, 8), 4, 4, 3)))
    listed = stages(graph_of(copy_of(model)))
    with pytest.raises(Unavailable, match="Erf erf_1: no int8, only fp32, fp16, bf16"):
        applied(model, listed, {"erf_1": "int8"}, {})
    with pytest.raises(KernelError, match="activation x has no range"):
        applied(model, listed, {"conv_0": "int8"}, {})
    with pytest.raises(KernelError, match="no stage of that name"):
        applied(model, listed, {"conv_9": "int8"}, {})
    with pytest.raises(KernelError, match="granularity"):
        applied(model, listed, {}, {}, granularity="row")
    with pytest.raises(KernelError, match="form"):
        applied(model, listed, {}, {}, form="u4")


IMAGE = (8, 6, 6)
"""Channels, height and width of what the operations below pass on."""
MOVES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "MaxPool": ({}, {"kernel_shape": [2, 2]}),
    "Reshape": ({"shape": [1, 4, 72]}, {}),
    "Transpose": ({}, {"perm": [0, 2, 3, 1]}),
    "Flatten": ({}, {}),
    "Squeeze": ({"axes": [0]}, {}),
    "Unsqueeze": ({"axes": [0]}, {}),
    "Slice": ({"starts": [0], "ends": [2], "axes": [2]}, {}),
    "Gather": ({"indices": [0, 2]}, {"axis": 1}),
    "Split": ({"split": [8]}, {"axis": 1}),
    "Identity": ({}, {}),
    "Expand": ({"shape": [2, *IMAGE]}, {}),
    "Tile": ({"repeats": [1, 2, 1, 1]}, {}),
    "DepthToSpace": ({}, {"blocksize": 2}),
    "SpaceToDepth": ({}, {"blocksize": 2}),
    "Resize": ({"roi": None, "scales": np.array([1, 1, 2, 2], np.float32)}, {"mode": "nearest"}),
    "Concat": ({"part": np.full((1, 2, 6, 6), 2.5, np.float32)}, {"axis": 1}),
}
"""Of each operation that passes numbers on, its further inputs and its attributes."""


@pytest.mark.parametrize("form", ["u8s8", "s8s8"])
@pytest.mark.parametrize("op", MOVES)
def test_what_passes_numbers_on_runs_on_the_codes(op: str, form: str) -> None:
    net = Net()
    first = net.conv(net.input(1, *IMAGE), IMAGE[0], IMAGE[0], 3)
    further, attributes = MOVES[op]
    names = []
    for values in further.values():
        dtype = getattr(values, "dtype", np.dtype("int64"))
        names.append("" if values is None else net.constant(values, str(dtype)))
    model = net.model(net.add("Sigmoid", net.add(op, first, *names, **attributes)))
    changed = in_precision(model, form=form)
    (node,) = (node for node in changed.graph.node if node.op_type == op)
    assert {node.input[0], node.output[0]} <= set(encoded(changed).values())
    assert check_codes(changed) == 3  # of the input, the convolution and the last result
    assert error_of(model, changed) < CLOSE
    run(changed, feeds(changed))
    floats = floats_of(changed)
    onnx.checker.check_model(floats, full_check=True)
    assert error_of(model, floats) < CLOSE


OPERATIONS = ("Conv", "Relu", "Add", "Mul", "MaxPool", "Concat", "Sigmoid", "Erf", "Transpose")
CHANNELS = 4


def random_network(seed: int) -> Any:
    """Up to twelve operations on images of one size, each on results of earlier ones."""
    random = np.random.default_rng(seed)
    net = Net()
    tensors = [net.input(1, CHANNELS, 6, 6)]
    for _ in range(random.integers(3, 11)):
        op = random.choice(OPERATIONS)
        x = tensors[-1] if random.random() < 0.6 else str(random.choice(tensors))
        other = str(random.choice(tensors))
        if op == "Conv":
            groups = int(random.choice([1, CHANNELS]))
            result = net.conv(x, CHANNELS, CHANNELS, 3, groups=groups)
        elif op in ("Add", "Mul"):
            is_stored = random.random() < 0.3
            result = net.add(op, x, net.weight(1, CHANNELS, 1, 1) if is_stored else other)
        elif op == "MaxPool":
            result = net.add(op, x, kernel_shape=[3, 3], pads=[1] * 4)
        elif op == "Transpose":
            result = net.add(op, x, perm=[0, 1, 3, 2])
        elif op == "Concat":
            joined = net.add(op, x, other, axis=1)
            result = net.conv(joined, 2 * CHANNELS, CHANNELS, 1)
        else:
            result = net.add(op, x)
        tensors.append(result)
    results = dict.fromkeys([tensors[-1], str(random.choice(tensors[1:]))])
    return net.model(*results)


@pytest.mark.parametrize("seed", range(60))
def test_any_plan_of_any_network_is_valid_runs_and_is_near(seed: int) -> None:
    model = random_network(seed)
    random = np.random.default_rng(seed)
    listed = stages(graph_of(copy_of(model)))
    precisions = {
        stage.name: str(random.choice([name for name in stage.precisions if name != "bf16"]))
        for stage in listed
    }
    has_fp8 = "fp8" in precisions.values()
    form = str(random.choice(["u8s8", "s8s8"]))
    changed = planned(model, precisions, form=form)
    check_codes(changed)
    assert error_of(model, changed) < (0.3 if has_fp8 else 0.12)
    run(changed, feeds(changed))
