"""The work table against published counts, and against counts by loops and definitions."""

from __future__ import annotations

from itertools import product as every
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from kernels.onnx.graph import Node, Tensor, graph_of, read_graph  # noqa: E402
from kernels.onnx.work import OPERATIONS, ROWS, work_of  # noqa: E402
from tests.kernels.onnx_networks import NETWORKS, model_of  # noqa: E402

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
ROUNDED = 0.005  # relative: publications give their counts to two or three digits

# of the grouped attention below
NEW_TOKENS = 5
QUERY_HEADS = 8
KEY_HEADS = 2  # and as many of values
HEAD_SIZE = 16
TABLE_ROWS = 4096  # of cosines and sines: more than there are tokens


def tensor(name: str, shape: tuple[int, ...], dtype: str = "fp32", weight: bool = False) -> Tensor:
    """A tensor of a network; FP32 and no weight unless told otherwise."""
    return Tensor(name, shape, dtype, weight)


def node(
    op: str, inputs: list[Any], output: tuple[int, ...], dtype: str = "fp32", **attributes: Any
) -> Node:
    """A node whose inputs are shapes or Tensors; shapes but the first are those of weights."""
    tensors = []
    for place, source in enumerate(inputs):
        if isinstance(source, Tensor):
            tensors.append(source)
        else:
            tensors.append(tensor(f"i{place}", source, weight=place > 0))
    return Node(op, "n", tuple(tensors), (tensor("o", output, dtype),), attributes)


def inferred(
    op: str, inputs: dict[str, tuple[int, ...]], opset: int = 20, **attributes: Any
) -> Node:
    """A node whose inputs are named shapes, and whose output has the shape that ONNX infers."""
    proto = onnx.helper.make_node(op, list(inputs), ["o"], name="n", **attributes)
    return graph_of(model_of([proto], inputs, ["o"], opset=opset)).nodes[0]


def gmac(graph: Any) -> float:
    """Multiply-adds of convolutions and products, in billions."""
    works = [work_of(layer) for layer in graph.nodes]
    products = [work for work in works if work.family in ("convolution", "matmul")]
    return sum(work.flops or 0 for work in products) / 2e9


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_multiply_adds_torchvision_publishes(name: str) -> None:
    build, published = NETWORKS[name]
    assert gmac(graph_of(build())) == pytest.approx(published, rel=ROUNDED)


@pytest.mark.parametrize(
    ("name", "published"),
    [("resnet50", 4.09), ("vgg19", 19.63), ("bvlc_alexnet", 0.655), ("squeezenet", 0.349)],
)
def test_networks_of_the_onnx_wheel(name: str, published: float) -> None:
    assert gmac(read_graph(LIGHT / f"light_{name}.onnx")) == pytest.approx(published, rel=ROUNDED)


def test_every_node_of_the_wheel_is_counted() -> None:
    for path in sorted(LIGHT.glob("*.onnx")):
        for layer in read_graph(path).nodes:
            work = work_of(layer)
            is_counted = work.flops is not None and work.compulsory_bytes
            assert is_counted and not work.problem, (path.name, layer.name)


def taps(size: int, kernel: int, stride: int, pad: int, dilation: int) -> int:
    """Kernel positions of one axis, counted by walking."""
    positions = 0
    while positions * stride + dilation * (kernel - 1) < size + 2 * pad:
        positions += 1
    return positions * kernel


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    ("groups", "stride", "dilation", "pad"),
    [(1, 1, 1, 1), (4, 2, 1, 0), (8, 1, 2, 2), (2, 3, 2, 1)],
)
def test_convolutions_equal_a_walk_over_every_tap(
    rank: int, groups: int, stride: int, dilation: int, pad: int
) -> None:
    sizes = (13, 11, 9)[:rank]
    kernel = (3, 2, 1)[:rank]
    batch, channels, out = 2, 8, 16
    walked = [taps(n, k, stride, pad, dilation) for n, k in zip(sizes, kernel, strict=True)]
    macs = batch * out * (channels // groups) * int(np.prod(walked))
    shapes = {"x": (batch, channels, *sizes), "w": (out, channels // groups, *kernel)}
    options: dict[str, Any] = {
        "group": groups,
        "strides": [stride] * rank,
        "dilations": [dilation] * rank,
        "pads": [pad] * 2 * rank,
    }
    assert work_of(inferred("Conv", shapes, **options)).flops == 2 * macs


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_transposed_convolution_scatters_each_input_element(rank: int, groups: int) -> None:
    sizes = (5, 4, 3)[:rank]
    kernel = (3, 2, 2)[:rank]
    shapes = {"x": (2, 4, *sizes), "w": (4, 8 // groups, *kernel)}
    inputs = every(range(2 * 4), *map(range, sizes))
    weights = list(every(range(8 // groups), *map(range, kernel)))
    macs = sum(1 for _ in every(inputs, weights))
    strides = [2] * rank
    pads = [1] * 2 * rank
    layer = inferred("ConvTranspose", shapes, group=groups, strides=strides, pads=pads)
    assert work_of(layer).flops == 2 * macs


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((5, 7), (7, 3)),
        ((2, 1, 5, 7), (4, 7, 3)),
        ((7,), (7, 3)),
        ((6, 5, 7), (7,)),
        ((7,), (7,)),
        ((9, 5, 7), (7, 3)),
    ],
)
def test_matrix_products_broadcast_their_batches(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    outputs = np.matmul(np.zeros(a), np.zeros(b)).size
    assert work_of(inferred("MatMul", {"a": a, "b": b})).flops == 2 * outputs * 7


@pytest.mark.parametrize("turn", [0, 1])
def test_gemm_counts_products_whatever_is_transposed_or_added(turn: int) -> None:
    a = (7, 5) if turn else (5, 7)
    b = (3, 7) if turn else (7, 3)
    layer = inferred("Gemm", {"a": a, "b": b, "c": (3,)}, transA=turn, transB=turn)
    assert work_of(layer).flops == 2 * 5 * 7 * 3


def test_quantized_operations_count_what_their_float_ones_do() -> None:
    scalar = tensor("s", ())
    x = tensor("x", (1, 8, 6, 6), "uint8")
    w = tensor("w", (4, 8, 3, 3), "int8", weight=True)
    inputs = [x, scalar, scalar, w, scalar, scalar, scalar, scalar]
    scaled_conv = work_of(node("QLinearConv", inputs, (1, 4, 4, 4), "uint8"))
    conv = work_of(node("ConvInteger", [x, w], (1, 4, 4, 4), "int32"))
    assert scaled_conv.flops == conv.flops == 2 * 64 * 72
    a = tensor("a", (5, 7), "uint8")
    b = tensor("b", (7, 3), "int8", weight=True)
    inputs = [a, scalar, scalar, b, scalar, scalar, scalar, scalar]
    scaled_product = work_of(node("QLinearMatMul", inputs, (5, 3), "uint8"))
    product = work_of(node("MatMulInteger", [a, b], (5, 3), "int32"))
    assert scaled_product.flops == product.flops == 2 * 105
    assert scaled_product.parameter_bytes == 21
    encoded = work_of(node("QuantizeLinear", [(4, 4), scalar], (4, 4), "int8"))
    assert (encoded.flops, encoded.compulsory_bytes) == (32, 16 * 4 + 4 + 16)


@pytest.mark.parametrize(
    ("op", "inputs", "output", "attributes", "flops"),
    [
        ("Add", [(2, 3, 4), (4,)], (2, 3, 4), {}, 24),
        ("Sum", [(6,), (6,), (6,)], (6,), {}, 12),
        ("Mean", [(6,), (6,), (6,)], (6,), {}, 18),
        ("Relu", [(5, 5)], (5, 5), {}, 25),
        ("Sigmoid", [(10,)], (10,), {}, 40),
        ("Gelu", [(10,)], (10,), {}, 50),
        ("Gelu", [(10,)], (10,), {"approximate": "tanh"}, 90),
        ("Softmax", [(3, 8)], (3, 8), {}, 120),
        ("LogSoftmax", [(3, 8)], (3, 8), {}, 123),
        ("BatchNormalization", [(1, 4, 5)], (1, 4, 5), {}, 40),
        ("LayerNormalization", [(3, 8), (8,), (8,)], (3, 8), {"axis": -1}, 7 * 24 + 5 * 3),
        ("LayerNormalization", [(3, 8), (8,)], (3, 8), {"axis": 1}, 6 * 24 + 5 * 3),
        ("InstanceNormalization", [(2, 3, 10), (3,), (3,)], (2, 3, 10), {}, 7 * 60 + 5 * 6),
        (
            "GroupNormalization",
            [(2, 4, 10), (4,), (4,)],
            (2, 4, 10),
            {"num_groups": 2},
            7 * 80 + 5 * 4,
        ),
        ("RMSNormalization", [(3, 8), (8,)], (3, 8), {}, 4 * 24 + 4 * 3),
        ("LRN", [(1, 8, 2)], (1, 8, 2), {"size": 5}, 160),
        ("MaxPool", [(1, 2, 8, 8)], (1, 2, 4, 4), {"kernel_shape": [3, 3]}, 32 * 9),
        ("AveragePool", [(1, 2, 8)], (1, 2, 4), {"kernel_shape": [2]}, 8 * 3),
        ("GlobalAveragePool", [(1, 2, 8, 8)], (1, 2, 1, 1), {}, 130),
        ("ReduceSum", [(4, 6)], (4,), {}, 24),
        ("ReduceMean", [(4, 6)], (4,), {}, 28),
        ("Resize", [(1, 1, 4, 4)], (1, 1, 8, 8), {"mode": "linear"}, 64 * 8),
        ("Resize", [(1, 1, 4, 4)], (1, 1, 8, 8), {"mode": "nearest"}, 0),
        ("Resize", [(1, 1, 4, 4)], (1, 1, 8, 4), {"mode": "cubic"}, 32 * 8),
        (
            "Resize",
            [(1, 1, 8, 8)],
            (1, 1, 2, 4),
            {"mode": "linear", "antialias": 1},
            2 * 8 * (2 * 4) * (2 * 2),
        ),
        ("Resize", [(1, 1, 4, 4)], (1, 1, 8, 8), {"mode": "linear", "antialias": 1}, 64 * 8),
        ("Clip", [(4, 4), (), ()], (4, 4), {}, 32),
        ("Clip", [(4, 4), ()], (4, 4), {}, 16),
        ("Clip", [(4, 4)], (4, 4), {"max": 6.0}, 16),
        ("ScatterND", [(4, 6), (2, 1), (2, 6)], (4, 6), {}, 0),
        ("ScatterND", [(4, 6), (2, 1), (2, 6)], (4, 6), {"reduction": "add"}, 12),
        ("ScatterElements", [(4, 6), (3, 5), (3, 5)], (4, 6), {"reduction": "max"}, 15),
        ("Einsum", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), {"equation": "bij,bjk->bik"}, 240),
        ("Einsum", [(2, 3, 4), (2, 4, 5)], (3, 5), {"equation": "bij, bjk"}, 240),
        (
            "Einsum",
            [(6, 2, 3, 4), (2, 4, 5)],
            (6, 2, 3, 5),
            {"equation": "...ij,...jk->...ik"},
            6 * 240,
        ),
        (
            "Einsum",
            [(6, 1, 3, 4), (2, 4, 5)],
            (6, 2, 3, 5),
            {"equation": "a...ij,...jk->a...ik"},
            6 * 240,
        ),
        ("Einsum", [(7,), (7,)], (), {"equation": "i,i"}, 14),
        ("Einsum", [(5, 7)], (7, 5), {"equation": "ij->ji"}, 0),
        ("LSTM", [(7, 2, 3), (1, 16, 3), (1, 16, 4)], (7, 1, 2, 4), {}, 14 * (2 * 16 * 7 + 18 * 4)),
        ("GRU", [(7, 2, 3), (2, 12, 3), (2, 12, 4)], (7, 2, 2, 4), {}, 28 * (2 * 12 * 7 + 14 * 4)),
        (
            "Attention",
            [(2, 4, 6, 8), (2, 4, 9, 8), (2, 4, 9, 8)],
            (2, 4, 6, 8),
            {},
            2 * 4 * 6 * 9 * (16 + 16 + 6),
        ),
        (
            "Attention",
            [(2, 6, 32), (2, 9, 16), (2, 9, 16)],
            (2, 6, 32),
            {"q_num_heads": 4, "kv_num_heads": 2},
            2 * 4 * 6 * 9 * (16 + 16 + 6),
        ),
        (
            "MultiHeadAttention",
            [(2, 6, 32), (2, 9, 32), (2, 9, 32), (96,), (2,), (1, 4, 6, 12), *[(2, 4, 3, 8)] * 2],
            (2, 6, 32),
            {"num_heads": 4},
            2 * 4 * 6 * (9 + 3) * (16 + 16 + 6),
        ),
        (
            "MultiHeadAttention",
            [(2, 6, 32), (2, 4, 9, 8), (2, 4, 9, 8)],
            (2, 6, 32),
            {"num_heads": 4},
            2 * 4 * 6 * 9 * (16 + 16 + 6),
        ),
        ("NonMaxSuppression", [(1, 10, 4), (1, 2, 10)], (5, 3), {}, 20 + 15 * 2 * 9),
    ],
)
def test_flops_by_definition(
    op: str, inputs: list[Any], output: Any, attributes: dict[str, Any], flops: float
) -> None:
    work = work_of(node(op, inputs, output, **attributes))
    assert (work.flops, work.problem) == (flops, "")


def grouped_attention(
    packed: bool,
    room: int = 0,
    present: int = 0,
    longest: int | None = None,
    rotates: bool = False,
) -> Any:
    """GroupQueryAttention of the sizes above.

    packed: whether keys and values stand behind the queries, in one input. room: tokens that the
    past keys and values have room for. present: tokens of the keys and values that it returns.
    longest: the length of the sequence with the new tokens, where it is stored. rotates: whether
    queries and keys are rotated by a table of cosines and sines.
    """
    query_heads = QUERY_HEADS + 2 * KEY_HEADS if packed else QUERY_HEADS
    sizes: dict[str, tuple[int, ...]] = {"query": (1, NEW_TOKENS, query_heads * HEAD_SIZE)}
    if not packed:
        key_shape = (1, NEW_TOKENS, KEY_HEADS * HEAD_SIZE)
        sizes |= {"key": key_shape, "value": key_shape}
    if room:
        past_shape = (1, KEY_HEADS, room, HEAD_SIZE)
        sizes |= {"past_key": past_shape, "past_value": past_shape}
    places = ("query", "key", "value", "past_key", "past_value")
    names = [name if name in sizes else "" for name in places]
    attributes: dict[str, Any] = {"num_heads": QUERY_HEADS, "kv_num_heads": KEY_HEADS}
    weights = []
    if longest is None:
        sizes["total"] = ()
    else:
        weights.append(onnx.numpy_helper.from_array(np.array(longest, np.int32), "total"))
    if rotates:
        attributes["do_rotary"] = 1
        table_shape = (TABLE_ROWS, HEAD_SIZE // 2)
        sizes |= {"cos": table_shape, "sin": table_shape}
        names += ["lengths", "total", "cos", "sin"]
    else:
        names += ["lengths", "total"]
    attention = onnx.helper.make_node(
        "GroupQueryAttention",
        names,
        ["attended", "present_key", "present_value"],
        name="grouped",
        domain="com.microsoft",
        **attributes,
    )
    relu = onnx.helper.make_node("Relu", ["attended"], ["y"])
    integers = {"lengths": onnx.TensorProto.INT32, "total": onnx.TensorProto.INT32}
    model = model_of(
        [attention, relu],
        {**sizes, "lengths": (1,)},
        ["y"],
        weights,
        integers,
        domains=["com.microsoft"],
    )
    for name in ("present_key", "present_value"):
        shape = (1, KEY_HEADS, present, HEAD_SIZE)
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        )
    return graph_of(model).nodes[0]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("room", "present", "longest", "keys"),
    [(0, 5, None, 5), (7, 12, None, 12), (64, 64, 12, 12)],
    ids=["no past", "past", "past with room"],
)
def test_grouped_attention_reads_the_keys_of_all_tokens(
    packed: bool, room: int, present: int, longest: int | None, keys: int
) -> None:
    attention = grouped_attention(packed, room, present, longest)
    assert attention.outputs[0].shape == (1, NEW_TOKENS, QUERY_HEADS * HEAD_SIZE)
    loops = (range(NEW_TOKENS), range(QUERY_HEADS), range(keys), range(HEAD_SIZE))
    macs = sum(1 for _ in every(*loops))
    scores = NEW_TOKENS * QUERY_HEADS * keys
    work = work_of(attention)
    # queries times keys, weights times values, and what scaling and softmax do to a score
    assert (work.flops, work.problem) == (2 * macs + 2 * macs + 6 * scores, "")
    attended = NEW_TOKENS * QUERY_HEADS * HEAD_SIZE
    written = attended + 2 * KEY_HEADS * present * HEAD_SIZE
    new = NEW_TOKENS * (QUERY_HEADS + 2 * KEY_HEADS) * HEAD_SIZE
    read = new + 2 * KEY_HEADS * room * HEAD_SIZE
    lengths = 2 * 4  # bytes of two numbers in int32
    assert work.compulsory_bytes == 4 * (written + read) + lengths


def test_grouped_attention_says_where_only_the_run_knows_its_keys() -> None:
    work = work_of(grouped_attention(packed=False, room=64, present=64))
    assert work.flops is None
    assert "how many of its 64 past keys it reads is known only as it runs" in work.problem


def test_grouped_attention_rotates_queries_and_keys_and_reads_no_whole_table() -> None:
    still = work_of(grouped_attention(packed=False, present=NEW_TOKENS))
    turned = work_of(grouped_attention(packed=False, present=NEW_TOKENS, rotates=True))
    assert turned.flops is not None and still.flops is not None
    assert turned.flops - still.flops == 3 * NEW_TOKENS * (QUERY_HEADS + KEY_HEADS) * HEAD_SIZE
    assert turned.compulsory_bytes is not None and still.compulsory_bytes is not None
    # of each of the two tables, as many FP32 values are counted as the layer writes
    written = (QUERY_HEADS + 2 * KEY_HEADS) * NEW_TOKENS * HEAD_SIZE
    assert turned.compulsory_bytes - still.compulsory_bytes == 2 * 4 * written


@pytest.mark.parametrize(
    "op", ["Reshape", "Transpose", "Concat", "Identity", "Flatten", "Pad", "Cast", "Where"]
)
def test_layers_that_compute_nothing_still_move_bytes(op: str) -> None:
    work = work_of(node(op, [(4, 6)], (24,)))
    assert (work.flops, work.compulsory_bytes, work.family) == (0, 2 * 24 * 4, "movement")


def test_gather_reads_the_rows_it_takes_and_shape_reads_none() -> None:
    table = tensor("t", (30000, 64), weight=True)
    indices = tensor("i", (5,), "int64")
    work = work_of(node("Gather", [table, indices], (5, 64)))
    assert work.flops == 0
    assert work.compulsory_bytes == 2 * 5 * 64 * 4 + 5 * 8
    assert work.parameters == 30000 * 64
    assert work_of(node("Shape", [(100, 100)], (2,), "int64")).compulsory_bytes == 16


def test_the_two_traffic_models_and_precision() -> None:
    conv = node("Conv", [(1, 3, 8, 8), (16, 3, 3, 3)], (1, 16, 6, 6))
    weights, read, written = 16 * 27, 3 * 64, 16 * 36
    for precision, size in (("", 4), ("tf32", 4), ("fp16", 2), ("int8", 1), ("fp64", 8)):
        work = work_of(conv, precision)
        assert work.compulsory_bytes == (weights + read + written) * size
        assert work.textbook_bytes == (weights + written) * size
        assert (work.parameter_bytes, work.parameters) == (weights * size, weights)


def test_precision_leaves_integers_alone_and_a_tensor_is_read_once() -> None:
    x = tensor("x", (8,))
    assert work_of(node("Mul", [x, x], (8,)), "fp16").compulsory_bytes == 2 * 8 * 2
    indices = tensor("i", (8,), "int64")
    assert work_of(node("Add", [indices], (8,), "int64"), "fp16").compulsory_bytes == 2 * 8 * 8


def test_shapes_and_axes_are_no_parameters() -> None:
    target = tensor("shape", (2,), "int64", weight=True)
    assert work_of(node("Reshape", [(4, 6), target], (6, 4))).parameters == 0


def test_unknown_operations_are_named_never_zero() -> None:
    work = work_of(node("Frobnicate", [(4,)], (4,)))
    assert (work.flops, work.compulsory_bytes) == (None, 32)
    assert work.problem == "unknown operation Frobnicate"
    work = work_of(Node("Conv", "c", (), (), {}, "my.domain"))
    assert work.flops is None
    assert work.problem == "unknown operation my.domain.Conv"


def test_missing_shapes_and_malformed_nodes_are_named() -> None:
    inputs = (tensor("x", (1, 3, 8, 8)), tensor("w", (4, 3, 3, 3)))
    work = work_of(Node("Conv", "c1", inputs, (Tensor("y", None),)))
    assert work.flops is None
    assert work.compulsory_bytes is None
    assert "c1" in work.problem
    assert "y" in work.problem
    packed = work_of(node("QLinearConv", [(1, 8, 9, 9), (), (), (), ()], (1, 4, 7, 7)))
    assert packed.flops is None and "which weights do not have" in packed.problem
    wrong = work_of(node("MaxPool", [(1, 2, 8)], (1, 2, 4)))
    assert wrong.flops is None and "kernel_shape" in wrong.problem


def test_a_new_operation_is_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    new = node("Frobnicate", [(4,)], (4,))
    monkeypatch.setitem(OPERATIONS, "Frobnicate", OPERATIONS["Sigmoid"])
    assert (work_of(new).flops, work_of(new).problem) == (16, "")


def test_no_operation_stands_in_two_rows() -> None:
    names = [name for row in ROWS for name in row.names.split()]
    assert len(names) == len(set(names))


def test_packed_types_take_half_a_byte() -> None:
    assert tensor("w", (7,), "int4").bytes() == 4
