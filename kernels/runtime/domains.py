"""Where the values of an input must lie, so that what reads them is defined: no root of a negative
number, no index beyond its table, no division by zero.

A requirement stands with the operation that has it (NEEDS) and is followed backwards, through
operations that hand values on (SAME) or change them by a known rule (INVERSE), to the inputs of the
graph.
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
"""Of what must be positive: its logarithm, root and reciprocal are all of ordinary size."""


class Range(NamedTuple):
    """Least and largest value, both allowed."""

    low: float = -math.inf
    high: float = math.inf

    def __and__(self, other: Range) -> Range:
        return Range(max(self.low, other.low), min(self.high, other.high))


ANYTHING = Range()
POSITIVE, DIVISOR, ZERO, ONE = Range(LEAST), Range(0.5), Range(0, 0), Range(1, 1)
NO, YES = ZERO, ONE
"""Of what is true or false."""

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
"""What operations need of the input at each place. A new one is one row, or one name in a row."""
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
"""Operations that look rows up: places of the indices and of the table."""
CLASSES = frozenset(("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"))
"""Their table has its classes in the second dimension."""
RECURRENT, LENGTHS = frozenset(("LSTM", "GRU", "RNN")), 4
"""The place of their lengths of sequences: all are whole, so as not to be shorter than what is
counted.
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
"""Operations whose results lie where their first input lies (of Abs and Relu: where that is not
negative).
"""
ALL_SAME = frozenset(("Concat", "Max", "Min", "Where", "Mean"))
"""Likewise of all their inputs; of Where, all but the condition."""
SUMS, PRODUCTS = (
    frozenset(("Add", "Sum", "ReduceSum", "CumSum")),
    frozenset(("Mul", "ReduceSumSquare")),
)
"""Operations whose results are above a positive bound where all terms are, or the squares of all
factors.
"""


def needed(model: ModelProto) -> dict[str, Range]:
    """Of each input of a ModelProto's graph whose values are not free, where they must lie."""
    nodes = list(nodes_of(model.graph))
    known, shapes = _constants(model, nodes), _shapes(model.graph)
    needs: dict[str, Range] = {}
    for node in reversed(nodes):
        for place, name in enumerate(node.input):
            if name and (wanted := _wanted(node, place, needs, known, shapes)) != ANYTHING:
                both = needs.get(name, ANYTHING) & wanted
                needs[name] = both if both.low <= both.high else wanted
    return {value.name: needs[value.name] for value in model.graph.input if value.name in needs}


def nodes_of(graph: GraphProto) -> Iterator[Any]:
    """Of a graph and those inside of it, in the order in which they run."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from nodes_of(inner)


def _constants(model: ModelProto, nodes: Iterable[Any]) -> dict[str, np.ndarray]:
    """Small values by name: of initializers, and of Constant nodes."""
    import onnx

    found = constants(model)
    for node in nodes:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            found[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    return found


def _shapes(graph: GraphProto) -> dict[str, Sequence[int | str]]:
    found: dict[str, Sequence[int | str]] = {
        v.name: dimensions(v) for v in (*graph.value_info, *graph.input)
    }
    return found | {tensor.name: list(tensor.dims) for tensor in graph.initializer}


def _wanted(
    node: NodeProto,
    place: int,
    needs: Mapping[str, Range],
    known: Mapping[str, np.ndarray],
    shapes: Mapping[str, Any],
) -> Range:
    """Where the input of a node at this place must lie, for its own sake and for that of its
    results.
    """
    own = NEEDS.get(node.op_type, {}).get(place, ANYTHING)
    if node.op_type == "Pow" and _whole(known.get(_read(node, 1))):
        own = ANYTHING
    if node.op_type in INDEXED and place == INDEXED[node.op_type][0]:
        own = Range(0, _rows(node, shapes) - 1)
    if node.op_type in RECURRENT and place == LENGTHS:
        own = _length(node, shapes)
    if node.op_type == "GroupQueryAttention" and place in (SEQUENCE_ENDS, LONGEST_SEQUENCE):
        keys = _keys(node, known, shapes)
        wanted = keys - 1 if place == SEQUENCE_ENDS else keys
        own = Range(wanted, wanted)
    after = [needs[name] for name in node.output if name in needs]
    if not after or own.low == own.high:
        return own
    both = own & _before(node, place, after[0], known)
    return both if both.low <= both.high else own


def _read(node: NodeProto, place: int) -> str:
    """The name of the input at this place, or nothing."""
    return str(node.input[place]) if place < len(node.input) else ""


def _whole(exponent: np.ndarray | None) -> bool:
    """True for a known exponent that negative numbers have, too."""
    return exponent is not None and bool((exponent == np.rint(exponent)).all())


def _attribute(node: NodeProto, name: str, otherwise: int) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), otherwise)


def _rows(node: NodeProto, shapes: Mapping[str, Any]) -> int:
    """How many rows may be looked up: 1, which every table has, where that is not known."""
    table = shapes.get(_read(node, INDEXED[node.op_type][1]), ())
    if node.op_type == "GatherND":
        places = shapes.get(_read(node, 1)) or [0]
        looked = table[: places[-1]] if isinstance(places[-1], int) else table
    else:
        axis = 1 if node.op_type in CLASSES else _attribute(node, "axis", 0)
        looked = table[axis:][:1] if -len(table) <= axis < len(table) else []
    return min((dim for dim in looked if isinstance(dim, int)), default=1) or 1


def _length(node: NodeProto, shapes: Mapping[str, Any]) -> Range:
    steps = list(shapes.get(node.input[0], ()))[_attribute(node, "layout", 0) :][:1]
    return Range(steps[0], steps[0]) if steps and isinstance(steps[0], int) else ONE


def _keys(node: NodeProto, known: Mapping[str, np.ndarray], shapes: Mapping[str, Any]) -> int:
    """How many keys each query of a GroupQueryAttention has: those of earlier tokens and new ones.

    It is stored, or follows from shapes: keys are (batch, tokens, width), or the queries where they
    hold the keys; past keys are (batch, heads, tokens, head size).
    """
    longest = known.get(_read(node, LONGEST_SEQUENCE))
    if longest is not None and longest.size:
        return int(longest.max())
    new = shapes.get(_read(node, 1) or _read(node, 0), ())
    past = shapes.get(_read(node, 3), ())
    tokens = [*new[1:2], *past[2:3]]
    return sum(dim for dim in tokens if isinstance(dim, int)) or 1


def _before(node: NodeProto, place: int, after: Range, known: Mapping[str, np.ndarray]) -> Range:
    """Where an input must lie for the result to lie in ``after``; anywhere where no rule says."""
    op = node.op_type
    if (op in SAME and place == 0) or (op in ALL_SAME and not (op == "Where" and place == 0)):
        return after
    if op in INVERSE and place == 0:
        return Range(*INVERSE[op](*after))
    other = known.get(node.input[1 - place]) if op in LINEAR and len(node.input) == 2 else None
    if other is not None:
        return _shifted(op, place, after, other)
    if (
        after.low > 0
        and after.high == math.inf
        and (op in SUMS | PRODUCTS or (op == "Div" and place == 0))
    ):
        return Range(math.sqrt(after.low) if op in PRODUCTS else after.low)
    return ANYTHING


def _shifted(op: str, place: int, after: Range, constant: np.ndarray) -> Range:
    """Of a sum, difference, product or quotient with a constant: where its other input must lie."""
    if not constant.size or constant.dtype.kind not in "fiu" or not np.isfinite(constant).all():
        return ANYTHING
    found = ANYTHING
    for value in (float(constant.min()), float(constant.max())):
        low, high = sorted(LINEAR[op](end, value, place) for end in after)
        found = found if math.isnan(low + high) else found & Range(low, high)
    return found


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
"""Of operations that only rise or fall: the ends of the input for these ends of the result."""


def _scaled(end: float, factor: float) -> float:
    return math.nan if not factor else end / factor


LINEAR: Mapping[str, Callable[[float, float, int], float]] = {
    "Add": lambda end, other, place: end - other,
    "Sub": lambda end, other, place: end + other if place == 0 else other - end,
    "Mul": lambda end, other, place: _scaled(end, other),
    "Div": lambda end, other, place: end * other if place == 0 else math.nan,
}
"""Of operations with a constant: the input at this place for which the result is ``end``."""
