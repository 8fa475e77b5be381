"""Images of a folder as the numbers that a network takes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from probes.records import given
from probes.records.measurement import RidgelineError

ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp"))
NCHW, NHWC = "nchw", "nhwc"
RGB, BGR = "rgb", "bgr"
LAYOUTS, ORDERS = (NCHW, NHWC), (RGB, BGR)
CHANNELS = (1, 3)
"""Grey, and colours."""
MODES: Mapping[int, str] = {1: "L", 3: "RGB"}
"""How pillow calls them."""
WIDE_MODES = ("I", "F")
"""How pillow's names of images begin whose pixels have more than 8 bits."""
EXAMPLE = "size=224x224,mean=123.7:116.3:103.5,scale=0.0171:0.0175:0.0174,layout=nchw,order=rgb"


@dataclass(frozen=True)
class Preprocessing:
    """What is done to pixels: value = (pixel - mean) · scale, of pixels 0..255."""

    size: tuple[int, int] | None = None
    """Height and width, to which an image is stretched; None is that of the network's input."""
    mean: tuple[float, ...] = (0.0,)
    """One number, or one a channel in the order that is fed."""
    scale: tuple[float, ...] = (1.0,)
    """Likewise."""
    layout: str = ""
    """``nchw`` or ``nhwc``; empty is where the network's input has one or three channels."""
    order: str = RGB
    """``rgb`` or ``bgr``."""


def preprocessing(text: str) -> Preprocessing:
    """What the command line gives: ``size=224x224,mean=123.7:116.3:103.5,...``, any part of it.

    Raises ArgumentTypeError that names the part.
    """
    parts: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if name in parts:
            raise argparse.ArgumentTypeError(f"{name} is given twice in {text!r}")
        try:
            parts[name] = _PARSERS[name](value.strip())
        except (KeyError, ValueError):
            what = f"{part!r}" if name in _PARSERS and equals else f"{part!r} is not known:"
            raise argparse.ArgumentTypeError(f"{what}: write it as in {EXAMPLE}") from None
    return Preprocessing(**parts)


def _size(text: str) -> tuple[int, int]:
    height, width = text.split("x")
    if int(height) < 1 or int(width) < 1:
        raise ValueError
    return int(height), int(width)


def _numbers(text: str) -> tuple[float, ...]:
    numbers = tuple(float(number) for number in text.split(":"))
    if len(numbers) not in CHANNELS or not np.isfinite(numbers).all():
        raise ValueError
    return numbers


def _one_of(names: Sequence[str], text: str) -> str:
    if text.lower() not in names:
        raise ValueError
    return text.lower()


_PARSERS: Mapping[str, Any] = {
    "size": _size,
    "mean": _numbers,
    "scale": _numbers,
    "layout": lambda text: _one_of(LAYOUTS, text),
    "order": lambda text: _one_of(ORDERS, text),
}


class Images:
    """Images of a folder and its folders, sorted by path, as rows for a network's input.

    Raises RidgelineError if there are none, or the network takes no images.
    """

    def __init__(
        self,
        folder: Path,
        wanted: Preprocessing,
        dims: Sequence[int | str],
        dtype: np.dtype[Any],
    ) -> None:
        """dims: of the network's input, a text where one is open; dtype: its type."""
        _check_pillow()
        self._folder = folder
        self.names = _image_names(folder)
        """Paths below the folder, with ``/``."""
        if not self.names:
            raise RidgelineError(
                f"{folder} holds no images: put {', '.join(sorted(ENDINGS))} there, or give .npz"
            )
        self._layout = wanted.layout or _layout(dims, folder)
        self._channels = _channels(dims, self._layout, folder)
        self._size = wanted.size or _size_of(dims, self._layout, folder)
        self._order = wanted.order
        self._mean = _spread(wanted.mean, self._channels, "mean")
        self._scale = _spread(wanted.scale, self._channels, "scale")
        height, width = self._size
        is_planar = self._layout == NCHW
        self.shape: tuple[int, ...] = (height, width, self._channels)
        """Of one image, as it is fed."""
        if is_planar:
            self.shape = (self._channels, height, width)
        self.dtype = dtype
        """Type of the numbers."""
        self.labels = _folder_labels(self.names)
        """The class that the folder of each image names; None where one lies in no folder."""

    def __len__(self) -> int:
        return len(self.names)

    def row(self, index: int) -> np.ndarray:
        """One image. Raises RidgelineError if it cannot be read."""
        from PIL import Image

        path = self._folder / self.names[index]
        try:
            with Image.open(path) as image:
                if image.mode.startswith(WIDE_MODES):
                    raise RidgelineError(
                        f"{path} has more than 8 bits a pixel: store it with 8, or give .npz"
                    )
                plain = image.convert(MODES[self._channels])
        except RidgelineError:
            raise
        except Exception as error:  # pillow's decoders raise types of their own
            why = given.shortened(" ".join(str(error).split()))
            raise RidgelineError(
                f"{path} is no image that can be read: {why}: leave it out or mend it"
            ) from None
        height, width = self._size
        if plain.size != (width, height):
            plain = plain.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.asarray(plain, np.float32).reshape(height, width, self._channels)
        if self._order == BGR:
            pixels = pixels[:, :, ::-1]
        values = (pixels - self._mean) * self._scale
        if self._layout == NCHW:
            values = values.transpose(2, 0, 1)
        if self.dtype.kind in "iu":
            values = np.rint(values)
            limits = np.iinfo(self.dtype)
            if values.min() < limits.min or values.max() > limits.max:
                raise RidgelineError(
                    f"{path}: its values do not fit {self.dtype}, which the network takes: give "
                    "another mean and scale"
                )
        return np.ascontiguousarray(values, self.dtype)

    def all(self) -> np.ndarray:
        """All of them at once."""
        return np.stack([self.row(index) for index in range(len(self))])


def _check_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise RidgelineError(
            "images need pillow: pip install pillow, or give the inputs as .npz"
        ) from None


def _image_names(folder: Path) -> list[str]:
    paths = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _folder_labels(names: Sequence[str]) -> np.ndarray | None:
    """Classes that folders name: whole numbers are classes themselves; others are counted, sorted.

    None where an image lies in no folder.
    """
    folders = [name.split("/")[0] if "/" in name else "" for name in names]
    if not all(folders):
        return None
    distinct = sorted(set(folders))
    if all(name.isdecimal() for name in distinct):
        return np.array([int(name) for name in folders], np.int64)
    class_of = {name: place for place, name in enumerate(distinct)}
    return np.array([class_of[name] for name in folders], np.int64)


def _layout(dims: Sequence[int | str], folder: Path) -> str:
    """Where the channels of an input of these dimensions lie."""
    if len(dims) == 4 and dims[1] in CHANNELS:
        return NCHW
    if len(dims) == 4 and dims[3] in CHANNELS:
        return NHWC
    if len(dims) == 4 and not isinstance(dims[1], int):
        return NCHW
    raise RidgelineError(
        f"{folder} is a folder of images, and the network's input is no image: give an .npz"
    )


def _channels(dims: Sequence[int | str], layout: str, folder: Path) -> int:
    place = 1 if layout == NCHW else 3
    channels = dims[place] if len(dims) == 4 else 0
    if isinstance(channels, str):
        return 3
    if channels not in CHANNELS:
        raise RidgelineError(
            f"{folder}: the network's input has no 1 or 3 channels in {layout}: give another "
            "layout, or an .npz"
        )
    return channels


def _size_of(dims: Sequence[int | str], layout: str, folder: Path) -> tuple[int, int]:
    height, width = dims[2:4] if layout == NCHW else dims[1:3]
    if isinstance(height, str) or isinstance(width, str):
        raise RidgelineError(
            f"{folder}: the network takes images of any size: give one, size=HEIGHTxWIDTH"
        )
    return height, width


def _spread(numbers: tuple[float, ...], channels: int, what: str) -> np.ndarray:
    """One number for each channel."""
    if len(numbers) not in (1, channels):
        raise RidgelineError(
            f"{what} has {len(numbers)} numbers for {channels} channel: give one, or one a channel"
        )
    return np.broadcast_to(np.array(numbers, np.float32), (channels,))
