"""What a model answers on the CPU: sessions of ONNX Runtime that are not timed, only asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

DEPLOYED, EXACT, PLAIN = "deployed", "exact", "plain"
"""How it is run: as it is timed; without the saturation of INT8; with no optimisation at all."""
WITHOUT_SATURATION = ("session.x64quantprecision", "1")
"""Session entry: unsigned weights, whose products do not saturate. It works on stored weights, from the extended
optimisations on."""


def answers(model: Any, given: Mapping[str, np.ndarray], how: str = DEPLOYED) -> list[np.ndarray]:
    """The outputs of a ModelProto for these inputs. Raises what the runtime raises."""
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = {
        DEPLOYED: levels.ORT_ENABLE_ALL, EXACT: levels.ORT_ENABLE_EXTENDED, PLAIN: levels.ORT_DISABLE_ALL,
    }[how]  # fmt: skip
    if how == EXACT:
        options.add_session_config_entry(*WITHOUT_SATURATION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, dict(given)))
