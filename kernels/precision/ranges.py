"""The range of every activation of a model, from one run on known inputs: what INT8 scales are made
of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.settle import settle
from kernels.runtime.door import onnxruntime

if TYPE_CHECKING:
    from onnx import ModelProto

SEED = 21


def ranges(model: ModelProto) -> dict[str, tuple[float, float]]:
    """Least and largest value of every float tensor that is computed or fed, for inputs uniform
    over ±1.
    """
    import onnx

    names = _activations(model)
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    given = {value.name for value in [*probe.graph.output, *probe.graph.input]}
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    feeds = sample(model)
    found = dict(zip([v.name for v in probe.graph.output], _run(probe, feeds), strict=True)) | feeds
    return {
        name: (float(found[name].min()), float(found[name].max()))
        for name in names
        if found[name].size
    }


def sample(model: ModelProto) -> dict[str, np.ndarray]:
    """Inputs for a model of static shapes: floats uniform over ±1, integers and others zero."""
    import onnx

    random, feeds = np.random.default_rng(SEED), {}
    for value in model.graph.input:
        kind, shape = (
            value.type.tensor_type,
            [dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        floats = kind.elem_type == onnx.TensorProto.FLOAT
        feeds[value.name] = (
            random.uniform(-1, 1, shape).astype(dtype) if floats else np.zeros(shape, dtype)
        )
    return feeds


def _run(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    try:
        ort = onnxruntime()
    except ImportError as missing:
        raise Unavailable(
            "int8 scales need a run in onnxruntime: pip install -e '.[layers]'"
        ) from missing
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, feeds))


def _activations(model: ModelProto) -> list[str]:
    """Names of the floats that are not stored."""
    import onnx

    graph = settle(model).graph
    stored = {tensor.name for tensor in graph.initializer}
    values = [*graph.input, *graph.value_info, *graph.output]
    floats = {v.name for v in values if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    used = [v.name for v in graph.input] + [
        name for node in model.graph.node for name in node.output
    ]
    return [name for name in dict.fromkeys(used) if name in floats - stored]
