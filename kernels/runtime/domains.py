"""The range in which the values of each input must lie, so that what reads them is defined.

It rules out the root of a negative number, an index beyond its table, and a division by zero. A
requirement stands with the operation that has it (NEEDS). It is followed backwards to the inputs of
the graph, through operations that hand values on (SAME) or change them by a known rule (INVERSE).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kernels.onnx.fold import constants
from kernels.onnx.protos import dimensions

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

LEAST = 1 / 64
"""Least value fed where values must be positive: its log, root and reciprocal are not extreme."""


class Range(NamedTuple):
    """Least and largest value, both allowed."""

    low: float = -math.inf
    high: float = math.inf

    def __and__(self, other: Range) -> Range:
        return Range(max(self.low, other.low), min(self.high, other.high))


ANYTHING = Range()
POSITIVE = Range(LEAST)
DIVISOR = Range(0.5)
ZERO = Range(0, 0)
ONE = Range(1, 1)
NO, YES = ZERO, ONE
"""The ranges of a condition that must be false, or true."""

ROWS: tuple[tuple[str, Mapping[int, Range]], ...] = (
    ("Sqrt Log ReduceLogSum Pow", {0: POSITIVE}),
    ("Reciprocal", {0: DIVISOR}),
    ("Div Mod", {1: DIVISOR}),
    ("Acos Asin", {0: Range(-1, 1)}),
    ("Atanh", {0: Range(-0.9, 0.9)}),
    ("Acosh", {0: Range(1)}),
    ("Bernoulli", {0: Range(0, 1)}),
    ("BatchNormalization", {4: POSITIVE}),
    ("QuantizeLinear DequantizeLinear", {1: POSITIVE}),
    ("Squeeze Unsqueeze CumSum CumProd Trilu Pad", {1: ZERO}),
    (
        (
            "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSumExp "
            "ReduceSumSquare"
        ),
        {1: ZERO},
    ),
    ("Expand Tile TopK Upsample ReverseSequence", {1: ONE}),
    ("Resize", {2: ONE}),
    ("ConstantOfShape", {0: ONE}),
    ("BitShift", {1: Range(0, 7)}),
    ("Dropout", {1: Range(0, 0.5), 2: NO}),
    ("If", {0: YES}),
    ("Loop", {0: ONE, 1: YES}),
    ("NonMaxSuppression", {2: ONE, 3: Range(0.5, 0.5)}),
    ("OneHot", {0: Range(0, 1), 1: Range(4, 4)}),
    ("Range", {0: ZERO, 1: Range(4, 4), 2: ONE}),
    ("RoiAlign", {2: ZERO}),
    ("Slice", {1: ZERO, 2: Range(1 << 30, 1 << 30), 3: ZERO, 4: ONE}),
)
"""Operations, and the range that each needs of its inputs, by the input's place.

A new operation is one row, or one name in a row.
"""
NEEDS: Mapping[str, Mapping[int, Range]] = {
    name: needs for names, needs in ROWS for name in names.split()
}
INDEXED: Mapping[str, tuple[int, int]] = {
    "Gather": (1, 0),
    "GatherElements": (1, 0),
    "GatherND": (1, 0),
    "EmbedLayerNormalization": (0, 2),
    "GatherBlockQuantized": (1, 0),
    "NegativeLogLikelihoodLoss": (1, 0),
    "SoftmaxCrossEntropyLoss": (1, 0),
}
"""Operations that look rows up: the places of the indices and of the table among their inputs."""
CLASS_LOSSES = frozenset(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"))
"""Operations whose table has its classes in the second dimension."""
RECURRENT = frozenset(("LSTM", "GRU", "RNN"))
LENGTHS_PLACE = 4
"""The input of RECURRENT that holds the lengths of sequences.

Every sequence is fed at its full length, because the work is counted for that.
"""
SEQUENCE_ENDS, LONGEST_SEQUENCE = 5, 6
"""Places of what GroupQueryAttention reads of its sequences: their lengths less one, and the length
of the longest. All are whole, so as to read no fewer keys than are counted."""
SAME_NAMES = """
Identity Reshape Flatten Squeeze Unsqueeze Transpose Expand Tile Slice Split Gather Dropout Cast
CastLike MaxPool AveragePool GlobalMaxPool GlobalAveragePool ReduceMax ReduceMin ReduceMean
DepthToSpace SpaceToDepth Relu Clip Abs Ceil ReverseSequence
"""
SAME = frozenset(SAME_NAMES.split())
"""Operations whose results lie in the range of their first input.

Of Abs and Relu that holds where the range is not negative.
"""
ALL_SAME = frozenset(("Concat", "Max", "Min", "Where", "Mean"))
"""Operations whose results lie in the range of all their inputs.

Of Where, that is all but the condition.
"""
SUMS = frozenset(("Add", "Sum", "ReduceSum", "CumSum"))
"""Operations whose results are above a positive bound if all terms are."""
PRODUCTS = frozenset(("Mul", "ReduceSumSquare"))
"""Operations whose results are above a positive bound if the squares of all factors are."""


def required_ranges(model: ModelProto) -> dict[str, Range]:
    """The range of each input of a ModelProto's graph, by name; inputs without one are left out."""
    nodes = list(nodes_of(model.graph))
    values = _constants(model, nodes)
    shapes = _shapes(model.graph)
    ranges: dict[str, Range] = {}
    for node in reversed(nodes):
        for place, name in enumerate(node.input):
            if not name:
                continue
            required = _required(node, place, ranges, values, shapes)
            if required != ANYTHING:
                ranges[name] = _both_or(required, ranges.get(name, ANYTHING))
    return {value.name: ranges[value.name] for value in model.graph.input if value.name in ranges}


def _both_or(preferred: Range, other: Range) -> Range:
    """The range that lies in both; ``preferred`` if they have nothing in common."""
    both = preferred & other
    return both if both.low <= both.high else preferred


def nodes_of(graph: GraphProto) -> Iterator[Any]:
    """The nodes of a graph and of the graphs inside of it, in the order in which they run."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from nodes_of(attribute.g)
            for inner in attribute.graphs:
                yield from nodes_of(inner)


def _constants(model: ModelProto, nodes: Iterable[Any]) -> dict[str, np.ndarray]:
    """Small values by name: of initializers, and of Constant nodes."""
    import onnx

    values = constants(model)
    for node in nodes:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            values[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    return values


def _shapes(graph: GraphProto) -> dict[str, Sequence[int | str]]:
    """The dimensions of inputs, weights and, where they are known, results, by name."""
    shapes: dict[str, Sequence[int | str]] = {}
    for value in (*graph.value_info, *graph.input):
        shapes[value.name] = dimensions(value)
    for tensor in graph.initializer:
        shapes[tensor.name] = list(tensor.dims)
    return shapes


def _required(
    node: NodeProto,
    place: int,
    ranges: Mapping[str, Range],
    values: Mapping[str, np.ndarray],
    shapes: Mapping[str, Any],
) -> Range:
    """The range of the input of a node at this place.

    It follows from the operation (``needs``), and from the ranges of the node's results. Where the
    two have nothing in common, the operation's counts.
    """
    op = node.op_type
    needs = NEEDS.get(op, {}).get(place, ANYTHING)
    if op == "Pow" and _is_whole(values.get(_input(node, 1))):
        needs = ANYTHING
    if op in INDEXED and place == INDEXED[op][0]:
        needs = Range(0, _rows(node, shapes) - 1)
    if op in RECURRENT and place == LENGTHS_PLACE:
        needs = _length(node, shapes)
    if op == "GroupQueryAttention" and place in (SEQUENCE_ENDS, LONGEST_SEQUENCE):
        keys = _keys(node, values, shapes)
        exact = keys - 1 if place == SEQUENCE_ENDS else keys
        needs = Range(exact, exact)
    of_results = [ranges[name] for name in node.output if name in ranges]
    if not of_results or needs.low == needs.high:
        return needs
    return _both_or(needs, _before(node, place, of_results[0], values))


def _input(node: NodeProto, place: int) -> str:
    """The name of the input at this place; empty if there is none."""
    return str(node.input[place]) if place < len(node.input) else ""


def _is_whole(exponent: np.ndarray | None) -> bool:
    """True for a known exponent to which negative numbers can be raised, too."""
    return exponent is not None and bool((exponent == np.rint(exponent)).all())


def _attribute(node: NodeProto, name: str, otherwise: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), otherwise)


def _rows(node: NodeProto, shapes: Mapping[str, Any]) -> int:
    """How many rows can be looked up: 1, which every table has, where that is unknown."""
    table = shapes.get(_input(node, INDEXED[node.op_type][1]), ())
    if node.op_type == "GatherND":
        indices = shapes.get(_input(node, 1)) or [0]
        coordinates = indices[-1]
        indexed = table[:coordinates] if isinstance(coordinates, int) else table
    else:
        axis = 1 if node.op_type in CLASS_LOSSES else _attribute(node, "axis", 0)
        indexed = table[axis:][:1] if -len(table) <= axis < len(table) else []
    rows = min((dim for dim in indexed if isinstance(dim, int)), default=1)
    return rows or 1


def _length(node: NodeProto, shapes: Mapping[str, Any]) -> Range:
    """The length of the sequences that a recurrent node reads; 1 where that is unknown."""
    shape = list(shapes.get(node.input[0], ()))
    steps = shape[_attribute(node, "layout", 0) :][:1]
    if steps and isinstance(steps[0], int):
        return Range(steps[0], steps[0])
    return ONE


def _keys(node: NodeProto, values: Mapping[str, np.ndarray], shapes: Mapping[str, Any]) -> int:
    """How many keys each query of a GroupQueryAttention has: those of earlier tokens and new ones.

    It is stored, or follows from shapes: keys are (batch, tokens, width), or the queries where they
    hold the keys; past keys are (batch, heads, tokens, head size).
    """
    longest = values.get(_input(node, LONGEST_SEQUENCE))
    if longest is not None and longest.size:
        return int(longest.max())
    new = shapes.get(_input(node, 1) or _input(node, 0), ())
    past = shapes.get(_input(node, 3), ())
    tokens = [*new[1:2], *past[2:3]]
    return sum(dim for dim in tokens if isinstance(dim, int)) or 1


def _before(node: NodeProto, place: int, after: Range, values: Mapping[str, np.ndarray]) -> Range:
    """The range of an input for which the result lies in ``after``; ANYTHING if no rule says."""
    op = node.op_type
    if op in SAME and place == 0:
        return after
    if op in ALL_SAME and not (op == "Where" and place == 0):
        return after
    if op in INVERSE and place == 0:
        return Range(*INVERSE[op](*after))
    if op in LINEAR and len(node.input) == 2:
        constant = values.get(node.input[1 - place])
        if constant is not None:
            return _shifted(op, place, after, constant)
    if after.low > 0 and after.high == math.inf:
        if op in PRODUCTS:
            return Range(math.sqrt(after.low))
        if op in SUMS or (op == "Div" and place == 0):
            return Range(after.low)
    return ANYTHING


def _shifted(op: str, place: int, after: Range, constant: np.ndarray) -> Range:
    """The range of the other input of a LINEAR operation with a constant."""
    if not constant.size or constant.dtype.kind not in "fiu" or not np.isfinite(constant).all():
        return ANYTHING
    shifted = ANYTHING
    for value in (float(constant.min()), float(constant.max())):
        low, high = sorted(LINEAR[op](end, value, place) for end in after)
        if not math.isnan(low + high):
            shifted = shifted & Range(low, high)
    return shifted


def _log(value: float) -> float:
    return -math.inf if value <= 0 else math.log(value)


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


INVERSE: Mapping[str, Callable[[float, float], tuple[float, float]]] = {
    "Neg": lambda low, high: (-high, -low),
    "Sqrt": lambda low, high: (max(low, 0.0) ** 2, high * high),
    "Exp": lambda low, high: (_log(low), _log(high)),
    "Log": lambda low, high: (_exp(low), _exp(high)),
    "Reciprocal": lambda low, high: (
        (1 / high, 1 / low) if low > 0 and high < math.inf else ANYTHING
    ),
}
"""The ends of the input for these ends of the result, of operations that only rise or fall."""


def _scaled(end: float, factor: float) -> float:
    return math.nan if not factor else end / factor


LINEAR: Mapping[str, Callable[[float, float, int], float]] = {
    "Add": lambda end, other, place: end - other,
    "Sub": lambda end, other, place: end + other if place == 0 else other - end,
    "Mul": lambda end, other, place: _scaled(end, other),
    "Div": lambda end, other, place: end * other if place == 0 else math.nan,
}
"""The input at this place for which the result is ``end``, of operations with a constant."""
