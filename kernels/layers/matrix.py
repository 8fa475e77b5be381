"""Families of products and of what stands between them.

They are fully connected layers, matrix products, attention, and operations on rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from kernels.layers.family import BATCH, FLOATS, FP32, PRODUCTS, Family, Layer
from kernels.onnx.net import Net

HEADS = 8
HEAD_SIZE = 64
SIDES = {
    "cpu": (64, 96, 128, 192, 256, 384, 512, 768, 1024),
    "cuda": (64, 128, 256, 512, 1024, 2048, 4096),
}
TOKENS = {
    "cpu": (64, 128, 192, 256, 384, 512, 768, 1024),
    "cuda": (64, 128, 256, 512, 1024, 2048, 4096),
}
WIDTHS = {"cpu": (256, 512, 1024, 2048), "cuda": (256, 512, 1024, 2048, 4096)}
ROW_WIDTHS = (64, 256, 768, 1024, 4096)
ROWS = {"cpu": 1024, "cuda": 16384}


def fully_connected(batch: int, width: int) -> Any:
    """Gemm of (batch, width) activations with (width, width) weights and a bias."""
    net = Net()
    x = net.input(batch, width)
    return net.model(net.gemm(x, width, width))


def square(n: int) -> Any:
    """The product of two activations of n by n."""
    net = Net()
    return net.model(net.add("MatMul", net.input(n, n), net.input(n, n)))


def attention(batch: int, tokens: int) -> Any:
    """softmax(Q·Kᵀ / √d) · V of inputs (batch, heads, tokens, d), as exporters write it."""
    net = Net()
    q, k, v = (net.input(batch, HEADS, tokens, HEAD_SIZE) for _ in range(3))
    turned = net.add("Transpose", k, perm=[0, 1, 3, 2])
    scores = net.add("MatMul", q, turned)
    scaled = net.add("Mul", scores, net.constant(HEAD_SIZE**-0.5))
    parts = net.add("Softmax", scaled, axis=-1)
    return net.model(net.add("MatMul", parts, v))


def row_op(op: str, rows: int, width: int) -> Any:
    """One operation over the last dimension of (rows, width)."""
    net = Net()
    x = net.input(rows, width)
    if op == "LayerNormalization":
        scale = net.weight(width)
        bias = net.weight(width)
        return net.model(net.add(op, x, scale, bias, axis=-1))
    if op == "Softmax":
        return net.model(net.add(op, x, axis=-1))
    return net.model(net.add(op, x))


def by_width(kind: str) -> Iterator[Layer]:
    for batch in (1, 16, 128):
        for width in WIDTHS[kind]:
            name = f"fc {width} to {width}, batch {batch}"
            make = partial(fully_connected, batch, width)
            yield Layer("fc", name, "Gemm", f"batch {batch}", width, make)


def by_side(kind: str) -> Iterator[Layer]:
    for n in SIDES[kind]:
        name = f"matmul {n}x{n}x{n}"
        yield Layer("matmul", name, "MatMul", "square", n, partial(square, n))


def by_tokens(kind: str) -> Iterator[Layer]:
    for tokens in TOKENS[kind]:
        # There is a score for each pair of tokens: 4096 of them are 0.5 GB an input.
        batch = BATCH[kind] if tokens <= 512 else 1
        name = f"attention, {tokens} tokens, {HEADS} heads of {HEAD_SIZE}, batch {batch}"
        make = partial(attention, batch, tokens)
        yield Layer("attention", name, "MatMul", f"batch {batch}", tokens, make)


def by_row(kind: str) -> Iterator[Layer]:
    for op in ("LayerNormalization", "Softmax", "Gelu"):
        for width in ROW_WIDTHS:
            name = f"{op}, {ROWS[kind]} rows of {width}"
            make = partial(row_op, op, ROWS[kind], width)
            yield Layer("rows", name, op, op, width, make)


MATRICES = {
    "fc": Family(
        "From which batch on is a fully connected layer worth its weights?",
        "width",
        by_width,
        PRODUCTS,
    ),
    "matmul": Family(
        "From which size on does a matrix product reach the roof?", "side", by_side, PRODUCTS
    ),
    "attention": Family(
        "How does the sequence length move attention?",
        "sequence length (tokens)",
        by_tokens,
        FLOATS,
    ),
    "rows": Family("What do normalisation, softmax and GELU cost?", "width of a row", by_row, FP32),
}
