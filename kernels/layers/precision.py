"""The family of precisions: one convolution and one product in each type, and what it costs to
change type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from kernels.layers.conv import conv
from kernels.layers.family import BATCH, Family, Layer
from kernels.onnx.net import Net
from kernels.precision.convert import convert

CHANNELS, SIDE = 64, 56
WIDTH, ROWS = 1024, {"cpu": 128, "cuda": 4096}
FORM = {"cpu": "u8s8", "cuda": "s8s8"}
"""Of INT8, by device kind: see kernels.precision.quantize.FORMS."""
STEP = 1 / 127
"""Scale of an int8 that spans ±1."""
FLOAT, HALF = 1, 10  # TensorProto.FLOAT and FLOAT16

Rows = tuple[str, str, str, Callable[[], Any], str, tuple[str, ...]]
"""series, name, op, make, fixed, dtypes"""


def product(rows: int) -> Any:
    """A Gemm with bias of (rows, WIDTH) activations."""
    net = Net()
    return net.model(net.gemm(net.input(rows, WIDTH), WIDTH, WIDTH))


def convolution(batch: int) -> Any:
    return conv(batch, CHANNELS, CHANNELS, SIDE, 3)


def per_channel(make: Callable[[], Any], form: str) -> Any:
    """The INT8 form with a scale for each output channel."""
    return convert(make(), "int8", per_channel=True, form=form)


def between_floats(batch: int, form: str) -> Any:
    """The INT8 convolution, fused, with float input and output: the model pays for both
    conversions.
    """
    import onnx

    model = convert(convolution(batch), "int8", form=form)
    first = next(
        n for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] == "x"
    )
    last = next(n for n in model.graph.node if n.op_type == "QuantizeLinear")
    enter = onnx.helper.make_node("QuantizeLinear", ["x", *first.input[1:]], ["x_int"], "enter")
    leave = onnx.helper.make_node("DequantizeLinear", ["y_int", *last.input[1:]], ["y"], "leave")
    first.input[0], last.output[0] = "x_int", "y_int"
    nodes = [enter, *model.graph.node, leave]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = FLOAT
    return model


def unfused(batch: int) -> Any:
    """Q and DQ before a convolution of float weights and float result: nothing to fuse with, so all
    three run.
    """
    net = Net()
    x = net.input(batch, CHANNELS, SIDE, SIDE)
    ends = net.constant(STEP), net.constant(0, "int8")
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", x, *ends), *ends)
    return net.model(net.conv(x, CHANNELS, CHANNELS, 3))


def conversion(op: str, batch: int, by_channel: bool) -> Any:
    """QuantizeLinear or DequantizeLinear alone, of an image."""
    net = Net()
    x = net.input(
        batch, CHANNELS, SIDE, SIDE, dtype="float32" if op == "QuantizeLinear" else "int8"
    )
    scales = np.full(CHANNELS, STEP) if by_channel else STEP
    ends = net.constant(scales), net.constant(np.zeros_like(scales), "int8")
    return net.model(net.add(op, x, *ends, **({"axis": 1} if by_channel else {})))


def cast(batch: int, source: str, to: int) -> Any:
    net = Net()
    return net.model(net.add("Cast", net.input(batch, CHANNELS, SIDE, SIDE, dtype=source), to=to))


def reformat(batch: int, perm: tuple[int, ...]) -> Any:
    net = Net()
    shape = (SIDE, SIDE, CHANNELS) if perm == (0, 3, 1, 2) else (CHANNELS, SIDE, SIDE)
    return net.model(net.add("Transpose", net.input(batch, *shape), perm=list(perm)))


def _rows(kind: str) -> Iterator[Rows]:
    batch, form = BATCH[kind], FORM[kind]
    shape = f"{CHANNELS} to {CHANNELS}, {SIDE}x{SIDE}"
    conv_of, gemm_of = partial(convolution, batch), partial(product, ROWS[kind])
    yield "Conv", f"conv 3x3, {shape}", "Conv", conv_of, "", ()
    yield (
        "Conv",
        "conv, scales per channel",
        "Conv",
        partial(per_channel, conv_of, form),
        "int8",
        (),
    )
    yield (
        "Conv",
        "conv, fused between Q and DQ",
        "Conv",
        partial(between_floats, batch, form),
        "int8",
        (),
    )
    yield "Conv", "conv behind Q and DQ, unfused", "Conv", partial(unfused, batch), "fp32", ()
    yield "Gemm", f"fc {WIDTH} to {WIDTH}, batch {ROWS[kind]}", "Gemm", gemm_of, "", ()
    yield "Gemm", "fc, scales per channel", "Gemm", partial(per_channel, gemm_of, form), "int8", ()
    for op in ("QuantizeLinear", "DequantizeLinear"):
        for scales, by_channel in (("tensor", False), ("channel", True)):
            yield (
                op,
                f"{op} per {scales}",
                op,
                partial(conversion, op, batch, by_channel),
                "int8",
                (),
            )
    yield "Cast", "Cast FP32 to FP16", "Cast", partial(cast, batch, "float32", HALF), "fp16", ()
    yield "Cast", "Cast FP16 to FP32", "Cast", partial(cast, batch, "float16", FLOAT), "fp16", ()
    moved = ("fp32", "int8") if kind == "cpu" else ("fp32", "fp16", "int8")
    yield "reformat", "NCHW to NHWC", "Transpose", partial(reformat, batch, (0, 2, 3, 1)), "", moved
    yield "reformat", "NHWC to NCHW", "Transpose", partial(reformat, batch, (0, 3, 1, 2)), "", moved


def by_precision(kind: str) -> Iterator[Layer]:
    for index, (series, name, op, make, fixed, dtypes) in zip(count(1), _rows(kind), strict=False):
        yield Layer("precision", name, op, series, index, make, fixed, dtypes)


PRECISIONS = {
    "precision": Family(
        "What does a precision gain, and what does it cost to change it?",
        "layer",
        by_precision,
        {"cpu": ("fp32", "int8"), "cuda": ("fp32", "tf32", "fp16", "bf16", "int8")},
    ),
}
