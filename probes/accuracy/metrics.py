"""How far answers are from those in FP32: noise, angle, and the classes that they name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.onnx.protos import free_inputs
from probes.records.precision import MOST_DB

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

SCORING = frozenset(("Softmax", "LogSoftmax"))
"""Operations that end a network whose every answer is one of several classes."""
PRODUCTS = frozenset(("Gemm", "MatMul", "Conv", "ConvTranspose"))
"""Operations that end such a network where Softmax was left out: they leave a score a class."""
AVERAGES = frozenset(("GlobalAveragePool", "AveragePool", "ReduceMean"))
"""Operations that end a network of convolutions only (SqueezeNet)."""
TRANSPARENT_NAMES = """
Identity Cast Reshape Flatten Squeeze Unsqueeze Transpose Dropout QuantizeLinear DequantizeLinear
Relu Resize Upsample
"""
TRANSPARENT = frozenset(TRANSPARENT_NAMES.split())
"""Operations after the one that ends a network, which change no order of the scores.

Relu is one: SqueezeNet ends in Conv, Relu and an average.
"""
CONVERSIONS = frozenset(("Cast", "Identity", "QuantizeLinear", "DequantizeLinear"))
"""Operations that change the type of an answer, not the answer."""
COLOURS = 4
"""A picture has at most that many channels; scores of pixels without Softmax need more."""


class Comparison:
    """Sums over outputs and inputs of what two runs answered, in little memory."""

    def __init__(self) -> None:
        self.count = 0
        """Numbers that were compared."""
        self.signal = 0.0
        """Sum of squares of the answers in FP32."""
        self.power = 0.0
        """Sum of squares of the others."""
        self.product = 0.0
        """Sum of the products of both."""
        self.noise = 0.0
        """Sum of squares of the differences; infinite where one is no finite number."""

    def add(self, expected: np.ndarray, actual: np.ndarray) -> None:
        """Add one output of one input. What is not finite in FP32 is left out; texts are, too."""
        if expected.dtype.kind not in "fiubV" or actual.dtype.kind not in "fiubV":
            return
        true = np.asarray(expected, np.float64).ravel()
        other = np.asarray(actual, np.float64).ravel()
        if true.shape != other.shape:
            self.noise = math.inf
            return
        finite = np.isfinite(true)
        if not finite.all():
            true, other = true[finite], other[finite]
        self.count += true.size
        if not np.isfinite(other).all():
            self.noise = self.power = math.inf
            return
        error = true - other
        self.signal += _inner(true, true)
        self.power += _inner(other, other)
        self.product += _inner(true, other)
        self.noise += _inner(error, error)

    def sqnr_db(self) -> float | None:
        """Signal-to-noise ratio within ±MOST_DB; None if nothing was compared."""
        if not self.count:
            return None
        if not self.noise:
            return MOST_DB
        if not math.isfinite(self.noise) or not self.signal:
            return -MOST_DB
        ratio = 10 * math.log10(self.signal / self.noise)
        return max(-MOST_DB, min(MOST_DB, ratio))

    def cosine(self) -> float | None:
        """Cosine of the angle between the answers; None where one of them is zero or infinite."""
        length = math.sqrt(self.signal) * math.sqrt(self.power)
        if not length or not math.isfinite(length):
            return None
        return max(-1.0, min(1.0, self.product / length))


def _inner(first: np.ndarray, second: np.ndarray) -> float:
    """The inner product of two vectors.

    einsum, unlike @, starts no threads: those would wait for the runtime's, which are still awake.
    """
    return float(np.einsum("i,i->", first, second))


def class_axis(model: ModelProto, shapes: Sequence[Sequence[int]]) -> int | None:
    """The axis of the only output along which classes lie; None if the network names no class.

    shapes: those of all its outputs, as they were seen in a run. The rule: there is one output, of
    floats, of two dimensions (n, class), three (n, position, class) or four (n, class, y, x), with
    two classes at least. It ends in Softmax along that axis or, with two or three dimensions, in a
    product with weights or an average; with four, in a product of more channels than a picture
    has. What only changes form or type may follow.
    """
    import onnx

    if len(model.graph.output) != 1 or len(shapes) != 1:
        return None
    output = model.graph.output[0]
    kind = output.type.tensor_type.elem_type
    if kind not in (0, onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16):
        return None
    axis = axis_of(shapes[0])
    if axis is None:
        return None
    last = _last_node(model, output.name)
    if last is None:
        return None
    if last.op_type in SCORING:
        return axis
    is_product = last.op_type in PRODUCTS and _has_weights(model, last)
    if len(shapes[0]) == 4:
        return axis if is_product and shapes[0][axis] > COLOURS else None
    return axis if is_product or last.op_type in AVERAGES else None


def scores_of(model: ModelProto) -> list[str]:
    """Names of the tensors in which noise is counted: outputs, or what Softmax makes them of.

    In the order of the outputs. A Cast, and Q/DQ nodes, may follow the Softmax.
    """
    writer_of = {result: node for node in model.graph.node for result in node.output}
    names = []
    for output in model.graph.output:
        node = writer_of.get(output.name)
        while node is not None and node.op_type in CONVERSIONS:
            node = writer_of.get(node.input[0])
        ends_in_softmax = node is not None and node.op_type in SCORING
        names.append(node.input[0] if node is not None and ends_in_softmax else output.name)
    return names


def axis_of(shape: Sequence[int]) -> int | None:
    """Where classes lie in an output of this shape, if it has any; see ``class_axis``."""
    axis = {2: 1, 3: 2, 4: 1}.get(len(shape))
    if axis is None or shape[axis] < 2:
        return None
    return axis


def _last_node(model: ModelProto, name: str) -> NodeProto | None:
    """The node that leaves what an output holds, before changes of form and additions of a bias."""
    writer_of = {result: node for node in model.graph.node for result in node.output}
    stored = {tensor.name for tensor in model.graph.initializer}
    node = writer_of.get(name)
    while node is not None:
        if node.op_type in TRANSPARENT:
            node = writer_of.get(node.input[0])
        elif node.op_type == "Add" and stored.intersection(node.input):
            summand = next((read for read in node.input if read not in stored), "")
            node = writer_of.get(summand)
        else:
            return node
    return None


def _has_weights(model: ModelProto, node: NodeProto) -> bool:
    """True if a product reads something that is not computed from the network's inputs."""
    computed = {value.name for value in free_inputs(model)}
    for other in model.graph.node:
        if computed.intersection(other.input):
            computed.update(other.output)
    return any(name and name not in computed for name in node.input[:2])


NO_CLASS = -1
"""The class of an answer that is no number."""


def classes(output: np.ndarray, axis: int) -> np.ndarray:
    """The class that each answer names, flat: of equal scores, the first.

    Scores with a NaN among them name NO_CLASS.
    """
    scores = np.asarray(output, np.float32) if output.dtype.kind == "V" else output
    best = np.asarray(scores.argmax(axis))
    if scores.dtype.kind == "f":
        best = np.where(np.isnan(scores).any(axis), NO_CLASS, best)
    return best.ravel()


@dataclass
class Votes:
    """Classes that two runs name, counted."""

    answers: int = 0
    """Answers that were compared."""
    same: int = 0
    """Of these, how many name the same class."""
    labelled: int = 0
    """Answers whose true class is known."""
    right_in_fp32: int = 0
    """Of the labelled ones, those that FP32 gets right."""
    gained: int = 0
    """Those right now and wrong in FP32."""
    lost: int = 0
    """Those wrong now and right in FP32."""

    def add(self, expected: np.ndarray, actual: np.ndarray, truth: np.ndarray | None) -> None:
        """Add the classes of one input: in FP32, now, and the labels where there are any.

        A label below zero is of an answer whose class is not known.
        """
        self.answers += expected.size
        self.same += int((expected == actual).sum())
        if truth is None:
            return
        known = truth >= 0
        before = (expected == truth)[known]
        after = (actual == truth)[known]
        self.labelled += int(known.sum())
        self.right_in_fp32 += int(before.sum())
        self.gained += int((after & ~before).sum())
        self.lost += int((before & ~after).sum())

    def columns(self) -> Mapping[str, int | None]:
        """As fields of an ErrorRow."""
        if not self.answers:
            return {}
        columns: dict[str, int | None] = {"answers": self.answers, "same": self.same}
        if self.labelled:
            columns["labelled"] = self.labelled
            columns["right_in_fp32"] = self.right_in_fp32
            columns["gained"] = self.gained
            columns["lost"] = self.lost
        return columns
