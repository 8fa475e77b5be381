"""Trained networks and labelled data that come inside packages, for tests that claim accuracy.

Two networks of rapidocr (Apache 2.0) with words that are rendered here, and a network of
scikit-learn's digits that is trained in seconds.
"""

from __future__ import annotations

import string
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT, DIRECTION_WIDTH, LINE_WIDTH = 48, 192, 320
"""Pixels, as rapidocr feeds its networks."""
FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")
"""Files of matplotlib."""
LETTERS = string.ascii_letters + string.digits
DIRECTION = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"
"""Says whether a word is upside down: class 1 is turned by 180 degrees."""
RECOGNISER = "PP-OCRv6_rec_small.onnx"
"""Reads a line: at each position a class of 18710, of which 0 is no character."""


def missing() -> str:
    """The package that is not installed, or nothing."""
    needed = ("onnx", "onnxruntime", "matplotlib", "PIL", "rapidocr", "sklearn")
    return next((name for name in needed if find_spec(name) is None), "")


def direction_path() -> Path:
    """The file of the direction classifier: its input is n x 3 x 48 x 192, its output n x 2."""
    return _rapidocr() / DIRECTION


def recogniser_path() -> Path:
    """The file of the recogniser: its input is n x 3 x 48 x width, its output n x t x 18710."""
    return _rapidocr() / RECOGNISER


def _rapidocr() -> Path:
    spec = find_spec("rapidocr")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "models"


def bound(path: Path, *shape: int) -> Any:
    """The network in a file, as a ModelProto whose only input has this shape."""
    import onnx

    model = onnx.load(path)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    for dim, size in zip(dims, shape, strict=True):
        dim.Clear()
        dim.dim_value = size
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    model.graph.ClearField("value_info")
    return onnx.shape_inference.infer_shapes(model)


def direction_data(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``n`` rendered words, some of them upside down: inputs n x 3 x 48 x 192, labels n."""
    random = np.random.default_rng(seed)
    inputs = np.zeros((n, 3, HEIGHT, DIRECTION_WIDTH), np.float32)
    labels = random.integers(0, 2, n)
    for index in range(n):
        word = _random_text(random, int(random.integers(3, 11)))
        pixels = _rendered(word, random)
        if labels[index]:
            pixels = pixels[::-1, ::-1]
        inputs[index] = _normalised(pixels, DIRECTION_WIDTH)
    return inputs, labels


def recogniser_data(n: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """``n`` rendered lines: inputs n x 3 x 48 x 320, and what they say."""
    random = np.random.default_rng(seed)
    inputs = np.zeros((n, 3, HEIGHT, LINE_WIDTH), np.float32)
    lines = []
    for index in range(n):
        line = _random_text(random, int(random.integers(6, 13)))
        inputs[index] = _normalised(_rendered(line, random), LINE_WIDTH)
        lines.append(line)
    return inputs, lines


def _random_text(random: np.random.Generator, length: int) -> str:
    return "".join(random.choice(list(LETTERS), length))


@cache
def _font(name: str, size: int) -> Any:
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name, size)


def _rendered(text: str, random: np.random.Generator) -> np.ndarray:
    """A text as grey pixels 0..255: of any font and size, on any lighter or darker ground."""
    from PIL import Image, ImageDraw

    font = _font(str(random.choice(FONTS)), int(random.integers(18, 37)))
    left, top, right, bottom = (int(end) for end in font.getbbox(text))
    margins = random.integers(1, 8, 2)
    paper, ink = int(random.integers(150, 256)), int(random.integers(0, 100))
    if random.random() < 0.3:
        paper, ink = ink, paper
    size = (right - left + 2 * int(margins[0]), bottom - top + 2 * int(margins[1]))
    image = Image.new("L", size, paper)
    corner = (int(margins[0]) - left, int(margins[1]) - top)
    ImageDraw.Draw(image).text(corner, text, fill=ink, font=font)
    noise = random.normal(0, random.uniform(0, 20), image.size[::-1])
    return np.clip(np.asarray(image, np.float32) + noise, 0, 255)


def _normalised(pixels: np.ndarray, width: int) -> np.ndarray:
    """Pixels at the network's height, (x / 255 - 0.5) / 0.5, then zeros to this width."""
    from PIL import Image

    height, old_width = pixels.shape
    new_width = min(width, round(old_width * HEIGHT / height))
    image = Image.fromarray(pixels.astype(np.uint8))
    resized = image.resize((new_width, HEIGHT), Image.Resampling.BILINEAR)
    canvas = np.zeros((HEIGHT, width), np.float32)
    canvas[:, :new_width] = (np.asarray(resized, np.float32) / 255 - 0.5) / 0.5
    return canvas


@cache
def digits_data() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits: inputs 1797 x 64 within 0..1, labels 1797."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.data / 16).astype(np.float32), np.asarray(digits.target)


TRAINED_ON = 897
"""The first digits train the network; the others are unseen."""


@cache
def _digits_layers() -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Weights and bias of each layer, trained in a second."""
    from sklearn.neural_network import MLPClassifier

    inputs, labels = digits_data()
    perceptron = MLPClassifier((48, 32), max_iter=400, random_state=3)
    perceptron.fit(inputs[:TRAINED_ON], labels[:TRAINED_ON])
    pairs = zip(perceptron.coefs_, perceptron.intercepts_, strict=True)
    return tuple((weights.astype(np.float32), bias.astype(np.float32)) for weights, bias in pairs)


def digits_network(batch: int = 1, outlier: float = 0.0) -> Any:
    """A ModelProto of three Gemms that reads a digit: input ``x`` batch x 64, output batch x 10.

    outlier: weights of one more hidden channel, which Relu always makes zero: no answer changes,
    but one scale for all weights gets coarse.
    """
    import onnx
    from onnx import helper, numpy_helper

    layers = [[weights.copy(), bias.copy()] for weights, bias in _digits_layers()]
    if outlier:
        weights, bias = layers[0]
        # no digit has a pixel below zero
        layers[0][0] = np.column_stack([weights, np.full(len(weights), -outlier, np.float32)])
        layers[0][1] = np.append(bias, np.float32(0))
        layers[1][0] = np.vstack([layers[1][0], np.zeros(layers[1][0].shape[1], np.float32)])
    nodes, stored = [], []
    tensor = "x"
    for place, (weights, bias) in enumerate(layers):
        is_last = place == len(layers) - 1
        stored.append(numpy_helper.from_array(weights, f"w{place}"))
        stored.append(numpy_helper.from_array(bias, f"b{place}"))
        result = "scores" if is_last else f"sum{place}"
        reads = [tensor, f"w{place}", f"b{place}"]
        nodes.append(helper.make_node("Gemm", reads, [result], f"gemm_{place}"))
        if not is_last:
            tensor = f"hidden{place}"
            nodes.append(helper.make_node("Relu", [result], [tensor], f"relu_{place}"))
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 64])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, [batch, 10])],
        stored,
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    return onnx.shape_inference.infer_shapes(model)
