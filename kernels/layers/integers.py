"""Families of layers in integers beside the same in floats: which gain, and what borders cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from kernels.layers.conv import conv
from kernels.layers.family import BATCH, Family, Layer
from kernels.layers.matrix import fully_connected
from kernels.layers.movement import pooled, rectified, single, summed
from kernels.layers.precision import FORM, between_floats
from kernels.onnx.net import Net
from kernels.precision.convert import convert

DEPTHS = (1, 2, 4, 8)
"""Convolutions of the chains of the family "borders"."""
CHANNELS, SIDE = 32, 56
"""Of their images."""


def depthwise(batch: int, channels: int, side: int) -> Any:
    """A 3x3 convolution of each channel by itself."""
    return conv(batch, channels, channels, side, 3, groups=channels)


def scored(batch: int, side: int) -> Any:
    """A Softmax along the rows of an image of 64 channels."""
    net = Net()
    return net.model(net.add("Softmax", net.input(batch, 64, side, side), axis=-1))


class Kind(NamedTuple):
    """A layer that is timed in floats and in INT8."""

    series: str
    op: str
    make: Callable[[int], Any]
    """Takes the batch; returns the ModelProto in FP32."""


KINDS = (
    Kind("conv 3x3, 64 to 64", "Conv", lambda batch: conv(batch, 64, 64, 56, 3)),
    Kind("conv 1x1, 64 to 64", "Conv", lambda batch: conv(batch, 64, 64, 56, 1)),
    Kind("conv 3x3 of 3 colours", "Conv", lambda batch: conv(batch, 3, 16, 112, 3)),
    Kind("depthwise 3x3", "Conv", lambda batch: depthwise(batch, 64, 56)),
    Kind("fc 1024, batch 1", "Gemm", lambda _: fully_connected(1, 1024)),
    Kind("fc 1024, batch 64", "Gemm", lambda _: fully_connected(64, 1024)),
    Kind("Add", "Add", lambda batch: single(summed, batch, 56)),
    Kind("Relu", "Relu", lambda batch: single(rectified, batch, 56)),
    Kind("MaxPool 3x3", "MaxPool", lambda batch: single(partial(pooled, "MaxPool"), batch, 28)),
    Kind(
        "AveragePool 3x3",
        "AveragePool",
        lambda batch: single(partial(pooled, "AveragePool"), batch, 28),
    ),
    Kind("Softmax", "Softmax", lambda batch: scored(batch, 56)),
)
"""A new one is one row."""


def by_kind(kind: str) -> Iterator[Layer]:
    for place, row in enumerate(KINDS, start=1):
        make = partial(row.make, BATCH[kind])
        yield Layer("integers", row.series, row.op, row.series, place, make)


def chain(batch: int, depth: int) -> Any:
    """So many convolutions 1x1 with ReLU, one after the other."""
    net = Net()
    x = net.input(batch, CHANNELS, SIDE, SIDE)
    for _ in range(depth):
        x = net.conv(x, CHANNELS, CHANNELS, 1)
        x = net.add("Relu", x)
    return net.model(x)


def in_integers(make: Callable[[], Any], form: str) -> Any:
    """A model in INT8 from end to end."""
    return convert(make(), "int8", form=form)


def with_float_ends(make: Callable[[], Any], form: str) -> Any:
    """A model in INT8 with floats at its ends."""
    return between_floats(make(), form)


IN_FLOATS, IN_INT8, BETWEEN = "floats", "INT8", "INT8 between Q and DQ"


def by_depth(kind: str) -> Iterator[Layer]:
    """A chain in floats, in INT8 from end to end, and in INT8 with floats at its ends."""
    batch = BATCH[kind]
    form = FORM[kind]
    for depth in DEPTHS:
        in_floats = partial(chain, batch, depth)
        makers: dict[str, Callable[[], Any]] = {
            IN_FLOATS: in_floats,
            IN_INT8: partial(in_integers, in_floats, form),
            BETWEEN: partial(with_float_ends, in_floats, form),
        }
        for series, make in makers.items():
            name = f"{depth} convs 1x1, {CHANNELS} channels, {SIDE}x{SIDE}, {series}"
            fixed = "" if series == IN_FLOATS else "int8"
            yield Layer("borders", name, "Conv", series, depth, make, fixed=fixed)


INTEGERS = {
    "integers": Family(
        "Which layers does INT8 speed up, and which does it slow down?",
        "layer",
        by_kind,
        {"cpu": ("fp32", "int8"), "cuda": ("fp16", "int8")},
    ),
    "borders": Family(
        "What do Q and DQ cost around a chain in INT8?",
        "convolutions in the chain",
        by_depth,
        {"cpu": ("fp32",), "cuda": ("fp16",)},
    ),
}
