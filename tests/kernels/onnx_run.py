"""Run a model: in ONNX Runtime on the CPU, and by the NumPy definitions that come with ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.reference

from kernels.runtime.answers import WITHOUT_SATURATION

Feeds = dict[str, np.ndarray]


def feeds(model: Any) -> Feeds:
    """Inputs of the shapes it wants: floats uniform over ±1, integers over their range."""
    random = np.random.default_rng(7)
    arrays = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.kind in "iu":
            least = np.iinfo(dtype).min
            most = np.iinfo(dtype).max
            arrays[value.name] = random.integers(least, most + 1, shape).astype(dtype)
        else:
            arrays[value.name] = random.uniform(-1, 1, shape).astype(dtype)
    return arrays


def run(model: Any, arrays: Feeds, optimized: Path | None = None) -> list[np.ndarray]:
    """The outputs of the model in ONNX Runtime, INT8 without saturation.

    optimized: a file for the graph that it really runs, which may then saturate.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    if optimized:
        options.optimized_model_filepath = str(optimized)
    else:
        options.add_session_config_entry(*WITHOUT_SATURATION)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, arrays))


def executed(model: Any, folder: Path) -> list[str]:
    """The operations ONNX Runtime really runs."""
    path = folder / "optimized.onnx"
    run(model, feeds(model), path)
    return [node.op_type for node in onnx.load(path).graph.node]


def reference(model: Any, arrays: Feeds) -> list[np.ndarray]:
    """The outputs of the model by ONNX's definitions."""
    results: Any = onnx.reference.ReferenceEvaluator(model).run(None, arrays)
    return list(results)
