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
    random, made = np.random.default_rng(7), {}
    for value in model.graph.input:
        kind, shape = (
            value.type.tensor_type,
            [dim.dim_value for dim in value.type.tensor_type.shape.dim],
        )
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        if dtype.kind in "iu":
            made[value.name] = random.integers(
                np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape
            ).astype(dtype)
        else:
            made[value.name] = random.uniform(-1, 1, shape).astype(dtype)
    return made


def run(model: Any, given: Feeds, optimized: Path | None = None) -> list[np.ndarray]:
    """What ONNX Runtime makes of it, INT8 without saturation; optimized: a file for the graph it
    really runs.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    if optimized:
        options.optimized_model_filepath = str(optimized)
    else:
        options.add_session_config_entry(*WITHOUT_SATURATION)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, given))


def executed(model: Any, folder: Path) -> list[str]:
    """The operations ONNX Runtime really runs."""
    path = folder / "optimized.onnx"
    run(model, feeds(model), path)
    return [node.op_type for node in onnx.load(path).graph.node]


def reference(model: Any, given: Feeds) -> list[np.ndarray]:
    """What ONNX's definitions make of it."""
    results: Any = onnx.reference.ReferenceEvaluator(model).run(None, given)
    return list(results)
