"""Below a network with Q/DQ nodes is one of floats, and its nodes say ranges and precisions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.base import Unavailable  # noqa: E402
from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.onnx.protos import copy_of  # noqa: E402
from kernels.precision.apply import applied  # noqa: E402
from kernels.precision.floats import floats_of, has_codes, precisions_of, ranges_of  # noqa: E402
from kernels.precision.stages import Stage, stages  # noqa: E402
from kernels.runtime import static  # noqa: E402
from tests.kernels.onnx_run import feeds  # noqa: E402
from tests.kernels.precision.test_apply import (  # noqa: E402
    NETWORKS,
    all_in,
    concatenated,
    convolution,
    error_of,
    in_precision,
    pooled,
    ranges_of_feeds,
    residual,
    unoptimized,
)

WEIGHTS_ONLY = 0.02  # of the largest output: what 8 bits of the weights may cost


def quantized(model: Any, backend: str = "cpu") -> Any:
    """The network as ONNX Runtime's own quantizer makes it."""
    return static.quantized(lambda: copy_of(model), backend)


def stages_of(model: Any) -> list[Stage]:
    return stages(graph_of(copy_of(model)))


def checked_floats(model: Any) -> Any:
    """The network of floats, checked."""
    floats = floats_of(model)
    onnx.checker.check_model(floats, full_check=True)
    assert not has_codes(floats)
    return floats


@pytest.mark.parametrize("backend", ["cpu", "cuda"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_below_what_the_library_quantizes_is_the_network(network: Any, backend: str) -> None:
    model = network()
    floats = checked_floats(quantized(model, backend))
    assert error_of(model, floats) < WEIGHTS_ONLY
    ops = {node.op_type for node in model.graph.node}
    assert {node.op_type for node in floats.graph.node} >= ops - {"Mul"}  # which it folds


@pytest.mark.parametrize("precision", ["int8", "fp8"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_below_what_we_apply_is_the_network(network: Any, precision: str) -> None:
    model = network()
    floats = checked_floats(in_precision(model, precision))
    limit = WEIGHTS_ONLY if precision == "int8" else 0.1
    assert error_of(model, floats) < limit
    before = {name for node in model.graph.node for name in node.output}
    after = {name for node in floats.graph.node for name in node.output}
    assert before == after


def test_the_ranges_that_were_applied_are_read_again() -> None:
    model = pooled()
    known = ranges_of_feeds(model, stages_of(model))
    read = ranges_of(in_precision(model))
    assert read.keys() == {"x", "t1", "t2", "y"}
    for name, (low, high) in read.items():
        step = (high - low) / 255
        assert low == pytest.approx(min(0, known[name][0]), abs=step)
        if name != "t2":  # the pooling has the range of what it reads
            assert high == pytest.approx(known[name][1], abs=step)


def test_the_same_codes_follow_from_the_ranges_read() -> None:
    model = convolution()
    first = in_precision(model, form="s8s8")
    again = applied(
        model, stages_of(model), all_in(stages_of(model), "int8"), ranges_of(first), form="s8s8"
    )
    assert [tensor.name for tensor in first.graph.initializer] == [
        tensor.name for tensor in again.graph.initializer
    ]
    for before, after in zip(first.graph.initializer, again.graph.initializer, strict=True):
        np.testing.assert_allclose(
            onnx.numpy_helper.to_array(before), onnx.numpy_helper.to_array(after), rtol=1e-6
        )


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_precisions_that_were_applied_are_read_again(network: Any) -> None:
    model = network()
    changed = in_precision(model)
    plan = all_in(stages_of(model), "int8")
    assert precisions_of(changed, stages_of(floats_of(changed))) == plan


def test_a_stage_in_floats_is_read_as_such() -> None:
    model = residual()
    listed = stages_of(model)
    known = ranges_of_feeds(model, listed)
    changed = applied(model, listed, {"conv_0": "int8", "conv_2": "fp8"}, known)
    expected = {"conv_0": "int8", "conv_2": "fp8", "add_3": "fp32"}
    assert precisions_of(changed, stages_of(floats_of(changed))) == expected


@pytest.mark.parametrize("network", [convolution, residual, pooled], ids=lambda net: net.__name__)
def test_what_the_library_quantizes_runs_in_int8(network: Any) -> None:
    changed = quantized(network())
    precisions = precisions_of(changed, stages_of(floats_of(changed)))
    assert set(precisions.values()) == {"int8"}


def test_weights_that_are_encoded_in_the_network_keep_their_floats() -> None:
    net = Net()
    scale = net.constant(0.01)
    zero = net.constant(0, "int8")
    weights = net.weight(4, 4, 3, 3, fan_in=36)
    decoded = net.add(
        "DequantizeLinear", net.add("QuantizeLinear", weights, scale, zero), scale, zero
    )
    floats = checked_floats(net.model(net.add("Conv", net.input(1, 4, 8, 8), decoded)))
    assert [node.op_type for node in floats.graph.node] == ["Conv"]
    assert floats.graph.node[0].input[1] == weights


def test_a_network_that_is_fed_codes_is_fed_floats() -> None:
    net = Net()
    codes = net.input(1, 4, 8, 8, dtype="uint8")
    scale = net.constant(0.5)
    zero = net.constant(3, "uint8")
    decoded = net.add("DequantizeLinear", codes, scale, zero)
    encoded = net.add("QuantizeLinear", net.add("Relu", decoded), scale, zero)
    model = net.model(encoded)
    floats = checked_floats(model)
    assert [value.name for value in floats.graph.input] == ["x"]
    assert [value.name for value in floats.graph.output] == ["y"]
    assert ranges_of(model) == {"x": (-1.5, 126.0), "y": (-1.5, 126.0)}
    numbers = np.array(feeds(model)["x"])
    result = unoptimized(floats, {"x": numbers.astype(np.float32)})["y"]
    np.testing.assert_array_equal(result, numbers.astype(np.float32))


@pytest.mark.parametrize(("most", "op"), [(6.0, "Clip"), (4.0, "Relu")])
def test_a_bound_that_codes_do_the_work_of_is_put_in_again(most: float, op: str) -> None:
    net = Net()
    scale = net.constant(most / 255)
    x = net.input(1, 4, 8, 8)
    result = net.conv(x, 4, 4, 3)
    codes = net.add("QuantizeLinear", net.add("Add", result, net.constant(3.0)), scale)
    model = net.model(net.add("DequantizeLinear", codes, scale))
    floats = checked_floats(model)
    assert [node.op_type for node in floats.graph.node] == ["Conv", "Add", op]
    arrays = {"x": 9 * feeds(model)["x"]}
    before = unoptimized(model, arrays)["y"]
    after = unoptimized(floats, arrays)["y"]
    assert after.min() == 0
    np.testing.assert_allclose(after.clip(0, most), before, atol=most / 255)
    assert (after.max() > most) == (op == "Relu")


def test_a_convolution_whose_result_is_not_encoded_is_in_floats() -> None:
    net = Net()
    scale = net.constant(0.01)
    zero = net.constant(0, "int8")
    codes = net.add("QuantizeLinear", net.input(1, 4, 8, 8), scale, zero)
    x = net.add("DequantizeLinear", codes, scale, zero)
    stored = net.constant(np.ones((4, 4, 1, 1)), "int8")
    weights = net.add("DequantizeLinear", stored, scale, zero)
    model = net.model(net.add("Erf", net.add("Conv", x, weights)))
    precisions = precisions_of(model, stages_of(floats_of(model)))
    assert set(precisions.values()) == {"fp32"}


def test_one_activation_that_is_two_results_stays_both() -> None:
    net = Net()
    scale = net.constant(0.5)
    relu = net.add("Relu", net.input(2, 8))
    codes = net.add("QuantizeLinear", relu, scale)
    model = net.model(relu, net.add("DequantizeLinear", codes, scale))
    floats = checked_floats(model)
    values = unoptimized(floats, feeds(floats))
    np.testing.assert_array_equal(values["y"], values["y1"])


def test_operations_on_codes_have_no_floats_below() -> None:
    net = Net()
    product = net.add("MatMulInteger", net.input(2, 8, dtype="int8"), net.input(8, 2, dtype="int8"))
    with pytest.raises(Unavailable, match="MatMulInteger"):
        floats_of(net.model(product))


def test_below_a_trained_network_are_its_floats(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr")
    onnxslim = pytest.importorskip("onnxslim")
    from tests.trained import bound, direction_path

    model = onnxslim.slim(bound(direction_path(), 1, 3, 48, 192))
    changed = quantized(model)
    floats = checked_floats(changed)
    assert error_of(model, floats) < 0.1
    listed = stages_of(floats)
    precisions = precisions_of(changed, listed)
    convolutions = [stage for stage in listed if stage.op == "Conv"]
    assert len(convolutions) == 53
    assert {precisions[stage.name] for stage in convolutions} == {"int8"}
    assert len(ranges_of(changed)) > 100


def test_concat_keeps_its_parts_apart() -> None:
    floats = checked_floats(in_precision(concatenated()))
    assert [node.op_type for node in floats.graph.node].count("Concat") == 1


def test_what_no_runtime_has_on_integers_runs_in_floats_between_its_nodes() -> None:
    net = Net()
    scale, zero = net.constant(0.02), net.constant(128, "uint8")

    def coded(x: str) -> str:
        codes = net.add("QuantizeLinear", x, scale, zero)
        return net.add("DequantizeLinear", codes, scale, zero)

    gate = coded(net.add("HardSigmoid", coded(net.input(1, 4))))
    model = net.model(net.add("Softmax", coded(net.add("Sigmoid", gate))))
    listed = stages_of(floats_of(model))
    precisions = precisions_of(model, listed)
    by_op = {stage.op: precisions[stage.name] for stage in listed}
    assert by_op == {"HardSigmoid": "fp32", "Sigmoid": "int8", "Softmax": "fp32"}
