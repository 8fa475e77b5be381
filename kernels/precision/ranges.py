"""The range of every activation of a model, from one run: what INT8 scales are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.base import Unavailable
from kernels.onnx.protos import computed_values, copy_of
from kernels.onnx.settle import settle
from kernels.runtime.door import onnxruntime

if TYPE_CHECKING:
    from onnx import ModelProto

SEED = 21


def ranges(model: ModelProto) -> dict[str, tuple[float, float]]:
    """Least and largest value of every float tensor that is computed or fed.

    Inputs are uniform over ±1. An empty tensor has no range.
    """
    import onnx

    names = _activations(model)
    probe = copy_of(model)
    ends = {value.name for value in [*probe.graph.output, *probe.graph.input]}
    for name in names:
        if name not in ends:
            probe.graph.output.append(onnx.ValueInfoProto(name=name))
    values = sample(model)
    results = _run(probe, values)
    for output, result in zip(probe.graph.output, results, strict=True):
        values.setdefault(output.name, result)
    return {
        name: (float(values[name].min()), float(values[name].max()))
        for name in names
        if values[name].size
    }


def sample(model: ModelProto) -> dict[str, np.ndarray]:
    """Inputs for a model of static shapes: floats uniform over ±1, integers and others zero."""
    import onnx

    random = np.random.default_rng(SEED)
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if tensor.elem_type == onnx.TensorProto.FLOAT:
            feeds[value.name] = random.uniform(-1, 1, shape).astype(dtype)
        else:
            feeds[value.name] = np.zeros(shape, dtype)
    return feeds


def _run(model: ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The outputs of the model, in order, as ONNX Runtime computes them on the CPU."""
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
    """Names of the FP32 tensors that are fed or computed, inputs first."""
    import onnx

    settled = settle(model)
    graph = settled.graph
    floats = set()
    for value in [*graph.input, *computed_values(settled)]:
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            floats.add(value.name)
    floats -= {tensor.name for tensor in graph.initializer}
    names = [value.name for value in graph.input]
    for node in model.graph.node:
        names += node.output
    return [name for name in dict.fromkeys(names) if name in floats]
