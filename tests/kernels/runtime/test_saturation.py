"""INT8 where products saturate: a product of the largest bytes shows it.

An option of the runtime, or smaller weights, take it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.base import Fault
from kernels.runtime import inputs as layer_inputs
from kernels.runtime import kernel as layer_kernel
from kernels.runtime import reference as layer_reference
from kernels.runtime import saturation as runtime_saturation
from kernels.runtime import values as runtime_values
from kernels.runtime.answers import DEPLOYED, EXACT, answers
from kernels.runtime.reference import Size
from tests.kernels.onnx_networks import model_of

SMALL = Size(1.0, 1.0)  # for definitions in NumPy
LARGE = Size(1e12, 1e12)  # too large for them
ROWS, INNER, COLUMNS = 16, 128, 24
WEIGHTS = np.random.default_rng(5).integers(-128, 128, (INNER, COLUMNS)).astype(np.int8)


def product(stored: bool = True) -> Any:
    """MatMulInteger of unsigned activations and signed weights over their whole range.

    stored: whether the weights stand in the file; otherwise they are an input.
    """
    inputs: dict[str, Any] = {"x": (ROWS, INNER)}
    weights = []
    if stored:
        weights.append(numpy_helper.from_array(WEIGHTS, "w"))
    else:
        inputs["w"] = WEIGHTS.shape
    kinds = {"x": TensorProto.UINT8, "w": TensorProto.INT8}
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    return model_of([node], inputs, ["y"], weights, kinds=kinds, opset=17)


def factors(model: Any, feeds: Any) -> tuple[np.ndarray, np.ndarray]:
    """Activations and weights of a product, in int64: fed, or stored in the model."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    arrays = {**stored, **feeds}
    return arrays["x"].astype(np.int64), arrays["w"].astype(np.int64)


def exact(model: Any, feeds: Any) -> np.ndarray:
    """The product without saturation."""
    x, w = factors(model, feeds)
    return np.asarray(x @ w)


def saturating(model: Any, feeds: Any) -> np.ndarray:
    """What x86 without VNNI makes of it: the sum of two products, in 16 bits."""
    x, w = factors(model, feeds)
    products = x[:, :, None] * w[None]
    pairs = products[:, 0::2] + products[:, 1::2]
    return np.asarray(pairs.clip(-(2**15), 2**15 - 1).sum(axis=1))


def test_a_product_of_the_largest_bytes_shows_whether_this_cpu_saturates() -> None:
    model = product()
    feeds = layer_inputs.feeds(model)
    wrong = bool((answers(model, feeds, DEPLOYED)[0] != exact(model, feeds)).any())
    assert wrong == runtime_saturation.saturates()


@pytest.mark.parametrize("how", ["entry", "small weights"])
@pytest.mark.parametrize("stored", [True, False])
def test_without_saturation_it_is_right_on_any_cpu(how: str, stored: bool) -> None:
    model = product(stored)
    feeds = layer_inputs.feeds(model)
    if how == "small weights":
        model, feeds = runtime_saturation.tame(model, feeds)
        assert (saturating(model, feeds) == exact(model, feeds)).all()
        assert (answers(model, feeds, DEPLOYED)[0] == exact(model, feeds)).all()
    elif stored:  # the entry is about stored weights
        assert (answers(model, feeds, EXACT)[0] == exact(model, feeds)).all()


@pytest.fixture
def cpu_that_saturates(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A made-up CPU without VNNI: its runtime saturates, unless it is asked not to.

    It heeds that for stored weights only.
    """

    def answered(
        model: Any, feeds: Any, how: str = DEPLOYED, seconds: float = 1.0
    ) -> list[np.ndarray]:
        is_exact = how == EXACT and bool(model.graph.initializer)
        multiply = exact if is_exact else saturating
        return [multiply(model, feeds).astype(np.int32)]

    for module in (runtime_saturation, layer_reference):
        monkeypatch.setattr(module, "answers", answered)
    runtime_saturation.saturates.cache_clear()
    yield
    runtime_saturation.saturates.cache_clear()


def verdicts(model: Any, result: np.ndarray) -> list[bool]:
    """Whether each appeal for this result holds."""
    feeds = layer_inputs.feeds(model)
    right = runtime_values.flat([exact(model, feeds)])
    appeals = list(layer_reference.saturation(model, feeds, result, right, SMALL))
    assert {appeal.fault for appeal in appeals} <= {"saturated"}
    return [all(np.array_equal(*pair) for pair in appeal.pairs) for appeal in appeals]


@pytest.mark.parametrize("stored", [True, False])
def test_on_a_cpu_that_saturates_its_own_result_is_excused_and_no_other(
    cpu_that_saturates: None, stored: bool
) -> None:
    model = product(stored)
    cut_off = runtime_values.flat([saturating(model, layer_inputs.feeds(model))])
    assert verdicts(model, cut_off) == [True]
    assert verdicts(model, cut_off[::-1]) == [False]


def test_a_cpu_that_does_not_saturate_has_no_such_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_saturation, "saturates", lambda: False)
    assert verdicts(product(), np.zeros(ROWS * COLUMNS)) == []


def test_floats_have_no_such_excuse(cpu_that_saturates: None) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (4,)}, ["y"])
    feeds = layer_inputs.feeds(model)
    assert not list(layer_reference.saturation(model, feeds, np.ones(4), np.zeros(4), SMALL))


def test_a_large_product_of_stored_integers_is_held_to_one_that_does_not_saturate(
    cpu_that_saturates: None,
) -> None:
    model = product()
    feeds = layer_inputs.feeds(model)
    (answer,) = layer_reference.expected(model, feeds, LARGE)
    assert (answer == exact(model, feeds)).all()


def test_how_wrong_it_is_is_said_in_numbers() -> None:
    words = runtime_saturation.words(Fault(207, 4704, 0.38))
    assert "INT8 saturates on this CPU" in words
    assert "wrong in 207 of 4704 values, by up to 38 % of the largest" in words


def test_a_layer_appeals_on_the_cpu_alone() -> None:
    layer = layer_kernel.TimedLayer("MatMulInteger", product, fixed="int8")
    on_cpu = layer.kernel("cpu")
    right = on_cpu.reference("int8", 1)
    deployed = runtime_values.flat(answers(product(), layer_inputs.feeds(product()), DEPLOYED))
    agree = []
    for appeal in on_cpu.appeals("int8", deployed, right):
        if appeal.fault == "saturated":
            agree += [np.array_equal(*pair) for pair in appeal.pairs]
    assert agree == ([True, True] if runtime_saturation.saturates() else [])
    on_gpu = layer.kernel("cuda").appeals("int8", deployed, right)
    assert "saturated" not in {appeal.fault for appeal in on_gpu}
