"""What ONNX Runtime ran has the work of the nodes it fused, or of the shapes in its profile."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels.onnx.graph import graph_of
from probes.importers.nodes import OnnxWork, nodes_of
from probes.importers.onnxruntime import read as ort
from probes.importers.onnxruntime.work import work
from probes.records.measurement import OK


def test_channels_that_are_padded_are_told() -> None:
    inputs = [("fp32", [1, 3, 9, 9]), ("fp32", [16, 3, 3, 3])]
    outputs = [("fp32", [1, 16, 7, 7])]
    _, _, padded_remark = work("y_nchwc", "Conv", inputs, outputs, [])
    _, _, plain_remark = work("conv", "Conv", inputs, outputs, [])
    assert "channels are padded to whole blocks" in padded_remark
    assert plain_remark == "work from the shapes in the profile"


def test_what_the_model_does_not_tell_follows_from_the_shapes() -> None:
    inputs, outputs = [("fp32", [4, 32])], [("fp32", [4, 8])]
    flops = 2.0 * 4 * 32 * 8
    moved = 4.0 * (4 * 32 + 32 * 8 + 4 * 8)
    remark = "work from the shapes in the profile"

    def product_of(node: OnnxWork) -> tuple[float | None, float | None, str]:
        return work("after", "MatMul", inputs, outputs, [node])

    assert product_of(OnnxWork(None, None, "MatMul", "y")) == (flops, moved, remark)
    assert product_of(OnnxWork(None, 9.0, "MatMul", "y")) == (flops, 9.0, remark)
    assert product_of(OnnxWork(7.0, None, "MatMul", "y")) == (7.0, moved, remark)
    pool = OnnxWork(None, None, "MaxPool", "y")
    unknown_flops, _, reason = work("pool", "MaxPool", inputs, outputs, [pool])
    assert unknown_flops is None
    assert reason == "FLOPs of MaxPool unknown: the profile holds no attributes"


def session_profile(tmp_path: Path, model: Any, shape: tuple[int, ...]) -> Path:
    """The profile of three runs of ``model`` by the runtime that is installed.

    It fuses all that it can.
    """
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "p")
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for _ in range(3):
        session.run(None, {"x": np.ones(shape, np.float32)})
    return Path(session.end_profiling())


def model_of(nodes: list[Any], shape: tuple[int, ...], **weights: tuple[int, ...]) -> Any:
    """A model from ``x`` of this shape to ``y``; ``weights``: their shapes.

    Each weight is filled with a number of its own.
    """
    onnx = pytest.importorskip("onnx")
    helper, float_type = onnx.helper, onnx.TensorProto.FLOAT
    stored = []
    for number, (name, weight_shape) in enumerate(weights.items(), start=1):
        array = np.full(weight_shape, number, np.float32)
        stored.append(onnx.numpy_helper.from_array(array, name))
    x = helper.make_tensor_value_info("x", float_type, shape)
    y = helper.make_tensor_value_info("y", float_type, None)
    graph = helper.make_graph(nodes, "net", [x], [y], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_a_profile_of_the_installed_version_is_read(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx").helper
    conv = helper.make_node("Conv", ["x", "w"], ["y"], name="grouped", group=2)
    model = model_of([conv], (1, 4, 8, 8), w=(6, 2, 3, 3))
    profile = session_profile(tmp_path, model, (1, 4, 8, 8))
    for nodes in ({}, nodes_of(graph_of(model).nodes)):
        rows = ort.read(profile, "CPU", "now", nodes=nodes)
        row = next(row for row in rows if row.kernel == "Conv")
        assert (row.flops, row.status, row.samples) == (2 * 6 * 36 * 2 * 9, OK, 2)


def test_what_the_installed_version_fuses_has_the_work_of_its_nodes(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx").helper
    nodes_in_order = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Conv", ["r", "v"], ["d"], name="narrow"),
        helper.make_node("Sigmoid", ["d"], ["s"], name="sigmoid"),
        helper.make_node("Conv", ["r", "u"], ["e"], name="other"),
        helper.make_node("Add", ["e", "s"], ["y"], name="shortcut"),
    ]
    model = model_of(nodes_in_order, (1, 3, 10, 10), w=(8, 3, 3, 3), v=(1, 8, 1, 1), u=(1, 8, 1, 1))
    nodes = nodes_of(graph_of(model).nodes)
    rows = ort.read(session_profile(tmp_path, model, (1, 3, 10, 10)), "CPU", "now", nodes=nodes)
    assert sum(row.flops or 0 for row in rows) == sum(node.flops or 0 for node in nodes.values())
    nodes_of_rows = [json.loads(row.params)["nodes"] for row in rows]
    assert sorted(chain.from_iterable(nodes_of_rows)) == sorted(nodes), "each of them once"
    first = next(row for row in rows if "conv" in json.loads(row.params)["nodes"])
    assert first.bytes == 4 * (3 * 100 + 8 * 27 + 8 * 64), "not of channels padded to a block"
