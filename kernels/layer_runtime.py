"""The one door to ONNX Runtime, which keeps it from its vendor's network; and what a model answers on the CPU.

The runtime looks up its vendor's hosts some seconds after a layer ran, and queues names of files and graphs for it. A
variable of the environment that is set before its first import stops that; ``disable_telemetry_events()`` does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from kernels.layer_patience import SECONDS, limited

NO_TELEMETRY = ("ORT_DISABLE_TELEMETRY", "1")
DEPLOYED, EXACT, PLAIN = "deployed", "exact", "plain"
"""How it is run: as it is timed; without the saturation of INT8; with no optimisation at all."""
WITHOUT_SATURATION = ("session.x64quantprecision", "1")
"""Session entry: unsigned weights, whose products do not saturate. It works on stored weights, from the extended
optimisations on."""


def onnxruntime() -> Any:
    """The module onnxruntime, which connects to nothing. Raises ImportError where it is not installed."""
    name, value = NO_TELEMETRY
    os.environ[name] = value
    import onnxruntime

    return onnxruntime


def quantization() -> Any:
    """The module onnxruntime.quantization, likewise."""
    onnxruntime()
    from onnxruntime import quantization

    return quantization


def answers(
    model: Any, given: Mapping[str, np.ndarray], how: str = DEPLOYED, seconds: float = SECONDS
) -> list[np.ndarray]:
    """The outputs of a ModelProto for these inputs.

    Raises what the runtime raises, and Unavailable where the run takes longer than ``seconds``.
    """
    ort = onnxruntime()
    levels, options = ort.GraphOptimizationLevel, ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = {
        DEPLOYED: levels.ORT_ENABLE_ALL, EXACT: levels.ORT_ENABLE_EXTENDED, PLAIN: levels.ORT_DISABLE_ALL,
    }[how]  # fmt: skip
    if how == EXACT:
        options.add_session_config_entry(*WITHOUT_SATURATION)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    run = ort.RunOptions()
    with limited(run, seconds):
        return list(session.run(None, dict(given), run))
