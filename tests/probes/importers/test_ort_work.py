"""The work of what ONNX Runtime ran: of the nodes that it fused, or of the shapes in its
profile.
"""

from __future__ import annotations

import json
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
    inputs, outputs = [("fp32", [1, 3, 9, 9]), ("fp32", [16, 3, 3, 3])], [("fp32", [1, 16, 7, 7])]
    assert "channels are padded to whole blocks" in work("y_nchwc", "Conv", inputs, outputs, [])[2]
    assert work("conv", "Conv", inputs, outputs, [])[2] == "work from the shapes in the profile"


def test_what_the_model_does_not_tell_follows_from_the_shapes() -> None:
    inputs, outputs = [("fp32", [4, 32])], [("fp32", [4, 8])]
    seen = (
        2.0 * 4 * 32 * 8,
        4.0 * (4 * 32 + 32 * 8 + 4 * 8),
        "work from the shapes in the profile",
    )
    assert work("after", "MatMul", inputs, outputs, [OnnxWork(None, None, "MatMul", "y")]) == seen
    assert work("after", "MatMul", inputs, outputs, [OnnxWork(None, 9.0, "MatMul", "y")]) == (
        seen[0],
        9.0,
        seen[2],
    )
    assert work("after", "MatMul", inputs, outputs, [OnnxWork(7.0, None, "MatMul", "y")]) == (
        7.0,
        *seen[1:],
    )
    flops, _, reason = work(
        "pool", "MaxPool", inputs, outputs, [OnnxWork(None, None, "MaxPool", "y")]
    )
    assert (flops, reason) == (None, "FLOPs of MaxPool unknown: the profile holds no attributes")


def session_profile(tmp_path: Path, model: Any, shape: tuple[int, ...]) -> Path:
    """The profile of three runs of ``model`` by the runtime that is installed, all it can fuse
    fused.
    """
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.enable_profiling, options.profile_file_prefix = True, str(tmp_path / "p")
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for _ in range(3):
        session.run(None, {"x": np.ones(shape, np.float32)})
    return Path(session.end_profiling())


def model_of(nodes: list[Any], shape: tuple[int, ...], **weights: tuple[int, ...]) -> Any:
    """A model from ``x`` of this shape to ``y``, the weights each of another number."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    arrays = [np.full(size, 1 + i, np.float32) for i, size in enumerate(weights.values())]
    stored = [
        onnx.numpy_helper.from_array(array, name)
        for array, name in zip(arrays, weights, strict=True)
    ]
    ends = [
        helper.make_tensor_value_info(name, kind, size)
        for name, size in (("x", shape), ("y", None))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_installed_version_is_read(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx").helper
    conv = helper.make_node("Conv", ["x", "w"], ["y"], name="grouped", group=2)
    model = model_of([conv], (1, 4, 8, 8), w=(6, 2, 3, 3))
    profile = session_profile(tmp_path, model, (1, 4, 8, 8))
    for given in ({}, nodes_of(graph_of(model).nodes)):
        row = next(
            row for row in ort.read(profile, "CPU", "now", nodes=given) if row.kernel == "Conv"
        )
        assert (row.flops, row.status, row.samples) == (2 * 6 * 36 * 2 * 9, OK, 2)


def test_what_the_installed_version_fuses_has_the_work_of_its_nodes(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx").helper
    chain = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("Conv", ["r", "v"], ["d"], name="narrow"),
        helper.make_node("Sigmoid", ["d"], ["s"], name="sigmoid"),
        helper.make_node("Conv", ["r", "u"], ["e"], name="other"),
        helper.make_node("Add", ["e", "s"], ["y"], name="shortcut"),
    ]
    model = model_of(chain, (1, 3, 10, 10), w=(8, 3, 3, 3), v=(1, 8, 1, 1), u=(1, 8, 1, 1))
    nodes = nodes_of(graph_of(model).nodes)
    rows = ort.read(session_profile(tmp_path, model, (1, 3, 10, 10)), "CPU", "now", nodes=nodes)
    assert sum(row.flops or 0 for row in rows) == sum(work.flops or 0 for work in nodes.values())
    inside = [name for row in rows for name in json.loads(row.params)["nodes"]]
    assert sorted(inside) == sorted(nodes), "each of them once"
    wide = next(row for row in rows if "conv" in json.loads(row.params)["nodes"])
    assert wide.bytes == 4 * (3 * 100 + 8 * 27 + 8 * 64), "not of channels padded to a block"
