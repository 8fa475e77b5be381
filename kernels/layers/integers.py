"""Families of layers in integers beside the same in floats: which gain, and what borders cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from kernels.layers.conv import conv
from kernels.layers.family import BATCH, Family, Layer
from kernels.layers.matrix import fully_connected
from kernels.layers.movement import pooled, rectified, single, summed
from kernels.onnx.graph import graph_of
from kernels.onnx.net import Net
from kernels.precision.apply import applied
from kernels.precision.ranges import ranges
from kernels.precision.stages import INT8, stages

DEPTH = 8
"""Convolutions of the chain of the family "islands"."""
SIDE = 56
"""Pixels of a side of its images."""
WIDTHS = (16, 24, 32, 64)
"""Channels of its images."""
FORM = {"cpu": "u8s8", "cuda": "s8s8"}
"""Of INT8, by device kind: see kernels.precision.quantize.FORMS."""


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


def chain(batch: int, channels: int) -> Any:
    """DEPTH convolutions 1x1 with ReLU, one after the other."""
    net = Net()
    x = net.input(batch, channels, SIDE, SIDE)
    for _ in range(DEPTH):
        x = net.conv(x, channels, channels, 1)
        x = net.add("Relu", x)
    return net.model(x)


def with_islands(batch: int, channels: int, form: str, step: int) -> Any:
    """The chain with every ``step``-th convolution in INT8; its ends are floats."""
    model = chain(batch, channels)
    all_stages = stages(graph_of(model))
    precisions = {stage.name: INT8 for stage in all_stages[step - 1 :: step]}
    # ranges of one image do for all of a batch
    return applied(model, all_stages, precisions, ranges(chain(1, channels)), form=form)


ALL, EVERY_SECOND = "all in INT8", "every second in INT8"
IN_FLOATS = "all in floats"


def by_width(kind: str) -> Iterator[Layer]:
    """The chain in floats, in INT8, and in INT8 and floats by turns, so that Q/DQ stand between."""
    batch = BATCH[kind]
    form = FORM[kind]
    for channels in WIDTHS:
        name = f"{DEPTH} convs 1x1, {channels} channels, {SIDE}x{SIDE}"
        make = partial(chain, batch, channels)
        yield Layer("islands", f"{name}, {IN_FLOATS}", "Conv", IN_FLOATS, channels, make)
        for series, step in ((ALL, 1), (EVERY_SECOND, 2)):
            make = partial(with_islands, batch, channels, form, step)
            yield Layer(
                "islands", f"{name}, {series}", "Conv", series, channels, make, fixed="int8"
            )


INTEGERS = {
    "integers": Family(
        "Which layers does INT8 speed up, and which does it slow down?",
        "layer",
        by_kind,
        {"cpu": ("fp32", "int8"), "cuda": ("fp16", "int8")},
    ),
    "islands": Family(
        "What do Q/DQ between floats cost?",
        "channels",
        by_width,
        {"cpu": ("fp32",), "cuda": ("fp16",)},
    ),
}
