"""Layers through ONNX Runtime on the real CPU: right numbers, what really ran, and what is
refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
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

CONV = partial(conv, 1, 16, 16, 8, 3)


def product() -> Any:
    net = Net()
    return net.model(net.gemm(net.input(4, 32), 32, 8))


@pytest.fixture(scope="module")
def host() -> Device:
    return cpu.detect()


@pytest.fixture(autouse=True)
def processors() -> Iterator[set[int]]:
    """Those this thread may use: a launch that a test leaves open keeps it on one."""
    before = os.sched_getaffinity(0)
    yield before
    os.sched_setaffinity(0, before)


def test_the_calling_thread_stays_on_one_processor_until_the_launch_is_closed(
    host: Device, processors: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = launch(host, product())
    assert len(os.sched_getaffinity(0)) == 1
    monkeypatch.setattr(
        os, "sched_setaffinity", lambda *_: pytest.fail("a move within what is timed")
    )
    made.run(3)
    monkeypatch.undo()
    made.close()
    assert os.sched_getaffinity(0) == processors


def test_a_run_costs_no_exception_inside_the_runtime(host: Device) -> None:
    made, seen = launch(host, product()), list[str]()
    sys.setprofile(lambda frame, event, argument: seen.append(event))
    made.run(3)
    sys.setprofile(None)
    made.close()
    assert "c_call" in seen
    assert "c_exception" not in seen


def launch(host: Device, model: Any, dtype: str = "fp32") -> Any:
    return session.build(model, dtype, "cpu", host, None)


@pytest.mark.parametrize("make", [CONV, product])
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_a_layer_computes_what_its_definition_says(
    host: Device, make: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = layer_kernel.TimedLayer("Conv", make).kernel("cpu")
    made = kernel.backends["cpu"](host, dtype, {}, None)
    case = Case(kernel, dtype, "cpu", parse_tag("layer/convolution"))
    verdict = check(case, made)
    assert verdict == SOUND or (dtype == "int8" and runtime_saturation.saturates())
    right = made.result
    monkeypatch.setattr(made, "result", lambda: right()[::-1])
    with pytest.raises(Failure, match="values are wrong"):
        check(case, made)
    made.close()


def test_a_kept_model_is_made_once_and_each_asker_has_his_own() -> None:
    made: list[Any] = []

    def make() -> Any:
        made.append(product())
        return made[-1]

    layer = layer_kernel.TimedLayer("Gemm", make, keep_model=True)
    one, two = layer.fresh(), layer.fresh()
    one.graph.initializer[0].raw_data = b""
    assert len(made) == 1
    assert two == made[0] == layer.fresh()


def test_a_wrong_weight_shows(host: Device) -> None:
    layer = layer_kernel.TimedLayer("Gemm", product)
    wrong = product()
    weights = np.array(np.frombuffer(wrong.graph.initializer[0].raw_data, np.float32))
    weights[5] += 1
    wrong.graph.initializer[0].raw_data = weights.tobytes()
    made = launch(host, wrong)
    made.run(1)
    kernel = layer.kernel("cpu")
    assert difference(made.result(), kernel.reference("fp32", 1), kernel.tolerance["fp32"])
    made.close()


def test_what_ran_is_read_from_the_profile_and_its_file_is_gone(host: Device) -> None:
    made = launch(host, CONV())
    audit = made.audit(Work())
    made.close()
    assert "Conv" in audit.instruction
    kinds = audit.instruction.split("+")
    assert audit.facts["launches"] >= len(kinds) == len(set(kinds)), (
        "some cores turn data round before and after"
    )
    assert audit.facts["run"] == "plain runs"
    assert not list(Path(session.profiles().name).iterdir())


def test_a_refusal_is_in_the_words_of_the_runtime(host: Device) -> None:
    net = Net()
    newer, reshaped = net.model(net.add("Neg", net.input(1))), Net()
    newer.ir_version = 999
    with pytest.raises(Unavailable, match=r"^cpu provider: Unsupported model IR version: 999"):
        launch(host, newer)
    to_nothing = reshaped.add(
        "Reshape", reshaped.input(4), reshaped.constant([0], "int64"), allowzero=1
    )
    with pytest.raises(Unavailable, match=r"^cpu provider cannot run it: .*cannot be reshaped"):
        launch(host, reshaped.model(to_nothing, shapes={"y": (4,)}))


def test_an_input_handed_through_is_an_output_too(host: Device) -> None:
    net = Net()
    made = net.model(net.add("Neg", net.input(8)))
    made.graph.output.append(made.graph.input[0])
    both = launch(host, made)
    both.run(2)
    assert np.allclose(both.result()[:8], -both.result()[8:])
    assert both.result().any()
    both.close()


def test_a_session_that_never_ran_leaves_no_file() -> None:
    refused = (
        "from kernels.onnx.net import Net; from kernels.runtime import session\n"
        "from probes.harness.devices import cpu\n"
        "net = Net(); model = net.model(net.add('Neg', net.input(1))); model.ir_version = 999\n"
        "try: session.build(model, 'fp32', 'cpu', cpu.detect(), None)\n"
        "except session.Unavailable: print(session.profiles().name)"
    )
    said = subprocess.run(
        [sys.executable, "-c", refused], capture_output=True, text=True, check=True
    )
    assert "ridgeline-" in said.stdout
    assert not Path(said.stdout.strip()).exists()


def test_integers_run_as_integers(host: Device) -> None:
    made = launch(host, convert(CONV(), "int8"), "int8")
    assert "QLinearConv" in made.audit(Work()).instruction
    made.close()


def without_half(host: Device) -> None:
    """Skip where the runtime has kernels in fp16: on Arm cores with vector arithmetic in it."""
    if "asimdhp" in host.features:
        pytest.skip("the runtime computes in fp16 on this core")


@pytest.mark.parametrize(("dtype", "why"), [("int8", "no int8 kernel"), ("fp16", "no fp16 kernel")])
def test_a_type_computed_in_another_one_is_refused(host: Device, dtype: str, why: str) -> None:
    if dtype == "fp16":
        without_half(host)
    model = CONV() if dtype == "int8" else convert(CONV(), dtype)
    made = launch(host, model, dtype)
    with pytest.raises(Unavailable, match=why):
        made.audit(Work())
    made.close()


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
def test_a_network_as_it_is_stored_runs_in_whatever_type_and_says_so(
    host: Device, dtype: str
) -> None:
    if dtype == "fp16":
        without_half(host)
    model = CONV() if dtype == "int8" else convert(CONV(), dtype)
    made = layer_kernel.TimedLayer("network", lambda: model, dtype, stored=True)
    launch = made.kernel("cpu").backends["cpu"](host, dtype, {}, None)
    audit = launch.audit(Work())
    launch.close()
    assert audit.facts["other_type"] is True
    assert f"no {dtype} kernel for it: it ran" in audit.note
    own = (
        layer_kernel.TimedLayer("network", CONV, stored=True)
        .kernel("cpu")
        .backends["cpu"](host, "fp32", {}, None)
    )
    assert "other_type" not in own.audit(Work()).facts
    own.close()


def test_a_cast_of_the_models_own_hides_no_other(host: Device) -> None:
    import onnx

    without_half(host)
    model = convert(CONV(), "fp16")
    narrow = model.graph.output[0].name
    model.graph.node.append(
        onnx.helper.make_node("Cast", [narrow], ["wide"], to=onnx.TensorProto.FLOAT)
    )
    model.graph.output[0].name = "wide"
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    made = launch(host, model, "fp16")
    with pytest.raises(Unavailable, match="no fp16 kernel"):
        made.audit(Work())
    made.close()


def test_a_missing_provider_is_a_reason(host: Device) -> None:
    with pytest.raises(Unavailable, match="onnxruntime has no CUDAExecutionProvider"):
        session.build(CONV(), "fp32", "cuda", replace(host, kind="cuda"), None)


def test_work_is_counted_once_across_the_border_and_in_the_types_asked() -> None:
    def two() -> Any:
        net = Net()
        x = net.input(1, 4, 6, 6)
        return net.model(net.add("Relu", net.conv(x, 4, 4, 1)))

    layer = layer_kernel.TimedLayer("Conv", two)
    values, weights = 4 * 36, 4 * 4 + 4
    assert layer.work("fp32").compulsory_bytes == 4 * (2 * values + weights)
    assert layer.work("int8").compulsory_bytes == 2 * values + weights
    assert layer.work("fp16").flops == layer.work("fp32").flops == 2 * 4 * values + values
    apart = replace(layer, by_node=True)
    assert apart.work("fp32").compulsory_bytes == 4 * (4 * values + weights), (
        "and once more between the two"
    )


def test_unknown_work_is_not_a_number() -> None:
    def strange() -> Any:
        import onnx

        node = onnx.helper.make_node("Mystery", ["x"], ["y"], domain="else.where")
        one = [onnx.helper.make_tensor_value_info(name, 1, [4]) for name in "xy"]
        graph = onnx.helper.make_graph([node], "g", one[:1], one[1:])
        opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("else.where", 1)]
        return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)

    kernel = layer_kernel.TimedLayer("Mystery", strange).kernel("cpu")
    assert np.isnan(kernel.work("fp32").flops)


def test_inputs_fill_their_range_and_repeat() -> None:
    net = Net()
    model = net.model(net.add("Add", net.input(2000, 1000), net.input(2000, 1000)))
    fed = layer_inputs.feeds(model)
    assert {array.dtype for array in fed.values()} == {np.dtype(np.float32)}
    assert all(abs(a).max() <= 1 and a.std() > 0.5 for a in fed.values())
    first, second = fed.values()
    assert not np.array_equal(first, second)
    assert all(np.array_equal(a, layer_inputs.feeds(model)[name]) for name, a in fed.items())


@pytest.mark.parametrize(
    ("op", "largest"), [("Gather", 99), ("GatherElements", 99), ("GatherND", 7)]
)
def test_indices_reach_all_of_their_table(op: str, largest: int) -> None:
    import onnx

    make, kinds = onnx.helper, onnx.TensorProto
    inputs = [
        make.make_tensor_value_info("table", kinds.FLOAT, [100, 8]),
        make.make_tensor_value_info("ids", kinds.INT64, [400, 8]),
    ]
    graph = make.make_graph(
        [make.make_node(op, ["table", "ids"], ["y"])], "g", inputs, [onnx.ValueInfoProto(name="y")]
    )
    ids = layer_inputs.feeds(make.make_model(graph))["ids"]
    assert (ids.min(), ids.max(), ids.dtype) == (0, largest, np.int64)
