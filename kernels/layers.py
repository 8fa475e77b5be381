"""The layers we time ourselves, by family: one family is one picture. A new family is one row in its module's table.

Each layer is a small ONNX model, written in FP32 and converted by ``kernels.layer_precision`` to what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from kernels.layer_families import Family, Layer
from kernels.layer_families_conv import CONVOLUTIONS
from kernels.layer_families_image import IMAGES
from kernels.layer_families_matrix import MATRICES
from kernels.layer_families_movement import MOVEMENTS
from kernels.layer_families_precision import PRECISIONS

__all__ = ["FAMILIES", "Family", "Layer"]

FAMILIES: Mapping[str, Family] = {**CONVOLUTIONS, **MATRICES, **MOVEMENTS, **IMAGES, **PRECISIONS}
