"""The family of what stands before and after a network.

That is resize, letterbox, normalise and warp, then decode boxes and suppress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from kernels.layers.family import BATCH, FP32, Family, Layer
from kernels.onnx.net import Net

SIDES = {"cpu": (160, 320, 640), "cuda": (160, 320, 640)}
"""Side of the network's input, pixels; multiples of 32."""
STRIDES = (8, 16, 32)
"""Of the three grids of a YOLO detector, pixels."""
CLASSES = 80
"""Of COCO."""
BOXES_LEFT = 100
"""Boxes left by suppression."""
BGR_MEAN = (103.53, 116.28, 123.675)
BGR_DEVIATION = (57.375, 57.12, 58.395)
"""Of ImageNet's training images on the scale 0 to 255, as torchvision normalises with, channels in
the order BGR."""
FLOAT = 1
"""TensorProto.FLOAT."""
GRAY = 114 / 255


def _resized(net: Net, x: str, height: int, width: int) -> str:
    sizes = net.constant([height, width], "int64")
    return net.add("Resize", x, "", "", sizes, axes=[2, 3], mode="linear")


def resize(batch: int, side: int) -> Any:
    """Bilinear resize of (batch, 3, side, side), from half as large again."""
    net = Net()
    x = net.input(batch, 3, side * 3 // 2, side * 3 // 2)
    return net.model(_resized(net, x, side, side))


def letterbox(batch: int, side: int) -> Any:
    """A 4:3 image of twice the width, resized to fit and padded with gray to a square."""
    net = Net()
    height = side * 3 // 4
    bar = side // 8
    x = _resized(net, net.input(batch, 3, 2 * height, 2 * side), height, side)
    pads = net.constant([0, 0, bar, 0, 0, 0, bar, 0], "int64")
    return net.model(net.add("Pad", x, pads, net.constant(GRAY), mode="constant"))


def normalise(batch: int, side: int) -> Any:
    """From a camera's uint8 BGR pixels, (batch, side, side, 3), to normalised RGB planes."""
    net = Net()
    x = net.add("Cast", net.input(batch, side, side, 3, dtype="uint8"), to=FLOAT)
    shifted = net.add("Sub", x, net.constant(BGR_MEAN))
    scaled = net.add("Mul", shifted, net.constant(1 / np.array(BGR_DEVIATION)))
    rgb = net.add("Gather", scaled, net.constant([2, 1, 0], "int64"), axis=3)
    return net.model(net.add("Transpose", rgb, perm=[0, 3, 1, 2]))


def warp(batch: int, side: int) -> Any:
    """Bilinear sampling at the grid of an affine matrix, (batch, 2, 3), the second input."""
    net = Net()
    image = net.input(batch, 3, side, side)
    matrix = net.input(batch, 2, 3)
    grid = net.add("AffineGrid", matrix, net.constant([batch, 3, side, side], "int64"))
    return net.model(net.add("GridSample", image, grid, mode="linear"))


def boxes(side: int) -> int:
    """How many boxes a detector with one anchor a cell gives for an image of this side."""
    return sum((side // stride) ** 2 for stride in STRIDES)


def decode(batch: int, side: int) -> Any:
    """Centres from their cell's corner, sizes from their logarithm, scores from their logit.

    YOLOX decodes so.
    """
    net = Net()
    x = net.input(batch, boxes(side), 5 + CLASSES)
    parts = net.constant([2, 2, 1 + CLASSES], "int64")
    centre, size, scores = net.add_several("Split", x, parts, outputs=3, axis=2)
    corner, stride = (net.constant(values) for values in cells(side))
    centre = net.add("Mul", net.add("Add", centre, corner), stride)
    size = net.add("Mul", net.add("Exp", size), stride)
    return net.model(net.add("Concat", centre, size, net.add("Sigmoid", scores), axis=2))


def cells(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of every cell, (1, boxes, 2), and its stride, (1, boxes, 1)."""
    corners = []
    strides = []
    for stride in STRIDES:
        rows_and_columns = np.indices((side // stride, side // stride)).reshape(2, -1)
        corners.append(rows_and_columns[::-1].T)
        strides.append(np.full((rows_and_columns.shape[1], 1), stride))
    return np.concatenate(corners)[None], np.concatenate(strides)[None]


def suppress(batch: int, side: int) -> Any:
    """Suppression of one class without a threshold of score.

    Of random boxes BOXES_LEFT are always left, so that the result has one shape.
    """
    net = Net()
    x = net.input(batch, boxes(side), 4)
    scores = net.input(batch, 1, boxes(side))
    most = net.constant([BOXES_LEFT], "int64")
    overlap = net.constant([0.5])
    left = net.add("NonMaxSuppression", x, scores, most, overlap)
    return net.model(left, shapes={left: (BOXES_LEFT * batch, 3)})


class Step(NamedTuple):
    """What is done to images or boxes."""

    series: str
    op: str
    """The operation that gives its layers their name."""
    model: Callable[[int, int], Any]
    """Takes the batch and the side of the network's input."""
    dtypes: tuple[str, ...] = ()
    """Precisions worth asking; () stands for those of the family."""


STEPS = (
    Step("bilinear resize", "Resize", resize),
    Step("letterbox", "Resize", letterbox),
    Step("BGR to RGB, normalise", "Sub", normalise),
    # In FP16, coordinates are off by a third of a pixel at 640.
    Step("affine warp", "GridSample", warp, ("fp32",)),
    Step("box decode", "Concat", decode),
    # ONNX has it in FP32 alone.
    Step("non-maximum suppression", "NonMaxSuppression", suppress, ("fp32",)),
)
"""A new one is one row."""


def by_side(kind: str) -> Iterator[Layer]:
    for step in STEPS:
        for side in SIDES[kind]:
            name = f"{step.series}, {side}x{side}"
            make = partial(step.model, BATCH[kind], side)
            yield Layer("image", name, step.op, step.series, side, make, dtypes=step.dtypes)


IMAGES = {
    "image": Family(
        "What do the steps before and after a network cost?",
        "side of the network's input (pixels)",
        by_side,
        FP32,
    ),
}
