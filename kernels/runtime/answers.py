"""What a model answers on the CPU when nobody times it: sessions of ONNX Runtime that are only
asked.
"""

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
"""How it is run: as it is timed; without the saturation of INT8; with no optimisation at all."""
WITHOUT_SATURATION = ("session.x64quantprecision", "1")
"""Session entry: unsigned weights, whose products do not saturate. It works on stored weights, from
the extended optimisations on."""


def answers(
    model: ModelProto,
    given: Mapping[str, np.ndarray],
    how: str = DEPLOYED,
    seconds: float = SECONDS,
) -> list[Any]:
    """The outputs of a ModelProto for these inputs: arrays, or lists and maps of them.

    Raises what the runtime raises, and TooLong where the run takes longer than ``seconds``.
    """
    ort = onnxruntime()
    levels, options, run = ort.GraphOptimizationLevel, ort.SessionOptions(), ort.RunOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = {
        DEPLOYED: levels.ORT_ENABLE_ALL,
        EXACT: levels.ORT_ENABLE_EXTENDED,
        PLAIN: levels.ORT_DISABLE_ALL,
    }[how]
    if how == EXACT:
        options.add_session_config_entry(*WITHOUT_SATURATION)
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    with limited(run, seconds):
        if all(is_native(end.type) for end in (*session.get_inputs(), *session.get_outputs())):
            return list(session.run(None, dict(given), run))
        kinds = {value.name: value.type.tensor_type.elem_type for value in model.graph.input}
        values = {name: filled(array, kinds[name]) for name, array in given.items()}
        return list(
            map(
                array_of,
                session.run_with_ort_values([o.name for o in session.get_outputs()], values, run),
            )
        )
