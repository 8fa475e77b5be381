"""The counting formulas behind the table of ``kernels.onnx.work``: one node in, operations out.

Each needs only the shapes and attributes of the node. The rules of counting stand in that table's
module.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from kernels.onnx.graph import Node, Tensor

SOFTMAX = 5
"""Operations per element: maximum, subtraction, exp, sum, division."""

Count = Callable[[Node], float]


class Unknown(Exception):
    """Why the work of a node cannot be said: one line."""


# What formulas are made of.


def shape(node: Node, place: int) -> tuple[int, ...]:
    """Shape of an input."""
    return _shape(node, node.input(place), f"input {place}")


def result(node: Node) -> tuple[int, ...]:
    """Shape of the first output."""
    return _shape(node, node.outputs[0] if node.outputs else None, "output 0")


def _shape(node: Node, tensor: Tensor | None, place: str) -> tuple[int, ...]:
    if tensor is None or tensor.shape is None:
        name = tensor.name if tensor else "absent"
        raise Unknown(f"{node.op} {node.name}: {place} ({name}) has no known shape")
    return tensor.shape


def nothing(node: Node) -> float:
    """No arithmetic."""
    return 0.0


def per_output(count: float) -> Count:
    """``count`` operations for each element written."""
    return lambda node: count * prod(result(node))


def per_input(count: float, out: float = 0.0) -> Count:
    """``count`` for each element read, ``out`` for each written: reductions."""

    def counted(node: Node) -> float:
        read = count * prod(shape(node, 0))
        if not out:
            return float(read)
        return read + out * prod(result(node))

    return counted


def variadic(extra: float = 0.0) -> Count:
    """One operation per further input, ``extra`` at the end (the division of Mean)."""
    return lambda node: (len(node.inputs) - 1 + extra) * prod(result(node))


# Products. Each output element is a dot product, whatever the stride, dilation, groups or rank.


def convolution(weight: int = 1) -> Count:
    """2 · outputs · (input channels per group · kernel size).

    ``weight`` is the place of the weights, (M, C/group, kernel...).
    """
    return lambda node: 2.0 * prod(result(node)) * _taps(node, weight)


def transposed(node: Node) -> float:
    """Each *input* element meets its whole kernel: weights are (C, M/group, kernel...)."""
    return 2.0 * prod(shape(node, 0)) * _taps(node, 1)


def _taps(node: Node, place: int) -> int:
    """Weights that one element meets.

    A runtime's profile may leave the weights out and have another input in their place.
    """
    weights = shape(node, place)
    if len(weights) < 3:
        raise Unknown(
            f"{node.op} {node.name}: input {place} has shape {weights}, which weights do not have"
        )
    return prod(weights[1:])


def deformable(node: Node) -> float:
    """A convolution of bilinear samples, each 4 multiply-adds, once per tap and input channel."""
    weights = shape(node, 1)
    batch, _, *positions = result(node)
    channels = shape(node, 0)[1]
    samples = batch * channels * prod(positions) * prod(weights[2:])
    return convolution()(node) + 8.0 * samples


def product(node: Node) -> float:
    """2 · outputs · K, batches broadcast; a vector counts as numpy.matmul has it."""
    return 2.0 * prod(result(node)) * _inner(node)


def _inner(node: Node) -> int:
    """The dimension that a product sums over."""
    first = shape(node, 0)
    is_turned = bool(node.attributes.get("transA")) and len(first) > 1
    return first[-2] if is_turned else first[-1]


def quantized_product(node: Node) -> float:
    """Activations are quantized (4 per element: min, max, division, offset), then multiplied."""
    return product(node) + 4.0 * prod(shape(node, 0))


def blocked_product(node: Node) -> float:
    """MatMulNBits: K and N are attributes; 2 operations decode each of the packed weights."""
    k = int(node.attributes["K"])
    n = int(node.attributes["N"])
    return 2.0 * prod(result(node)) * k + 2.0 * k * n


def einsum(node: Node) -> float:
    """At every point of the index space one multiplication per further operand, and an addition.

    The addition is left out where no index is summed.
    """
    equation = str(node.attributes["equation"]).replace(" ", "")
    left, arrow, right = equation.partition("->")
    sizes: dict[str | int, int] = {}
    for place, term in enumerate(left.split(",")):
        dims = shape(node, place)
        for index, size in zip(_indices(term, len(dims)), dims, strict=True):
            is_broadcast = isinstance(index, int)
            sizes[index] = max(size, sizes.get(index, 0)) if is_broadcast else size
    written = right if arrow else {letter for letter in left if left.count(letter) == 1}
    is_summed = any(isinstance(index, str) and index not in written for index in sizes)
    per_point = len(node.inputs) - 1 + is_summed
    return float(prod(sizes.values()) * per_point)


def _indices(term: str, rank: int) -> list[str | int]:
    """The index of each dimension: its letter, or a number for those under an ellipsis.

    The numbers count from the end of the ellipsis, since its dimensions broadcast from there.
    """
    before, dots, after = term.partition("...")
    hidden = rank - len(before) - len(after) if dots else 0
    return [*before, *range(-hidden, 0), *after]


def attention(past: int) -> Count:
    """Q·Kᵀ and ·V are 2 · B · H · L · S · head size each, softmax and scale 6 a score.

    Masks skip no work. ``past`` is the place of the keys of earlier tokens, (B, heads, tokens,
    head size); they add to S. Queries are (B, H, L, head size) or (B, L, H · head size), keys and
    values alike.
    """

    scores = attention_scores(past)

    def count(node: Node) -> float:
        query, _, value = (shape(node, place) for place in range(3))
        heads = _query_heads(node, query)
        head_size = query[-1] if len(query) == 4 else query[-1] // heads
        if len(value) == 4:
            value_size = value[-1]
        else:
            value_size = value[-1] // int(node.attributes.get("kv_num_heads") or heads)
        per_score = 2.0 * head_size + 2.0 * value_size + SOFTMAX + 1
        return scores(node) * per_score

    return count


def attention_scores(past: int) -> Count:
    """Scores of all queries with all keys, one exponential each: B · H · L · S."""

    def count(node: Node) -> float:
        query = shape(node, 0)
        keys = shape(node, 1)[-2]
        if node.input(past) is not None:
            keys += shape(node, past)[-2]
        return float(query[0] * _query_heads(node, query) * query[-2] * keys)

    return count


def _query_heads(node: Node, query: tuple[int, ...]) -> int:
    """Heads of the queries: an attribute, or a dimension where there is none."""
    attributes = node.attributes
    return int(attributes.get("q_num_heads") or attributes.get("num_heads") or query[-3])


def grouped_attention(node: Node) -> float:
    """ONNX Runtime's GroupQueryAttention: attention, and 3 per element of Q and K it rotates.

    Inputs are query (B, L, H · head size), key, value, past key, past value, the lengths of the
    sequences and the length of the longest. Without a key, the query holds K and V as well.
    """
    batch, length, width = shape(node, 0)
    heads = int(node.attributes["num_heads"])
    key_heads = int(node.attributes["kv_num_heads"])
    new_keys = _new_keys(node)
    if node.input(1) is None:
        head_size = width // (heads + 2 * key_heads)
    else:
        head_size = width // heads
    operations = grouped_scores(node) * (4.0 * head_size + SOFTMAX + 1)
    if node.attributes.get("do_rotary"):
        operations += 3.0 * batch * head_size * (heads * length + key_heads * new_keys)
    return operations


def grouped_scores(node: Node) -> float:
    """Scores of GroupQueryAttention: every head of the queries with all keys."""
    batch, length, _ = shape(node, 0)
    heads = int(node.attributes["num_heads"])
    return float(batch * heads * length * _all_keys(node, _new_keys(node)))


def _new_keys(node: Node) -> int:
    """Keys that GroupQueryAttention is given: as many as queries where these hold them."""
    return shape(node, 0 if node.input(1) is None else 1)[1]


def _all_keys(node: Node, new_keys: int) -> int:
    """Keys that GroupQueryAttention reads: those of earlier tokens and the new ones.

    Raises Unknown where the past has room for the present, and nothing says how full it is.
    """
    longest = node.input(6)
    if longest is not None and longest.value is not None:
        return int(longest.value.item())
    if node.input(3) is None:
        return new_keys
    past = shape(node, 3)
    present = node.outputs[1] if len(node.outputs) > 1 else None
    if new_keys and present is not None and present.shape == past:
        raise Unknown(
            f"{node.op} {node.name}: how many of its {past[-2]} past keys it reads is known only "
            "as it runs"
        )
    return past[-2] + new_keys


def packed_attention(node: Node) -> float:
    """Attention over S keys, after Q, K and V are projected by weights (D, 3 · hidden).

    The input is (B, S, D). Projections are 2 · B · S · D · 3 · hidden, Q·Kᵀ and ·V together
    4 · B · S² · hidden.
    """
    batch, length, width = shape(node, 0)
    packed = shape(node, 1)[-1]
    projections = 2.0 * batch * length * width * packed
    products = 4.0 * batch * length**2 * (packed // 3)
    return projections + products + packed_scores(node) * (SOFTMAX + 1.0)


def packed_scores(node: Node) -> float:
    """Scores of an attention that projects its input itself."""
    batch, length, _ = shape(node, 0)
    return float(batch * int(node.attributes["num_heads"]) * length**2)


def recurrent(gates: int, elementwise: int) -> Count:
    """``gates`` products a step with input and state, ``elementwise`` operations per state element.

    X is (T, B, I) or (B, T, I), W (directions, gates · H, I), R (directions, gates · H, H).
    """

    def count(node: Node) -> float:
        steps = prod(shape(node, 0)[:2])
        directions, _, width = shape(node, 1)
        hidden = shape(node, 2)[-1]
        per_element = 2 * gates * (width + hidden) + elementwise
        return float(steps * directions * hidden * per_element)

    return count


# Windows, rows and pixels.


def pooling(last: int, each: int = 1) -> Count:
    """``each`` operations per element of a window, ``last`` per output (to divide an average)."""

    def count(node: Node) -> float:
        per_window = float(each) * prod(node.attributes["kernel_shape"]) + last
        return prod(result(node)) * per_window

    return count


def normalised(each: int, row: int, bias: int | None = None) -> Count:
    """``each`` per element, and ``row`` per normalised row (division, eps, sqrt).

    ``bias`` is the place of a bias: where there is one, it adds one per element.
    """

    def count(node: Node) -> float:
        has_bias = bias is not None and node.input(bias) is not None
        per_element = float(each + has_bias)
        return prod(shape(node, 0)) * per_element + row * rows(node)

    return count


def rows(node: Node) -> int:
    """How many rows, or groups, are normalised each by itself."""
    data = shape(node, 0)
    if node.op == "GroupNormalization":
        return data[0] * int(node.attributes["num_groups"])
    if node.op == "InstanceNormalization":
        return prod(data[:2])
    axis = int(node.attributes.get("axis", -1))
    if node.op == "LpNormalization":
        return prod(data) // max(data[axis], 1)
    return prod(data[: axis % len(data)] if data else ())


def softmax_log(node: Node) -> float:
    """Softmax, but that the logarithm of each row's sum is subtracted where Softmax divides.

    So each element takes as many operations, and each row one more.
    """
    return SOFTMAX * prod(shape(node, 0)) + softmax_rows(node)


def softmax_rows(node: Node) -> float:
    """Rows of a softmax, each divided by its own sum."""
    data = shape(node, 0)
    axis = int(node.attributes.get("axis", -1))
    return float(prod(data) // max(data[axis], 1))


def local_response(node: Node) -> float:
    """x / (bias + alpha/size · sum of squares over size channels) ^ beta: square, sum, then 4."""
    return prod(result(node)) * (5.0 + int(node.attributes["size"]))


def gelu(node: Node) -> float:
    """x/2 · (1 + erf(x/√2)) is 5 operations; its tanh form is 9.

    That is x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))).
    """
    uses_tanh = node.op == "FastGelu" or node.attributes.get("approximate") == "tanh"
    return prod(result(node)) * (9.0 if uses_tanh else 5.0)


def resize(node: Node) -> float:
    """A multiply-add per tap: 2 taps (linear) or 4 (cubic) on each axis whose size changes.

    Nearest has none. With ``antialias`` the taps widen by as much as the axis shrinks.
    """
    mode = str(node.attributes.get("mode", "nearest"))
    taps = {"linear": 2, "bilinear": 2, "cubic": 4}.get(mode, 0)
    sizes = zip(shape(node, 0), result(node), strict=True)
    changed = [(before, after) for before, after in sizes if before != after]
    if not taps or not changed:
        return 0.0
    widens = bool(node.attributes.get("antialias"))
    per_output = 1.0
    for before, after in changed:
        width = max(1.0, before / after) if widens and after else 1.0
        per_output *= taps * width
    return 2.0 * per_output * prod(result(node))


def clip(node: Node) -> float:
    """A comparison for each bound: an input, or before opset 11 an attribute."""
    bounds = 0
    for place, name in ((1, "min"), (2, "max")):
        bounds += node.input(place) is not None or name in node.attributes
    return float(bounds * prod(result(node)))


def scatter(node: Node) -> float:
    """One operation per update that ``reduction`` adds, multiplies or compares; else none."""
    if node.attributes.get("reduction", "none") == "none":
        return 0.0
    return float(prod(shape(node, 2)))


def grid_sample(node: Node) -> float:
    """Taps as in ``resize`` over every spatial axis, and 3 operations per coordinate.

    Those turn the coordinates of the grid into pixels.
    """
    axes = len(shape(node, 0)) - 2
    mode = str(node.attributes.get("mode", "linear"))
    taps = {"nearest": 0, "cubic": 4, "bicubic": 4}.get(mode, 2)
    per_output = taps**axes if taps else 0
    return 2.0 * per_output * prod(result(node)) + 3.0 * prod(shape(node, 1))


def affine_grid(node: Node) -> float:
    """A (d, d+1) matrix times each position; the last column is a bias."""
    return 2.0 * prod(result(node)) * (shape(node, 0)[-1] - 1)


def roi_align(node: Node) -> float:
    """Bilinear samples of 4 multiply-adds each, then averaged or compared: 9 per sample."""
    samples = int(node.attributes.get("sampling_ratio", 0))
    if not samples:
        raise Unknown(
            f"RoiAlign {node.name}: sampling_ratio 0 takes as many samples as each box is large"
        )
    return 9.0 * samples**2 * prod(result(node))


def suppression(node: Node) -> float:
    """The least: each score compared with a threshold, the best box of a class with all others.

    An overlap is 15 operations: the other box's area 3, intersection 9 (4 minima and maxima, 2
    differences, 2 clamps, 1 product), union 2, division 1.
    """
    batch, classes, boxes = shape(node, 1)
    overlaps = batch * classes * max(boxes - 1, 0)
    return batch * classes * boxes + 15.0 * overlaps
