"""Layers through ONNX Runtime on the real CPU: right numbers, what really ran, what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.base import Unavailable, Work
from kernels.device import Device
from kernels.layers.conv import conv
from kernels.onnx.net import Net
from kernels.precision.convert import convert
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import saturation as runtime_saturation
from kernels.runtime import session
from probes.harness.case import Case
from probes.harness.check import SOUND, Failure, check, difference
from probes.harness.devices import cpu
from probes.records.tag import parse_tag

UNKNOWN_IR_VERSION = 999  # of a file's format, that no runtime reads


def convolution() -> Any:
    """A model of one small convolution."""
    return conv(1, 16, 16, 8, 3)


def product() -> Any:
    """A model of one small matrix product."""
    net = Net()
    return net.model(net.gemm(net.input(4, 32), 32, 8))


def launch_of(host: Device, model: Any, dtype: str = "fp32") -> Any:
    """A launch of a model in ONNX Runtime on this CPU."""
    return session.build(model, dtype, "cpu", host, None)


@pytest.fixture(scope="module")
def host() -> Device:
    return cpu.detect()


@pytest.fixture(autouse=True)
def processors() -> Iterator[set[int]]:
    """The processors that this thread may use, as numbers.

    They are given back after each test: a launch that it leaves open keeps the thread on one.
    """
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)


def test_the_calling_thread_stays_on_one_processor_until_the_launch_is_closed(
    host: Device, processors: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = launch_of(host, product())
    assert len(os.sched_getaffinity(0)) == 1

    def no_move(*_: Any) -> None:
        pytest.fail("a move within what is timed")

    monkeypatch.setattr(os, "sched_setaffinity", no_move)
    launch.run(3)
    monkeypatch.undo()
    launch.close()
    assert os.sched_getaffinity(0) == processors


def test_a_run_costs_no_exception_inside_the_runtime(host: Device) -> None:
    launch = launch_of(host, product())
    events: list[str] = []
    sys.setprofile(lambda frame, event, argument: events.append(event))
    launch.run(3)
    sys.setprofile(None)
    launch.close()
    assert "c_call" in events
    assert "c_exception" not in events


@pytest.mark.parametrize("make", [convolution, product])
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_a_layer_computes_what_its_definition_says(
    host: Device, make: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = layer_kernel.TimedLayer("Conv", make).kernel("cpu")
    launch = kernel.backends["cpu"](host, dtype, {}, None)
    case = Case(kernel, dtype, "cpu", parse_tag("layer/convolution"))
    verdict = check(case, launch)
    assert verdict == SOUND or (dtype == "int8" and runtime_saturation.saturates())
    right = launch.result
    monkeypatch.setattr(launch, "result", lambda: right()[::-1])
    with pytest.raises(Failure, match="values are wrong"):
        check(case, launch)
    launch.close()


def test_a_kept_model_is_made_once_and_each_asker_has_his_own() -> None:
    models: list[Any] = []

    def make() -> Any:
        models.append(product())
        return models[-1]

    layer = layer_kernel.TimedLayer("Gemm", make, keep_model=True)
    first_copy = layer.fresh()
    second_copy = layer.fresh()
    first_copy.graph.initializer[0].raw_data = b""
    assert len(models) == 1
    assert second_copy == models[0] == layer.fresh()


def test_a_wrong_weight_shows(host: Device) -> None:
    layer = layer_kernel.TimedLayer("Gemm", product)
    wrong = product()
    weights = np.array(np.frombuffer(wrong.graph.initializer[0].raw_data, np.float32))
    weights[5] += 1
    wrong.graph.initializer[0].raw_data = weights.tobytes()
    launch = launch_of(host, wrong)
    launch.run(1)
    kernel = layer.kernel("cpu")
    assert difference(launch.result(), kernel.reference("fp32", 1), kernel.tolerance["fp32"])
    launch.close()


def test_what_ran_is_read_from_the_profile_and_its_file_is_gone(host: Device) -> None:
    launch = launch_of(host, convolution())
    audit = launch.audit(Work())
    launch.close()
    assert "Conv" in audit.instruction
    kinds = audit.instruction.split("+")
    assert audit.facts["launches"] >= len(kinds) == len(set(kinds)), (
        "some cores turn data round before and after"
    )
    assert audit.facts["run"] == "plain runs"
    assert not list(Path(session.profiles().name).iterdir())


def test_a_refusal_is_in_the_words_of_the_runtime(host: Device) -> None:
    net = Net()
    newer = net.model(net.add("Neg", net.input(1)))
    newer.ir_version = UNKNOWN_IR_VERSION
    with pytest.raises(Unavailable, match=r"^cpu provider: Unsupported model IR version: 999"):
        launch_of(host, newer)
    reshaped = Net()
    no_elements = reshaped.constant([0], "int64")
    to_nothing = reshaped.add("Reshape", reshaped.input(4), no_elements, allowzero=1)
    with pytest.raises(Unavailable, match=r"^cpu provider cannot run it: .*cannot be reshaped"):
        launch_of(host, reshaped.model(to_nothing, shapes={"y": (4,)}))


def test_an_input_handed_through_is_an_output_too(host: Device) -> None:
    net = Net()
    model = net.model(net.add("Neg", net.input(8)))
    model.graph.output.append(model.graph.input[0])
    launch = launch_of(host, model)
    launch.run(2)
    assert np.allclose(launch.result()[:8], -launch.result()[8:])
    assert launch.result().any()
    launch.close()


def test_a_session_that_never_ran_leaves_no_file() -> None:
    refused = (
        "from kernels.onnx.net import Net\n"
        "from kernels.runtime import session\n"
        "from probes.harness.devices import cpu\n"
        "net = Net()\n"
        "model = net.model(net.add('Neg', net.input(1)))\n"
        f"model.ir_version = {UNKNOWN_IR_VERSION}\n"
        "try: session.build(model, 'fp32', 'cpu', cpu.detect(), None)\n"
        "except session.Unavailable: print(session.profiles().name)"
    )
    process = subprocess.run(
        [sys.executable, "-c", refused], capture_output=True, text=True, check=True
    )
    assert "ridgeline-" in process.stdout
    assert not Path(process.stdout.strip()).exists()


def test_integers_run_as_integers(host: Device) -> None:
    launch = launch_of(host, convert(convolution(), "int8"), "int8")
    assert "QLinearConv" in launch.audit(Work()).instruction
    launch.close()


def without_half(host: Device) -> None:
    """Skip where the runtime has kernels in fp16: on Arm cores with vector arithmetic in it."""
    if "asimdhp" in host.features:
        pytest.skip("the runtime computes in fp16 on this core")


@pytest.mark.parametrize(("dtype", "why"), [("int8", "no int8 kernel"), ("fp16", "no fp16 kernel")])
def test_a_type_computed_in_another_one_is_refused(host: Device, dtype: str, why: str) -> None:
    if dtype == "fp16":
        without_half(host)
    model = convolution() if dtype == "int8" else convert(convolution(), dtype)
    launch = launch_of(host, model, dtype)
    with pytest.raises(Unavailable, match=why):
        launch.audit(Work())
    launch.close()


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
def test_a_network_as_it_is_stored_runs_in_whatever_type_and_says_so(
    host: Device, dtype: str
) -> None:
    if dtype == "fp16":
        without_half(host)
    model = convolution() if dtype == "int8" else convert(convolution(), dtype)
    network = layer_kernel.TimedLayer("network", lambda: model, dtype, stored=True)
    launch = network.kernel("cpu").backends["cpu"](host, dtype, {}, None)
    audit = launch.audit(Work())
    launch.close()
    assert audit.facts["other_type"] is True
    assert f"no {dtype} kernel for it: it ran" in audit.note
    network = layer_kernel.TimedLayer("network", convolution, stored=True)
    in_its_own_type = network.kernel("cpu").backends["cpu"](host, "fp32", {}, None)
    assert "other_type" not in in_its_own_type.audit(Work()).facts
    in_its_own_type.close()


def test_a_cast_of_the_models_own_hides_no_other(host: Device) -> None:
    import onnx

    without_half(host)
    model = convert(convolution(), "fp16")
    narrow = model.graph.output[0].name
    model.graph.node.append(
        onnx.helper.make_node("Cast", [narrow], ["wide"], to=onnx.TensorProto.FLOAT)
    )
    model.graph.output[0].name = "wide"
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    launch = launch_of(host, model, "fp16")
    with pytest.raises(Unavailable, match="no fp16 kernel"):
        launch.audit(Work())
    launch.close()


def test_a_missing_provider_is_a_reason(host: Device) -> None:
    with pytest.raises(Unavailable, match="onnxruntime has no CUDAExecutionProvider"):
        session.build(convolution(), "fp32", "cuda", replace(host, kind="cuda"), None)


@pytest.mark.parametrize(("machine", "jetsons"), [("x86_64", False), ("aarch64", True)])
def test_the_way_out_of_a_missing_provider_is_one_that_the_machine_has(
    machine: str, jetsons: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session.platform, "machine", lambda: machine)
    reason = session.missing("cuda")
    assert "onnxruntime-gpu" in reason
    assert ("TensorRT" in reason) == jetsons


def test_work_is_counted_once_across_the_border_and_in_the_types_asked() -> None:
    def convolution_and_relu() -> Any:
        net = Net()
        x = net.input(1, 4, 6, 6)
        return net.model(net.add("Relu", net.conv(x, 4, 4, 1)))

    layer = layer_kernel.TimedLayer("Conv", convolution_and_relu)
    values = 4 * 36
    weights = 4 * 4 + 4
    assert layer.work("fp32").compulsory_bytes == 4 * (2 * values + weights)
    assert layer.work("int8").compulsory_bytes == 2 * values + weights
    assert layer.work("fp16").flops == layer.work("fp32").flops == 2 * 4 * values + values
    apart = replace(layer, by_node=True)
    # and once more between the two
    assert apart.work("fp32").compulsory_bytes == 4 * (4 * values + weights)


def test_unknown_work_is_not_a_number() -> None:
    def strange() -> Any:
        import onnx

        node = onnx.helper.make_node("Mystery", ["x"], ["y"], domain="else.where")
        number_type = onnx.TensorProto.FLOAT
        x = onnx.helper.make_tensor_value_info("x", number_type, [4])
        y = onnx.helper.make_tensor_value_info("y", number_type, [4])
        graph = onnx.helper.make_graph([node], "g", [x], [y])
        opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("else.where", 1)]
        return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)

    kernel = layer_kernel.TimedLayer("Mystery", strange).kernel("cpu")
    assert np.isnan(kernel.work("fp32").flops)


def test_inputs_fill_their_range_and_repeat() -> None:
    net = Net()
    model = net.model(net.add("Add", net.input(2000, 1000), net.input(2000, 1000)))
    arrays = layer_inputs.feeds(model)
    for array in arrays.values():
        assert array.dtype == np.float32
        assert abs(array).max() <= 1
        assert array.std() > 0.5, "uniform over ±1 has 0.58"
    first, second = arrays.values()
    assert not np.array_equal(first, second)
    again = layer_inputs.feeds(model)
    assert all(np.array_equal(array, again[name]) for name, array in arrays.items())


@pytest.mark.parametrize(
    ("op", "largest"), [("Gather", 99), ("GatherElements", 99), ("GatherND", 7)]
)
def test_indices_reach_all_of_their_table(op: str, largest: int) -> None:
    import onnx

    helper = onnx.helper
    inputs = [
        helper.make_tensor_value_info("table", onnx.TensorProto.FLOAT, [100, 8]),
        helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [400, 8]),
    ]
    node = helper.make_node(op, ["table", "ids"], ["y"])
    graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name="y")])
    ids = layer_inputs.feeds(helper.make_model(graph))["ids"]
    assert (ids.min(), ids.max(), ids.dtype) == (0, largest, np.int64)
