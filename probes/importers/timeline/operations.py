"""The work of PyTorch's operations, from the shapes that its profiler records.

Each is the ONNX operation of the same arithmetic, so that a layer has the same work whether it
comes from a trace or from a network. One row of ROWS says how the tensors of a call are those of an
ONNX node; positions of arguments are those of PyTorch's own signatures (native_functions.yaml).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeGuard

from kernels.onnx.graph import Node, Tensor
from kernels.onnx.work import work_of

UNTYPED = "tensor"
"""The type of a tensor whose type the tool does not record."""
TYPES: Mapping[str, str] = {
    "double": "fp64",
    "float": "fp32",
    "c10::Half": "fp16",
    "c10::BFloat16": "bf16",
    "c10::Float8_e4m3fn": "fp8",
    "c10::Float8_e4m3fnuz": "fp8",
    "c10::Float8_e5m2": "fp8",
    "c10::Float8_e5m2fnuz": "fp8",
    "long int": "int64",
    "long": "int64",
    "long long": "int64",
    "__int64": "int64",
    "int": "int32",
    "short int": "int16",
    "short": "int16",
    "signed char": "int8",
    "unsigned char": "int8",
    "bool": "bool",
    UNTYPED: "",
    "c10::complex<float>": "complex64",
    "c10::complex<double>": "complex128",
}
"""Our names of element types by C++'s, as the profiler writes them."""
SCALAR_TYPES: Mapping[str, str] = {"5": "fp16", "6": "fp32", "7": "fp64", "15": "bf16"}
"""Our names by the numbers of c10/core/ScalarType.h."""
FLOATS = ("fp64", "fp32", "fp16", "bf16", "fp8")
PRODUCTS = ("convolution", "matmul", "attention")
"""Families whose inputs tell the type that is computed in."""

LARGEST = 1 << 63  # more elements no dimension has
Shape = tuple[int, ...]


class NoWork(Exception):
    """The arguments of a call do not tell its work."""


@dataclass(frozen=True)
class Signature:
    """An operation with all that the profiler says of its arguments; equal calls have equal ones.

    Arguments stand in their places; of one that is no tensor the shape is empty and the type
    ``Scalar``, and so on.
    """

    name: str
    """``aten::addmm``."""
    shapes: tuple[object, ...] = ()
    """A shape for each argument, or shapes of the tensors in a list; empty if not recorded."""
    types: tuple[str, ...] = ()
    strides: tuple[object, ...] = ()
    values: tuple[str, ...] = ()
    """Of each argument that is no tensor, as text; empty for a tensor."""

    def has(self, place: int) -> bool:
        """True if a tensor stands in this place."""
        return place < len(self.types) and self.types[place] in TYPES

    def tensor(self, place: int) -> Tensor:
        """The tensor in this place. Raises NoWork if there is none, or its shape is not known."""
        shape = self.shapes[place] if self.has(place) and place < len(self.shapes) else None
        if not is_shape(shape):
            raise NoWork
        return Tensor(f"{place}", shape, TYPES[self.types[place]])

    def maybe(self, place: int) -> Tensor | None:
        """The tensor in this place, None if there is none."""
        return self.tensor(place) if self.has(place) else None

    def listed(self, place: int) -> list[Tensor]:
        """The tensors of a list, whose type is not recorded. Raises NoWork without one."""
        shapes = self.shapes[place] if place < len(self.shapes) else None
        is_list = place < len(self.types) and self.types[place] == "TensorList"
        if not is_list or not isinstance(shapes, tuple) or not all(map(is_shape, shapes)):
            raise NoWork
        return [Tensor(f"{place}.{i}", shape, "") for i, shape in enumerate(shapes)]

    def value(self, place: int) -> str:
        """The text of an argument that is no tensor; empty if it was left out.

        Raises NoWork if the profiler recorded no such arguments (before PyTorch 2.1).
        """
        if not self.values:
            raise NoWork
        return self.values[place] if place < len(self.values) else ""

    def integers(self, place: int) -> list[int]:
        """The whole numbers of a list, ``[2, 2]``, or the only one. Raises NoWork for others."""
        text = self.value(place)
        if not re.fullmatch(r"\[?[-\d, ]*\]?", text):
            raise NoWork
        return [int(number) for number in re.findall(r"-?\d+", text)]

    def integer(self, place: int, default: int) -> int:
        """A whole number."""
        return next(iter(self.integers(place)), default)

    def flag(self, place: int) -> bool:
        """A truth value; False if it was left out."""
        return self.value(place) in ("True", "1")

    @property
    def dtype(self) -> str:
        """The type of the first tensor with floats, else of the first; empty if there is none."""
        known = [
            (TYPES[name], shape)
            for name, shape in zip(self.types, self.shapes, strict=False)
            if name in TYPES
        ]
        floats = [dtype for dtype, shape in known if shape and dtype in FLOATS]
        return next(iter(floats or (dtype for dtype, _ in known)), "")


def is_shape(shape: object) -> TypeGuard[Shape]:
    """True for a tuple of sizes."""
    return isinstance(shape, tuple) and all(type(n) is int and 0 <= n < LARGEST for n in shape)


@dataclass(frozen=True)
class CallWork:
    """What one call of an operation does."""

    flops: float | None
    bytes: float | None
    """Compulsory bytes: elements that a stride of 0 repeats are read once."""
    family: str
    detail: str = ""
    """What of it shapes do not tell: ``stride 2, groups 4``."""
    slow: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Slow operations by name; empty where there are none, or not known."""

    @property
    def is_nothing(self) -> bool:
        """True for a view, or an allocation: what runs within it is not its own."""
        return self.flops == 0 and self.bytes == 0


Maker = Callable[[Signature], Node]


@dataclass(frozen=True)
class Row:
    """Operations that are the same ONNX node."""

    names: str
    """Their names without ``aten::``, separated by spaces; an underscore at the end says in place
    and is left out."""
    node: Maker


def shape_of(tensor: Tensor) -> Shape:
    """Its shape, which every tensor of a call has."""
    assert tensor.shape is not None
    return tensor.shape


def _written(shape: Sequence[int], like: Tensor, dtype: str = "") -> tuple[Tensor]:
    return (Tensor("out", tuple(shape), dtype or like.dtype),)


def _broadcast(tensors: Sequence[Tensor]) -> Shape:
    """The shape that these become together, last dimensions aligned."""
    rank = max(len(shape_of(tensor)) for tensor in tensors)
    padded = [(1,) * (rank - len(shape_of(tensor))) + shape_of(tensor) for tensor in tensors]
    return tuple(0 if 0 in sizes else max(sizes) for sizes in zip(*padded, strict=True))


# Makers of nodes.


def nothing(call: Signature) -> Node:
    """A view, or an allocation: no arithmetic and no bytes."""
    return Node("Shape", call.name, (), ())


def elementwise(op: str, places: int = 1, written: str = "") -> Maker:
    """An operation on each element of the first tensors; ``written``: the type of its result."""

    def node(call: Signature) -> Node:
        operands = [call.tensor(place) for place in range(places) if call.has(place)]
        if not operands:
            raise NoWork
        # A number is an argument of the kernel, and no memory is read for it.
        tensors = [tensor for tensor in operands if tensor.shape] or operands[:1]
        widest = next((t for t in tensors if t.shape and t.dtype in FLOATS), tensors[0])
        return Node(op, call.name, tuple(tensors), _written(_broadcast(tensors), widest, written))

    return node


def clamp(call: Signature) -> Node:
    """Each bound that is a number is one comparison."""
    x = call.tensor(0)
    bounds = {name: True for place, name in ((1, "min"), (2, "max")) if call.value(place)}
    return Node("Clip", call.name, (x,), _written(shape_of(x), x), bounds)


def gelu(call: Signature) -> Node:
    """Its approximation is an attribute."""
    x = call.tensor(0)
    how = {"approximate": call.value(1) or "none"}
    return Node("Gelu", call.name, (x,), _written(shape_of(x), x), how)


def copied(call: Signature) -> Node:
    """Reads the second tensor and writes the first."""
    target, source = call.tensor(0), call.tensor(1)
    return Node("Identity", call.name, (source,), _written(shape_of(target), target))


def filled(call: Signature) -> Node:
    """Writes a tensor."""
    x = call.tensor(0)
    return Node("ConstantOfShape", call.name, (), _written(shape_of(x), x))


def product(left: int = 0, right: int = 1, rest: Sequence[int] = (), written: str = "") -> Maker:
    """A matrix product, vectors and batches as numpy.matmul has them.

    ``rest``: places of what else is read; ``written``: the type of the result, if it is another.
    """

    def node(call: Signature) -> Node:
        a, b = call.tensor(left), call.tensor(right)
        more = [call.maybe(place) for place in rest]
        return Node("MatMul", call.name, (a, b, *more), _written(_product(a, b), a, written))

    return node


def scaled_product(call: Signature) -> Node:
    """A product in FP8, with scales; the type of its result is an argument."""
    a, b = call.tensor(0), call.tensor(1)
    scales = [call.maybe(place) for place in (2, 3, 4)]
    out = Tensor("out", _product(a, b), SCALAR_TYPES.get(call.value(6), ""))
    return Node("MatMul", call.name, (a, b, *scales), (out,))


def _product(a: Tensor, b: Tensor) -> Shape:
    left, right = shape_of(a), shape_of(b)
    if not left or not right or left[-1] != right[max(-2, -len(right))]:
        raise NoWork
    rows = left[-2:-1]
    columns = right[-1:] if len(right) > 1 else ()
    batch = _broadcast([Tensor("", left[:-2]), Tensor("", right[:-2])])
    return (*batch, *rows, *columns)


def linear(call: Signature) -> Node:
    """Weights are (out, in)."""
    x, weight = call.tensor(0), call.tensor(1)
    turned = Tensor("1", shape_of(weight)[::-1], weight.dtype)
    return Node("MatMul", call.name, (x, turned, call.maybe(2)), _written(_product(x, turned), x))


@dataclass(frozen=True)
class Places:
    """The places of a convolution's arguments; None where it has no such argument."""

    weight: int = 1
    bias: int | None = 2
    stride: int | None = 3
    padding: int | None = 4
    dilation: int | None = 5
    groups: int | None = 6
    transposed: int | None = None
    output_padding: int | None = None
    always_transposed: bool = False


def convolution(places: Places) -> Maker:
    """A convolution, or a transposed one."""

    def node(call: Signature) -> Node:
        x, weight = call.tensor(0), call.tensor(places.weight)
        bias = None if places.bias is None else call.maybe(places.bias)
        window = shape_of(weight)[2:]
        batched = x if len(shape_of(x)) == len(window) + 2 else _batched(x)
        groups = 1 if places.groups is None else call.integer(places.groups, 1)
        stride = _each(call, places.stride, window, 1)
        is_transposed = places.always_transposed
        if places.transposed is not None:
            is_transposed = call.flag(places.transposed)
        spans = list(
            zip(
                shape_of(batched)[2:],
                window,
                stride,
                _each(call, places.padding, window, 0),
                _each(call, places.dilation, window, 1),
                _each(call, places.output_padding, window, 0),
                strict=True,
            )
        )
        if is_transposed:
            sizes = [
                (n - 1) * step - 2 * pad + far * (k - 1) + more + 1
                for n, k, step, pad, far, more in spans
            ]
            channels = shape_of(weight)[1] * groups
        else:
            sizes = [
                (n + 2 * pad - far * (k - 1) - 1) // step + 1 for n, k, step, pad, far, _ in spans
            ]
            channels = shape_of(weight)[0]
        if min((*sizes, *stride), default=0) < 1:
            raise NoWork
        out = _written((shape_of(batched)[0], channels, *sizes), x)
        op = "ConvTranspose" if is_transposed else "Conv"
        how = {"group": groups, "strides": list(stride)}
        return Node(op, call.name, (batched, weight, bias), out, how)

    return node


def _batched(x: Tensor) -> Tensor:
    return Tensor(x.name, (1, *shape_of(x)), x.dtype)


def _each(call: Signature, place: int | None, window: Shape, default: int) -> list[int]:
    """A number for each direction of a window; one alone stands for all of them."""
    numbers = [] if place is None else call.integers(place)
    if len(numbers) in (0, 1):
        return (numbers or [default]) * len(window)
    if len(numbers) != len(window):
        raise NoWork
    return numbers


def attention(call: Signature) -> Node:
    """Queries, keys and values are (batch, heads, tokens, head size)."""
    query, key, value = (call.tensor(place) for place in range(3))
    if min(len(shape_of(each)) for each in (query, key, value)) < 3:
        raise NoWork
    out = _written((*shape_of(query)[:-1], shape_of(value)[-1]), query)
    *batch, heads, rows, width = (
        (1, *shape_of(query)) if len(shape_of(query)) == 3 else shape_of(query)
    )
    together = Tensor("0", (prod(batch), heads, rows, width), query.dtype)
    keys = Tensor("1", _four(shape_of(key)), key.dtype)
    values = Tensor("2", _four(shape_of(value)), value.dtype)
    mask = call.maybe(3)
    return Node("Attention", call.name, (together, keys, values, mask), out)


def _four(shape: Shape) -> Shape:
    """The shape with one dimension for all batches."""
    return (prod(shape[:-3]), *shape[-3:])


def batch_norm(call: Signature) -> Node:
    """With statistics that stand; those of training are not ONNX's operation."""
    x = call.tensor(0)
    parameters = [call.maybe(place) for place in range(1, 5)]
    op = "BatchNormalization of a training" if call.flag(5) else "BatchNormalization"
    return Node(op, call.name, (x, *parameters), _written(shape_of(x), x))


def layer_norm(op: str) -> Maker:
    """Over the last dimensions, which the second argument lists."""

    def node(call: Signature) -> Node:
        x = call.tensor(0)
        axis = -len(call.integers(1))
        parameters = [call.maybe(place) for place in (2, 3)]
        inputs = (x, *parameters)
        return Node(op, call.name, inputs, _written(shape_of(x), x), {"axis": axis})

    return node


def group_norm(call: Signature) -> Node:
    """Over each group of channels."""
    x = call.tensor(0)
    weight, bias = call.maybe(2), call.maybe(3)
    groups = {"num_groups": call.integer(1, 1)}
    return Node(
        "GroupNormalization", call.name, (x, weight, bias), _written(shape_of(x), x), groups
    )


def softmax(op: str) -> Maker:
    """Along the dimension of the second argument."""

    def node(call: Signature) -> Node:
        x = call.tensor(0)
        axis = {"axis": call.integer(1, -1)} if op != "Softmax" else {}
        return Node(op, call.name, (x,), _written(shape_of(x), x), axis)

    return node


def pooling(op: str, dilation: int | None, ceil: int, directions: int) -> Maker:
    """Windows of the second argument, at strides of the third, padding of the fourth."""

    def node(call: Signature) -> Node:
        x = call.tensor(0)
        if len(shape_of(x)) < directions + 1:
            raise NoWork
        any_window = (0,) * directions
        window = tuple(_each(call, 1, any_window, 0))
        strides = _each(call, 2, any_window, 0)
        padding = _each(call, 3, any_window, 0)
        far = _each(call, dilation, any_window, 1)
        is_ceil = call.flag(ceil)
        sizes = []
        for n, k, step, pad, gap in zip(
            shape_of(x)[-directions:], window, strides, padding, far, strict=True
        ):
            size = _windows(n, k, step or k, pad, gap, is_ceil)
            sizes.append(size)
        out = _written((*shape_of(x)[:-directions], *sizes), x)
        return Node(op, call.name, (x,), out, {"kernel_shape": list(window)})

    return node


def _windows(n: int, k: int, step: int, pad: int, gap: int, is_ceil: bool) -> int:
    """How many windows fit in one direction; with ``is_ceil`` also one that begins in the data."""
    if step < 1:
        raise NoWork
    room = n + 2 * pad - gap * (k - 1) - 1
    if not is_ceil:
        return room // step + 1
    count = -(-room // step) + 1
    return count - 1 if (count - 1) * step >= n + pad else count


def adaptive(op: str, directions: int) -> Maker:
    """To the size of the second argument; a size of 1 pools all there is."""

    def node(call: Signature) -> Node:
        x = call.tensor(0)
        sizes = _each(call, 1, (0,) * directions, 0)
        shape = shape_of(x)
        if sizes != [1] * directions or len(shape) < directions + 1:
            raise NoWork
        return Node(op, call.name, (x,), _written((*shape[:-directions], *sizes), x))

    return node


def reduction(op: str) -> Maker:
    """Over the dimensions of the second argument, over all of them without one."""

    def node(call: Signature) -> Node:
        x = call.tensor(0)
        rank = len(shape_of(x))
        if not call.values:
            raise NoWork
        lists_axes = call.types[1:2] == ("ScalarList",)
        axes = {axis % max(1, rank) for axis in call.integers(1)} if lists_axes else set()
        axes = axes or set(range(rank))
        kept = [n for axis, n in enumerate(shape_of(x)) if axis not in axes]
        return Node(op, call.name, (x,), _written(kept, x))

    return node


def selected(call: Signature) -> Node:
    """Parts of the first tensor along a dimension, by the indices of the third argument."""
    table, index = call.tensor(0), call.tensor(2)
    axis = call.integer(1, 0) % max(1, len(shape_of(table)))
    shape = (*shape_of(table)[:axis], *shape_of(index), *shape_of(table)[axis + 1 :])
    return Node("Gather", call.name, (table, index), _written(shape, table))


def embedded(call: Signature) -> Node:
    """Rows of the weights, by the indices of the second argument."""
    weight, index = call.tensor(0), call.tensor(1)
    shape = (*shape_of(index), *shape_of(weight)[1:])
    return Node("Gather", call.name, (weight, index), _written(shape, weight))


def joined(call: Signature) -> Node:
    """All tensors of a list, behind each other. Their type is not recorded."""
    tensors = call.listed(0)
    elements = sum(prod(shape_of(tensor)) for tensor in tensors)
    return Node("Concat", call.name, tuple(tensors), (Tensor("out", (elements,), ""),))


CONVOLUTION = Places()
OF_ONNX = (
    ("relu tanh erf", "Relu"),
    ("leaky_relu prelu", "LeakyRelu"),
    ("elu", "Elu"),
    ("sigmoid hardsigmoid selu celu", "Sigmoid"),
    ("silu hardswish mish", "Silu"),
    ("neg abs sign sqrt exp log reciprocal floor ceil round sin cos tan", "Neg"),
    ("add sub rsub mul div true_divide floor_divide remainder maximum minimum pow", "Add"),
)
"""Operations that count as an ONNX one on each element."""

ROWS: tuple[Row, ...] = (
    Row("mm bmm matmul mv dot", product()),
    Row("_int_mm", product(written="int32")),
    Row("_scaled_mm", scaled_product),
    Row("addmm addmv baddbmm _addmm_activation", product(1, 2, rest=(0,))),
    Row("linear", linear),
    Row("conv1d conv2d conv3d", convolution(CONVOLUTION)),
    Row(
        "conv_transpose1d conv_transpose2d conv_transpose3d",
        convolution(Places(output_padding=5, groups=6, dilation=7, always_transposed=True)),
    ),
    Row(
        "convolution _convolution convolution_overrideable",
        convolution(Places(transposed=6, output_padding=7, groups=8)),
    ),
    Row(
        "mkldnn_convolution miopen_convolution",
        convolution(Places(padding=3, stride=4, dilation=5, groups=6)),
    ),
    Row(
        "cudnn_convolution",
        convolution(Places(bias=None, padding=2, stride=3, dilation=4, groups=5)),
    ),
    Row("cudnn_convolution_relu miopen_convolution_relu", convolution(CONVOLUTION)),
    Row(
        "_slow_conv2d_forward",
        convolution(Places(bias=3, stride=4, padding=5, dilation=None, groups=None)),
    ),
    Row(
        "scaled_dot_product_attention _scaled_dot_product_flash_attention "
        "_scaled_dot_product_efficient_attention _scaled_dot_product_cudnn_attention "
        "_scaled_dot_product_flash_attention_for_cpu",
        attention,
    ),
    *(Row(names, elementwise(op, 2 if op == "Add" else 1)) for names, op in OF_ONNX),
    Row("eq ne lt le gt ge", elementwise("Equal", 2, "bool")),
    Row("logical_and logical_or logical_xor logical_not isnan", elementwise("And", 2, "bool")),
    Row("clamp", clamp),
    Row("hardtanh relu6", elementwise("LeakyRelu")),
    Row("clamp_min clamp_max", elementwise("Relu")),
    Row("gelu", gelu),
    Row("masked_fill", elementwise("Where", 2)),
    Row("where", elementwise("Where", 3)),
    Row("softmax _softmax", softmax("Softmax")),
    Row("log_softmax _log_softmax", softmax("LogSoftmax")),
    Row("batch_norm native_batch_norm _native_batch_norm_legit", batch_norm),
    Row("layer_norm native_layer_norm", layer_norm("LayerNormalization")),
    Row("rms_norm _fused_rms_norm", layer_norm("RMSNormalization")),
    Row("group_norm", group_norm),
    Row("max_pool1d", pooling("MaxPool", 4, 5, 1)),
    Row("max_pool2d max_pool2d_with_indices", pooling("MaxPool", 4, 5, 2)),
    Row("max_pool3d max_pool3d_with_indices", pooling("MaxPool", 4, 5, 3)),
    Row("avg_pool1d", pooling("AveragePool", None, 4, 1)),
    Row("avg_pool2d", pooling("AveragePool", None, 4, 2)),
    Row("avg_pool3d", pooling("AveragePool", None, 4, 3)),
    Row("adaptive_avg_pool1d", adaptive("GlobalAveragePool", 1)),
    Row("adaptive_avg_pool2d", adaptive("GlobalAveragePool", 2)),
    Row("adaptive_avg_pool3d", adaptive("GlobalAveragePool", 3)),
    Row("sum amax amin", reduction("ReduceSum")),
    Row("mean", reduction("ReduceMean")),
    Row("embedding", embedded),
    Row("index_select", selected),
    Row("cat stack", joined),
    Row("copy", copied),
    Row("fill zero", filled),
    Row(
        "view _unsafe_view t transpose permute as_strided expand select slice narrow unsqueeze "
        "squeeze alias unbind split split_with_sizes chunk unfold diagonal movedim "
        "view_as expand_as broadcast_to swapaxes numpy_T mT unflatten _reshape_alias lift_fresh "
        "resolve_conj resolve_neg empty empty_like empty_strided new_empty new_empty_strided "
        "resize set _local_scalar_dense item is_nonzero record_stream result_type",
        nothing,
    ),
)
"""The table. One more operation is one row, or one name in a row."""

MAKERS: Mapping[str, Maker] = {name: row.node for row in ROWS for name in row.names.split()}
NAMES_OF_CALLERS = (
    "to _to_copy contiguous clone reshape flatten ravel type_as float half bfloat16 dropout einsum "
    "tensordot inner outer ones zeros full ones_like zeros_like full_like new_zeros new_ones "
    "new_full pad constant_pad_nd instance_norm cross_entropy_loss _convolution_mode detach"
)
CALLERS = frozenset(NAMES_OF_CALLERS.split())
"""Operations that do nothing themselves: what they call are rows of their own."""
AUTOGRAD = re.compile(r"(torch::)?autograd::|.*Backward\d+$")
"""Names of PyTorch's own steps of a backward pass; those of others have no number."""


def calls_others(name: str) -> bool:
    """True for an operation whose work is that of the operations within it."""
    return AUTOGRAD.match(name) is not None or name.removeprefix("aten::") in CALLERS


def work_of_call(call: Signature) -> CallWork | None:
    """What a call of an operation does; None if it is not in the table, or not known enough."""
    if not call.name.startswith("aten::"):
        return None
    name = call.name.removeprefix("aten::")
    maker = MAKERS.get(name) or MAKERS.get(name.removesuffix("_"))
    if maker is None:
        return _backward(call, name)
    try:
        node = maker(call)
    except (NoWork, ValueError, LookupError, ZeroDivisionError):
        return None  # arguments that the operation does not take
    work = work_of(node)
    moved = work.compulsory_bytes
    if moved is not None and node.op != "Gather":
        moved -= _repeated(call, node)
    family = _family(node, work.family)
    return CallWork(work.flops, moved, family, _detail(node), work.slow or {})


def _family(node: Node, family: str) -> str:
    return "normalisation" if family == "unknown" else family


def _backward(call: Signature, name: str) -> CallWork | None:
    """The gradients of a convolution: as many products as gradients are asked for."""
    if name != "convolution_backward":
        return None
    try:
        gradient, x, weight = (call.tensor(place) for place in range(3))
        is_transposed = call.flag(7)
        asked = [text.strip() == "True" for text in call.value(10).strip("[]").split(",")]
    except NoWork:
        return None
    if len(asked) != 3 or len(shape_of(weight)) < 3:
        return None
    positions = x if is_transposed else gradient
    per_gradient = 2.0 * prod(shape_of(positions)) * prod(shape_of(weight)[1:])
    for_x, for_weight, for_bias = asked
    flops = per_gradient * (for_x + for_weight)
    read = [gradient] + [weight] * for_x + [x] * for_weight
    written = [x] * for_x + [weight] * for_weight
    sizes = [tensor.bytes() for tensor in (*read, *written)]
    moved = None if None in sizes else float(sum(size or 0.0 for size in sizes))
    if for_bias:
        flops += prod(shape_of(gradient))
    return CallWork(flops, moved, "convolution", "gradients")


def _repeated(call: Signature, node: Node) -> float:
    """Bytes that the inputs count twice, where a stride of 0 or overlap repeats elements."""
    twice = 0.0
    for tensor in node.inputs:
        if tensor is None or not tensor.name.isdigit():
            continue
        place = int(tensor.name)
        strides = call.strides[place] if place < len(call.strides) else ()
        shape = call.shapes[place]
        size = tensor.bytes()
        if size and isinstance(strides, tuple) and isinstance(shape, tuple):
            twice += size - size * _distinct_share(shape, strides)
    return twice


def _distinct_share(shape: Sequence[int], strides: Sequence[int]) -> float:
    """Share of a tensor's elements that are different places of memory, at most 1."""
    if len(shape) != len(strides) or not all(type(step) is int for step in strides):
        return 1.0
    span = 1 + sum((n - 1) * abs(step) for n, step in zip(shape, strides, strict=True))
    return min(1.0, span / prod(shape))


def _detail(node: Node) -> str:
    words = []
    strides = node.attributes.get("strides") or []
    if any(step != 1 for step in strides):
        words.append(f"stride {'x'.join(map(str, strides))}")
    if node.attributes.get("group", 1) != 1:
        words.append(f"groups {node.attributes['group']}")
    return ", ".join(words)
