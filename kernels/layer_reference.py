"""What a layer should answer, by another program than the one that is timed.

That is ONNX's own definitions in NumPy where they are quick enough, else the CPU provider with every optimisation off.
A library that is wrong itself is no fault of the layer: what it may be wrong in is an Appeal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kernels import layer_saturation
from kernels.base import Appeal
from kernels.layer_data import Feeds, feeds, flat
from kernels.layer_runtime import EXACT, PLAIN, answers

NUMPY_FLOPS = 3e7
"""Operations up to which ONNX's definitions answer within some tenths of a second."""
UNSUITED = frozenset(
    ("Resize", "Upsample", "GridSample", "AffineGrid", "NonMaxSuppression", "RoiAlign", "MaxPool", "AveragePool", "LRN")
) | {"Erf", "Gelu"}
"""Operations whose definition in NumPy is a loop over elements."""
NUMPY_OPSET = 14
"""The first whose definitions are those in NumPy: before it Softmax flattened (13), BatchNormalization trained (14)."""


def expected(model: Any, given: Feeds, flops: float) -> list[np.ndarray]:
    """The outputs of ``model``, in FP32 or integers, by another program than the one that is timed."""
    ops = {node.op_type for node in model.graph.node}
    opset = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    if flops <= NUMPY_FLOPS and opset >= NUMPY_OPSET and not ops & UNSUITED:
        try:
            return _by_definition(model, given)
        except Exception:  # an operation it does not know, or a type: each version has its own
            pass
    saturated = layer_saturation.multiplies_integers(model) and layer_saturation.saturates()
    return answers(model, given, EXACT if saturated else PLAIN)


def _by_definition(model: Any, given: Feeds) -> list[np.ndarray]:
    import onnx.reference

    answered: Any = onnx.reference.ReferenceEvaluator(model).run(None, dict(given))
    return [np.asarray(array) for array in answered]


def appeals(model: Any, found: np.ndarray, right: np.ndarray, flops: float) -> Iterator[Appeal]:
    """Why the answer ``found`` of ``model`` on the CPU may differ from ``right``, its reference.

    Where products of bytes saturate: the runtime answers the same when nobody times it, and answers right without that,
    or on weights that are too small for it.
    """
    if not (layer_saturation.saturates() and layer_saturation.holds_bytes(model)):
        return
    given = feeds(model)
    deployed = flat(answers(model, given))
    if layer_saturation.stores_bytes(model):
        without = (flat(answers(model, given, EXACT)), right)
    else:
        tame, fed = layer_saturation.tame(model, given)
        without = (flat(answers(tame, fed)), flat(expected(tame, fed, flops)))
    yield Appeal(layer_saturation.FAULT, layer_saturation.words, [(found, deployed), without])
