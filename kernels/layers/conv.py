"""Families of convolutions: over kernel size, output size, channels, groups, and split in two."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from kernels.layers.family import BATCH, FLOATS, Family, Layer
from kernels.onnx.net import Net

SIDE = {"cpu": 14, "cuda": 28}
"""Output side of the sweeps up to 512 channels, pixels: two of ResNet's stages."""
CUDA_CHANNELS = (1, 2, 3, 4, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 40, 47, 48, 49, 56, 63, 64)
ALIGNMENTS = {"cpu": (1, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64), "cuda": CUDA_CHANNELS}
"""Channels around multiples of 8 and 16, which tensor cores want; vector units want no more than
16."""


def conv(batch: int, channels: int, out: int, side: int, kernel: int, groups: int = 1) -> Any:
    """A convolution with bias of (batch, channels, side, side) into images of the same size."""
    net = Net()
    x = net.input(batch, channels, side, side)
    return net.model(net.conv(x, channels, out, kernel, groups))


def separable(batch: int, channels: int, side: int) -> Any:
    """A depthwise 3x3 and the pointwise 1x1 after it: what stands in for a dense 3x3."""
    net = Net()
    x = net.conv(net.input(batch, channels, side, side), channels, channels, 3, groups=channels)
    return net.model(net.conv(x, channels, channels, 1))


def by_kernel(kind: str) -> Iterator[Layer]:
    for series, groups in (("dense", 1), ("depthwise", 64)):
        for k in (1, 3, 5, 7, 9, 11):
            name = f"{series} conv {k}x{k}, 64 channels, 56x56"
            make = partial(conv, BATCH[kind], 64, 64, 56, k, groups)
            yield Layer("conv-kernel", name, "Conv", series, k, make)


def by_size(kind: str) -> Iterator[Layer]:
    for k in (1, 3):
        for side in (7, 14, 28, 56, 112):
            series = f"{k}x{k}"
            name = f"conv {k}x{k}, 64 to 64, {side}x{side}"
            make = partial(conv, BATCH[kind], 64, 64, side, k)
            yield Layer("conv-size", name, "Conv", series, side, make)


def by_channels(kind: str) -> Iterator[Layer]:
    side = SIDE[kind]
    for k in (1, 3):
        for c in (8, 16, 32, 64, 128, 256, 512):
            series = f"{k}x{k}"
            name = f"conv {k}x{k}, {c} to {c}, {side}x{side}"
            make = partial(conv, BATCH[kind], c, c, side, k)
            yield Layer("conv-channels", name, "Conv", series, c, make)


def by_groups(kind: str) -> Iterator[Layer]:
    for exponent in range(8):
        groups = 2**exponent
        name = f"conv 3x3, 128 to 128 in groups of {128 // groups}, 28x28"
        make = partial(conv, BATCH[kind], 128, 128, 28, 3, groups)
        yield Layer("conv-groups", name, "Conv", "3x3", groups, make)


def by_split(kind: str) -> Iterator[Layer]:
    batch = BATCH[kind]
    side = SIDE[kind]
    for c in (16, 32, 64, 128, 256, 512):
        name = f"conv 3x3, {c} to {c}, {side}x{side}"
        make = partial(conv, batch, c, c, side, 3)
        yield Layer("separable", name, "Conv", "dense 3x3", c, make)
        name = f"depthwise 3x3 + pointwise 1x1, {c} to {c}, {side}x{side}"
        make = partial(separable, batch, c, side)
        yield Layer("separable", name, "Conv", "depthwise + pointwise", c, make)


def matmul_of_rows(rows: int, inner: int, out: int) -> Any:
    """A product of (rows, inner) activations and (inner, out) weights."""
    net = Net()
    x = net.input(rows, inner)
    return net.model(net.add("MatMul", x, net.weight(inner, out, fan_in=inner)))


def by_alignment(kind: str) -> Iterator[Layer]:
    """As many rows in the product as pixels in the convolution: 28 by 28 of each image."""
    batch = BATCH[kind]
    rows = batch * 28**2
    # On a GPU int8 is for products only: see ``kernels.precision.quantize``.
    conv_dtypes = ("fp16",) if kind == "cuda" else ()
    for c in ALIGNMENTS[kind]:
        name = f"conv 3x3, {c} to {c}, 28x28"
        make = partial(conv, batch, c, c, 28, 3)
        yield Layer("alignment", name, "Conv", "Conv 3x3", c, make, dtypes=conv_dtypes)
        name = f"matmul, {c} to {c}, {rows} rows"
        make = partial(matmul_of_rows, rows, c, c)
        yield Layer("alignment", name, "MatMul", "MatMul", c, make)


CONVOLUTIONS = {
    "conv-kernel": Family(
        "How does the kernel size move a convolution?", "kernel size (pixels)", by_kernel, FLOATS
    ),
    "conv-size": Family(
        "How does the image size move a convolution?", "output side (pixels)", by_size, FLOATS
    ),
    "conv-channels": Family(
        "How does the number of channels move a convolution?", "channels", by_channels, FLOATS
    ),
    "conv-groups": Family(
        "What happens between a dense and a depthwise convolution?", "groups", by_groups, FLOATS
    ),
    "separable": Family(
        "What does a 3x3 gain by being split into depthwise and pointwise?",
        "channels",
        by_split,
        FLOATS,
    ),
    "alignment": Family(
        "Which channel counts leave the fast units idle?",
        "channels",
        by_alignment,
        {"cpu": ("fp32", "int8"), "cuda": ("fp16", "int8")},
    ),
}
