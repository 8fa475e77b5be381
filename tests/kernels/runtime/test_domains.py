"""What is fed lies where the operation that reads it is defined.

Also where it gets there by way of other operations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.runtime import inputs as layer_inputs
from kernels.runtime.answers import PLAIN, answers
from kernels.runtime.domains import LEAST, Range, required_ranges
from tests.kernels.onnx_networks import model_of

INT = TensorProto.INT64
BOOL = TensorProto.BOOL
FLOAT = TensorProto.FLOAT
SHAPE = (3, 40)
TWO_INPUTS = {"x": (SHAPE, FLOAT), "d": (SHAPE, FLOAT)}

# of GroupQueryAttention
NEW_TOKENS = 5
QUERY_HEADS = 8
KEY_HEADS = 2  # and as many of values
HEAD_SIZE = 16


def chain(
    *steps: tuple[str, Sequence[str]], inputs: dict[str, Any] | None = None, **constants: Any
) -> Any:
    """A model of these (operation, inputs), one after another: step n writes t<n>, the last one y.

    inputs: (shape, type) of each by name; x of FP32 unless told otherwise. constants: by name.
    """
    inputs = inputs or {"x": (SHAPE, FLOAT)}
    shapes = {name: shape for name, (shape, _) in inputs.items()}
    kinds = {name: number_type for name, (_, number_type) in inputs.items()}
    names = [f"t{n}" for n in range(len(steps) - 1)] + ["y"]
    nodes = [
        helper.make_node(op, read, [name]) for (op, read), name in zip(steps, names, strict=True)
    ]
    weights = [
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    ]
    return model_of(nodes, shapes, ["y"], weights, kinds=kinds, opset=18)


def answered(model: Any) -> np.ndarray:
    """The first output of a model in ONNX Runtime, from what the program feeds it."""
    return np.asarray(answers(model, layer_inputs.feeds(model), PLAIN)[0])


# defined for a part of all numbers
PARTLY_DEFINED = (
    "Sqrt",
    "Log",
    "Acos",
    "Asin",
    "Atanh",
    "Acosh",
    "Reciprocal",
    "ReduceLogSum",
)


@pytest.mark.parametrize(
    "model",
    [
        *(chain((op, ["x"])) for op in PARTLY_DEFINED),
        chain(("Pow", ["x", "half"]), half=np.float32(0.5)),
        chain(("Pow", ["x", "d"]), inputs=TWO_INPUTS),
        chain(("Div", ["x", "d"]), inputs=TWO_INPUTS),
        chain(("Sqrt", ["x"]), ("Log", ["t0"])),
        chain(("Reshape", ["x", "to"]), ("Relu", ["t0"]), ("Log", ["t1"]), to=np.array([40, 3])),
        chain(("Neg", ["x"]), ("Sqrt", ["t0"])),
        chain(("Add", ["x", "k"]), ("Log", ["t0"]), k=np.float32(-5)),
        chain(("Sub", ["k", "x"]), ("Sqrt", ["t0"]), k=np.float32(-5)),
        chain(("Mul", ["x", "k"]), ("Log", ["t0"]), k=np.float32(-3)),
        chain(("Div", ["x", "k"]), ("Acosh", ["t0"]), k=np.array([0.5, 2] * 20, np.float32)),
        chain(("Add", ["x", "d"]), ("Log", ["t0"]), inputs=TWO_INPUTS),
        chain(("Mul", ["x", "d"]), ("Log", ["t0"]), inputs=TWO_INPUTS),
        chain(("ReduceSum", ["x"]), ("Sqrt", ["t0"]), ("Div", ["x", "t1"])),
        chain(("Exp", ["x"]), ("Acosh", ["t0"])),
        chain(("Max", ["x", "d"]), ("Log", ["t0"]), inputs=TWO_INPUTS),
    ],
    ids=lambda model: " ".join(node.op_type for node in model.graph.node),
)
def test_floats_are_fed_where_what_follows_is_defined(model: Any) -> None:
    answer = answered(model)
    assert np.isfinite(answer).all()
    assert answer.size == 1 or answer.std() > 0


def test_what_is_free_is_uniform_over_one() -> None:
    for model in (chain(("Relu", ["x"])), chain(("Pow", ["x", "k"]), k=np.float32(2))):
        (fed,) = layer_inputs.feeds(model).values()
        assert -1 <= fed.min() < -0.9
        assert 0.9 < fed.max() <= 1


@pytest.mark.parametrize("op", ["Div", "Mod"])
def test_integers_are_never_divided_by_zero(op: str) -> None:
    model = chain((op, ["x", "d"]), inputs={"x": (SHAPE, INT), "d": (SHAPE, INT)})
    assert layer_inputs.feeds(model)["d"].min() > 0, "the runtime would end the process"
    assert answered(model).shape == SHAPE


def test_what_is_true_or_false_is_mostly_true_and_never_all_false_in_a_row() -> None:
    model = chain(
        ("Where", ["m", "x", "k"]),
        inputs={"m": ((64, 16), BOOL), "x": ((64, 16), FLOAT)},
        k=np.float32(0),
    )
    mask = layer_inputs.feeds(model)["m"]
    assert 0.8 < mask.mean() < 0.95
    assert mask.any(axis=1).all()
    of_a_scalar = chain(("Not", ["m"]), inputs={"m": ((), BOOL)})
    assert layer_inputs.feeds(of_a_scalar)["m"].all()


@pytest.mark.parametrize("through", [[], ["Cast"], ["Identity", "Cast"]])
def test_indices_stay_inside_of_their_table_by_any_way(through: list[str]) -> None:
    names = ["i", *(f"h{n}" for n in range(len(through)))]
    nodes = []
    for op, read, written in zip(through, names, names[1:], strict=False):
        attributes: dict[str, Any] = {"to": INT} if op == "Cast" else {}
        nodes.append(helper.make_node(op, [read], [written], **attributes))
    nodes.append(helper.make_node("Gather", ["t", names[-1]], ["y"]))
    table = numpy_helper.from_array(np.arange(30, dtype=np.float32).reshape(10, 3), "t")
    model = model_of(nodes, {"i": (200,)}, ["y"], [table], kinds={"i": TensorProto.INT32})
    assert set(layer_inputs.feeds(model)["i"].tolist()) == set(range(10))


def assert_no_place_twice(places: Sequence[Sequence[int]]) -> None:
    """Check that (row, column) pairs differ from each other."""
    assert len({tuple(place) for place in places}) == len(places)


@pytest.mark.parametrize(
    ("op", "indices"), [("ScatterElements", (3, 20)), ("ScatterND", (30, 2)), ("GatherND", (30, 2))]
)
def test_every_place_is_written_once(op: str, indices: tuple[int, ...]) -> None:
    updates = indices if op == "ScatterElements" else (30,)
    reads = ["x", "i"] if op == "GatherND" else ["x", "i", "u"]
    inputs = {"x": (SHAPE, FLOAT), "i": (indices, INT), "u": (updates, FLOAT)}
    along: dict[str, Any] = {"axis": 1} if op == "ScatterElements" else {}
    node = helper.make_node(op, reads, ["y"], **along)
    shapes = {name: shape for name, (shape, _) in inputs.items() if name in reads}
    model = model_of([node], shapes, ["y"], kinds={"i": INT}, opset=18)
    fed = layer_inputs.feeds(model)
    answers(model, fed, PLAIN)
    if op == "ScatterND":
        assert_no_place_twice(fed["i"].tolist())
    elif op == "ScatterElements":
        rows = enumerate(fed["i"].tolist())
        assert_no_place_twice([(row, column) for row, columns in rows for column in columns])


@pytest.mark.parametrize(
    ("op", "shape"),
    [("Reshape", (2,)), ("Expand", (2,)), ("Tile", (2,)), ("Unsqueeze", (1,)), ("TopK", (1,))],
)
def test_shapes_and_axes_that_are_fed_fit(op: str, shape: tuple[int, ...]) -> None:
    outputs = ["y", "at"] if op == "TopK" else ["y"]
    node = helper.make_node(op, ["x", "n"], outputs)
    model = model_of([node], {"x": SHAPE, "n": shape}, ["y"], kinds={"n": INT}, opset=18)
    assert answered(model).size in (math.prod(SHAPE), 3)  # all of x, or the largest of each row


def test_what_branches_and_loops_read_counts_too() -> None:
    result = helper.make_empty_tensor_value_info
    then = helper.make_graph([helper.make_node("Log", ["x"], ["a"])], "then", [], [result("a")])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["b"])], "other", [], [result("b")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    model = model_of([node], {"c": (), "x": SHAPE}, ["y"], kinds={"c": BOOL}, opset=18)
    assert layer_inputs.feeds(model)["c"].item() is True
    assert np.isfinite(answered(model)).all()


def test_needs_that_exclude_each_other_end_at_one_of_them() -> None:
    model = chain(("Log", ["x"]), ("Neg", ["x"]), ("Sqrt", ["t1"]))
    assert required_ranges(model)["x"] in (Range(LEAST), Range(-math.inf, -LEAST))
    assert layer_inputs.feeds(model)["x"].shape == SHAPE


def test_nothing_is_needed_of_what_nobody_constrains() -> None:
    factor = np.ones((40, 4), np.float32)
    model = chain(("MatMul", ["x", "k"]), ("Sqrt", ["t0"]), k=factor)
    assert required_ranges(model) == {}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("past", "longest", "keys"), [(0, None, 5), (7, None, 12), (64, 12, 12)])
def test_grouped_attention_reads_the_keys_that_are_counted(
    packed: bool, past: int, longest: int | None, keys: int
) -> None:
    query_heads = QUERY_HEADS + 2 * KEY_HEADS if packed else QUERY_HEADS
    shapes: dict[str, tuple[int, ...]] = {"query": (1, NEW_TOKENS, query_heads * HEAD_SIZE)}
    if not packed:
        key_shape = (1, NEW_TOKENS, KEY_HEADS * HEAD_SIZE)
        shapes |= {"key": key_shape, "value": key_shape}
    if past:
        past_shape = (1, KEY_HEADS, past, HEAD_SIZE)
        shapes |= {"past_key": past_shape, "past_value": past_shape}
    places = ("query", "key", "value", "past_key", "past_value")
    names = [name if name in shapes else "" for name in places]
    shapes["ends"] = (1,)
    weights = []
    if longest is None:
        shapes["longest"] = ()
    else:
        weights.append(numpy_helper.from_array(np.array(longest, np.int32), "longest"))
    node = helper.make_node(
        "GroupQueryAttention",
        [*names, "ends", "longest"],
        ["y", "present_key", "present_value"],
        domain="com.microsoft",
        num_heads=QUERY_HEADS,
        kv_num_heads=KEY_HEADS,
    )
    kinds = {"ends": TensorProto.INT32, "longest": TensorProto.INT32}
    outputs = ["y", "present_key", "present_value"]
    model = model_of([node], shapes, outputs, weights, kinds, domains=["com.microsoft"])
    for value in model.graph.output:
        value.type.tensor_type.elem_type = FLOAT
    ranges = required_ranges(model)
    assert ranges["ends"] == Range(keys - 1, keys - 1)
    assert longest is not None or ranges["longest"] == Range(keys, keys)
    attended, present_key, _ = answers(model, layer_inputs.feeds(model), PLAIN)
    assert np.isfinite(attended).all()
    assert present_key.shape == (1, KEY_HEADS, max(keys, past), HEAD_SIZE)
