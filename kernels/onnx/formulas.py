"""The counting formulas behind the table of ``kernels.onnx.work``: one node in, operations out.

Each needs only the shapes and attributes of the node. The rules of counting stand in that table's
module.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from kernels.onnx.graph import Node, Tensor

SOFTMAX = 5  # max, subtract, exp, sum, divide

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
        raise Unknown(
            f"{node.op} {node.name}: {place} ({tensor.name if tensor else 'absent'}) has no "
            "known shape"
        )
    return tensor.shape


def nothing(node: Node) -> float:
    """No arithmetic."""
    return 0.0


def per_output(count: float) -> Count:
    """``count`` operations for each element written."""
    return lambda node: count * prod(result(node))


def per_input(count: float, out: float = 0.0) -> Count:
    """``count`` for each element read, ``out`` for each written: reductions."""
    return lambda node: count * prod(shape(node, 0)) + (out * prod(result(node)) if out else 0.0)


def variadic(extra: float = 0.0) -> Count:
    """One operation per further input, ``extra`` at the end (the division of Mean)."""
    return lambda node: (len(node.inputs) - 1 + extra) * prod(result(node))


# Products. Each output element is a dot product, whatever the stride, dilation, groups or rank.


def convolution(weight: int = 1) -> Count:
    """2 · outputs · (input channels per group · kernel size): weights are (M, C/group,
    kernel...).
    """
    return lambda node: 2.0 * prod(result(node)) * _taps(node, weight)


def transposed(node: Node) -> float:
    """Each *input* element meets its whole kernel: weights are (C, M/group, kernel...)."""
    return 2.0 * prod(shape(node, 0)) * _taps(node, 1)


def _taps(node: Node, place: int) -> int:
    """Weights that one element meets. A runtime's profile may leave them out and have another input
    there.
    """
    weights = shape(node, place)
    if len(weights) < 3:
        raise Unknown(
            f"{node.op} {node.name}: input {place} has shape {weights}, which weights do not have"
        )
    return prod(weights[1:])


def deformable(node: Node) -> float:
    """A convolution whose every tap is a bilinear sample of 4 multiply-adds, once per input
    channel.
    """
    weight, out = shape(node, 1), result(node)
    taps = out[0] * shape(node, 0)[1] * prod(out[2:]) * prod(weight[2:])
    return convolution()(node) + 8.0 * taps


def product(node: Node) -> float:
    """2 · outputs · K, batches broadcast; a vector counts as numpy.matmul has it."""
    return 2.0 * prod(result(node)) * _inner(node)


def _inner(node: Node) -> int:
    first = shape(node, 0)
    turned = bool(node.attributes.get("transA")) and len(first) > 1
    return first[-2] if turned else first[-1]


def einsum(node: Node) -> float:
    """Every point of the index space: one multiplication per further operand, one addition if an
    index is summed.
    """
    left, arrow, right = str(node.attributes["equation"]).replace(" ", "").partition("->")
    sizes: dict[str | int, int] = {}
    for place, term in enumerate(left.split(",")):
        dims = shape(node, place)
        for index, n in zip(_indices(term, len(dims)), dims, strict=True):
            sizes[index] = max(n, sizes.get(index, 0)) if isinstance(index, int) else n
    kept = right if arrow else {letter for letter in left if left.count(letter) == 1}
    summed = any(isinstance(index, str) and index not in kept for index in sizes)
    return float(prod(sizes.values()) * (len(node.inputs) - 1 + summed))


def _indices(term: str, rank: int) -> list[str | int]:
    """One letter a dimension; those under an ellipsis are numbered from its end, as they
    broadcast.
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

    def count(node: Node) -> float:
        query, key, value = (shape(node, place) for place in range(3))
        heads = _query_heads(node, query)
        head_size = query[-1] if len(query) == 4 else query[-1] // heads
        if len(value) == 4:
            value_size = value[-1]
        else:
            value_size = value[-1] // int(node.attributes.get("kv_num_heads") or heads)
        keys = key[-2]
        if node.input(past) is not None:
            keys += shape(node, past)[-2]
        per_score = 2.0 * head_size + 2.0 * value_size + SOFTMAX + 1
        return query[0] * heads * query[-2] * keys * per_score

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
    if node.input(1) is None:
        head_size = width // (heads + 2 * key_heads)
        new_keys = length
    else:
        head_size = width // heads
        _, new_keys, _ = shape(node, 1)
    scores = batch * heads * length * _all_keys(node, new_keys)
    operations = scores * (4.0 * head_size + SOFTMAX + 1)
    if node.attributes.get("do_rotary"):
        operations += 3.0 * batch * head_size * (heads * length + key_heads * new_keys)
    return operations


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
    """Q, K and V are projected from one (B, S, D) input by weights (D, 3 · hidden), then attention
    over S keys.
    """
    (batch, length, width), packed = shape(node, 0), shape(node, 1)[-1]
    scores = batch * int(node.attributes["num_heads"]) * length**2
    return (
        2.0 * batch * length * width * packed
        + 4.0 * batch * length**2 * (packed // 3)
        + scores * (SOFTMAX + 1.0)
    )


def recurrent(gates: int, elementwise: int) -> Count:
    """T steps of ``gates`` products with input and state, then ``elementwise`` operations per state
    element.

    X is (T, B, I) or (B, T, I), W (directions, gates · H, I), R (directions, gates · H, H).
    """

    def count(node: Node) -> float:
        steps, (directions, _, width), hidden = (
            prod(shape(node, 0)[:2]),
            shape(node, 1),
            shape(node, 2)[-1],
        )
        return float(steps * directions * hidden * (2 * gates * (width + hidden) + elementwise))

    return count


# Windows, rows and pixels.


def pooling(last: int, each: int = 1) -> Count:
    """``each`` operations per element of the window, ``last`` per output (the division of an
    average).
    """
    return lambda node: (
        prod(result(node)) * (float(each) * prod(node.attributes["kernel_shape"]) + last)
    )


def normalised(each: int, row: int, bias: int | None = None) -> Count:
    """``each`` per element, one more where there is a bias, and ``row`` per normalised row
    (division, eps, sqrt).
    """

    def count(node: Node) -> float:
        extra = 1 if bias is not None and node.input(bias) is not None else 0
        return prod(shape(node, 0)) * float(each + extra) + row * _rows(node)

    return count


def _rows(node: Node) -> int:
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
    """Softmax without its division, minus the logarithm of each row's sum."""
    data = shape(node, 0)
    return 5.0 * prod(data) + prod(data) // max(data[int(node.attributes.get("axis", -1))], 1)


def local_response(node: Node) -> float:
    """x / (bias + alpha/size · sum of squares over size channels) ^ beta: square, sum, then 4."""
    return prod(result(node)) * (5.0 + int(node.attributes["size"]))


def gelu(node: Node) -> float:
    """x/2 · (1 + erf(x/√2)) is 5; its tanh form, x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³))), is
    9.
    """
    return prod(result(node)) * (
        9.0 if node.attributes.get("approximate") == "tanh" or node.op == "FastGelu" else 5.0
    )


def resize(node: Node) -> float:
    """A multiply-add per tap: 2 taps an axis (linear) or 4 (cubic) on each axis whose size changes;
    nearest: 0.

    With ``antialias`` they widen by as much as the axis shrinks.
    """
    taps = {"linear": 2, "bilinear": 2, "cubic": 4}.get(
        str(node.attributes.get("mode", "nearest")), 0
    )
    out, changed = (
        result(node),
        [(a, b) for a, b in zip(shape(node, 0), result(node), strict=True) if a != b],
    )
    wide = [max(1.0, a / b) if node.attributes.get("antialias") and b else 1.0 for a, b in changed]
    return 2.0 * prod(taps * width for width in wide) * prod(out) if taps and changed else 0.0


def clip(node: Node) -> float:
    """A comparison for each bound that is given: as an input, before opset 11 as an attribute."""
    bounds = sum(
        node.input(place) is not None or name in node.attributes
        for place, name in ((1, "min"), (2, "max"))
    )
    return float(bounds * prod(result(node)))


def scatter(node: Node) -> float:
    """One for each update where it is not only put in its place: ``reduction`` adds, multiplies or
    compares.
    """
    return (
        float(prod(shape(node, 2))) if node.attributes.get("reduction", "none") != "none" else 0.0
    )


def grid_sample(node: Node) -> float:
    """Taps as in resize over every spatial axis, and 3 operations to turn each coordinate into
    pixels.
    """
    axes = len(shape(node, 0)) - 2
    taps = {"nearest": 0, "cubic": 4, "bicubic": 4}.get(
        str(node.attributes.get("mode", "linear")), 2
    )
    return 2.0 * (taps**axes if taps else 0) * prod(result(node)) + 3.0 * prod(shape(node, 1))


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
    """The least: one score per class compared with its threshold, and the best box of each with all
    others.

    An overlap is 15 operations: the other box's area 3, intersection 9 (4 minima and maxima, 2
    differences, 2 clamps, 1 product), union 2, division 1.
    """
    scores = shape(node, 1)
    return prod(scores) + 15.0 * scores[0] * scores[1] * max(scores[2] - 1, 0)


def quantized_product(node: Node) -> float:
    """Activations quantized on the way in (4 per element: min, max, division, offset), then the
    product.
    """
    return product(node) + 4.0 * prod(shape(node, 0))


def blocked_product(node: Node) -> float:
    """MatMulNBits: K and N are attributes, weights are packed; each weight is decoded by 2
    operations.
    """
    k, n = int(node.attributes["K"]), int(node.attributes["N"])
    return 2.0 * prod(result(node)) * k + 2.0 * k * n
