"""Files of a few bytes that ask for more memory than there is.

Their shapes are found, and nothing is made of them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kernels.onnx.graph import graph_of
from tests.kernels.onnx_networks import model_of
from tests.runs import ROOT

MANY = 2**33  # elements: 64 GiB in INT64
LIMIT = 4 << 30
"""Bytes of address space in which all of them must be read: none of them fits into it."""
READ_ALL = """
import resource, sys, onnx
from pathlib import Path
from kernels.onnx.graph import read_graph
resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    as_stored = read_graph(path)
    bound = read_graph(path, {{"x": (4,)}})
    print(path.stem, as_stored.peak_bytes() > 1e10, bound.peak_bytes() > 1e10)
"""


def chain(*steps: tuple[str, list[str]], **constants: Any) -> Any:
    """A model that adds to x the sum of something large, which it makes of constants.

    steps: operations one after another, and the names that they read; they write t0, t1, ...
    """
    nodes = []
    for place, (op, names) in enumerate(steps):
        nodes.append(helper.make_node(op, names, [f"t{place}"]))
    last = f"t{len(steps) - 1}"
    nodes += [
        helper.make_node("Cast", [last], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats"], ["sum"]),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    weights = []
    for name, value in constants.items():
        weights.append(numpy_helper.from_array(np.asarray(value), name))
    return model_of(nodes, {"x": (4,)}, ["y"], weights, opset=17)


def fed_vector() -> Any:
    """A long vector of integers that is fed, beside a result of unknown size."""
    nodes = [
        helper.make_node("Add", ["long", "long"], ["twice"]),
        helper.make_node("NonZero", ["twice"], ["found"]),
        helper.make_node("Cast", ["found"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["floats"], ["sum"]),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    model = model_of(nodes, {"x": (4,), "long": (MANY,)}, ["y"], opset=17)
    model.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    return model


ONES = np.ones(1024, np.int64)
MODELS = {
    "range": chain(("Range", ["a", "b", "c"]), a=0, b=MANY, c=1),
    "range of floats": chain(
        ("Range", ["a", "b", "c"]), a=np.float32(0), b=np.float32(1e12), c=np.float32(0.1)
    ),
    "range backwards": chain(("Range", ["a", "b", "c"]), a=0, b=-MANY, c=-1),
    "constant": chain(("ConstantOfShape", ["s"]), s=[MANY]),
    "expand": chain(("Expand", ["one", "s"]), one=[1], s=[MANY, 2]),
    "expand more": chain(("Expand", ["ones", "s"]), ones=ONES, s=[2**23, 1024]),
    "tile": chain(("Tile", ["one", "s"]), one=[1], s=[MANY]),
    "pad": chain(("Pad", ["one", "s"]), one=np.ones(1, np.float32), s=[MANY, MANY]),
    "one hot": chain(("OneHot", ["i", "n", "v"]), i=[1, 2], n=MANY, v=np.array([0, 1], np.float32)),
    "resize": chain(
        ("Resize", ["image", "", "s"]),
        image=np.ones((1, 1, 2, 2), np.float32),
        s=np.array([1, 1, 5e4, 5e4], np.float32),
    ),
    "computed": chain(
        ("Mul", ["a", "a"]),
        ("Mul", ["t0", "a"]),
        ("Range", ["zero", "t1", "one"]),
        a=2**11,
        zero=0,
        one=1,
    ),
    "followed": chain(
        ("Range", ["a", "b", "c"]), ("Add", ["t0", "c"]), ("NonZero", ["t1"]), a=0, b=MANY, c=1
    ),
    "fed": fed_vector(),
    "of a shape": chain(
        ("Shape", ["x"]), ("Mul", ["t0", "b"]), ("ConstantOfShape", ["t1"]), b=[MANY]
    ),
    "of all sides": chain(
        ("Max", ["a", "b", "c", "d"]),
        a=ONES.reshape(-1, 1, 1, 1),
        b=ONES.reshape(-1, 1, 1),
        c=ONES.reshape(-1, 1),
        d=ONES[:8],
    ),
}


def test_nothing_is_made_of_what_asks_for_all_memory(tmp_path: Path) -> None:
    for name, model in MODELS.items():
        onnx.save(model, tmp_path / f"{name}.onnx")
    command = [sys.executable, "-c", READ_ALL.format(limit=LIMIT), str(tmp_path)]
    environment = {"PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert process.returncode == 0, process.stderr[-2000:]
    expected = [f"{name} True True" for name in MODELS]
    assert sorted(process.stdout.splitlines()) == sorted(expected)


@pytest.mark.parametrize("op", ["Range", "ConstantOfShape", "Expand", "Tile"])
def test_what_is_small_is_still_known(op: str) -> None:
    """Shapes that follow from it would be open otherwise."""
    reads = {
        "Range": ["one", "four", "one"],
        "ConstantOfShape": ["two"],
        "Expand": ["two", "two"],
        "Tile": ["two", "two"],
    }
    nodes = [
        helper.make_node(op, reads[op], ["s"]),
        helper.make_node("Unsqueeze", ["x", "zero"], ["wide"]),
        helper.make_node("Reshape", ["x", "to"], ["column"]),
        helper.make_node("ReduceProd", ["s"], ["product"]),
        helper.make_node("Expand", ["column", "product"], ["y"]),
    ]
    fill = numpy_helper.from_array(np.array([3]))
    if op == "ConstantOfShape":
        nodes[0].attribute.append(helper.make_attribute("value", fill))
    values = {"one": 1, "four": 4, "two": [2], "zero": [0], "to": [-1, 1]}
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    graph = graph_of(model_of(nodes, {"x": (5,)}, ["y"], weights, opset=17))
    columns = {"Range": 6, "ConstantOfShape": 9, "Expand": 4, "Tile": 4}
    assert graph.outputs[0].shape == (5, columns[op])


def test_what_is_alive_at_the_worst_moment() -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),  # x 2x8, w 8x100, a 2x100
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Add", ["b", "a"], ["c"]),
        helper.make_node("ReduceSum", ["c"], ["y"]),
    ]
    weight = numpy_helper.from_array(np.ones((8, 100), np.float32), "w")
    graph = graph_of(model_of(nodes, {"x": (2, 8)}, ["y"], [weight], opset=17))
    # all of x, w, a, b and c, while the sum is made
    assert graph.peak_bytes() == 4 * (16 + 800 + 3 * 200)
    # what is stored counts elsewhere: twice would keep networks from a machine that holds them
    assert graph.inner_bytes() == 4 * 3 * 200


def test_what_is_made_before_a_run_is_alive_all_the_time() -> None:
    elements = 5000  # in INT64, and once more in FP32
    graph = graph_of(chain(("Range", ["a", "b", "c"]), a=0, b=elements, c=1))
    assert graph.peak_bytes() == pytest.approx((8 + 4) * elements, rel=0.01)
