"""The family of precisions: a convolution and a product in each type, and changes of type."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from kernels.layers.conv import conv
from kernels.layers.family import BATCH, Family, Layer
from kernels.onnx.net import Net
from kernels.precision.convert import convert

CHANNELS = 64
SIDE = 56
"""Of images, pixels."""
WIDTH = 1024
"""Of the weights of a product, which are square."""
ROWS = {"cpu": 128, "cuda": 4096}
"""Of the activations of a product."""
FORM = {"cpu": "u8s8", "cuda": "s8s8"}
"""Of INT8, by device kind: see kernels.precision.quantize.FORMS."""
STEP = 1 / 127
"""Scale of an int8 that spans ±1."""

# As TensorProto numbers them.
FLOAT = 1
FLOAT16 = 10

TO_NHWC = (0, 2, 3, 1)
TO_NCHW = (0, 3, 1, 2)


def product(rows: int) -> Any:
    """A Gemm with bias of (rows, WIDTH) activations."""
    net = Net()
    return net.model(net.gemm(net.input(rows, WIDTH), WIDTH, WIDTH))


def convolution(batch: int) -> Any:
    return conv(batch, CHANNELS, CHANNELS, SIDE, 3)


def per_channel(make: Callable[[], Any], form: str) -> Any:
    """The INT8 form with a scale for each output channel."""
    return convert(make(), "int8", per_channel=True, form=form)


def between_floats(model: Any, form: str) -> Any:
    """A model of one input and output in INT8, both of which stay floats: it pays for Q and DQ."""
    import onnx

    model = convert(model, "int8", form=form)
    decoders = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    first = next(node for node in decoders if node.input[0] == "x")
    last = next(node for node in model.graph.node if node.output[0] == "y")
    enter = onnx.helper.make_node("QuantizeLinear", ["x", *first.input[1:]], ["x_int"], "enter")
    leave = onnx.helper.make_node("DequantizeLinear", ["y_int", *last.input[1:]], ["y"], "leave")
    first.input[0] = "x_int"
    last.output[0] = "y_int"
    nodes = [enter, *model.graph.node, leave]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.elem_type = FLOAT
    return model


def conv_between_floats(batch: int, form: str) -> Any:
    """The INT8 convolution, fused, with float input and output."""
    return between_floats(convolution(batch), form)


def unfused(batch: int) -> Any:
    """Q and DQ before a convolution of float weights and float result: all three run.

    There is nothing to fuse with.
    """
    net = Net()
    x = net.input(batch, CHANNELS, SIDE, SIDE)
    scale = net.constant(STEP)
    zero = net.constant(0, "int8")
    encoded = net.add("QuantizeLinear", x, scale, zero)
    decoded = net.add("DequantizeLinear", encoded, scale, zero)
    return net.model(net.conv(decoded, CHANNELS, CHANNELS, 3))


def conversion(
    op: str, shape: Sequence[int], by_channel: bool = False, integers: str = "int8"
) -> Any:
    """QuantizeLinear or DequantizeLinear alone, of a tensor whose dimension 1 counts channels.

    integers: NumPy's name of their type; zero is in the middle of its range.
    """
    net = Net()
    x = net.input(*shape, dtype="float32" if op == "QuantizeLinear" else integers)
    scales = np.full(shape[1], STEP) if by_channel else np.array(STEP)
    scale = net.constant(scales)
    middle = (np.iinfo(integers).max + np.iinfo(integers).min + 1) // 2
    zero = net.constant(np.full_like(scales, middle), integers)
    attributes = {"axis": 1} if by_channel else {}
    return net.model(net.add(op, x, scale, zero, **attributes))


def cast(shape: Sequence[int], source: str, to: int) -> Any:
    """Cast of a tensor from a NumPy type to one as TensorProto numbers it."""
    net = Net()
    x = net.input(*shape, dtype=source)
    return net.model(net.add("Cast", x, to=to))


def reformat(batch: int, perm: tuple[int, ...]) -> Any:
    """Transpose of an image, by TO_NHWC or TO_NCHW."""
    net = Net()
    shape = (SIDE, SIDE, CHANNELS) if perm == TO_NCHW else (CHANNELS, SIDE, SIDE)
    x = net.input(batch, *shape)
    return net.model(net.add("Transpose", x, perm=list(perm)))


class Row(NamedTuple):
    """A layer of the family, but for its place: see the fields of Layer."""

    series: str
    name: str
    op: str
    make: Callable[[], Any]
    fixed: str = ""
    dtypes: tuple[str, ...] = ()


def _rows(kind: str) -> Iterator[Row]:
    batch = BATCH[kind]
    form = FORM[kind]
    conv_of = partial(convolution, batch)
    name = f"conv 3x3, {CHANNELS} to {CHANNELS}, {SIDE}x{SIDE}"
    yield Row("Conv", name, "Conv", conv_of)
    make = partial(per_channel, conv_of, form)
    yield Row("Conv", "conv, scales per channel", "Conv", make, fixed="int8")
    make = partial(conv_between_floats, batch, form)
    yield Row("Conv", "conv, fused between Q and DQ", "Conv", make, fixed="int8")
    make = partial(unfused, batch)
    yield Row("Conv", "conv behind Q and DQ, unfused", "Conv", make, fixed="fp32")

    gemm_of = partial(product, ROWS[kind])
    yield Row("Gemm", f"fc {WIDTH} to {WIDTH}, batch {ROWS[kind]}", "Gemm", gemm_of)
    make = partial(per_channel, gemm_of, form)
    yield Row("Gemm", "fc, scales per channel", "Gemm", make, fixed="int8")

    image = (batch, CHANNELS, SIDE, SIDE)
    for op in ("QuantizeLinear", "DequantizeLinear"):
        make = partial(conversion, op, image)
        yield Row(op, f"{op} per tensor", op, make, fixed="int8")
        make = partial(conversion, op, image, by_channel=True)
        yield Row(op, f"{op} per channel", op, make, fixed="int8")

    make = partial(cast, image, "float32", FLOAT16)
    yield Row("Cast", "Cast FP32 to FP16", "Cast", make, fixed="fp16")
    make = partial(cast, image, "float16", FLOAT)
    yield Row("Cast", "Cast FP16 to FP32", "Cast", make, fixed="fp16")

    moved = ("fp32", "int8") if kind == "cpu" else ("fp32", "fp16", "int8")
    make = partial(reformat, batch, TO_NHWC)
    yield Row("reformat", "NCHW to NHWC", "Transpose", make, dtypes=moved)
    make = partial(reformat, batch, TO_NCHW)
    yield Row("reformat", "NHWC to NCHW", "Transpose", make, dtypes=moved)


def by_precision(kind: str) -> Iterator[Layer]:
    for place, row in enumerate(_rows(kind), start=1):
        yield Layer(
            "precision",
            row.name,
            row.op,
            row.series,
            place,
            row.make,
            fixed=row.fixed,
            dtypes=row.dtypes,
        )


PRECISIONS = {
    "precision": Family(
        "What does a precision gain, and what does it cost to change it?",
        "layer",
        by_precision,
        {"cpu": ("fp32", "int8"), "cuda": ("fp32", "tf32", "fp16", "bf16", "int8")},
    ),
}
