"""What programs do around a network on the host: a photograph to its input, its output to answers.

Each step is one function of an array of the step before; here are their inputs and references, in
NumPy. How Pillow and NumPy do them is in ``host.py``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from kernels.onnx.net import SEED

HEIGHT, WIDTH = 1080, 1920
"""Pixels of a photograph: one frame of 1080p."""
SIDE = 224
"""Pixels of a side of what a classifier takes."""
GRAIN = 16
"""Pixels between the random values that a photograph is interpolated from: an area of one colour is
about as large as in one."""
QUALITY = 90
"""Of the JPEG file."""
MEAN = np.array((0.485, 0.456, 0.406), np.float32)
DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)
"""Of the pixels of ImageNet, by colour: torchvision's documentation."""
CLASSES = 1000
TOP = 5
BOXES = 8400
"""Of a detector of 640 by 640 pixels at strides 8, 16 and 32."""
BOX_CLASSES = 80
"""As COCO has."""
CANDIDATES = 1000
"""Boxes of the best scores that are held against each other."""
OVERLAP = 0.5
"""Intersection over union from which on two boxes are one."""

DECODE, RESIZE, NORMALISE = "decode", "resize", "normalise"
CLASSIFY, SUPPRESS = "softmax-top5", "nms"
BEFORE = (DECODE, RESIZE, NORMALISE)
"""From a JPEG file to the input of a classifier, in order."""
AFTER = (CLASSIFY, SUPPRESS)
"""From the output of a classifier, and from that of a detector, to answers."""
TOLERANCE = {DECODE: 0.15, RESIZE: 0.012, NORMALISE: 1e-5, CLASSIFY: 1e-5, SUPPRESS: 0.0}
"""Largest difference from the reference, as a share of its largest number: what JPEG loses of
colours, three steps of 255 by Pillow's rounding, and the last bits of FP32."""


@cache
def photograph() -> np.ndarray:
    """Pixels (HEIGHT, WIDTH, 3), uint8: smooth random areas with some noise."""
    random = np.random.default_rng(SEED)
    coarse = random.integers(20, 236, (HEIGHT // GRAIN + 2, WIDTH // GRAIN + 2, 3))
    rows = np.arange(HEIGHT) / GRAIN
    columns = np.arange(WIDTH) / GRAIN
    smooth = _between(_between(coarse.astype(np.float32), rows, 0), columns, 1)
    noise = 2 * random.standard_normal(smooth.shape, dtype=np.float32)
    return np.clip(np.rint(smooth + noise), 0, 255).astype(np.uint8)


def _between(values: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values at broken places along an axis, by linear interpolation."""
    lower = places.astype(int)
    shape = [1] * values.ndim
    shape[axis] = -1
    share = (places - lower).reshape(shape).astype(np.float32)
    below = values.take(lower, axis)
    above = values.take(lower + 1, axis)
    return below + share * (above - below)


def halves(size: int, new_size: int) -> np.ndarray:
    """Weights (new_size, size) of a bilinear resize that averages what it leaves out.

    A triangle about each new pixel, as wide as the old pixels that it stands for.
    """
    scale = size / new_size
    centres = (np.arange(new_size) + 0.5) * scale
    distances = np.abs(np.arange(size) + 0.5 - centres[:, None]) / max(scale, 1.0)
    weights = np.clip(1 - distances, 0, None)
    return weights / weights.sum(1, keepdims=True)


@cache
def resized() -> np.ndarray:
    """The photograph at SIDE by SIDE, uint8."""
    rows = photograph().reshape(HEIGHT, -1).astype(np.float32)
    fewer_rows = halves(HEIGHT, SIDE).astype(np.float32) @ rows
    small = halves(WIDTH, SIDE) @ fewer_rows.reshape(SIDE, WIDTH, -1)
    return np.clip(np.rint(small), 0, 255).astype(np.uint8)


def normalised() -> np.ndarray:
    """The input of a classifier, (1, 3, SIDE, SIDE)."""
    pixels = resized().astype(np.float64) / 255
    planes = ((pixels - MEAN) / DEVIATION).transpose(2, 0, 1)
    return planes[None]


@cache
def logits() -> np.ndarray:
    """Scores of CLASSES classes, FP32."""
    return np.random.default_rng(SEED).normal(0, 3, CLASSES).astype(np.float32)


def best_classes() -> np.ndarray:
    """The TOP best classes and their probabilities, (2, TOP)."""
    scores = logits().astype(np.float64)
    powers = np.exp(scores - scores.max())
    shares = powers / powers.sum()
    best = np.argsort(-shares)[:TOP]
    return np.stack([best, shares[best]])


@cache
def detections() -> tuple[np.ndarray, np.ndarray]:
    """Boxes (BOXES, 4) as left, top, right, bottom, and scores (BOXES, BOX_CLASSES), FP32.

    Boxes stand in heaps, as those of a detector do.
    """
    random = np.random.default_rng(SEED)
    heaps = random.uniform(0, 600, (60, 2))
    corners = heaps[random.integers(0, len(heaps), BOXES)] + random.normal(0, 6, (BOXES, 2))
    sizes = random.uniform(30, 60, (BOXES, 2))
    boxes = np.concatenate([corners, corners + sizes], 1).astype(np.float32)
    scores = random.random((BOXES, BOX_CLASSES), dtype=np.float32)
    return boxes, scores


def kept_boxes() -> np.ndarray:
    """1 for each box that stays, of all BOXES, else 0: each is held against each."""
    boxes, scores = detections()
    best = np.argsort(-scores.max(1), kind="stable")[:CANDIDATES]
    overlaps = overlaps_of(boxes[best].astype(np.float64))
    kept: list[int] = []
    for candidate in range(CANDIDATES):
        if (overlaps[candidate, kept] < OVERLAP).all():
            kept.append(candidate)
    is_kept = np.zeros(BOXES)
    is_kept[best[kept]] = 1
    return is_kept


def overlaps_of(boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of each of these boxes with each, (n, n)."""
    low = np.maximum(boxes[:, None, :2], boxes[:, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    inner = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(inner / (areas[:, None] + areas - inner))


def reference(step: str, dtype: str, repeat: int, **_: Any) -> np.ndarray:
    """What a step must answer, in NumPy."""
    if step == DECODE:
        return photograph().astype(np.float64)
    if step == RESIZE:
        return resized().astype(np.float64)
    if step == NORMALISE:
        return normalised()
    if step == CLASSIFY:
        return best_classes()
    return kept_boxes()
