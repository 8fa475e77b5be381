"""What a layer should answer, by another program than the one that is timed.

That is ONNX's own definitions in NumPy where they are quick enough, else the CPU provider with
every optimisation off. Either may be wrong itself, which is no fault of the layer: an Appeal tells
in which way.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Appeal, Fault
from kernels.onnx.protos import copy_of, is_sized
from kernels.precision.narrow import FP16_MAX
from kernels.runtime import saturation as runtime_saturation
from kernels.runtime.answers import EXACT, PLAIN, answers
from kernels.runtime.domains import nodes_of
from kernels.runtime.inputs import Feeds
from kernels.runtime.patience import SECONDS
from kernels.runtime.values import flat

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

NUMPY_FLOPS = 3e7
"""Operations up to which ONNX's definitions answer within some tenths of a second."""
NUMPY_BYTES = 3e8
"""Bytes of all tensors up to which they do."""
LOOPS = """
Resize Upsample GridSample AffineGrid NonMaxSuppression RoiAlign MaxPool AveragePool LpPool LRN
Erf Gelu ScatterElements ScatterND GatherND ReverseSequence Col2Im DeformConv MaxUnpool
ConvTranspose If Loop Scan
"""
UNSUITED = frozenset(LOOPS.split())
"""Operations whose definition in NumPy is a loop over elements, or may be one without an end."""
NUMPY_OPSET = 14
"""The first opset whose definitions are those in NumPy.

Before 13 Softmax flattened its input; before 14 BatchNormalization trained.
"""
DICE = ("Random", "Multinomial", "Bernoulli")
"""How names of random operations begin."""
RANDOM = "random"
"""The fact of a row whose numbers could not be checked, since they are random."""
OVERFLOW = "overflow"
"""The fact of a row whose right answer FP16 cannot hold in some places."""
DISPUTED = "disputed"
"""The fact of a row about which ONNX's definition and the unoptimised runtime disagree."""


@dataclass(frozen=True)
class Size:
    """How much a layer computes, by which its reference is chosen."""

    flops: float | None
    """Operations; None if unknown."""
    bytes: float | None
    """Bytes of all its tensors; None if unknown."""
    seconds: float = SECONDS
    """Seconds that a run may take."""

    @property
    def quick(self) -> bool:
        """True if the definitions in NumPy answer within some tenths of a second."""
        if self.flops is None or self.bytes is None:
            return False
        return self.flops <= NUMPY_FLOPS and self.bytes <= NUMPY_BYTES


def expected(model: ModelProto, inputs: Feeds, size: Size) -> list[Any]:
    """The outputs of ``model``, in FP32 or integers, by another program than is timed."""
    if _definable(model, size):
        # Definitions lack some operations and types, and some answer in another shape: which ones,
        # and how that is raised, depends on onnx's version.
        with suppress(Exception):
            return by_definition(model, inputs)
    saturated = runtime_saturation.multiplies_integers(model) and runtime_saturation.saturates()
    how = EXACT if saturated else PLAIN
    return answers(model, inputs, how, size.seconds)


def _definable(model: ModelProto, size: Size) -> bool:
    """True if the definitions in NumPy are those of this model's operations, and quick."""
    ops = {node.op_type for node in model.graph.node}
    opset = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    return size.quick and opset >= NUMPY_OPSET and not ops & UNSUITED


def by_definition(model: ModelProto, inputs: Feeds) -> list[Any]:
    """The outputs by ONNX's definitions.

    Raises whatever those raise, and ValueError for an output of another shape than the model's.
    """
    import onnx.reference

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answered: Any = onnx.reference.ReferenceEvaluator(model).run(None, dict(inputs))
    for value, answer in zip(model.graph.output, answered, strict=True):
        dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if is_sized(value) and np.shape(answer) != dims:
            raise ValueError(f"{value.name} is {np.shape(answer)}, not {dims}")
    return list(answered)


def chance(model: ModelProto, found: np.ndarray, right: np.ndarray) -> Iterator[Appeal]:
    """The appeal that the model is random, so that no two runs agree."""
    if any(map(_is_random, nodes_of(model.graph))):
        yield Appeal(RANDOM, _random, [(np.zeros(found.shape), np.zeros(right.shape))])


def _is_random(node: NodeProto) -> bool:
    """True for a random operation, and for a Dropout that a third input may put into training."""
    if node.op_type == "Dropout":
        return bool("".join(node.input[2:]))
    return node.op_type.startswith(DICE)


def _random(fault: Fault) -> str:
    return "its numbers are random: only how many there are was checked"


def overflow(found: np.ndarray, right: np.ndarray) -> Iterator[Appeal]:
    """The appeal that FP16 cannot hold the FP32 answer ``right`` in some places.

    There the FP16 answer ``found`` may be infinite, or FP16's largest value.
    """
    end = np.float64(FP16_MAX)
    beyond = (np.abs(right) >= end) & (np.abs(found) >= end) & (np.sign(right) == np.sign(found))
    if beyond.any():
        within = [(np.where(beyond, 0, found), np.where(beyond, 0, right))]
        yield Appeal(OVERFLOW, _overflown, within)


def _overflown(fault: Fault) -> str:
    return (
        f"FP16 ends at {FP16_MAX}: {fault.values} of {fault.of} values of the FP32 "
        "answer lie beyond"
    )


def inner_overflow(
    model: ModelProto, inputs: Feeds, found: np.ndarray, right: np.ndarray, size: Size
) -> Iterator[Appeal]:
    """The appeal that FP16 cannot hold a result inside of the FP32 ``model``.

    Where the FP16 answer ``found`` is finite it must still be right.
    """
    lost = ~np.isfinite(found) & np.isfinite(right)
    if not lost.any():
        return
    try:
        largest = _largest_inside(model, inputs, size)
    except Exception:  # the runtime's own types, where results inside cannot be answered
        return
    if largest > FP16_MAX:
        within = [(np.where(lost, 0, found), np.where(lost, 0, right))]
        yield Appeal(OVERFLOW, partial(_overflown_inside, largest), within)


def _largest_inside(model: ModelProto, inputs: Feeds, size: Size) -> float:
    """The largest magnitude of all results of a model."""
    observed = copy_of(model)
    present = {value.name for value in observed.graph.output}
    for node in observed.graph.node:
        for name in node.output:
            if name and name not in present:
                observed.graph.output.add(name=name)
    largest = 0.0
    for answer in answers(observed, inputs, PLAIN, size.seconds):
        if isinstance(answer, np.ndarray) and answer.dtype.kind == "f" and answer.size:
            largest = max(largest, float(np.abs(answer).max()))
    return largest


def _overflown_inside(largest: float, fault: Fault) -> str:
    return (
        f"FP16 ends at {FP16_MAX}, and a result inside is {largest:.3g} in FP32: "
        f"{fault.values} of {fault.of} values are no numbers"
    )


def saturation(
    model: ModelProto, inputs: Feeds, found: np.ndarray, right: np.ndarray, size: Size
) -> Iterator[Appeal]:
    """The appeal that the answer ``found`` differs from ``right`` by saturation alone.

    Then the runtime answers ``found`` again when nobody times it. Without saturation, or with
    weights too small to saturate, it answers right.
    """
    if not (runtime_saturation.saturates() and runtime_saturation.holds_bytes(model)):
        return
    deployed = flat(answers(model, inputs, seconds=size.seconds))
    if runtime_saturation.stores_bytes(model):
        without = (flat(answers(model, inputs, EXACT, size.seconds)), right)
    else:
        tame, tame_inputs = runtime_saturation.tame(model, inputs)
        answered = flat(answers(tame, tame_inputs, seconds=size.seconds))
        without = (answered, flat(expected(tame, tame_inputs, size)))
    yield Appeal(runtime_saturation.FAULT, runtime_saturation.words, [(found, deployed), without])


def dispute(model: ModelProto, inputs: Feeds, found: np.ndarray, size: Size) -> Iterator[Appeal]:
    """The appeal that the runtime answers ``found`` without optimisations, too.

    Definitions are wrong in places (GlobalMaxPool in one dimension, onnx 1.23), so it is not known
    which of the two is right.
    """
    if not _definable(model, size):
        return
    try:
        plain = flat(answers(model, inputs, PLAIN, size.seconds))
    except Exception:  # the runtime's own types, where it cannot run it without optimisations
        return
    yield Appeal(DISPUTED, _disputed, [(found, plain)])


def _disputed(fault: Fault) -> str:
    return (
        f"ONNX's definition in NumPy answers otherwise in {fault}; "
        "the runtime without optimisations agrees with what was timed"
    )
