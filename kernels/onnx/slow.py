"""Slow operations of ONNX operations: what a unit does at a fraction of its multiply-adds' rate.

They are exponentials and what is made of one, divisions and roots, one row of ROWS each. Their rate
is a roof of a layer, so the count is the least that any way takes: a sigmoid is half a tanh,
products replace divisions by one number, constants fold, and a quantized operation looks its 256
answers up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from kernels.onnx import formulas as count
from kernels.onnx.formulas import Count
from kernels.onnx.graph import Node

EXP, DIVIDE, ROOT = "exp2", "divide", "rsqrt"
"""What is counted, by the name of the operation of ``kernels.arithmetic`` that has its rate."""


@dataclass(frozen=True)
class SlowRow:
    """ONNX operations with as many slow operations of one name."""

    names: str
    """Separated by spaces."""
    slow: str
    """``EXP``, ``DIVIDE`` or ``ROOT``."""
    count: Count
    """Counts those of a node; raises Unknown."""


def _denominators(node: Node) -> float:
    """One a number that is divided by; none by a weight, whose reciprocal is known before."""
    divisor = node.input(1)
    return 0.0 if divisor is not None and divisor.weight else float(prod(count.shape(node, 1)))


def _powers(node: Node) -> float:
    """Nothing where the exponent is a whole number, or not known: products do it."""
    exponent = node.input(1)
    if exponent is None or exponent.value is None:
        return 0.0
    is_whole = bool((exponent.value % 1 == 0).all())
    return 0.0 if is_whole else float(prod(count.result(node)))


ROWS: tuple[SlowRow, ...] = (
    SlowRow("Exp Log Sin Cos Tan Asin Acos Atan Sinh Cosh", EXP, count.per_output(1)),
    SlowRow("Asinh Acosh Atanh Erf Tanh Sigmoid Silu Swish", EXP, count.per_output(1)),
    SlowRow("Elu Celu Selu Mish", EXP, count.per_output(1)),
    SlowRow("Gelu FastGelu BiasGelu QuickGelu", EXP, count.per_output(1)),
    # exp, then a logarithm
    SlowRow("Softplus", EXP, count.per_output(2)),
    SlowRow("Softmax LogSoftmax", EXP, count.per_output(1)),
    # One reciprocal a row; LogSoftmax takes a logarithm instead, and as few.
    SlowRow("Softmax", DIVIDE, count.softmax_rows),
    SlowRow("ReduceLogSumExp", EXP, count.per_input(1, 1)),
    SlowRow("ReduceLogSum", EXP, count.per_output(1)),
    SlowRow("Attention", EXP, count.attention_scores(past=4)),
    SlowRow("MultiHeadAttention", EXP, count.attention_scores(past=6)),
    SlowRow("GroupQueryAttention", EXP, count.grouped_scores),
    SlowRow("com.microsoft.Attention", EXP, count.packed_scores),
    # 3 sigmoids and 2 tanh; 2 and 1; 1 tanh.
    SlowRow("LSTM", EXP, count.recurrent(0, 5)),
    SlowRow("GRU", EXP, count.recurrent(0, 3)),
    SlowRow("RNN", EXP, count.recurrent(0, 1)),
    SlowRow("Softsign", DIVIDE, count.per_output(1)),
    SlowRow("Reciprocal", DIVIDE, count.per_output(1)),
    SlowRow("Div", DIVIDE, _denominators),
    SlowRow("Sqrt ReduceL2 GlobalLpPool", ROOT, count.per_output(1)),
    SlowRow("Pow", ROOT, _powers),
    # One a row, or group. Those of BatchNormalization fold.
    SlowRow("LayerNormalization InstanceNormalization GroupNormalization", ROOT, count.rows),
    SlowRow("SkipLayerNormalization SkipSimplifiedLayerNormalization", ROOT, count.rows),
    SlowRow("RMSNormalization SimplifiedLayerNormalization LpNormalization", ROOT, count.rows),
)
"""The table. What is in none of its rows has no slow operations."""


def slow_of(node: Node) -> dict[str, float]:
    """Slow operations of a node by name; empty if it has none. Raises Unknown."""
    full_name = f"{node.domain}.{node.op}" if node.domain else node.op
    name = full_name if full_name in NAMES else node.op
    counted: dict[str, float] = {}
    for row in ROWS:
        if name in row.names.split():
            counted[row.slow] = counted.get(row.slow, 0.0) + row.count(node)
    return {slow: number for slow, number in counted.items() if number}


NAMES = frozenset(name for row in ROWS for name in row.names.split())
"""The operations of the table."""


def summed(parts: Iterable[Mapping[str, float] | None]) -> dict[str, float] | None:
    """The slow operations of several nodes together; None if those of one are unknown."""
    total: dict[str, float] = {}
    for part in parts:
        if part is None:
            return None
        for slow, number in part.items():
            total[slow] = total.get(slow, 0.0) + number
    return total
