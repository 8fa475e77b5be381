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
WEIGHT = "_weight"
"""The ending that every weight's name gets before the quantizer numbers its copies.

It numbers the copies of a bias that several layers share: ``conv`` and 2 may be another's
``conv2``.
"""
SIGNED = ("cuda", "tensorrt")
"""Providers whose integers are signed on both sides: see ``quantize.FORMS``."""


def quantized(
    make: Callable[[], Any], backend: str, chosen: Chosen = FREE, seconds: float = SECONDS
) -> Any:
    """The network of ``make`` as a ModelProto in Q/DQ form, with BatchNormalizations folded in.

    chosen: what its inputs are fed while the quantizer runs it. Raises Unavailable if the quantizer
    fails, or if a run takes longer than ``seconds``.
    """
    model = make()
    given = feeds(model, chosen)
    try:
        if any(node.op_type in MAY_NOT_END for node in nodes_of(model.graph)):
            answers(model, given, seconds=seconds)  # the quantizer has no limit of its own
        return _quantized(model, backend, given)
    except Unavailable:
        raise
    except Exception as error:  # the runtime's own types, and whatever its quantizer raises
        raise Unavailable(
            f"no int8 of the whole: onnxruntime's quantizer: {line_of(error)}"
        ) from None


def _quantized(model: ModelProto, backend: str, given: Feeds) -> Any:
    import onnx

    tool = quantization()
    with tempfile.TemporaryDirectory() as folder, _quiet():
        folded = Path(folder) / "folded.onnx"
        result = Path(folder) / "int8.onnx"
        rename_weights(model, WEIGHT)
        _fold(model, folded)
        kind = tool.QuantType.QInt8 if backend in SIGNED else tool.QuantType.QUInt8
        tool.quantize_static(
            str(folded),
            str(result),
            _Once(given),
            quant_format=tool.QuantFormat.QDQ,
            activation_type=kind,
            weight_type=tool.QuantType.QInt8,
            extra_options={"ActivationSymmetric": backend in SIGNED},
        )
        return onnx.load(str(result))


def _fold(model: ModelProto, path: Path) -> None:
    """Save the model with constants folded and normalisations merged into convolutions.

    All its operations are ones that every provider knows.
    """
    ort = onnxruntime()
    options = ort.SessionOptions()
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


class _Once:
    """The quantizer's calibration data: one batch of inputs."""

    def __init__(self, given: Feeds) -> None:
        self._batches: Iterator[Any] = iter([dict(given)])

    def get_next(self) -> Any:
        """The next batch; None at the end."""
        return next(self._batches, None)
