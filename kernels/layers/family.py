"""The nouns of the layers we time: a Layer is one point of a picture, a Family is the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BATCH = {"cpu": 1, "cuda": 16}
"""Images (or sequences) at once: what fills the device without making a layer slow to time."""

# The precisions that a family asks for, by device kind.
FP32 = {"cpu": ("fp32",), "cuda": ("fp32", "fp16")}
"""Of layers of no products: TF32 is only about those."""
FLOATS = {"cpu": ("fp32",), "cuda": ("fp32", "tf32", "fp16")}
PRODUCTS = {"cpu": ("fp32", "int8"), "cuda": ("fp32", "tf32", "fp16", "int8")}
"""Of matrix products, which have an integer kernel on both."""


@dataclass(frozen=True)
class Layer:
    """One layer to time: a point of its family's picture."""

    family: str
    """A key of FAMILIES."""
    name: str
    """To read, and unique within the family."""
    op: str
    """The ONNX operation that gives the layer its name."""
    series: str
    """The curve that it belongs to."""
    x: float
    """Its place on that curve."""
    make: Callable[[], Any]
    """Returns the ModelProto, in FP32."""
    fixed: str = ""
    """The type of a layer whose model is of that type already and is not to be converted."""
    dtypes: tuple[str, ...] = ()
    """Precisions worth asking; () stands for those of the family."""
    by_node: bool = False
    """True for a network in small: its traffic is that of its operations one after another, not
    that of its inputs and outputs."""


@dataclass(frozen=True)
class Family:
    """A picture of layers."""

    question: str
    """What the picture answers, in one line."""
    over: str
    """What ``Layer.x`` is, with its unit."""
    layers: Callable[[str], Iterable[Layer]]
    """Takes a device kind, "cpu" or "cuda", and yields the layers at the sizes that suit it."""
    dtypes: Mapping[str, tuple[str, ...]]
    """Precisions worth asking, by device kind."""
