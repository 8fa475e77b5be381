"""What is fed lies where the operation that reads it is defined, also by way of other
operations.
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
from kernels.runtime.domains import LEAST, Range, needed
from tests.kernels.onnx_networks import model_of

INT, BOOL, FLOAT = TensorProto.INT64, TensorProto.BOOL, TensorProto.FLOAT
SHAPE = (3, 40)


def chain(
    *steps: tuple[str, Sequence[str]], inputs: dict[str, Any] | None = None, **more: Any
) -> Any:
    """A model of these (operation, inputs) one after another; step n writes t<n>, the last one y.
    more: constants.
    """
    kinds = {name: kind for name, (_, kind) in (inputs or {}).items()}
    shapes = {name: shape for name, (shape, _) in (inputs or {}).items()} or {"x": SHAPE}
    names = [f"t{n}" for n in range(len(steps) - 1)] + ["y"]
    nodes = [
        helper.make_node(op, read, [name]) for (op, read), name in zip(steps, names, strict=True)
    ]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in more.items()]
    return model_of(nodes, shapes, ["y"], weights, kinds=kinds, opset=18)


def answered(model: Any) -> np.ndarray:
    return np.asarray(answers(model, layer_inputs.feeds(model), PLAIN)[0])


TWO = {"x": (SHAPE, FLOAT), "d": (SHAPE, FLOAT)}


@pytest.mark.parametrize(
    "model",
    [
        *(
            chain((op, ["x"]))
            for op in (
                "Sqrt",
                "Log",
                "Acos",
                "Asin",
                "Atanh",
                "Acosh",
                "Reciprocal",
                "ReduceLogSum",
            )
        ),
        chain(("Pow", ["x", "half"]), half=np.float32(0.5)),
        chain(("Pow", ["x", "d"]), inputs=TWO),
        chain(("Div", ["x", "d"]), inputs=TWO),
        chain(("Sqrt", ["x"]), ("Log", ["t0"])),
        chain(("Reshape", ["x", "to"]), ("Relu", ["t0"]), ("Log", ["t1"]), to=np.array([40, 3])),
        chain(("Neg", ["x"]), ("Sqrt", ["t0"])),
        chain(("Add", ["x", "k"]), ("Log", ["t0"]), k=np.float32(-5)),
        chain(("Sub", ["k", "x"]), ("Sqrt", ["t0"]), k=np.float32(-5)),
        chain(("Mul", ["x", "k"]), ("Log", ["t0"]), k=np.float32(-3)),
        chain(("Div", ["x", "k"]), ("Acosh", ["t0"]), k=np.array([0.5, 2] * 20, np.float32)),
        chain(("Add", ["x", "d"]), ("Log", ["t0"]), inputs=TWO),
        chain(("Mul", ["x", "d"]), ("Log", ["t0"]), inputs=TWO),
        chain(("ReduceSum", ["x"]), ("Sqrt", ["t0"]), ("Div", ["x", "t1"])),
        chain(("Exp", ["x"]), ("Acosh", ["t0"])),
        chain(("Max", ["x", "d"]), ("Log", ["t0"]), inputs=TWO),
    ],
    ids=lambda model: " ".join(node.op_type for node in model.graph.node),
)
def test_floats_are_fed_where_what_follows_is_defined(model: Any) -> None:
    found = answered(model)
    assert np.isfinite(found).all()
    assert found.size == 1 or found.std() > 0


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
    assert layer_inputs.feeds(chain(("Not", ["m"]), inputs={"m": ((), BOOL)}))["m"].all()


@pytest.mark.parametrize("through", [[], ["Cast"], ["Identity", "Cast"]])
def test_indices_stay_inside_of_their_table_by_any_way(through: list[str]) -> None:
    names = ["i", *(f"h{n}" for n in range(len(through)))]
    cast: dict[str, Any] = {"to": INT}
    steps = zip(through, names, names[1:], strict=False)
    nodes = [helper.make_node(op, [a], [b], **(cast if op == "Cast" else {})) for op, a, b in steps]
    nodes.append(helper.make_node("Gather", ["t", names[-1]], ["y"]))
    table = numpy_helper.from_array(np.arange(30, dtype=np.float32).reshape(10, 3), "t")
    model = model_of(nodes, {"i": (200,)}, ["y"], [table], kinds={"i": TensorProto.INT32})
    assert set(layer_inputs.feeds(model)["i"].tolist()) == set(range(10))


@pytest.mark.parametrize(
    ("op", "indices"), [("ScatterElements", (3, 20)), ("ScatterND", (30, 2)), ("GatherND", (30, 2))]
)
def test_every_place_is_written_once(op: str, indices: tuple[int, ...]) -> None:
    updates = indices if op == "ScatterElements" else (30,)
    reads = ["x", "i"] if op == "GatherND" else ["x", "i", "u"]
    inputs = {"x": (SHAPE, FLOAT), "i": (indices, INT), "u": (updates, FLOAT)}
    along: dict[str, Any] = {"axis": 1} if op == "ScatterElements" else {}
    node = helper.make_node(op, reads, ["y"], **along)
    taken = {name: shape for name, (shape, _) in inputs.items() if name in reads}
    model = model_of([node], taken, ["y"], kinds={"i": INT}, opset=18)
    fed = layer_inputs.feeds(model)
    answers(model, fed, PLAIN)
    if op != "GatherND":
        rows = (
            fed["i"].reshape(-1, 2)
            if op == "ScatterND"
            else [(r, i) for r in range(3) for i in fed["i"][r]]
        )
        assert len({tuple(map(int, row)) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("op", "shape"),
    [("Reshape", (2,)), ("Expand", (2,)), ("Tile", (2,)), ("Unsqueeze", (1,)), ("TopK", (1,))],
)
def test_shapes_and_axes_that_are_fed_fit(op: str, shape: tuple[int, ...]) -> None:
    node = helper.make_node(op, ["x", "n"], ["y", "at"][: 2 if op == "TopK" else 1])
    model = model_of([node], {"x": SHAPE, "n": shape}, ["y"], kinds={"n": INT}, opset=18)
    assert answered(model).size in (120, 3)


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
    assert needed(model)["x"] in (Range(LEAST), Range(-math.inf, -LEAST))
    assert layer_inputs.feeds(model)["x"].shape == SHAPE


def test_nothing_is_needed_of_what_nobody_constrains() -> None:
    assert (
        needed(chain(("MatMul", ["x", "k"]), ("Sqrt", ["t0"]), k=np.ones((40, 4), np.float32)))
        == {}
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("past", "longest", "keys"), [(0, None, 5), (7, None, 12), (64, 12, 12)])
def test_grouped_attention_reads_the_keys_that_are_counted(
    packed: bool, past: int, longest: int | None, keys: int
) -> None:
    shapes: dict[str, tuple[int, ...]] = {"query": (1, 5, (8 + 2 * 2 if packed else 8) * 16)}
    if not packed:
        shapes |= {"key": (1, 5, 2 * 16), "value": (1, 5, 2 * 16)}
    if past:
        shapes |= {"past_key": (1, 2, past, 16), "past_value": (1, 2, past, 16)}
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
        num_heads=8,
        kv_num_heads=2,
    )
    kinds = {"ends": TensorProto.INT32, "longest": TensorProto.INT32}
    outputs = ["y", "present_key", "present_value"]
    model = model_of([node], shapes, outputs, weights, kinds, domains=["com.microsoft"])
    for value in model.graph.output:
        value.type.tensor_type.elem_type = FLOAT
    ranges = needed(model)
    assert ranges["ends"] == Range(keys - 1, keys - 1)
    assert longest is not None or ranges["longest"] == Range(keys, keys)
    attended, present_key, _ = answers(model, layer_inputs.feeds(model), PLAIN)
    assert np.isfinite(attended).all()
    assert present_key.shape == (1, 2, max(keys, past), 16)
