"""What the row of a layer says of it, by which people tell it from others."""

from __future__ import annotations

from kernels.layers import FAMILIES
from kernels.onnx import net as layer_net
from kernels.runtime.kernel import TimedLayer


def test_a_convolution_tells_its_window_its_channels_and_its_output() -> None:
    def model() -> object:
        net = layer_net.Net()
        weights = net.weight(16, 4, 3, 5)
        return net.model(net.add("Conv", net.input(1, 8, 10, 12), weights, group=2))

    facts = TimedLayer("Conv", model).facts("fp32", "cpu")
    assert facts["window"] == [3, 5]
    assert facts["shape"] == [1, 16, 8, 8]
    assert (facts["in_channels"], facts["out_channels"], facts["groups"]) == (8, 16, 2)


def test_a_pooling_tells_its_window_and_an_activation_only_its_shape() -> None:
    def pooling() -> object:
        net = layer_net.Net()
        return net.model(net.add("MaxPool", net.input(1, 8, 6, 6), kernel_shape=[2, 2]))

    def activation() -> object:
        net = layer_net.Net()
        return net.model(net.add("Relu", net.input(4, 8)))

    assert TimedLayer("MaxPool", pooling).facts("fp32", "cpu")["window"] == [2, 2]
    facts = TimedLayer("Relu", activation).facts("fp32", "cpu")
    assert "window" not in facts
    assert facts["shape"] == [4, 8]


def test_every_family_of_layers_tells_the_shape_of_its_outputs() -> None:
    for family in FAMILIES.values():
        layer = next(iter(family.layers("cpu")))
        assert "shape" in TimedLayer(layer.op, layer.make).facts("fp32", "cpu")
