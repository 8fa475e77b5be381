"""All importers say alike in which precision layers compute."""

from __future__ import annotations

from typing import Any

import pytest

from kernels.onnx.graph import Node, Tensor
from probes.importers.layer_row import layer_row, precision_of, slow_of
from probes.importers.nodes import nodes_of


@pytest.mark.parametrize(
    ("dtypes", "precision"),
    [
        (["fp32", "int64", "bool", "int32", "fp32"], "fp32"),
        (["int8", "fp16", "", "string"], "fp16+int8"),
        (["int64", "bool"], "bool+int64"),
        ([""], "fp32"),
    ],
)
def test_types_of_shapes_and_conditions_are_no_precision(dtypes: list[str], precision: str) -> None:
    assert precision_of(dtypes) == precision


def test_slow_operations_stand_in_the_row_of_the_layer_that_holds_their_nodes() -> None:
    x = Tensor("x", (2, 8))
    nodes = nodes_of([Node("Softmax", "a", (x,), (x,)), Node("Exp", "b", (x,), (x,))])
    where: dict[str, Any] = {"device": "GPU", "started": "2030-01-02T03:04:05Z", "tool": "trtexec"}
    counted = slow_of(nodes.values())
    row = layer_row("a + b", "Softmax", "fp16", [1e-3], 1.0, 1.0, slow=counted, **where)
    assert row.facts.slow == {"exp2": 32.0, "divide": 2.0}
    assert layer_row("c", "Relu", "fp16", [1e-3], 1.0, 1.0, **where).facts.slow == {}
    assert slow_of([]) is None
