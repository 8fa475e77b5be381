"""Families of layers that compute little or nothing.

They are placed by their bytes, and lower the intensity of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from kernels.layers.family import BATCH, FLOATS, FP32, Family, Layer
from kernels.onnx.net import Net

CHANNELS = 64
SIDES = (28, 56, 112)
GROUPS = 4

# Of the network of the family "reshapes".
DEPTH = 6
"""Convolutions."""
THIN = 16
"""Channels: so few that moving them can be seen."""
SIDE = 112
"""Pixels of a side."""

Make = Callable[[Net, int, int], str]
"""Takes a net, the batch and the side; adds inputs and a node, and returns the name of its result.
"""


def image(net: Net, batch: int, side: int) -> str:
    return net.input(batch, CHANNELS, side, side)


def reshaped(net: Net, batch: int, side: int) -> str:
    """An image as rows of numbers."""
    return _flat(net, image(net, batch, side), batch, side)


def _flat(net: Net, x: str, batch: int, side: int) -> str:
    shape = net.constant([batch, CHANNELS * side * side], "int64")
    return net.add("Reshape", x, shape)


def transposed_flat(net: Net, batch: int, side: int) -> str:
    return _flat(net, to_rows(net, batch, side), batch, side)


def shuffled(net: Net, batch: int, side: int) -> str:
    """The copy inside a channel shuffle: channels stand in groups already."""
    x = net.input(batch, GROUPS, CHANNELS // GROUPS, side, side)
    return net.add("Transpose", x, perm=[0, 2, 1, 3, 4])


def to_rows(net: Net, batch: int, side: int) -> str:
    return net.add("Transpose", image(net, batch, side), perm=[0, 2, 3, 1])


def to_planes(net: Net, batch: int, side: int) -> str:
    x = net.input(batch, side, side, CHANNELS)
    return net.add("Transpose", x, perm=[0, 3, 1, 2])


def transposed(net: Net, batch: int, side: int) -> str:
    """Rows and columns of an image exchanged."""
    return net.add("Transpose", image(net, batch, side), perm=[0, 1, 3, 2])


def joined(net: Net, batch: int, side: int) -> str:
    first = image(net, batch, side)
    second = image(net, batch, side)
    return net.add("Concat", first, second, axis=1)


def summed(net: Net, batch: int, side: int) -> str:
    first = image(net, batch, side)
    second = image(net, batch, side)
    return net.add("Add", first, second)


def rectified(net: Net, batch: int, side: int) -> str:
    return net.add("Relu", image(net, batch, side))


def pooled(op: str, net: Net, batch: int, side: int) -> str:
    """A 3x3 window at stride 2: four times fewer pixels out, ``side`` of them in."""
    x = net.input(batch, CHANNELS, 2 * side, 2 * side)
    window: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    return net.add(op, x, **window)


def normalised(net: Net, batch: int, side: int) -> str:
    x = image(net, batch, side)
    variance = net.constant(np.linspace(0.5, 2, CHANNELS))
    scale, bias, mean = (net.weight(CHANNELS) for _ in range(3))
    return net.add("BatchNormalization", x, scale, bias, mean, variance)


def function(op: str, net: Net, batch: int, side: int) -> str:
    """A function of each element."""
    return net.add(op, image(net, batch, side))


def softmax(net: Net, batch: int, side: int) -> str:
    """Over the rows of an image."""
    return net.add("Softmax", image(net, batch, side), axis=-1)


def by_rows(net: Net, batch: int, side: int) -> str:
    """Each row of an image normalised by its own mean and variance."""
    x = image(net, batch, side)
    scale, bias = (net.weight(side) for _ in range(2))
    return net.add("LayerNormalization", x, scale, bias, axis=-1)


class Simple(NamedTuple):
    """A layer of one or two nodes."""

    series: str
    op: str
    """The operation that gives its layers their name."""
    make: Make


MOVES = (
    # Alone, or last, a Reshape has to copy; between two nodes it is a new name.
    Simple("Reshape", "Reshape", reshaped),
    Simple("Transpose + Reshape", "Transpose", transposed_flat),
    Simple("channel shuffle", "Transpose", shuffled),
    Simple("Transpose", "Transpose", transposed),
    Simple("NCHW to NHWC", "Transpose", to_rows),
    Simple("NHWC to NCHW", "Transpose", to_planes),
    Simple("Concat", "Concat", joined),
)
LIGHT = (
    Simple("Add", "Add", summed),
    Simple("Relu", "Relu", rectified),
    Simple("MaxPool", "MaxPool", partial(pooled, "MaxPool")),
    Simple("AveragePool", "AveragePool", partial(pooled, "AveragePool")),
    Simple("BatchNormalization", "BatchNormalization", normalised),
)
FUNCTIONS = (
    Simple("Softmax", "Softmax", softmax),
    Simple("LayerNormalization", "LayerNormalization", by_rows),
    Simple("Erf", "Erf", partial(function, "Erf")),
    Simple("Tanh", "Tanh", partial(function, "Tanh")),
    Simple("Sigmoid", "Sigmoid", partial(function, "Sigmoid")),
    Simple("Sqrt", "Sqrt", partial(function, "Sqrt")),
)
"""A new one is one row of a table."""


def single(make: Make, batch: int, side: int) -> Any:
    net = Net()
    return net.model(make(net, batch, side))


def by_side(family: str, table: Sequence[Simple], kind: str) -> Iterator[Layer]:
    for row in table:
        for side in SIDES:
            name = f"{row.series}, {CHANNELS}x{side}x{side}"
            make = partial(single, row.make, BATCH[kind], side)
            yield Layer(family, name, row.op, row.series, side, make)


def network(batch: int, transposes: int) -> Any:
    """DEPTH convolutions 3x3 with ReLU; a Transpose follows each of the first ``transposes``.

    It exchanges rows and columns: one node that moves its bytes once. The convolution after it
    keeps a runtime from merging two of them.
    """
    net = Net()
    x = net.input(batch, THIN, SIDE, SIDE)
    for place in range(DEPTH):
        x = net.conv(x, THIN, THIN, 3)
        x = net.add("Relu", x)
        if place < transposes:
            x = net.add("Transpose", x, perm=[0, 1, 3, 2])
    return net.model(x)


def by_transposes(kind: str) -> Iterator[Layer]:
    """The network with more and more reshapes that copy.

    Each is a Transpose: a Reshape between two nodes is a new name and copies nothing.
    """
    for transposes in range(DEPTH):
        name = f"{DEPTH} convs 3x3, {THIN} channels, {SIDE}x{SIDE}, {transposes} reshapes"
        series = f"{DEPTH} convs 3x3"
        make = partial(network, BATCH[kind], transposes)
        yield Layer("reshapes", name, "Conv", series, transposes, make, by_node=True)


MOVEMENTS = {
    "movement": Family(
        "What does it cost to move data without computing?",
        "output side (pixels)",
        partial(by_side, "movement", MOVES),
        FP32,
    ),
    "light": Family(
        "What do the layers between convolutions cost?",
        "output side (pixels)",
        partial(by_side, "light", LIGHT),
        FP32,
    ),
    "functions": Family(
        "What do softmax, normalisation and functions of each element cost?",
        "output side (pixels)",
        partial(by_side, "functions", FUNCTIONS),
        FP32,
    ),
    "reshapes": Family(
        "What do reshapes that copy do to a network?",
        "reshapes in the network",
        by_transposes,
        FLOATS,
    ),
}
