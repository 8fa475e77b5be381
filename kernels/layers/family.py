"""The nouns of the layers we time: a Layer is one point of a picture, a Family is the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

BATCH = {"cpu": 1, "cuda": 16}
"""Images (or sequences) at once: what fills the device without making a layer slow to time."""
FP32 = {"cpu": ("fp32",), "cuda": ("fp32", "fp16")}
"""Layers of no products: TF32 is only about those."""
FLOATS = {"cpu": ("fp32",), "cuda": ("fp32", "tf32", "fp16")}
PRODUCTS = {"cpu": ("fp32", "int8"), "cuda": ("fp32", "tf32", "fp16", "int8")}
"""Of matrix products, which have an integer kernel on both."""


@dataclass(frozen=True)
class Layer:
    """One layer to time: a point of its family's picture.

    family: a key of FAMILIES. name: unique within it, to read. op: the ONNX operation that gives
    the layer its name. series: the curve it belongs to. x: its place on that curve. make() ->
    onnx.ModelProto in FP32. fixed: the type of a layer whose model is of that type already and is
    not to be converted. dtypes: precisions worth asking; () = the family's. by_node: a network in
    small, whose traffic is that of its operations one after another, not its border's.
    """

    family: str
    name: str
    op: str
    series: str
    x: float
    make: Callable[[], Any]
    fixed: str = ""
    dtypes: tuple[str, ...] = ()
    by_node: bool = False


@dataclass(frozen=True)
class Family:
    """A picture of layers. question: one line. over: what x is, with its unit. dtypes: worth
    asking, by device kind.

    layers(kind) -> the layers at the sizes that suit a device kind, "cpu" or "cuda".
    """

    question: str
    over: str
    layers: Callable[[str], Iterable[Layer]]
    dtypes: Mapping[str, tuple[str, ...]]
