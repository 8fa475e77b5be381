"""A trace of PyTorch's profiler becomes rows: operations, their times, the work of their shapes."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from probes.importers import source
from probes.importers.any_file import read_all
from probes.importers.torch.read import read
from probes.records.measurement import Measurement, RidgelineError

DATA = Path(__file__).parent / "data"
Event = dict[str, Any]


def event(category: str, name: str, ts: float, dur: float, **args: Any) -> Event:
    """A whole event of the trace; an underscore in a name of ``args`` is a space."""
    spaced = {key.replace("_", " "): value for key, value in args.items()}
    return {
        "ph": "X",
        "cat": category,
        "name": name,
        "pid": 1,
        "tid": 2,
        "ts": ts,
        "dur": dur,
        "args": spaced,
    }


def op(name: str, ts: float, dur: float, number: int, *shapes: Any, dtype: str = "float") -> Event:
    """An operation on tensors of these shapes, of one type."""
    return event(
        "cpu_op",
        name,
        ts,
        dur,
        External_id=number,
        Input_Dims=list(shapes),
        Input_type=[dtype if shape else "Scalar" for shape in shapes],
        Concrete_Inputs=[""] * len(shapes),
    )


def written(path: Path, events: Iterable[Event], **more: Any) -> Path:
    """The trace in a file, as Kineto lays it out."""
    path.write_text(json.dumps({"schemaVersion": 1, **more, "traceEvents": list(events)}, indent=1))
    return path


def rows_of(path: Path) -> dict[str, Measurement]:
    """The rows of a trace by the name of their layer."""
    return {row.layer: row for row in read(path, "device", "now")}


def facts(row: Measurement) -> Mapping[str, Any]:
    """What the row's params say."""
    stored: Mapping[str, Any] = json.loads(row.params)
    return stored


def test_a_trace_that_pytorch_wrote_has_its_work_and_its_steps() -> None:
    rows = rows_of(DATA / "torch_2.13_cpu.json")
    conv = rows["aten::conv2d 2x3x16x16 8x3x3x3 8 stride 2x2"]
    assert conv.flops == 2 * (2 * 8 * 8 * 8) * (3 * 3 * 3)
    assert conv.bytes == 4 * (2 * 3 * 16 * 16 + 8 * 27 + 8 + 2 * 8 * 8 * 8)
    assert conv.samples == 2, "one of each step"
    linear = rows["aten::linear 2x512 10x512 10"]
    assert linear.flops == 2 * 2 * 512 * 10
    assert rows["aten::relu 2x8x8x8"].flops == 2 * 8 * 8 * 8
    assert not any("addmm" in name or "convolution" in name for name in rows), "counted once"
    assert {row.dtype for row in rows.values()} == {"fp32"}
    assert {facts(row)["network"] for row in rows.values()} == {"torch_2.13_cpu"}


CALLS: list[tuple[str, list[Any], list[str], list[str], float, float]] = [
    ("mm", [[4, 8], [8, 3]], ["float"] * 2, ["", ""], 192, 4 * (32 + 24 + 12)),
    ("bmm", [[5, 4, 8], [5, 8, 3]], ["c10::Half"] * 2, ["", ""], 960, 2 * (160 + 120 + 60)),
    ("matmul", [[2, 1, 4, 8], [7, 8, 3]], ["float"] * 2, ["", ""], 2688, 4 * (64 + 168 + 168)),
    ("mv", [[4, 8], [8]], ["double"] * 2, ["", ""], 64, 8 * (32 + 8 + 4)),
    ("linear", [[6, 4, 8], [3, 8], [3]], ["c10::BFloat16"] * 3, [""] * 3, 1152, 2 * 291),
    ("addmm", [[3], [4, 8], [8, 3]], ["float"] * 3, [""] * 3, 192, 4 * (3 + 32 + 24 + 12)),
    (
        "conv2d",
        [[1, 4, 9, 9], [6, 2, 3, 3], [6], [], [], [], []],
        ["float"] * 3 + ["ScalarList"] * 3 + ["Scalar"],
        ["", "", "", "[2, 2]", "[1, 1]", "[2, 2]", "2"],
        2 * (6 * 4 * 4) * (2 * 9),
        4 * (324 + 108 + 6 + 96),
    ),
    (
        "convolution",
        [[2, 4, 5], [4, 3, 2], [], [], [], [], [], [], []],
        ["float", "float", ""] + ["ScalarList"] * 3 + ["Scalar", "ScalarList", "Scalar"],
        ["", "", "", "[3]", "[0]", "[1]", "True", "[1]", "1"],
        2 * (2 * 4 * 5) * (3 * 2),
        4 * (40 + 24 + 2 * 3 * 15),
    ),
    (
        "convolution_backward",
        [[1, 6, 4, 4], [1, 4, 9, 9], [6, 2, 3, 3], [], [], [], [], [], [], [], []],
        ["float"] * 3 + ["ScalarList"] * 4 + ["Scalar", "ScalarList", "Scalar", "ScalarList"],
        ["", "", "", "[6]", "[2]", "[1]", "[2]", "False", "[0]", "2", "[True, True, True]"],
        2 * (2 * 96 * 18) + 96,
        4 * (96 + 108 + 324 + 324 + 108),
    ),
    (
        "scaled_dot_product_attention",
        [[2, 8, 10, 16], [2, 4, 12, 16], [2, 4, 12, 16], [], [], []],
        ["c10::Half"] * 3 + ["", "Scalar", "Scalar"],
        ["", "", "", "", "0.", "True"],
        2 * 8 * 10 * 12 * (2 * 16 + 2 * 16 + 6),
        2 * (2560 + 1536 + 1536 + 2560),
    ),
    ("add_", [[4, 8], [8], []], ["float", "float", "Scalar"], ["", "", "1"], 32, 4 * (32 + 8 + 32)),
    ("mul", [[4, 8], []], ["float", "double"], ["", ""], 32, 4 * 64),
    ("copy_", [[4, 8], [4, 8], []], ["c10::Half", "float", "Scalar"], [""] * 3, 0, 32 * 6),
    ("gelu", [[4, 8], []], ["float", ""], ["", "tanh"], 9 * 32, 4 * 64),
    ("clamp", [[4, 8], [], []], ["float", "Scalar", ""], ["", "0", ""], 32, 4 * 64),
    ("_softmax", [[4, 8], [], []], ["float", "Scalar", "Scalar"], ["", "-1", "False"], 160, 256),
    (
        "max_pool2d",
        [[1, 2, 7, 7], [], [], [], [], []],
        ["float"] + ["ScalarList"] * 4 + ["Scalar"],
        ["", "[3, 3]", "[2, 2]", "[0, 0]", "[1, 1]", "True"],
        2 * 9 * 9,
        4 * (98 + 18),
    ),
    ("sum", [[4, 8, 2], [], []], ["float", "ScalarList", "Scalar"], ["", "[1]", "False"], 64, 288),
    ("mean", [[4, 8], []], ["float", ""], ["", ""], 33, 4 * 33),
    ("embedding", [[100, 8], [5]], ["float", "long int"], ["", ""], 0, 5 * 8 * 4 * 2 + 40),
    (
        "_scaled_mm",
        [[16, 32], [32, 16], [], [], [], [], [], []],
        ["c10::Float8_e4m3fn"] * 2 + ["float", "float", "", "", "Scalar", "Scalar"],
        ["", "", "", "", "", "", "15", "False"],
        2 * 16 * 32 * 16,
        512 + 512 + 4 + 4 + 2 * 256,
    ),
]


@pytest.mark.parametrize(
    ("name", "dims", "types", "values", "flops", "moved"), CALLS, ids=[call[0] for call in CALLS]
)
def test_work_is_what_the_shapes_say(
    tmp_path: Path,
    name: str,
    dims: list[Any],
    types: list[str],
    values: list[str],
    flops: float,
    moved: float,
) -> None:
    call = event(
        "cpu_op", f"aten::{name}", 1, 5, Input_Dims=dims, Input_type=types, Concrete_Inputs=values
    )
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert (row.flops, row.bytes) == (flops, moved)


def test_elements_that_a_stride_repeats_are_read_once(tmp_path: Path) -> None:
    call = op("aten::add", 1, 5, 1, [64, 8], [64, 8])
    call["args"]["Input Strides"] = [[8, 1], [0, 1]]
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert row.bytes == 4 * (512 + 8 + 512)


def test_only_what_is_no_operation_of_its_own_is_left_to_the_caller(tmp_path: Path) -> None:
    events = [
        op("aten::einsum", 10, 100, 1, []),
        op("aten::bmm", 20, 60, 2, [1, 4, 8], [1, 8, 3]),
        op("aten::mystery", 200, 30, 3, [4]),
        op("aten::linear", 300, 40, 4, [4, 8], [3, 8]),
        op("aten::addmm", 310, 20, 5, [3], [4, 8], [8, 3]),
    ]
    rows = rows_of(written(tmp_path / "t.json", events))
    microseconds = {name: round((row.seconds_median or 0) * 1e6) for name, row in rows.items()}
    assert microseconds == {
        "aten::einsum": 40,
        "aten::bmm 1x4x8 1x8x3": 60,
        "aten::mystery": 30,
        "aten::linear 4x8 3x8": 40,
    }
    assert rows["aten::einsum"].flops == 0
    assert rows["aten::mystery"].flops is None
    assert "not in the table" in rows["aten::mystery"].reason


def test_a_view_owns_nothing_that_runs_within_it(tmp_path: Path) -> None:
    events = [
        op("aten::resolve_conj", 0, 100, 1, [4, 8]),
        op("aten::copy_", 10, 30, 2, [4, 8], [4, 8]),
    ]
    rows = rows_of(written(tmp_path / "t.json", events))
    assert rows["aten::resolve_conj"].bytes == 0
    assert rows["aten::copy_ 4x8 4x8"].bytes == 2 * 4 * 32
    with_kernel = [*events, *launched(1, 50, 4, "conjugate_kernel")]
    rows = rows_of(written(tmp_path / "t.json", with_kernel))
    assert rows["aten::resolve_conj"].bytes is None
    assert "kernels of its own" in rows["aten::resolve_conj"].reason


def test_what_no_operation_names_is_unknown_not_zero(tmp_path: Path) -> None:
    events = [
        op("Torch-Compiled Region: 0/0", 0, 100, 1, []),
        op("aten::mm", 10, 30, 2, [4, 8], [8, 3]),
        op("MyFunctionBackward", 200, 50, 3, []),
        op("AddmmBackward0", 300, 10, 4, []),
    ]
    rows = rows_of(written(tmp_path / "t.json", events))
    work = {name: row.flops for name, row in rows.items()}
    assert work == {
        "Torch-Compiled Region: 0/0": None,
        "aten::mm 4x8 8x3": 192,
        "MyFunctionBackward": None,
        "autograd": 0,
    }
    assert "none that PyTorch names" in rows["Torch-Compiled Region: 0/0"].reason
    fused = [*events, *launched(1, 5, 4, "triton_poi_fused_0"), *launched(2, 15, 6, "gemm")]
    rows = rows_of(written(tmp_path / "t.json", fused))
    assert {name: row.flops for name, row in rows.items()} == {
        "Torch-Compiled Region: 0/0": None,
        "aten::mm 4x8 8x3": 192,
    }


def test_times_in_whole_microseconds_nest_though_they_are_cut_off(tmp_path: Path) -> None:
    events = [
        op("aten::einsum", 10, 4, 1, []),
        op("aten::bmm", 11, 4, 2, [1, 4, 8], [1, 8, 3]),  # seems to end one later
        op("aten::relu", 15, 5, 3, [8]),
    ]
    rows = rows_of(written(tmp_path / "t.json", events))
    microseconds = {name: round((row.seconds_median or 0) * 1e6) for name, row in rows.items()}
    assert microseconds == {"aten::einsum": 1, "aten::bmm 1x4x8 1x8x3": 4, "aten::relu 8": 5}


def test_where_autocast_runs_a_product_in_another_type_that_type_counts(tmp_path: Path) -> None:
    events = [
        op("aten::linear", 0, 100, 1, [4, 8], [3, 8]),
        op("aten::to", 5, 20, 2, [4, 8]),
        op("aten::copy_", 6, 15, 3, [4, 8], [4, 8]),
        op("aten::linear", 30, 60, 4, [4, 8], [3, 8], dtype="c10::BFloat16"),
        op("aten::mm", 40, 40, 5, [4, 8], [8, 3], dtype="c10::BFloat16"),
    ]
    rows = read(written(tmp_path / "t.json", events), "device", "now")
    by_type = {(row.kernel, row.dtype): row.flops for row in rows if row.flops}
    assert by_type == {("aten::linear", "bf16"): 192}
    assert sum(row.seconds_median or 0 for row in rows) == pytest.approx(100e-6)


def test_steps_are_samples_and_what_is_outside_of_them_is_left_out(tmp_path: Path) -> None:
    events = [op("aten::relu", 1, 500, 0, [8])]
    for step, duration in enumerate((10, 30, 20), start=1):
        begin = 1000 * step
        events.append(event("user_annotation", f"ProfilerStep#{step}", begin, 900))
        events.append(op("aten::relu", begin + 1, duration, step, [8]))
        events.append(op("aten::relu", begin + 100, duration, step, [8]))
    events.append(op("aten::tanh", 3500, 90, 9, [8]))
    rows = rows_of(written(tmp_path / "t.json", events))
    relu, once = rows["aten::relu 8"], rows["aten::tanh 8"]
    assert relu.samples == 3
    assert relu.seconds_median == pytest.approx(40e-6), "of two calls"
    assert (relu.flops, facts(relu)["calls"]) == (16, 2)
    assert once.seconds_median == pytest.approx(30e-6), "a third of what one step took"
    assert once.flops == pytest.approx(8 / 3)


def launched(number: int, ts: float, dur: float, name: str, **more: Any) -> list[Event]:
    """A launch on the host, and the kernel that runs later on the device."""
    launch = event(
        "cuda_runtime", "cudaLaunchKernel", ts, 1, correlation=number, External_id=number
    )
    kernel = event("kernel", name, ts + 5000, dur, correlation=number, **more)
    flow = {"ph": "s", "cat": "ac2g", "name": "ac2g", "id": number, "pid": 1, "tid": 2, "ts": ts}
    return [launch, {**kernel, "pid": 0, "tid": 7}, flow]


def test_kernels_belong_to_the_operation_that_launched_them(tmp_path: Path) -> None:
    half = "c10::Half"
    events = [
        op("aten::linear", 0, 100, 1, [4, 8], [3, 8], dtype=half),
        op("aten::addmm", 10, 80, 2, [3], [4, 8], [8, 3], dtype=half),
        *launched(2, 20, 7, "ampere_fp16_s16816gemm", External_id=2),
        *launched(3, 30, 3, "splitKreduce_kernel"),  # by the time of its launch
        op("aten::view", 200, 9, 4, [4, 8]),
        *launched(5, 300, 11, "my_triton_kernel", grid=[8, 1, 1], block=[128, 1, 1]),
    ]
    rows = rows_of(written(tmp_path / "t.json", events, deviceProperties=[{"id": 0}]))
    assert set(rows) == {"aten::linear 4x8 3x8", "my_triton_kernel"}, "a view launches nothing"
    linear, own = rows["aten::linear 4x8 3x8"], rows["my_triton_kernel"]
    assert linear.seconds_median == pytest.approx(10e-6)
    assert (linear.flops, linear.dtype, facts(linear)["launches"]) == (192, "fp16", 2)
    assert facts(linear)["kernels"] == ["ampere_fp16_s16816gemm", "splitKreduce_kernel"]
    assert own.flops is None
    assert "no operation in the trace launched it" in own.reason


def test_tf32_and_copies_are_told_by_the_names_of_kernels(tmp_path: Path) -> None:
    copy = event("gpu_memcpy", "Memcpy HtoD (Pageable -> Device)", 9000, 50, bytes=4096)
    inside = event("gpu_memcpy", "Memcpy DtoD (Device -> Device)", 9100, 5, bytes=4096)
    events = [
        op("aten::mm", 0, 100, 1, [4, 8], [8, 3]),
        *launched(1, 20, 7, "cutlass_80_tensorop_s1688gemm_128x128"),
        copy,
        inside,
    ]
    rows = rows_of(written(tmp_path / "t.json", events))
    assert rows["aten::mm 4x8 8x3"].dtype == "tf32"
    over_the_bus = rows["Memcpy HtoD (Pageable -> Device)"]
    assert (over_the_bus.flops, over_the_bus.bytes) == (0, None)
    assert "over the bus" in over_the_bus.reason
    assert rows["Memcpy DtoD (Device -> Device)"].bytes == 2 * 4096


def test_without_shapes_the_row_says_how_to_get_them(tmp_path: Path) -> None:
    call = event("cpu_op", "aten::mm", 0, 10, External_id=1)
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert (row.flops, row.bytes) == (None, None)
    assert "record_shapes=True" in row.reason
    assert str(row.tag) == "layer/matmul"


def test_old_names_of_categories_and_arguments_are_known(tmp_path: Path) -> None:
    call = event("Operator", "aten::mm", 0, 10)
    call["args"] = {"Input dims": [[4, 8], [8, 3]], "Input type": ["float", "float"]}
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert row.flops == 192


def test_an_id_that_is_the_launch_s_own_names_no_operation(tmp_path: Path) -> None:
    events = [op("aten::mm", 0, 10, 5, [4, 8], [8, 3]), op("aten::mm", 20, 10, 6, [2, 2], [2, 2])]
    events.append(event("cuda_runtime", "cudaLaunchKernel", 22, 1, External_id=5, correlation=5))
    events.append(event("kernel", "gemm", 40, 3, External_id=5, correlation=5))
    (row,) = read(written(tmp_path / "t.json", events), "device", "now")
    assert row.flops == 2 * 2 * 2 * 2


def test_times_from_1970_on_are_times(tmp_path: Path) -> None:
    began = 1_700_000_000_000_000
    old = [event("Operator", "aten::mm", began, 200, External_id=1)]
    old += [event("Kernel", "volta_sgemm_64x32", began + 150, 9, external_id=1, correlation=5)]
    (row,) = read(written(tmp_path / "t.json", old), "device", "now")
    assert row.seconds_median == pytest.approx(9e-6)
    assert facts(row)["typed"] is False


def test_packed_or_not_and_in_whatever_parts_it_is_read_the_rows_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = DATA / "torch_2.13_cpu.json"
    packed = tmp_path / "torch_2.13_cpu.json.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected = read_all([plain], "device", "now", "", {})
    assert read_all([packed], "device", "now", "", {}) == expected
    monkeypatch.setattr(source, "BLOCK", 37)
    assert read_all([plain], "device", "now", "", {}) == expected


def test_a_trace_larger_than_what_is_read_whole_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.records.given.LARGEST_FILE", 1000)
    assert read_all([DATA / "torch_2.13_cpu.json"], "device", "now", "", {})


def test_more_operations_than_memory_may_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.importers.torch.trace.MOST_EVENTS", 5)
    with pytest.raises(RidgelineError, match=r"holds more than 5 operations.*profile fewer steps"):
        read(DATA / "torch_2.13_cpu.json", "device", "now")


def broken(change: str) -> bytes:
    """A trace with one thing wrong."""
    text = (DATA / "torch_2.13_cpu.json").read_text(encoding="utf-8")
    if change == "cut":
        return text[: len(text) // 2].encode()
    if change == "cut between events":
        return text[: text.rindex(',\n  {"ph"') + 1].encode()
    if change == "cut gzip":
        return gzip.compress(text.encode())[:-900]
    if change == "damaged gzip":
        packed = bytearray(gzip.compress(text.encode()))
        packed[200:260] = bytes(60)
        return bytes(packed)
    if change == "no time":
        return text.replace('"dur": ', '"duration": ').encode()
    if change == "time below zero":
        return text.replace('"dur": ', '"dur": -').encode()
    if change == "no number":
        return text.replace('"dur": ', '"dur": NaN, "was": ').encode()
    if change == "no JSON":
        return text.replace('"ph": "X", "cat": "cpu_op"', '"ph" "X"').encode()
    if change == "no events":
        return b'{"schemaVersion": 1, "traceEvents": []}'
    if change == "of a browser":
        return b'{"traceEvents": [{"ph": "X", "cat": "blink", "name": "a", "ts": 1, "dur": 1}]}'
    raise ValueError(change)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("cut", "event 2[0-9]: the file is cut off here: export the trace again"),
        ("cut between events", "event [0-9]+: the file is cut off here"),
        ("cut gzip", "is cut off: what gzip packed has no end"),
        ("damaged gzip", "is damaged: gzip cannot unpack it|is cut off|no JSON"),
        ("no time", r"event 1 \(ProfilerStep#2\): dur is None, not a time in µs"),
        ("time below zero", "event 1: dur is -[0-9.]+, a time below zero"),
        ("no number", "dur is nan, not a time"),
        ("no JSON", "event 2: no JSON: Expecting ':' delimiter"),
        ("no events", "holds no operation of PyTorch"),
        ("of a browser", "holds no operation of PyTorch"),
    ],
)
def test_a_damaged_trace_is_one_line(tmp_path: Path, change: str, says: str) -> None:
    path = tmp_path / "trace.json"
    path.write_bytes(broken(change))
    with pytest.raises(RidgelineError, match=says) as error:
        read_all([path], "device", "now", "", {})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shapes", [[[-1, 4]], [["a"]], "text", [[10**30, 4], [4, 4]], [{}], None])
def test_shapes_that_are_none_are_unknown_work(tmp_path: Path, shapes: Any) -> None:
    call = event("cpu_op", "aten::mm", 0, 10, Input_Dims=shapes, Input_type=["float", "float"])
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert row.flops is None


def test_a_stride_of_zero_is_unknown_work(tmp_path: Path) -> None:
    values = ["", "", "", "[0, 0]", "[1, 1]", "[1, 1]", "1"]
    call = event(
        "cpu_op",
        "aten::conv2d",
        0,
        10,
        Input_Dims=[[1, 4, 9, 9], [6, 4, 3, 3], [], [], [], [], []],
        Input_type=["float", "float", "", "ScalarList", "ScalarList", "ScalarList", "Scalar"],
        Concrete_Inputs=values,
    )
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert row.flops is None


def test_arguments_that_no_tool_writes_spoil_nothing(tmp_path: Path) -> None:
    shapes = [[4, 8], [8, 3], {"a": 1}]
    call = event("cpu_op", "aten::mm", 0, 10, Input_Dims=shapes, Input_type=["float"] * 2)
    (row,) = read(written(tmp_path / "t.json", [call]), "device", "now")
    assert row.flops == 192


def test_a_trace_that_the_installed_pytorch_writes_is_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        torch.nn.ConvTranspose2d(6, 4, 2, stride=2),
        torch.nn.Flatten(),
        torch.nn.Linear(4 * 8 * 8, 10),
    ).eval()
    with torch.no_grad(), torch.profiler.profile(record_shapes=True) as profiler:
        net(torch.ones(3, 4, 8, 8))
    path = tmp_path / "trace.json.gz"
    profiler.export_chrome_trace(str(path))
    flops = sum(row.flops or 0 for row in read(path, "device", "now"))
    conv = 2 * (3 * 6 * 4 * 4) * (2 * 9)
    transposed = 2 * (3 * 6 * 4 * 4) * (4 * 4)
    assert flops == conv + transposed + 2 * 3 * 256 * 10


TRACED_ON_GPU = """
import sys, torch
a = torch.ones(1024, 2048, device="cuda", dtype=torch.half)
b = torch.ones(2048, 512, device="cuda", dtype=torch.half)
a @ b
torch.cuda.synchronize()
with torch.profiler.profile(record_shapes=True) as profiler:
    for _ in range(3):
        torch.relu(a @ b)
    torch.cuda.synchronize()
profiler.export_chrome_trace(sys.argv[1])
"""


@pytest.mark.gpu
def test_a_trace_of_this_gpu_has_the_kernels_of_its_operations(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    path = tmp_path / "trace.json.gz"
    # a process of its own: PyTorch brings CUDA libraries that spoil the end of this one
    subprocess.run([sys.executable, "-c", TRACED_ON_GPU, str(path)], check=True)
    rows = rows_of(path)
    product = next(row for name, row in rows.items() if "1024x2048 2048x512" in name)
    assert product.flops == 3 * 2 * 1024 * 2048 * 512
    assert product.dtype == "fp16"
    assert facts(product)["calls"] == 3
    assert facts(product)["launches"] >= 3
    assert "aten::relu 1024x512" in rows
