"""The layers we time ourselves, by family: one family is one picture.

Each layer is a small ONNX model, written in FP32 and converted by ``kernels.precision.convert`` to
what is asked. A new family is one row in the table of its module.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernels.layers.conv import CONVOLUTIONS
from kernels.layers.family import Family, Layer
from kernels.layers.image import IMAGES
from kernels.layers.integers import INTEGERS
from kernels.layers.matrix import MATRICES
from kernels.layers.movement import MOVEMENTS
from kernels.layers.precision import PRECISIONS
from kernels.layers.pruned import PRUNED

__all__ = ["FAMILIES", "Family", "Layer"]

FAMILIES: Mapping[str, Family] = {
    **CONVOLUTIONS,
    **MATRICES,
    **MOVEMENTS,
    **IMAGES,
    **PRECISIONS,
    **INTEGERS,
    **PRUNED,
}
