"""Families of layers that compute little or nothing: placed by their bytes, they lower a network's
intensity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from kernels.layers.family import BATCH, FLOATS, FP32, Family, Layer
from kernels.onnx.net import Net

CHANNELS = 64
SIDES = (28, 56, 112)
GROUPS = 4
DEPTH, THIN, SIDE = (
    6,
    16,
    112,
)  # of the network with reshapes: few channels, so that moving them can be seen

Make = Callable[[Net, int, int], str]
"""(net, batch, side) -> the name of the result, of inputs it adds itself."""


def image(net: Net, batch: int, side: int) -> str:
    return net.input(batch, CHANNELS, side, side)


def reshaped(net: Net, batch: int, side: int) -> str:
    return _flat(net, image(net, batch, side), batch, side)


def _flat(net: Net, x: str, batch: int, side: int) -> str:
    return str(net.add("Reshape", x, net.constant([batch, CHANNELS * side * side], "int64")))


def transposed_flat(net: Net, batch: int, side: int) -> str:
    return _flat(net, to_rows(net, batch, side), batch, side)


def shuffled(net: Net, batch: int, side: int) -> str:
    """The copy inside a channel shuffle: channels stand in groups already."""
    x = net.input(batch, GROUPS, CHANNELS // GROUPS, side, side)
    return str(net.add("Transpose", x, perm=[0, 2, 1, 3, 4]))


def to_rows(net: Net, batch: int, side: int) -> str:
    return str(net.add("Transpose", image(net, batch, side), perm=[0, 2, 3, 1]))


def to_planes(net: Net, batch: int, side: int) -> str:
    return str(net.add("Transpose", net.input(batch, side, side, CHANNELS), perm=[0, 3, 1, 2]))


def transposed(net: Net, batch: int, side: int) -> str:
    return str(net.add("Transpose", image(net, batch, side), perm=[0, 1, 3, 2]))


def joined(op: str, net: Net, batch: int, side: int) -> str:
    attributes = {"axis": 1} if op == "Concat" else {}
    return str(net.add(op, image(net, batch, side), image(net, batch, side), **attributes))


def rectified(net: Net, batch: int, side: int) -> str:
    return str(net.add("Relu", image(net, batch, side)))


def pooled(op: str, net: Net, batch: int, side: int) -> str:
    """A 3x3 window at stride 2: four times fewer pixels out, ``side`` of them in."""
    window: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4}
    return str(net.add(op, net.input(batch, CHANNELS, 2 * side, 2 * side), **window))


def normalised(net: Net, batch: int, side: int) -> str:
    variance = net.constant(np.linspace(0.5, 2, CHANNELS))
    return str(net.add("BatchNormalization", image(net, batch, side), *_three(net), variance))


def _three(net: Net) -> list[str]:
    """Scale, bias and mean."""
    return [net.weight(CHANNELS) for _ in range(3)]


MOVES: dict[str, tuple[str, Make]] = {
    "Reshape": (
        "Reshape",
        reshaped,
    ),  # alone, or last, it has to copy; between two nodes it is a new name
    "Transpose + Reshape": ("Transpose", transposed_flat),
    "channel shuffle": ("Transpose", shuffled),
    "Transpose": ("Transpose", transposed),
    "NCHW to NHWC": ("Transpose", to_rows),
    "NHWC to NCHW": ("Transpose", to_planes),
    "Concat": ("Concat", partial(joined, "Concat")),
}
LIGHT: dict[str, tuple[str, Make]] = {
    "Add": ("Add", partial(joined, "Add")),
    "Relu": ("Relu", rectified),
    "MaxPool": ("MaxPool", partial(pooled, "MaxPool")),
    "AveragePool": ("AveragePool", partial(pooled, "AveragePool")),
    "BatchNormalization": ("BatchNormalization", normalised),
}
"""By series: the operation, and how to write it. A new one is one row."""


def single(make: Make, batch: int, side: int) -> Any:
    net = Net()
    return net.model(make(net, batch, side))


def by_side(family: str, table: dict[str, tuple[str, Make]], kind: str) -> Iterator[Layer]:
    for series, (op, make) in table.items():
        for side in SIDES:
            name = f"{series}, {CHANNELS}x{side}x{side}"
            yield Layer(family, name, op, series, side, partial(single, make, BATCH[kind], side))


def network(batch: int, reshapes: int) -> Any:
    """DEPTH convolutions 3x3 with ReLU; after each of the first ``reshapes``, rows and columns are
    exchanged.

    Each exchange is one node that moves its bytes once, and the convolution after it keeps a
    runtime from merging two.
    """
    net = Net()
    x = net.input(batch, THIN, SIDE, SIDE)
    for at in range(DEPTH):
        x = str(net.add("Relu", net.conv(x, THIN, THIN, 3)))
        x = str(net.add("Transpose", x, perm=[0, 1, 3, 2])) if at < reshapes else x
    return net.model(x)


def by_reshapes(kind: str) -> Iterator[Layer]:
    for reshapes in range(DEPTH):
        name = f"{DEPTH} convs 3x3, {THIN} channels, {SIDE}x{SIDE}, {reshapes} reshapes"
        make = partial(network, BATCH[kind], reshapes)
        yield Layer("reshapes", name, "Conv", f"{DEPTH} convs 3x3", reshapes, make, by_node=True)


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
    "reshapes": Family(
        "What do reshapes that copy do to a network?",
        "reshapes in the network",
        by_reshapes,
        FLOATS,
    ),
}
