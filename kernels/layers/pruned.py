"""Families of layers that were pruned: whole channels, and single weights that became zero."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from kernels.layers.conv import conv
from kernels.layers.family import BATCH, Family, Layer
from kernels.onnx.net import PERIOD, SEED, Net

CHANNELS = {
    "cpu": (40, 44, 48, 52, 56, 57, 60, 64),
    "cuda": (80, 88, 96, 104, 113, 120, 128),
}
"""Channels that are left, by device kind: multiples of 8, and others."""
SIDE = 28
"""Pixels of a side of the images."""
ROWS = {"cpu": 128, "cuda": 4096}
"""Of the activations of a product."""
WIDTH = {"cpu": 1024, "cuda": 2048}
"""Of its weights, which are square."""
ZEROS = (0, 50, 75, 90, 95, 98, 99)
"""Share of the weights that are zero, in percent."""
DENSE, SPARSE = "dense product", "zeros left out (CSR)"


def by_channels(kind: str) -> Iterator[Layer]:
    for c in CHANNELS[kind]:
        name = f"conv 3x3, {c} to {c}, {SIDE}x{SIDE}"
        make = partial(conv, BATCH[kind], c, c, SIDE, 3)
        yield Layer("pruned", name, "Conv", "Conv 3x3", c, make)


def weights_with_zeros(width: int, zeros: int) -> np.ndarray:
    """Square weights in FP32, (width, width), of which ``zeros`` percent are zero at random.

    They repeat after PERIOD numbers, as all weights here do.
    """
    random = np.random.default_rng(SEED)
    weights = random.standard_normal(PERIOD, dtype=np.float32) / np.float32(width**0.5)
    weights[random.permutation(PERIOD) < PERIOD * zeros // 100] = 0
    return np.resize(weights, (width, width))


def with_zeros(rows: int, width: int, zeros: int) -> Any:
    """A product of (rows, width) activations with weights some of which are zero."""
    net = Net()
    x = net.input(rows, width)
    return net.model(net.add("MatMul", x, net.constant(weights_with_zeros(width, zeros))))


def by_zeros(kind: str) -> Iterator[Layer]:
    rows, width = ROWS[kind], WIDTH[kind]
    for zeros in ZEROS:
        name = f"matmul {rows}x{width}x{width}, {zeros} % zeros"
        make = partial(with_zeros, rows, width, zeros)
        yield Layer("zeros", name, "MatMul", DENSE, zeros, make)


PRUNED = {
    "pruned": Family(
        "How many channels must go before a convolution gets faster?",
        "channels left",
        by_channels,
        {"cpu": ("fp32", "int8"), "cuda": ("fp16",)},
    ),
    "zeros": Family(
        "What do single weights that are zero save?",
        "zeros among the weights (%)",
        by_zeros,
        {"cpu": ("fp32",), "cuda": ("fp16",)},
    ),
}
