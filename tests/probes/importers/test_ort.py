"""ONNX Runtime's profiles, stored ones and made-up ones, are read node by node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from probes.importers.nodes import OnnxWork
from probes.importers.onnxruntime import read as ort
from probes.records.measurement import RidgelineError

STORED = Path(__file__).parent / "data" / "ort_1.32_cpu.json"


def test_nodes_have_the_median_of_their_runs_without_the_first() -> None:
    conv, reorder, product = ort.read(STORED, "CPU", "now")
    assert (conv.kernel, conv.backend, conv.dtype, conv.samples) == ("Conv", "cpu", "fp32", 2)
    assert conv.seconds_median == pytest.approx((20e-6 + 13e-6) / 2)
    assert conv.flops == 2 * 16 * 16 * 16 * 8 * 9
    assert conv.bytes == 4 * (8 * 256 + 16 * 8 * 9 + 16 * 256)
    assert (reorder.flops, reorder.ceiling) == (0.0, "layer/movement")
    assert product.flops == 2 * 256 * 16 * 10
    # Packed weights are not among the inputs.
    assert product.bytes == 4 * (16 * 256 + 10 * 256 + 160)


def test_work_given_by_node_name_goes_before_the_shapes() -> None:
    rows = ort.read(STORED, "CPU", "now", nodes={"mm": OnnxWork(7.0, 9.0, "MatMul", "y")})
    assert (rows[2].flops, rows[2].bytes, rows[2].reason) == (7.0, 9.0, "")
    nodes = {"relu1": OnnxWork(1.0, 2.0, "Relu", "b"), "c": OnnxWork(3.0, 4.0, "Conv", "b")}
    conv, *_ = ort.read(STORED, "CPU", "now", nodes=nodes)
    assert conv.flops == 3.0, "it ran as b_nchwc, and is found by its output and type"


def events(**changed: Any) -> list[dict[str, Any]]:
    """The event of a node of a GPU with these changes, and the event of the fence before it."""
    args = {
        "op_name": "Custom",
        "provider": "CUDAExecutionProvider",
        "node_index": "0",
        "input_type_shape": [{"float16": [2, 3]}],
        "output_type_shape": [{"float16": [2, 3]}],
    }
    node = {"cat": "Node", "dur": 5, "ts": 1, "ph": "X", "name": "g_kernel_time", "args": args}
    return [
        node | changed,
        {"cat": "Node", "dur": 0, "ts": 1, "ph": "X", "name": "g_fence_before", "args": args},
    ]


def test_an_unknown_operation_is_named_and_not_zero(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(events()))
    (row,) = ort.read(path, "GPU", "now")
    assert (row.flops, row.bytes, row.backend, row.dtype) == (None, 24.0, "cuda", "fp16")
    assert "FLOPs of Custom unknown" in row.reason
    assert "host time" in row.reason


def test_operations_on_another_provider_are_of_the_same_network(tmp_path: Path) -> None:
    main, *_ = events(dur=90)
    args = {
        **main["args"],
        "op_name": "Shape",
        "provider": "CPUExecutionProvider",
        "node_index": "1",
    }
    path = tmp_path / "p.json"
    shape = main | {"name": "s_kernel_time", "dur": 5, "ts": 95, "args": args}
    path.write_text(json.dumps([main, shape]))
    rows = ort.read(path, "GPU", "now")
    assert [row.backend for row in rows] == ["cuda", "cuda"]
    assert ["on the cpu provider" in row.reason for row in rows] == [False, True]
    assert ["host time" in row.reason for row in rows] == [True, False]


def test_integers_with_packed_weights_have_the_work_of_their_node_or_none(tmp_path: Path) -> None:
    shapes = [
        {"uint8": [1, 9, 9, 8]},
        {"float": []},
        {"uint8": []},
        {"float": []},
        {"int8": []},
        {"float": []},
    ]
    out = [{"uint8": [1, 7, 7, 4]}]
    event = node(
        "QLinearConv", 1, 20, "conv_token_12", input_type_shape=shapes, output_type_shape=out
    )
    path = tmp_path / "p.json"
    path.write_text(json.dumps([event]))
    (row,) = ort.read(path, "CPU", "now")
    assert (row.flops, row.dtype) == (None, "int8"), "its weights are not in the profile"
    nodes = {"conv": OnnxWork(7.0, 400.0, "Conv", "y", 100.0)}
    (row,) = ort.read(path, "CPU", "now", nodes=nodes)
    assert (row.flops, row.bytes, row.reason) == (7.0, 100.0, "")


def node(
    op: str, start: int, dur: int, name: str = "", thread: int = 1, **args: Any
) -> dict[str, Any]:
    """The event of a node of a CPU, which begins at ``start`` and lasts ``dur`` microseconds."""
    args = {"op_name": op, "provider": "CPUExecutionProvider", **args}
    return {
        "cat": "Node",
        "dur": dur,
        "ts": start,
        "tid": thread,
        "ph": "X",
        "name": f"{name}_kernel_time",
        "args": args,
    }


def test_nodes_without_name_index_or_shape_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps([node("Conv", 1, 20), node("Relu", 30, 5), node("Conv", 40, 10)]))
    conv, relu = ort.read(path, "CPU", "now")
    assert (conv.kernel, relu.kernel) == ("Conv", "Relu")
    assert (conv.seconds_median, relu.seconds_median) == (pytest.approx(30e-6), pytest.approx(5e-6))
    assert (relu.flops, relu.bytes) == (None, None), "not zero: it wrote no shapes"
    assert "holds no shapes" in relu.reason


@pytest.mark.parametrize("args", [None, {}, {"thread_scheduling_stats": {"main_thread": 1}}])
def test_a_profile_without_arguments_has_names_and_times(tmp_path: Path, args: Any) -> None:
    path = tmp_path / "p.json"
    timed = [node("", 1, 20, "conv1"), node("", 30, 5, "relu1"), node("", 50, 10, "conv1")]
    path.write_text(json.dumps([event | {"args": args} for event in timed]))
    conv, relu = ort.read(path, "CPU", "now")
    assert (conv.layer, conv.seconds_median, conv.ceiling) == (
        "conv1",
        pytest.approx(30e-6),
        "layer/convolution",
    )
    assert (conv.flops, conv.bytes, conv.dtype, conv.backend) == (None, None, "fp32", "onnxruntime")
    reason = (
        "work of conv1 unknown: the profile holds no shapes, give the model; type not given: "
        "fp32 assumed"
    )
    assert (conv.reason, relu.layer) == (reason, "relu1")
    nodes = {"conv1": OnnxWork(7.0, 400.0, "Conv", "y")}
    conv, _ = ort.read(path, "CPU", "now", nodes=nodes)
    assert (conv.kernel, conv.flops, conv.bytes) == ("Conv", 7.0, 400.0)


def test_nodes_between_two_runs_are_of_neither(tmp_path: Path) -> None:
    runs = [
        {"cat": "Session", "name": "model_run", "ph": "X", "ts": start, "dur": 10}
        for start in (0, 20, 40)
    ]
    begins_and_lengths = [(1, 9), (12, 5), (21, 4), (41, 6)]
    timed = [node("Conv", begin, length, "c") for begin, length in begins_and_lengths]
    path = tmp_path / "p.json"
    path.write_text(json.dumps([*reversed(runs), *timed]))
    (row,) = ort.read(path, "CPU", "now")
    assert (row.samples, row.seconds_median) == (2, pytest.approx(5e-6)), "the first run warms up"


def test_what_a_loop_runs_is_not_counted_twice(tmp_path: Path) -> None:
    inner = [
        node("Add", 20, 30, "add"),
        node("If", 50, 40, "if"),
        node("Mul", 60, 25, "mul"),
        node("Add", 95, 5, "add"),
    ]
    path = tmp_path / "p.json"
    loop = node("Loop", 10, 100, "loop")
    beside = node("Neg", 30, 50, "other", thread=2)
    path.write_text(json.dumps([loop, *inner, beside]))
    rows = {row.kernel: row for row in ort.read(path, "CPU", "now")}
    microseconds = {op: round((row.seconds_median or 0) * 1e6) for op, row in rows.items()}
    assert microseconds == {"Loop": 25, "Add": 35, "If": 15, "Mul": 25, "Neg": 50}
    assert (rows["Loop"].flops, "rows of their own" in rows["Loop"].reason) == (0.0, True)


def test_what_counts_decides_or_moves_is_no_precision_of_the_network(tmp_path: Path) -> None:
    types = {
        "Conv": "float16",
        "Cast": "uint8",
        "Div": "int64",
        "Concat": "int64",
        "Less": "bool",
        "Where": "float",
    }
    timed = [node(op, 1, 5, op, input_type_shape=[{dtype: [4]}]) for op, dtype in types.items()]
    div_and_concat, where = timed[2:4], timed[5:]
    path = tmp_path / "p.json"
    for network, precision in ((timed, "fp16"), (div_and_concat, "int64"), (where, "fp32")):
        path.write_text(json.dumps(network))
        rows = ort.read(path, "CPU", "now")
        assert {json.loads(row.params)["precision"] for row in rows} == {precision}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (events(dur=None), "event 1 (g_kernel_time): dur is None"),
        (events(dur=float("nan")), "event 1 (g_kernel_time): dur is nan, not a time in µs"),
        (events(dur=True), "dur is True"),
        (events(dur=1e300), "dur is 1e+300"),
        (events(args=[1]), "event 1 (g_kernel_time): args is [1], not an object"),
        (events(args={"op_name": ["x"]}), "event 1 (g_kernel_time): op_name is ['x'], not text"),
        (events(args={"op_name": "A", "provider": {"a": 1}}), "provider is {'a': 1}, not text"),
        (events(args={"op_name": "A", "input_type_shape": 3}), "input_type_shape is 3"),
        (
            events(args={"op_name": "A", "input_type_shape": [{"float": [-1]}]}),
            "input_type_shape is [{'float': [-1]}]",
        ),
        (
            events(args={"op_name": "A", "output_type_shape": [{"float": [True]}]}),
            "output_type_shape is",
        ),
        ([3], "event 1: not an object"),
        ({}, "no list of events"),
        ([], "has no event of a node"),
    ],
)
def test_a_malformed_profile_is_one_line_with_its_event(
    tmp_path: Path, data: Any, says: str
) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(data))
    with pytest.raises(RidgelineError) as error:
        ort.read(path, "CPU", "now")
    assert says in str(error.value)


def test_a_profile_cut_off_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(STORED.read_text()[:2000])
    with pytest.raises(RidgelineError, match=r"line 5 column \d+ is not JSON"):
        ort.read(path, "CPU", "now")
