"""Operations on codes become the same on floats between Q/DQ nodes: no answer changes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from kernels.base import Unavailable  # noqa: E402
from kernels.onnx.graph import graph_of  # noqa: E402
from kernels.onnx.net import Net  # noqa: E402
from kernels.onnx.protos import copy_of  # noqa: E402
from kernels.precision.audit import audit  # noqa: E402
from kernels.precision.floats import floats_of, precisions_of  # noqa: E402
from kernels.precision.opened import CONCAT, FORMS, opened  # noqa: E402
from kernels.precision.stages import stages  # noqa: E402
from kernels.runtime.answers import PLAIN, answers  # noqa: E402
from tests.kernels.onnx_run import feeds  # noqa: E402
from tests.kernels.precision.test_apply import (  # noqa: E402
    convolution,
    depthwise,
    fully_connected,
    product,
    residual,
    turned,
)


def gated() -> Any:
    net = Net()
    x = net.conv(net.input(1, 8, 14, 14), 8, 8, 3)
    means = net.add("GlobalAveragePool", x)
    return net.model(net.add("Mul", x, net.add("Sigmoid", means)))


def joined() -> Any:
    net = Net()
    x = net.input(1, 8, 14, 14)
    pooled = net.add("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4)
    leaky = net.add("LeakyRelu", net.conv(x, 8, 8, 3), alpha=0.1)
    return net.model(net.add("Concat", pooled, leaky, axis=1))


def scored() -> Any:
    net = Net()
    return net.model(net.add("Softmax", net.gemm(net.input(8, 32), 32, 24), axis=1))


NETWORKS = (
    convolution,
    depthwise,
    fully_connected,
    turned,
    product,
    residual,
    gated,
    joined,
    scored,
)


def by_the_library(model: Any, folder: Path, on_codes: bool = True, **how: Any) -> Any:
    """The network as onnxruntime.quantization writes it; on_codes: in its form QOperator."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self._feeds: Iterator[Any] = iter([feeds(model)])

        def get_next(self) -> Any:
            return next(self._feeds, None)

    form = quantization.QuantFormat.QOperator if on_codes else quantization.QuantFormat.QDQ
    onnx.save(model, folder / "net.onnx")
    with contextlib.redirect_stdout(io.StringIO()):
        quantization.quantize_static(
            folder / "net.onnx", folder / "codes.onnx", Reader(), quant_format=form, **how
        )
    return onnx.load(folder / "codes.onnx")


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_no_answer_changes(network: Callable[[], Any], per_channel: bool, tmp_path: Path) -> None:
    model = network()
    on_codes = by_the_library(model, tmp_path, per_channel=per_channel)
    own = [node.op_type for node in on_codes.graph.node]
    assert [op for op in own if op in FORMS or op == CONCAT]
    read = opened(on_codes)
    onnx.checker.check_model(read, full_check=True)
    assert not [node for node in read.graph.node if node.op_type in FORMS]
    arrays = feeds(model)
    (before,) = answers(on_codes, arrays, PLAIN)
    (after,) = answers(read, arrays, PLAIN)
    step = np.ptp(before) / 255
    assert np.abs(before - after).max() <= 1.01 * step
    (in_floats,) = answers(model, arrays, PLAIN)
    (decoded,) = answers(floats_of(read), arrays, PLAIN)
    assert np.abs(in_floats - decoded).max() < 0.05 * np.abs(in_floats).max()


def test_its_stages_are_read_and_audited(tmp_path: Path) -> None:
    read = opened(by_the_library(depthwise(), tmp_path))
    floats = floats_of(read)
    listed = stages(graph_of(copy_of(floats)))
    assert set(precisions_of(read, listed).values()) == {"int8"}
    assert [flaw.rule for flaw in audit(graph_of(copy_of(read)))] == ["depthwise"]


def test_a_network_without_them_is_returned() -> None:
    model = convolution()
    assert opened(model) is model


def test_what_cannot_be_written_so_is_refused(tmp_path: Path) -> None:
    model = by_the_library(gated(), tmp_path)
    pool = next(node for node in model.graph.node if "GlobalAverage" in node.op_type)
    pool.attribute.append(onnx.helper.make_attribute("channels_last", 1))
    with pytest.raises(Unavailable, match="QLinearGlobalAveragePool with its channels last"):
        opened(model)
    old = by_the_library(convolution(), tmp_path, per_channel=True)
    old.opset_import[0].version = 11
    with pytest.raises(Unavailable, match="scales of channels need opset 13, and it has 11"):
        opened(old)
    computed = by_the_library(convolution(), tmp_path)
    conv = next(node for node in computed.graph.node if node.op_type == "QLinearConv")
    computed.graph.node.insert(0, onnx.helper.make_node("Identity", [conv.input[1]], ["scale"]))
    conv.input[1] = "scale"
    with pytest.raises(Unavailable, match="the scale of its bias is computed"):
        opened(computed)
