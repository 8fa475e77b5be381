"""Trained networks that come inside packages, and inputs for them: what a claim of accuracy needs.

Two networks of rapidocr (Apache 2.0) read words that are rendered here, with the fonts of
matplotlib. Nothing is downloaded.
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


NEEDED = ("onnx", "onnxruntime", "onnxslim", "PIL", "rapidocr")
"""Modules without which the networks cannot be read, or their inputs rendered."""
EXTRA = "pip install -e '.[lessons]'"


def missing() -> str:
    """Why the networks cannot be run here, or nothing."""
    absent = [name for name in NEEDED if find_spec(name) is None]
    if not absent:
        return ""
    return f"{absent[0]} is not installed: {EXTRA}"


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
