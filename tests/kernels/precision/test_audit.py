"""Flaws in the placement of Q/DQ nodes are found where they were planted, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.onnx.protos import copy_of  # noqa: E402
from kernels.precision.audit import SENTENCES, Flaw, audit  # noqa: E402
from kernels.runtime import static  # noqa: E402
from tests.kernels.precision.test_apply import (  # noqa: E402
    NETWORKS,
    convolution,
    depthwise,
    in_precision,
    residual,
)


class Coded(Net):
    """A network whose Q/DQ nodes are placed by hand."""

    def coded(self, x: str, scale: float = 0.05, zero: int = 128) -> str:
        """An activation through codes of this scale."""
        scale_name = self.constant(scale)
        zero_name = self.constant(zero, "uint8")
        codes = self.add("QuantizeLinear", x, scale_name, zero_name)
        return self.add("DequantizeLinear", codes, scale_name, zero_name)

    def coded_conv(self, x: str, channels: int = 4) -> str:
        """A convolution by integers, with a scale for each channel."""
        weights = self.constant(np.ones((channels, channels, 3, 3)), "int8")
        scales = self.constant(np.full(channels, 0.01))
        zeros = self.constant(np.zeros(channels), "int8")
        decoded = self.add("DequantizeLinear", weights, scales, zeros, axis=0)
        return self.add("Conv", x, decoded, pads=[1] * 4)


def flaws_of(model: Any) -> list[tuple[str, str]]:
    """Rules that a network breaks, and where."""
    return [(flaw.rule, flaw.node) for flaw in audit(graph_of(copy_of(model)))]


def start() -> tuple[Coded, str]:
    """A network that reads decoded codes."""
    net = Coded()
    return net, net.coded(net.input(1, 4, 8, 8))


def between() -> Any:
    net, x = start()
    bounded = net.add("Relu", net.coded(net.coded_conv(x)))
    return net.model(net.coded(bounded))


def unencoded() -> Any:
    net, x = start()
    return net.model(net.add("Erf", net.coded_conv(x)))


def around_nothing() -> Any:
    net = Coded()
    decoded = net.coded(net.add("Erf", net.input(1, 4, 8, 8)))
    return net.model(net.add("Erf", decoded))


def branch() -> Any:
    net = Coded()
    x = net.input(1, 4, 8, 8)
    inner = net.coded(net.coded_conv(net.coded(x)))
    return net.model(net.coded(net.add("Add", inner, x)))


def two_scales() -> Any:
    net, x = start()
    pooled = net.add("MaxPool", x, kernel_shape=[2, 2])
    return net.model(net.coded(pooled, 0.04))


PLANTED: tuple[tuple[Callable[[], Any], str, str], ...] = (
    (between, "between", "conv_3"),
    (unencoded, "unencoded", "conv_3"),
    (around_nothing, "around nothing", "erf_0"),
    (branch, "branch", "add_6"),
    (two_scales, "two scales", "maxpool_2"),
)


@pytest.mark.parametrize(("network", "rule", "node"), PLANTED, ids=[rule for _, rule, _ in PLANTED])
def test_a_planted_flaw_is_found(network: Callable[[], Any], rule: str, node: str) -> None:
    assert flaws_of(network()) == [(rule, node)]


def test_weights_with_one_scale_are_named() -> None:
    deep = in_precision(depthwise(), granularity="tensor")
    wide = in_precision(convolution(), granularity="tensor")
    assert flaws_of(deep) == [("depthwise", "conv_0")]
    assert flaws_of(wide) == [("per tensor", "conv_0")]
    (hint,) = audit(graph_of(wide))
    (flaw,) = audit(graph_of(deep))
    assert hint.is_hint and not flaw.is_hint


@pytest.mark.parametrize("form", ["u8s8", "s8s8"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_what_we_apply_has_no_flaw(network: Callable[[], Any], form: str) -> None:
    model = in_precision(network(), form=form)
    # the only weights that runtimes take with one scale: those of many matrices
    assert flaws_of(model) == []


def test_a_network_of_floats_has_no_flaw() -> None:
    assert flaws_of(residual()) == []


def test_the_library_gives_depthwise_weights_one_scale_unless_asked() -> None:
    model = depthwise()
    changed = static.quantized(lambda: copy_of(model), "cpu")
    assert flaws_of(changed) == [("depthwise", "conv_0")]


def test_the_library_places_its_nodes_well_on_a_trained_network() -> None:
    pytest.importorskip("rapidocr")
    onnxslim = pytest.importorskip("onnxslim")
    from tests.trained import bound, direction_path

    model = onnxslim.slim(bound(direction_path(), 1, 3, 48, 192))
    changed = static.quantized(lambda: copy_of(model), "cpu")
    rules = [rule for rule, _ in flaws_of(changed)]
    assert rules.count("depthwise") == 11
    assert rules.count("per tensor") == 53 - 11 + 1
    assert not {"between", "branch", "two scales"} & set(rules)


@pytest.mark.parametrize("rule", SENTENCES)
def test_a_flaw_is_one_plain_sentence(rule: str) -> None:
    sentence = Flaw(rule, "conv_1", "Conv", "t1").sentence
    assert sentence.startswith("Conv conv_1: ") and sentence.endswith(".")
    assert "t1" in sentence
