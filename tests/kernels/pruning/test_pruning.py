"""Groups of channels follow residuals, concats and splits; what is cut runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from kernels.base import Unavailable
from kernels.pruning.cut import cut
from kernels.pruning.follow import blocks
from kernels.pruning.groups import BATCHNORM, L1, Channels, Group
from kernels.pruning.scales import scales_of

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

OUTPUT = "the network's output has them"


class Net:
    """A small network that is written node by node."""

    def __init__(self, seed: int = 0) -> None:
        self.numbers = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.stored: dict[str, np.ndarray] = {}

    def store(self, name: str, *shape: int) -> str:
        self.stored[name] = self.numbers.standard_normal(shape).astype(np.float32)
        return name

    def add(self, op: str, reads: Sequence[str], name: str, **attributes: Any) -> str:
        self.nodes.append(onnx.helper.make_node(op, reads, [name], name, **attributes))
        return name

    def conv(self, read: str, name: str, ins: int, outs: int, groups: int = 1) -> str:
        weights = self.store(f"{name}_w", outs, ins // groups, 3, 3)
        bias = self.store(f"{name}_b", outs)
        return self.add("Conv", [read, weights, bias], name, pads=[1, 1, 1, 1], group=groups)

    def model(self, output: str, dims: Sequence[int], ins: int = 3) -> Any:
        helper, numbers = onnx.helper, onnx.numpy_helper
        float_type = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", float_type, [1, ins, 8, 8])],
            [helper.make_tensor_value_info(output, float_type, dims)],
            [numbers.from_array(array, name) for name, array in self.stored.items()],
        )
        opsets = [helper.make_opsetid("", 18)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def run(model: Any) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    feeds = {"x": np.random.default_rng(1).standard_normal((1, 3, 8, 8)).astype(np.float32)}
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def group_of(channels: Channels, name: str) -> Group:
    return next(group for group in channels.groups if group.name == name)


def stored_shape(model: Any, name: str) -> tuple[int, ...]:
    return next(tuple(entry.dims) for entry in model.graph.initializer if entry.name == name)


def residual() -> Any:
    """x -> a -> (b -> c) + a -> depthwise -> concat of d and e -> Flatten -> Gemm."""
    net = Net()
    net.conv("x", "a", 3, 16)
    net.conv("a", "b", 16, 24)
    net.conv("b", "c", 24, 16)
    net.add("Add", ["c", "a"], "sum")
    net.conv("sum", "depthwise", 16, 16, groups=16)
    net.conv("depthwise", "d", 16, 8)
    net.conv("depthwise", "e", 16, 16)
    net.add("Concat", ["d", "e"], "both", axis=1)
    net.add("MaxPool", ["both"], "pool", kernel_shape=[4, 4], strides=[4, 4])
    net.add("Flatten", ["pool"], "flat")
    weights = net.store("fc_w", 10, 24 * 4)
    net.add("Gemm", ["flat", weights, net.store("fc_b", 10)], "fc", transB=1)
    return net.model("fc", [1, 10])


def test_a_residual_ties_its_layers_and_a_concat_does_not() -> None:
    channels = Channels(residual())
    layers = {group.name: group.layers for group in channels.groups}
    assert layers == {
        "a": ("a", "c", "depthwise"),
        "b": ("b",),
        "d": ("d",),
        "e": ("e",),
    }
    assert group_of(channels, "a").readers == ("b", "d", "e")
    assert [(fixed.layer, fixed.reason) for fixed in channels.fixed] == [("fc", OUTPUT)]


def test_what_is_cut_runs_with_channels_as_asked() -> None:
    smaller = cut(Channels(residual()), {"a": 8, "b": 16, "d": 4, "e": 15})
    assert stored_shape(smaller, "a_w") == (8, 3, 3, 3)
    assert stored_shape(smaller, "b_w") == (16, 8, 3, 3)
    assert stored_shape(smaller, "depthwise_w") == (8, 1, 3, 3)
    assert stored_shape(smaller, "fc_w") == (10, 19 * 4)
    assert run(smaller).shape == (1, 10)


def test_channels_that_nothing_reads_change_no_answer() -> None:
    model = residual()
    for tensor in model.graph.initializer:
        if tensor.name == "fc_w":
            numbers = onnx.numpy_helper.to_array(tensor).copy()
            dead = np.arange(24 * 4) // 4 % 24 == 2  # third channel of the concat: of d
            numbers[:, dead] = 0
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
        if tensor.name == "d_w":
            numbers = onnx.numpy_helper.to_array(tensor).copy()
            numbers[2] *= 1e-3
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    smaller = cut(Channels(model), {"d": 7})
    np.testing.assert_allclose(run(smaller), run(model), rtol=1e-4, atol=1e-4)


def test_a_dead_channel_goes_first() -> None:
    model = residual()
    for tensor in model.graph.initializer:
        if tensor.name in ("b_w", "b_b"):
            numbers = onnx.numpy_helper.to_array(tensor).copy()
            numbers[13] = 0
            tensor.CopyFrom(onnx.numpy_helper.from_array(numbers, tensor.name))
    channels = Channels(model)
    group = group_of(channels, "b")
    assert group.dead() == 1
    assert group.order()[0] == 13
    np.testing.assert_allclose(run(cut(channels, {"b": 23})), run(model), rtol=1e-4, atol=1e-4)


def test_all_groups_of_a_grouped_convolution_stay_as_large_as_each_other() -> None:
    net = Net()
    net.conv("x", "a", 3, 16)
    net.conv("a", "b", 16, 32, groups=4)
    net.conv("b", "c", 32, 4)
    channels = Channels(net.model("c", [1, 4, 8, 8]))
    assert {group.name: group.width for group in channels.groups} == {"a": 4, "b": 4}
    smaller = cut(channels, {"a": 8, "b": 24})
    assert stored_shape(smaller, "b_w") == (24, 2, 3, 3)
    assert run(smaller).shape == (1, 4, 8, 8)
    with pytest.raises(Unavailable, match="cannot keep 9"):
        cut(channels, {"a": 9})


def test_parts_of_a_split_are_groups_of_their_own() -> None:
    net = Net()
    net.conv("x", "a", 3, 16)
    split = onnx.helper.make_node("Split", ["a"], ["p", "q"], "split", axis=1, num_outputs=2)
    net.nodes.append(split)
    net.conv("p", "b", 8, 4)
    net.conv("q", "c", 8, 4)
    net.add("Add", ["b", "c"], "sum")
    net.conv("sum", "out", 4, 2)
    channels = Channels(net.model("out", [1, 2, 8, 8]))
    names = [group.name for group in channels.groups]
    assert names == ["a", "a (2)", "b"]
    smaller = cut(channels, {"a": 3, "a (2)": 5})
    assert stored_shape(smaller, "b_w") == (4, 3, 3, 3)
    assert stored_shape(smaller, "c_w") == (4, 5, 3, 3)
    assert run(smaller).shape == (1, 2, 8, 8)


def test_a_shuffle_of_channels_is_followed() -> None:
    net = Net()
    net.conv("x", "a", 3, 12)
    net.stored["apart"] = np.array([1, 3, 4, 8, 8])
    net.stored["together"] = np.array([1, 12, 8, 8])
    net.add("Reshape", ["a", "apart"], "parts")
    net.add("Transpose", ["parts"], "turned", perm=[0, 2, 1, 3, 4])
    net.add("Reshape", ["turned", "together"], "shuffled")
    net.conv("shuffled", "b", 12, 4)
    channels = Channels(net.model("b", [1, 4, 8, 8]))
    assert group_of(channels, "a").width == 3
    smaller = cut(channels, {"a": 6})
    assert stored_shape(smaller, "b_w") == (4, 6, 3, 3)
    assert run(smaller).shape == (1, 4, 8, 8)


def test_what_cannot_be_followed_is_fixed_with_a_reason() -> None:
    net = Net()
    net.conv("x", "a", 3, 16)
    net.add("LRN", ["a"], "normed", size=3)
    net.conv("normed", "b", 16, 4)
    channels = Channels(net.model("b", [1, 4, 8, 8]))
    assert not channels.groups
    assert [fixed.reason for fixed in channels.fixed] == ["LRN is not followed", OUTPUT]
    with pytest.raises(Unavailable, match="no group of channels"):
        cut(channels, {"a": 8})


def test_the_scale_of_a_normalisation_ranks_where_there_is_one() -> None:
    net = Net()
    net.conv("x", "a", 3, 4)
    rest = [net.store(name, 4) for name in ("shift", "mean", "variance")]
    net.stored["variance"] = np.ones(4, np.float32)
    net.stored["scale"] = np.array([3, 0.1, -2, 1], np.float32)
    net.add("BatchNormalization", ["a", "scale", *rest], "normed")
    net.conv("normed", "b", 4, 2)
    model = net.model("b", [1, 2, 8, 8])
    standing = Channels(model)
    assert standing.has_scales
    assert group_of(standing, "a").order(BATCHNORM) == [1, 3, 2, 0]
    assert list(scales_of(model)) == ["normed"]
    assert set(group_of(standing, "a").scores) == {L1, BATCHNORM}
    assert run(cut(standing, {"a": 2}, BATCHNORM)).shape == (1, 2, 8, 8)


@pytest.mark.parametrize(
    ("before", "after", "pairs"),
    [
        ((1, 6, 4, 4), (1, 96), [([0], [0]), ([1, 2, 3], [1])]),
        ((1, 6), (1, 2, 3), [([0], [0]), ([1], [1, 2])]),
        ((6, 1, 1), (6,), [([0], [0]), ([1], []), ([2], [])]),
    ],
)
def test_axes_of_two_shapes_are_held_together(
    before: tuple[int, ...], after: tuple[int, ...], pairs: list[tuple[list[int], list[int]]]
) -> None:
    assert blocks(before, after) == pairs
