"""What a layer should answer, by another program than the one that is timed.

That is ONNX's own definitions in NumPy where they are quick enough, else the CPU provider with
every optimisation off. A library that is wrong itself is no fault of the layer: what it may be
wrong in is an Appeal.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.base import Appeal, Fault
from kernels.onnx.shapes import is_sized
from kernels.precision.narrow import FP16_MAX
from kernels.runtime import saturation as runtime_saturation
from kernels.runtime.answers import EXACT, PLAIN, answers
from kernels.runtime.domains import nodes_of
from kernels.runtime.inputs import Feeds
from kernels.runtime.patience import SECONDS
from kernels.runtime.values import flat

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

NUMPY_FLOPS, NUMPY_BYTES = 3e7, 3e8
"""Operations, and bytes of all tensors, up to which ONNX's definitions answer within some tenths of
a second.
"""
LOOPS = """
Resize Upsample GridSample AffineGrid NonMaxSuppression RoiAlign MaxPool AveragePool LpPool LRN
Erf Gelu ScatterElements ScatterND GatherND ReverseSequence Col2Im DeformConv MaxUnpool
ConvTranspose If Loop Scan
"""
UNSUITED = frozenset(LOOPS.split())
"""Operations whose definition in NumPy is a loop over elements, or may be one without an end."""
NUMPY_OPSET = 14
"""The first whose definitions are those in NumPy: before it Softmax flattened (13),
BatchNormalization trained (14).
"""
DICE = ("Random", "Multinomial", "Bernoulli")
"""How names of operations begin that answer otherwise each time."""
RANDOM = "random"
"""The fact of a row whose numbers could not be checked, since they are random."""
OVERFLOW = "overflow"
"""The fact of a row whose right answer FP16 cannot hold in some places."""
DISPUTED = "disputed"
"""The fact of a row that ONNX's definition and the runtime without its optimisations do not agree
about.
"""


@dataclass(frozen=True)
class Size:
    """Of a layer: operations and bytes of all its tensors, None where unknown; and the seconds that
    a run may take.
    """

    flops: float | None
    bytes: float | None
    seconds: float = SECONDS

    @property
    def quick(self) -> bool:
        """True if the definitions in NumPy answer within some tenths of a second."""
        if self.flops is None or self.bytes is None:
            return False
        return self.flops <= NUMPY_FLOPS and self.bytes <= NUMPY_BYTES


def expected(model: ModelProto, given: Feeds, size: Size) -> list[Any]:
    """The outputs of ``model``, in FP32 or integers, by another program than the one that is
    timed.
    """
    if _definable(model, size):
        try:
            return by_definition(model, given)
        except (
            Exception
        ):  # an operation it does not know, or a type, or an answer of another shape: by version
            pass
    saturated = runtime_saturation.multiplies_integers(model) and runtime_saturation.saturates()
    return answers(model, given, EXACT if saturated else PLAIN, size.seconds)


def _definable(model: ModelProto, size: Size) -> bool:
    """True if the definitions in NumPy are those of this model's operations, and quick."""
    ops = {node.op_type for node in model.graph.node}
    opset = next((entry.version for entry in model.opset_import if not entry.domain), 0)
    return size.quick and opset >= NUMPY_OPSET and not ops & UNSUITED


def by_definition(model: ModelProto, given: Feeds) -> list[Any]:
    """Raises whatever the definitions raise, and ValueError for an answer of another shape than the
    model says.
    """
    import onnx.reference

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answered: Any = onnx.reference.ReferenceEvaluator(model).run(None, dict(given))
    for value, answer in zip(model.graph.output, answered, strict=True):
        dims = tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if is_sized(value) and np.shape(answer) != dims:
            raise ValueError(f"{value.name} is {np.shape(answer)}, not {dims}")
    return list(answered)


def chance(model: ModelProto, found: np.ndarray, right: np.ndarray) -> Iterator[Appeal]:
    """Whether the answer ``found`` differs from ``right`` since the model throws dice: then no two
    runs agree.
    """
    if any(map(_throws_dice, nodes_of(model.graph))):
        yield Appeal(RANDOM, _random, [(np.zeros(found.shape), np.zeros(right.shape))])


def _throws_dice(node: NodeProto) -> bool:
    """True for a random operation, and for a Dropout that a third input may put into training."""
    return node.op_type.startswith(DICE) or (
        node.op_type == "Dropout" and bool("".join(node.input[2:]))
    )


def _random(fault: Fault) -> str:
    return "its numbers are random: only how many there are was checked"


def overflow(found: np.ndarray, right: np.ndarray) -> Iterator[Appeal]:
    """Whether an FP16 answer differs from ``right``, that of FP32, only where FP16 cannot hold it:
    there it may be infinite, or the largest value there is."""
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


def saturation(
    model: ModelProto, given: Feeds, found: np.ndarray, right: np.ndarray, size: Size
) -> Iterator[Appeal]:
    """Whether the answer ``found`` of ``model`` on the CPU differs from ``right``, its reference,
    by saturation alone.

    Then the runtime answers the same when nobody times it, and answers right without that, or on
    weights that are too small for it.
    """
    if not (runtime_saturation.saturates() and runtime_saturation.holds_bytes(model)):
        return
    deployed = flat(answers(model, given, seconds=size.seconds))
    if runtime_saturation.stores_bytes(model):
        without = (flat(answers(model, given, EXACT, size.seconds)), right)
    else:
        tame, fed = runtime_saturation.tame(model, given)
        without = (flat(answers(tame, fed, seconds=size.seconds)), flat(expected(tame, fed, size)))
    yield Appeal(runtime_saturation.FAULT, runtime_saturation.words, [(found, deployed), without])


def dispute(model: ModelProto, given: Feeds, found: np.ndarray, size: Size) -> Iterator[Appeal]:
    """Whether ONNX's definition stands alone: the runtime answers ``found`` with no optimisation,
    too.

    Definitions are wrong in places (GlobalMaxPool in one dimension, onnx 1.23), and which is right
    is not ours to say.
    """
    if not _definable(model, size):
        return
    try:
        plain = flat(answers(model, given, PLAIN, size.seconds))
    except (
        Exception
    ):  # the runtime's own types: without optimisations it cannot run it, or not hand it over
        return
    yield Appeal(DISPUTED, _disputed, [(found, plain)])


def _disputed(fault: Fault) -> str:
    return (
        f"ONNX's definition in NumPy answers otherwise in {fault}; the runtime without "
        "optimisations agrees with what "
        "was timed"
    )
