"""The precision of a network, which is the one it computes in, and what its inputs are fed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from kernels.base import Kernel, Work
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import static
from probes.command.network import QUANTIZE_SECONDS, WHOLE_TOLERANCE, Asked, cases, probe
from probes.harness import bench
from probes.harness.case import Case, Probe
from probes.harness.clocks.sampling import Rule
from probes.harness.guard import Guard
from probes.harness.task import tasks
from probes.harness.turn import Turn
from probes.records.measurement import RidgelineError
from probes.records.tag import parse_tag
from tests.devices import CPU
from tests.kernels.onnx_networks import header, model_of


def network_of(tmp_path: Path, nodes: list[Any], weights: list[Any], opset: int = 21) -> Asked:
    """A network of these nodes from x, two rows of 32 floats, to y, which is asked for."""
    domains = ["com.microsoft"]
    model = model_of(nodes, {"x": (2, 32)}, ["y"], weights, domains=domains, opset=opset)
    onnx.save(model, tmp_path / "net.onnx")
    return Asked(tmp_path / "net.onnx", {})


def test_weights_of_four_bits_are_computed_with_in_floats(tmp_path: Path) -> None:
    packed = [header("w", (16, 1, 16), TensorProto.UINT8), header("s", (16,))]
    blocks: dict[str, Any] = {"K": 32, "N": 16, "bits": 4, "block_size": 32}
    node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", **blocks)
    network = network_of(tmp_path, [node], packed)
    assert (network.stored, network.packed) == ("fp32", {"w", "s"})


def test_a_table_of_four_bits_is_packed_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    weights = [header("w", (32, 16), TensorProto.INT4), header("s", ())]
    assert network_of(tmp_path, nodes, weights).packed == {"w"}


def test_weights_in_bytes_around_arithmetic_of_floats_are_no_int8(tmp_path: Path) -> None:
    by_one_node = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"])]
    by_two_nodes = [
        helper.make_node("Cast", ["w"], ["c"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["c", "s"], ["d"]),
    ]
    product = helper.make_node("MatMul", ["x", "d"], ["y"])
    for decoding in (by_one_node, by_two_nodes):
        weights = [header("w", (32, 16), TensorProto.INT8), header("s", ())]
        network = network_of(tmp_path, [*decoding, product], weights)
        assert network.stored == "fp32"


def test_half_precision_around_weights_in_bytes_is_half_precision(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"]),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    weights = [header("w", (32, 16), TensorProto.INT8), header("s", (), TensorProto.FLOAT16)]
    assert network_of(tmp_path, nodes, weights).stored == "fp16"


def test_products_of_integers_and_networks_of_bytes_are_int8(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"]),
        helper.make_node("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ]
    weights = [header("w", (32, 16), TensorProto.INT8)]
    assert network_of(tmp_path, nodes, weights).stored == "int8"
    transpose = helper.make_node("Transpose", ["x"], ["y"])
    types = {"x": TensorProto.UINT8}
    onnx.save(model_of([transpose], {"x": (2, 4)}, ["y"], kinds=types), tmp_path / "bytes")
    assert Asked(tmp_path / "bytes", {}).stored == "int8"


def network_with_inputs(tmp_path: Path, **values: str) -> Asked:
    """A network with an input of each of many types, which is asked for with these values."""
    types = {
        "n": TensorProto.INT32,
        "b": TensorProto.BOOL,
        "h": TensorProto.FLOAT16,
        "u": TensorProto.UINT8,
        "long": TensorProto.INT64,
        "s": TensorProto.STRING,
    }
    names = ["x", *types]
    outputs = [f"y_{name}" for name in names]
    nodes = [
        helper.make_node("Identity", [name], [output])
        for name, output in zip(names, outputs, strict=True)
    ]
    model = model_of(nodes, dict.fromkeys(names, (2, 3)), outputs, kinds=types)
    onnx.save(model, tmp_path / "net.onnx")
    return Asked(tmp_path / "net.onnx", {}, values=values)


def test_inputs_are_fed_what_was_chosen(tmp_path: Path) -> None:
    network = network_with_inputs(
        tmp_path, n="16000", b="false", h="0.5", u="255", long="-9223372036854775808", x="-1e3"
    )
    chosen = network.chosen
    assert chosen.values == {
        "n": 16000,
        "b": False,
        "h": 0.5,
        "u": 255,
        "long": -(2**63),
        "x": -1000.0,
    }
    model = onnx.load(tmp_path / "net.onnx")
    # Text, the type of the last input, cannot be fed.
    del model.graph.input[-1], model.graph.output[-1], model.graph.node[-1]
    fed = layer_inputs.feeds(model, chosen)
    assert all(array.shape == (2, 3) for array in fed.values())
    assert {name: array.flat[0].item() for name, array in fed.items()} == chosen.values
    assert all((array == array.flat[0]).all() for array in fed.values())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("sr", "16000", "--input sr: .*net.onnx has no such input: x, n, b, h, u, long, s"),
        ("n", "2147483648", "--input n=2147483648: type int32 holds -2.14748e.09 to 2.14748e.09"),
        ("n", "1.5", "--input n=1.5: that is no value of type int32"),
        ("n", "9" * 5000, "that is no value of type int32"),
        ("u", "-1", "type uint8 holds 0 to 255"),
        ("b", "2", "it is true or false"),
        ("h", "7e4", "type fp16 holds -65504 to 65504"),
        ("x", "nan", "type fp32 holds"),
        ("x", "inf", "type fp32 holds"),
        ("x", "red", "that is no value of type fp32"),
        ("s", "a", "an input of type string cannot be given one"),
    ],
)
def test_a_value_that_an_input_cannot_hold_is_one_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(RidgelineError, match=message) as problem:
        probe(network_with_inputs(tmp_path, **{name: text}))
    assert "\n" not in str(problem.value)
    assert len(str(problem.value)) < 500


def test_a_wrong_declaration_is_a_warning_of_the_run(tmp_path: Path) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (2, 4)}, ["y"])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [8]))
    onnx.save(model, tmp_path / "net.onnx")
    (warning,) = probe(Asked(tmp_path / "net.onnx", {})).warnings
    assert warning.endswith("net.onnx declares its output y as 8; it is 2x4, and runs as that")


@pytest.mark.parametrize(
    ("onnx_type", "stored"), [(TensorProto.FLOAT, "fp32"), (TensorProto.FLOAT16, "fp16")]
)
def test_other_networks_are_of_the_type_of_most_of_their_weights(
    tmp_path: Path, onnx_type: int, stored: str
) -> None:
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    network = network_of(tmp_path, [product], [header("w", (32, 16), onnx_type)])
    assert (network.stored, network.packed) == (stored, frozenset())


def test_a_layer_of_a_network_of_several_types_is_of_its_own(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], name="wide"),
        helper.make_node("Cast", ["h"], ["n"], name="narrowing", to=TensorProto.FLOAT16),
        helper.make_node("Softmax", ["n"], ["y"], name="narrow"),
    ]
    network = network_of(tmp_path, nodes, [header("w", (32, 16))])
    types = {
        case.params["layer"]: case.dtype
        for case in cases(network, CPU)
        if case.ceiling.startswith("layer/")
    }
    assert types == {"wide": "fp32", "narrowing": "fp32", "narrow": "fp16", "whole network": "fp32"}
    whole = next(case for case in cases(network, CPU) if case.ceiling == "layer/network")
    assert whole.kernel.tolerance["fp32"] == WHOLE_TOLERANCE["fp16"]


def test_a_whole_network_is_quantized_once_and_has_the_time_that_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quantizer's time grows with the square of the nodes: a thousand may take minutes."""
    models = []

    def quantize_nothing(make: Any, *_: Any) -> Any:
        models.append(make())
        return models[-1]

    monkeypatch.setattr(static, "quantized", quantize_nothing)
    names = ["x", *(f"h{place}" for place in range(99)), "y"]
    nodes = [helper.make_node("Relu", [before], [after]) for before, after in pairwise(names)]
    relus = replace(network_of(tmp_path, nodes, []), precisions=("fp32", "int8"))
    plain, whole = [case for case in cases(relus, CPU) if case.ceiling == "layer/network"]
    for _ in range(3):
        whole.kernel.reference("int8", 1, **whole.params)
    assert len(models) == 1
    quantizing = whole.kernel.slow_seconds - plain.kernel.slow_seconds
    assert quantizing == pytest.approx(QUANTIZE_SECONDS * 100**2)


def test_what_is_slow_to_prepare_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def ask(_: Any, request: Any, limit: float) -> Turn:
        limits.append(limit)
        return Turn()

    monkeypatch.setattr(Guard, "ask", ask)
    guarded = bench.GuardedBench(lambda _: (CPU, "it is there"), lambda _: [])
    kernel = Kernel("made", lambda *_, **__: Work(1.0, 1.0), lambda *_, **__: np.zeros(1), {})
    slow_kernel = replace(kernel, slow_seconds=30.0)
    asked_cases = [
        Case(kernel, "fp32", "cpu", parse_tag("x/usual"), {}),
        Case(slow_kernel, "fp32", "cpu", parse_tag("x/slow"), {}),
    ]
    todo = tasks([Probe("made", "How long?", lambda _: asked_cases)], CPU, "now")
    guarded.take(CPU, todo)
    longest_waits = []
    for task in todo:
        guarded.turn(task, Rule(0.1, 1.0))
        longest_waits.append(limits[-1])
    usual, longer = longest_waits
    assert longer - usual == bench.PATIENCE * 30


def test_a_network_that_rounds_to_integers_may_round_the_other_way(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    network = network_of(tmp_path, nodes, [])
    whole = next(case for case in cases(network, CPU) if case.ceiling == "layer/network")
    assert whole.kernel.tolerance["fp32"] == WHOLE_TOLERANCE["int8"]
