"""A whole network in INT8, by ONNX Runtime's own quantizer.

It puts Q/DQ nodes around what has an integer form, with the scales of one run.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels.base import Unavailable
from kernels.onnx.branches import rename_weights
from kernels.runtime.answers import answers
from kernels.runtime.domains import nodes_of
from kernels.runtime.door import onnxruntime, quantization
from kernels.runtime.inputs import FREE, Chosen, Feeds, feeds
from kernels.runtime.patience import SECONDS
from kernels.runtime.session import line_of

if TYPE_CHECKING:
    from onnx import ModelProto

MAY_NOT_END = frozenset(("Loop", "Scan"))
"""Operations that may never end."""
WEIGHT_ENDING = "_weight"
"""The ending that every weight's name gets before the quantizer copies weights.

The quantizer copies a bias that several layers share, and names a copy by adding a number. Without
the ending, the second copy of ``conv`` could get the name of another weight, ``conv2``.
"""
SIGNED = ("cuda", "tensorrt")
"""Providers that take activations as signed integers, like weights: see ``quantize.FORMS``."""


def quantized(
    make: Callable[[], Any], backend: str, chosen: Chosen = FREE, seconds: float = SECONDS
) -> Any:
    """The network of ``make`` as a ModelProto in Q/DQ form, with BatchNormalizations folded in.

    chosen: what its inputs are fed while the quantizer runs it. Raises Unavailable if the quantizer
    fails, or if a run takes longer than ``seconds``.
    """
    model = make()
    inputs = feeds(model, chosen)
    try:
        if any(node.op_type in MAY_NOT_END for node in nodes_of(model.graph)):
            # the quantizer runs the model without a limit: this run, which has one, goes first
            answers(model, inputs, seconds=seconds)
        return _quantize(model, backend, inputs)
    except Unavailable:
        raise
    except Exception as error:  # the runtime's own types, and whatever its quantizer raises
        raise Unavailable(
            f"no int8 of the whole: onnxruntime's quantizer: {line_of(error)}"
        ) from None


def _quantize(model: ModelProto, backend: str, inputs: Feeds) -> Any:
    """The model in Q/DQ form. Its weights are renamed in place."""
    import onnx

    tool = quantization()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        folded = Path(folder) / "folded.onnx"
        result = Path(folder) / "int8.onnx"
        rename_weights(model, WEIGHT_ENDING)
        fold(model, folded)
        is_signed = backend in SIGNED
        activation_type = tool.QuantType.QInt8 if is_signed else tool.QuantType.QUInt8
        tool.quantize_static(
            str(folded),
            str(result),
            _OneBatch(inputs),
            quant_format=tool.QuantFormat.QDQ,
            activation_type=activation_type,
            weight_type=tool.QuantType.QInt8,
            extra_options={"ActivationSymmetric": is_signed},
        )
        return onnx.load(str(result))


def fold(model: ModelProto, path: Path) -> None:
    """Save the model with constants folded and normalisations merged into convolutions."""
    ort = onnxruntime()
    options = ort.SessionOptions()
    # higher levels put in operations that only some providers know
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 4
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the quantizer's advice on exact answers: only times matter here."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


class _OneBatch:
    """The quantizer's calibration data: one batch of inputs."""

    def __init__(self, inputs: Feeds) -> None:
        self._batches: Iterator[Any] = iter([dict(inputs)])

    def get_next(self) -> Any:
        """The next batch; None at the end."""
        return next(self._batches, None)
