"""Slow operations of ONNX operations, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.onnx import slow
from kernels.onnx.graph import Node, Tensor
from kernels.onnx.slow import summed
from kernels.onnx.work import OPERATIONS, work_of

X = Tensor("x", (2, 3, 8), "fp32")
Y = Tensor("y", (2, 3, 8), "fp32")
SCALE = Tensor("scale", (8,), "fp32", weight=True)


def slow_work(op: str, *inputs: Tensor, domain: str = "", **attributes: Any) -> Any:
    """Slow operations of an operation of these inputs."""
    return work_of(Node(op, "n", (X, *inputs), (Y,), attributes, domain=domain)).slow


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("Softmax", {"exp2": 48.0, "divide": 6.0}),
        ("LogSoftmax", {"exp2": 48.0}),
        ("Gelu", {"exp2": 48.0}),
        ("Sigmoid", {"exp2": 48.0}),
        ("Softplus", {"exp2": 96.0}),
        ("Sqrt", {"rsqrt": 48.0}),
        ("Relu", {}),
        ("HardSigmoid", {}),
        ("QLinearSigmoid", {}),
        ("NoSuchThing", None),
    ],
)
def test_functions_count_by_element_and_row(op: str, expected: dict[str, float] | None) -> None:
    assert slow_work(op) == expected


def test_a_normalisation_takes_one_root_a_row() -> None:
    assert slow_work("LayerNormalization", SCALE, axis=-1) == {"rsqrt": 6.0}
    assert slow_work("LayerNormalization", SCALE, axis=1) == {"rsqrt": 2.0}
    assert slow_work("BatchNormalization", SCALE) == {}


def test_divisions_by_weights_are_products() -> None:
    assert slow_work("Div", SCALE) == {}
    assert slow_work("Div", Tensor("d", (2, 3, 1), "fp32")) == {"divide": 6.0}


def test_a_power_counts_where_no_product_does_it() -> None:
    half = Tensor("e", (), "fp32", weight=True, value=np.array(0.5))
    square = Tensor("e", (), "fp32", weight=True, value=np.array(2.0))
    assert slow_work("Pow", half) == {"rsqrt": 48.0}
    assert slow_work("Pow", square) == {}


def test_an_attention_takes_one_exponential_a_score() -> None:
    query = Tensor("q", (2, 5, 64), "fp32")
    key = Tensor("k", (2, 7, 64), "fp32")
    inputs = (query, key, key)
    node = Node("MultiHeadAttention", "n", inputs, (query,), {"num_heads": 4}, "com.microsoft")
    assert work_of(node).slow == {"exp2": 2.0 * 4 * 5 * 7}


def test_all_names_are_operations_that_have_work() -> None:
    assert set(OPERATIONS) >= slow.NAMES


def test_the_unknown_makes_the_sum_unknown() -> None:
    assert summed([{"exp2": 1.0}, {"exp2": 2.0, "divide": 1.0}, {}]) == {"exp2": 3.0, "divide": 1.0}
    assert summed([{"exp2": 1.0}, None]) is None
