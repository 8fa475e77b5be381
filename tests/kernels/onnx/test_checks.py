"""Shapes that a caller gives either fit the network, or are refused in a line."""

from __future__ import annotations

from typing import Any

import pytest
from onnx.helper import make_node as make

from kernels.onnx.graph import OnnxError, graph_of
from tests.kernels.onnx_networks import header, model_of


def convolution(group: int = 1) -> Any:
    """A model of one convolution that takes 4 channels for each group."""
    node = make("Conv", ["x", "w"], ["y"], name="first", group=group)
    weights = header("w", (8, 4, 3, 3))
    return model_of([node], {"x": (1, "C", 8, 8)}, ["y"], [weights])


@pytest.mark.parametrize(("channels", "group"), [(4, 1), (8, 2)])
def test_channels_that_the_weights_take_fit(channels: int, group: int) -> None:
    graph = graph_of(convolution(group=group), {"x": (1, channels, 8, 8)})
    assert graph.outputs[0].shape == (1, 8, 6, 6)


@pytest.mark.parametrize(("channels", "group", "wanted"), [(3, 1, 4), (4, 2, 8)])
def test_other_channels_are_named(channels: int, group: int, wanted: int) -> None:
    message = f"^Conv first: its weights take {wanted} channels, its input has {channels}$"
    with pytest.raises(OnnxError, match=message):
        graph_of(convolution(group=group), {"x": (1, channels, 8, 8)})


def test_a_shape_that_fits_nowhere_further_in_is_refused() -> None:
    nodes = [make("Relu", ["x"], ["h"]), make("Add", ["h", "table"], ["y"], name="sum")]
    model = model_of(nodes, {"x": ("N", "length")}, ["y"], [header("table", (512,))])
    message = r"^the network does not fit the shapes given: .*sum.*Incompatible dimensions"
    with pytest.raises(OnnxError, match=message):
        graph_of(model, {"x": (2, 100)})


def test_a_network_that_never_passed_the_strict_check_is_not_refused_for_the_shapes_given() -> None:
    nodes = [make("Add", ["a", "b"], ["c"], name="sum"), make("Relu", ["x"], ["y"])]
    weights = [header("a", (3,)), header("b", (4,))]
    model = model_of(nodes, {"x": ("N", 4)}, ["y", "c"], weights)
    assert graph_of(model, {"x": (2, 4)}).outputs[0].shape == (2, 4)


def test_a_symbol_given_as_two_numbers_is_refused() -> None:
    join = make("Concat", ["a", "b"], ["y"], axis=1)
    model = model_of([join], {"a": ("batch", 4), "b": ("batch", 4)}, ["y"])
    message = r"^b: batch is 3 there, and 2 in another input: give one number$"
    with pytest.raises(OnnxError, match=message):
        graph_of(model, {"a": (2, 4), "b": (3, 4)})


@pytest.mark.parametrize(
    "nodes",
    [
        [make("Relu", ["h"], ["h"], name="round"), make("Relu", ["x"], ["y"])],
        [
            make("Relu", ["x"], ["y"]),
            make("Relu", ["b"], ["a"], name="round"),
            make("Clip", ["a"], ["b"]),
        ],
        [
            make("Relu", ["h"], ["h"], name="round"),
            make("Relu", ["x"], ["h"]),
            make("Relu", ["x"], ["y"]),
        ],
        [
            make("Add", ["x", "b"], ["a"], name="round"),
            make("Relu", ["a"], ["b"]),
            make("Relu", ["b"], ["y"]),
        ],
    ],
)
def test_a_node_that_waits_for_itself_is_named(nodes: list[Any]) -> None:
    message = r"^\w+ round reads what follows from its own result: it can never run$"
    with pytest.raises(OnnxError, match=message):
        graph_of(model_of(nodes, {"x": (4,)}, ["y"]))


def test_nodes_may_stand_in_any_order() -> None:
    nodes = [make("Relu", ["h"], ["y"]), make("Neg", ["x"], ["h"])]
    assert len(graph_of(model_of(nodes, {"x": (4,)}, ["y"])).nodes) == 2
