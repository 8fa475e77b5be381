"""What a model answers on the CPU, from ONNX Runtime sessions that nobody times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.runtime.door import onnxruntime
from kernels.runtime.patience import SECONDS, limited
from kernels.runtime.values import array_of, filled, is_native

if TYPE_CHECKING:
    from onnx import ModelProto

DEPLOYED, EXACT, PLAIN = "deployed", "exact", "plain"
"""How a model is run: as it is timed; without the saturation of INT8; without optimisations."""
WITHOUT_SATURATION = ("session.x64quantprecision", "1")
"""Session entry that makes weights unsigned, so that their products do not saturate.

It works on stored weights, from the extended optimisations on.
"""


def answers(
    model: ModelProto,
    inputs: Mapping[str, np.ndarray],
    how: str = DEPLOYED,
    seconds: float = SECONDS,
) -> list[Any]:
    """The outputs of a ModelProto for these inputs, by name: arrays, or lists and maps of them.

    Raises what the runtime raises, and TooLong if the run takes longer than ``seconds``.
    """
    session = session_of(model, how)
    run_options = onnxruntime().RunOptions()
    ends = [*session.get_inputs(), *session.get_outputs()]
    with limited(run_options, seconds):
        if all(is_native(end.type) for end in ends):
            return list(session.run(None, dict(inputs), run_options))
        kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
        feeds = {name: filled(array, kinds[name]) for name, array in inputs.items()}
        outputs = [output.name for output in session.get_outputs()]
        values = session.run_with_ort_values(outputs, feeds, run_options)
        return [array_of(value) for value in values]


def session_of(model: ModelProto, how: str) -> Any:
    """A session on the CPU, by one of DEPLOYED, EXACT and PLAIN."""
    ort = onnxruntime()
    levels = ort.GraphOptimizationLevel
    level_of = {
        DEPLOYED: levels.ORT_ENABLE_ALL,
        EXACT: levels.ORT_ENABLE_EXTENDED,
        PLAIN: levels.ORT_DISABLE_ALL,
    }
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level_of[how]
    if how == EXACT:
        options.add_session_config_entry(*WITHOUT_SATURATION)
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
