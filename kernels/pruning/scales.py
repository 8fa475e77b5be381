"""The scales of normalisations that a runtime merges into the layers before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto


def scales_of(model: ModelProto) -> dict[str, np.ndarray]:
    """The scale of each channel that a BatchNormalization after a layer leaves.

    model: before it was cleaned. The key is the name of what the normalisation leaves, which the
    layer itself leaves once they are merged.
    """
    import onnx

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {node.output[0]: node for node in model.graph.node}
    scales = {}
    for node in model.graph.node:
        if node.op_type != "BatchNormalization" or node.input[1] not in stored:
            continue
        maker = makers.get(node.input[0])
        if maker is not None and maker.op_type in ("Conv", "ConvTranspose", "Gemm"):
            scales[node.output[0]] = np.asarray(onnx.numpy_helper.to_array(stored[node.input[1]]))
    return scales
