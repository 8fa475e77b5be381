"""INT8 where products saturate: a product of the largest bytes shows it, the runtime or small
weights take it out.
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

SMALL, LARGE = Size(1.0, 1.0), Size(1e12, 1e12)
ROWS, INNER, COLUMNS = 16, 128, 24
BYTES = np.random.default_rng(5).integers(-128, 128, (INNER, COLUMNS)).astype(np.int8)


def product(stored: bool = True) -> Any:
    """MatMulInteger of unsigned activations and signed weights over their whole range."""
    inputs: dict[str, Any] = (
        {"x": (ROWS, INNER)} if stored else {"x": (ROWS, INNER), "w": BYTES.shape}
    )
    weights = [numpy_helper.from_array(BYTES, "w")] if stored else []
    kinds = {"x": TensorProto.UINT8, "w": TensorProto.INT8}
    node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
    return model_of([node], inputs, ["y"], weights, kinds=kinds, opset=17)


def exact(model: Any, given: Any) -> np.ndarray:
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    x, w = ({**stored, **given}[name].astype(np.int64) for name in ("x", "w"))
    return np.asarray(x @ w)


def saturating(model: Any, given: Any) -> np.ndarray:
    """What x86 without VNNI makes of it: the sum of two products, in 16 bits."""
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    x, w = ({**stored, **given}[name].astype(np.int64) for name in ("x", "w"))
    products = x[:, :, None] * w[None]
    pairs = products[:, 0::2] + products[:, 1::2]
    return np.asarray(pairs.clip(-(2**15), 2**15 - 1).sum(axis=1))


def test_a_product_of_the_largest_bytes_shows_whether_this_cpu_saturates() -> None:
    model = product()
    given = layer_inputs.feeds(model)
    wrong = bool((answers(model, given, DEPLOYED)[0] != exact(model, given)).any())
    assert wrong == runtime_saturation.saturates()


@pytest.mark.parametrize("how", ["entry", "small weights"])
@pytest.mark.parametrize("stored", [True, False])
def test_without_saturation_it_is_right_on_any_cpu(how: str, stored: bool) -> None:
    model = product(stored)
    given = layer_inputs.feeds(model)
    if how == "small weights":
        model, given = runtime_saturation.tame(model, given)
        assert (saturating(model, given) == exact(model, given)).all()
        assert (answers(model, given, DEPLOYED)[0] == exact(model, given)).all()
    elif stored:  # the entry is about stored weights
        assert (answers(model, given, EXACT)[0] == exact(model, given)).all()


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A CPU without VNNI: its runtime saturates, unless it is asked not to, and the entry knows
    stored weights only.
    """

    def answered(
        model: Any, given: Any, how: str = DEPLOYED, seconds: float = 1.0
    ) -> list[np.ndarray]:
        right = how == EXACT and bool(model.graph.initializer)
        return [(exact if right else saturating)(model, given).astype(np.int32)]

    for module in (runtime_saturation, layer_reference):
        monkeypatch.setattr(module, "answers", answered)
    runtime_saturation.saturates.cache_clear()
    yield
    runtime_saturation.saturates.cache_clear()


def held(model: Any, found: np.ndarray) -> list[bool]:
    """Of every appeal for this result, whether it holds."""
    right = runtime_values.flat([exact(model, layer_inputs.feeds(model))])
    appeals = list(
        layer_reference.saturation(model, layer_inputs.feeds(model), found, right, SMALL)
    )
    assert {appeal.fault for appeal in appeals} <= {"saturated"}
    return [all(np.array_equal(*pair) for pair in appeal.pairs) for appeal in appeals]


@pytest.mark.parametrize("stored", [True, False])
def test_on_a_cpu_that_saturates_its_own_result_is_excused_and_no_other(
    made_up: None, stored: bool
) -> None:
    model = product(stored)
    cut_off = runtime_values.flat([saturating(model, layer_inputs.feeds(model))])
    assert held(model, cut_off) == [True]
    assert held(model, cut_off[::-1]) == [False]


def test_a_cpu_that_does_not_saturate_has_no_such_excuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime_saturation, "saturates", lambda: False)
    assert held(product(), np.zeros(ROWS * COLUMNS)) == []


def test_floats_have_no_such_excuse(made_up: None) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (4,)}, ["y"])
    assert not list(
        layer_reference.saturation(model, layer_inputs.feeds(model), np.ones(4), np.zeros(4), SMALL)
    )


def test_a_large_product_of_stored_integers_is_held_to_one_that_does_not_saturate(
    made_up: None,
) -> None:
    model = product()
    given = layer_inputs.feeds(model)
    (found,) = layer_reference.expected(model, given, LARGE)
    assert (found == exact(model, given)).all()


def test_how_wrong_it_is_is_said_in_numbers() -> None:
    said = runtime_saturation.words(Fault(207, 4704, 0.38))
    assert "INT8 saturates on this CPU" in said
    assert "wrong in 207 of 4704 values, by up to 38 % of the largest" in said


def test_a_layer_appeals_on_the_cpu_alone() -> None:
    layer = layer_kernel.TimedLayer("MatMulInteger", product, fixed="int8")
    right = layer.kernel("cpu").reference("int8", 1)
    deployed = runtime_values.flat(answers(product(), layer_inputs.feeds(product()), DEPLOYED))
    appeals = list(layer.kernel("cpu").appeals("int8", deployed, right))
    agree = [
        np.array_equal(*pair)
        for appeal in appeals
        if appeal.fault == "saturated"
        for pair in appeal.pairs
    ]
    assert agree == ([True, True] if runtime_saturation.saturates() else [])
    assert "saturated" not in {
        appeal.fault for appeal in layer.kernel("cuda").appeals("int8", deployed, right)
    }
