"""Arrays go to the runtime and come back as they were, in every type of whole bytes.

All answers can be compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from kernels.base import Unavailable, Work
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import session
from kernels.runtime import values as runtime_values
from kernels.runtime.answers import answers
from probes.harness.case import Case
from probes.harness.check import SOUND, check
from probes.harness.devices import cpu
from probes.records.tag import parse_tag
from tests.kernels.onnx_networks import model_of

WHOLE_BYTES = (
    "FLOAT DOUBLE FLOAT16 BFLOAT16 INT8 UINT8 INT16 UINT16 INT32 UINT32 INT64 UINT64 BOOL "
    "FLOAT8E4M3FN FLOAT8E5M2"
)
PACKED = "INT4 UINT4 FLOAT4E2M1"


def number_of(name: str) -> int:
    """The number by which TensorProto knows a type."""
    return int(TensorProto.DataType.Value(name))


@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 5)])
@pytest.mark.parametrize("name", WHOLE_BYTES.split())
def test_an_array_comes_back_as_it_was(name: str, shape: tuple[int, ...]) -> None:
    dtype = runtime_values.numpy_type(number_of(name))
    array = np.resize(np.array([1, 0, 1, 1, 0]), shape).astype(dtype)
    back = runtime_values.array_of(runtime_values.filled(array, number_of(name)))
    assert (back.dtype, back.shape) == (array.dtype, shape)
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("name", PACKED.split())
def test_what_is_packed_is_refused_by_name(name: str) -> None:
    with pytest.raises(Unavailable, match=f"no tensor of type {name.lower()}"):
        runtime_values.empty((4,), number_of(name))


@pytest.mark.parametrize(
    ("answer", "flat"),
    [
        ([np.array([[1, 2]], np.float16), np.float32(3)], [1, 2, 3]),
        ([[np.array([1.0]), [np.array([2])]], None], [1, 2]),
        ([[{0: 0.25, 1: 0.75}]], [0, 0.25, 1, 0.75]),
        ([np.array([1 + 2j])], [1, 2]),
        ([], []),
    ],
    ids=["tensors", "sequences", "maps", "complex", "nothing"],
)
def test_whatever_is_answered_is_one_vector(answer: list[Any], flat: list[float]) -> None:
    assert runtime_values.flat(answer).tolist() == flat


def test_texts_are_told_apart() -> None:
    first = runtime_values.flat([np.array(["a", "é"], object)])
    second = runtime_values.flat([np.array(["a", "b"], object)])
    assert first[0] == second[0]
    assert first[1] != second[1]


def checked(model: Any, dtype: str = "fp32") -> Any:
    """Check a model as a layer: its result after three more runs, its audit and its verdict."""
    layer = layer_kernel.TimedLayer(model.graph.node[0].op_type, lambda: model, dtype)
    kernel = layer.kernel("cpu")
    launch = kernel.backends["cpu"](cpu.detect(), dtype, {}, None)
    try:
        verdict = check(Case(kernel, dtype, "cpu", parse_tag("layer/movement")), launch)
        launch.run(3)
        return launch.result(), launch.audit(Work()), verdict
    finally:
        launch.close()


def test_text_is_fed_and_compared_in_each_run() -> None:
    nodes = [helper.make_node("Concat", ["x", "x"], ["y"], axis=0)]
    model = model_of(nodes, {"x": (3,)}, ["y"], kinds={"x": TensorProto.STRING})
    result, audit, verdict = checked(model)
    assert verdict == SOUND
    assert len(result) == 6
    assert "handed over in each run" in audit.note


def test_a_sequence_does_not_grow_from_run_to_run() -> None:
    nodes = [helper.make_node("SplitToSequence", ["x"], ["y"], axis=0)]
    result, _, verdict = checked(model_of(nodes, {"x": (4, 2)}, ["y"]))
    assert verdict == SOUND
    assert len(result) == 8


@pytest.mark.parametrize("name", ["BFLOAT16", "FLOAT8E4M3FN"])
def test_a_model_of_a_narrow_type_is_held_to_its_own_numbers(name: str) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)]
    model = model_of(nodes, {"x": (64,)}, ["y"], kinds={"x": number_of(name)})
    feeds = layer_inputs.feeds(model)
    assert feeds["x"].dtype == runtime_values.numpy_type(number_of(name))
    (answer,) = answers(model, feeds)
    assert (answer == feeds["x"].astype(np.float32)).all()
    assert answer.std() > 0.1
    _, _, verdict = checked(model)
    assert verdict == SOUND


def test_what_is_no_tensor_cannot_be_fed() -> None:
    node = helper.make_node("SequenceLength", ["x"], ["y"])
    model = model_of([node], {}, ["y"])
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
    sequence = helper.make_sequence_type_proto(element)
    model.graph.input.append(helper.make_value_info("x", sequence))
    with pytest.raises(Unavailable, match="input x is no tensor"):
        session.build(model, "fp32", "cpu", cpu.detect(), None)


def test_an_output_of_another_shape_than_declared_is_refused_before_it_is_timed() -> None:
    model = model_of([helper.make_node("NonZero", ["x"], ["y"])], {"x": (8,)}, ["y"])
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.INT64, [1, 3]))
    with pytest.raises(Unavailable, match="cannot run it"):
        session.build(model, "fp32", "cpu", cpu.detect(), None)
    layer = layer_kernel.TimedLayer("NonZero", lambda: model, open_shaped=[lambda: opened(model)])
    launch = layer.kernel("cpu").backends["cpu"](cpu.detect(), "fp32", {}, None)
    assert len(launch.result()) == 8
    launch.close()


def opened(model: Any) -> Any:
    """A copy of a model that declares no shape of its output."""
    copy = type(model).FromString(model.SerializeToString())
    copy.graph.output[0].ClearField("type")
    return copy
