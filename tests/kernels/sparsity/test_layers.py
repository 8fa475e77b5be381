"""Weights of each operation are looked at as (row, place, column), and go back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from kernels.onnx.graph import graph_of
from kernels.onnx.net import Net
from kernels.onnx.protos import copy_of
from kernels.precision.stages import stages
from kernels.sparsity.layers import Weights, replaced, weights_of


def layers_of(model: Any) -> list[Weights]:
    return weights_of(model, stages(graph_of(copy_of(model))))


def stored_in(model: Any, name: str) -> np.ndarray:
    import onnx

    by_name = {tensor.name: tensor for tensor in model.graph.initializer}
    return np.asarray(onnx.numpy_helper.to_array(by_name[name]))


def network_of(op: str, shape: tuple[int, ...], x: tuple[int, ...], **attributes: Any) -> Any:
    net = Net()
    weights = np.arange(1, np.prod(shape) + 1, dtype=np.float32).reshape(shape)
    return net.model(net.add(op, net.input(*x), net.constant(weights), **attributes))


@pytest.mark.parametrize(
    ("op", "shape", "x", "attributes", "arranged"),
    [
        ("Conv", (8, 6, 3, 3), (1, 6, 9, 9), {}, (8, 9, 6)),
        ("Conv", (8, 2, 3, 3), (1, 4, 9, 9), {"group": 2}, (8, 9, 2)),
        ("ConvTranspose", (6, 8, 2, 2), (1, 6, 9, 9), {}, (8, 4, 6)),
        ("ConvTranspose", (6, 4, 2, 2), (1, 6, 9, 9), {"group": 2}, (8, 4, 3)),
        ("MatMul", (6, 8), (2, 6), {}, (8, 1, 6)),
        ("Gemm", (6, 8), (2, 6), {}, (8, 1, 6)),
        ("Gemm", (8, 6), (2, 6), {"transB": 1}, (8, 1, 6)),
    ],
)
def test_rows_are_output_channels_and_columns_input_channels(
    op: str,
    shape: tuple[int, ...],
    x: tuple[int, ...],
    attributes: dict[str, Any],
    arranged: tuple[int, ...],
) -> None:
    model = network_of(op, shape, x, **attributes)
    (layer,) = layers_of(model)
    assert layer.numbers.shape == arranged
    stored = stored_in(model, layer.tensor)
    assert (layer.stored(layer.numbers) == stored).all()


def test_a_masked_row_is_an_output_channel_of_zeros() -> None:
    model = network_of("ConvTranspose", (6, 4, 2, 2), (1, 6, 9, 9), group=2)
    (layer,) = layers_of(model)
    kept = np.ones(layer.numbers.shape, bool)
    kept[5] = False  # the second output channel of the second group
    masked = layer.masked(kept)
    assert not masked[3:, 1].any()
    assert masked[3:, [0, 2, 3]].all() and masked[:3].any()


def test_a_depthwise_convolution_has_no_neighbours() -> None:
    (layer,) = layers_of(network_of("Conv", (4, 1, 3, 3), (1, 4, 9, 9), group=4))
    assert "no neighbours" in layer.problem
    (layer,) = layers_of(network_of("MatMul", (6, 8), (2, 6)))
    assert not layer.problem


def test_only_the_named_weights_are_replaced_and_only_in_the_copy() -> None:
    model = network_of("MatMul", (6, 8), (2, 6))
    (layer,) = layers_of(model)
    zeros = np.zeros(layer.shape, np.float32)
    copy = replaced(model, {layer.tensor: zeros})
    assert not stored_in(copy, layer.tensor).any()
    assert stored_in(model, layer.tensor).any()
