"""Layers from the command line to the files: networks, families, other tools' clocks, mistakes."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.utils
import pytest

import run_all
from kernels.onnx.graph import read_graph
from kernels.onnx.net import Net
from kernels.precision.convert import convert
from kernels.runtime import saturation as runtime_saturation
from probes.command import asked
from probes.records.measurement import Measurement, RidgelineError
from probes.records.run import read_run
from tests.kernels.onnx_networks import model_of
from tests.runs import ROOT, only_run, table

NET = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"
DATA = ROOT / "tests/probes/importers/data"
H200 = ROOT / "results/reference/nvidia-h200"
CPU = ["--device", "cpu", "--quick"]
pytestmark = pytest.mark.usefixtures("even_clock", "undrawn")
"""Of what a test runs itself: the fixture ``network`` is timed and drawn."""


def placements(folder: Path) -> list[dict[str, str]]:
    """The rows of a run's placements.csv."""
    return table(folder, "placements.csv")


def timing(network: Path, out: Path) -> list[str]:
    """The command that times a network and measures no ceiling."""
    return [*CPU, "--only", "overhead", "--model", str(network), "--out", str(out)]


def is_of_layers(row: Measurement) -> bool:
    """Whether a row is of a layer or of a whole network."""
    return row.ceiling.startswith("layer/")


def whole_rows(folder: Path) -> list[Measurement]:
    """The rows of whole networks in a run."""
    return [row for row in read_run(folder).measurements if row.ceiling == "layer/network"]


@pytest.fixture(scope="module")
def end_of_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last fire module and the classifier of SqueezeNet: twelve layers of sixty-six.

    r53 is the name of what enters that module.
    """
    path = tmp_path_factory.mktemp("end") / NET.name
    whole = onnx.shape_inference.infer_shapes(onnx.load(NET))
    end = onnx.utils.Extractor(whole).extract_model(["r53"], ["softmaxout_1"])
    end.ir_version = 4  # weights need not be inputs
    onnx.save(end, path)
    return path


@pytest.fixture(scope="module")
def network(end_of_net: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with ceilings of arithmetic and a network in two precisions, really timed."""
    out = tmp_path_factory.mktemp("network")
    layers = ["--model", str(end_of_net), "--precision", "fp32,int8"]
    assert run_all.main([*CPU, "--only", "compute", *layers, "--out", str(out)]) == 0
    yield only_run(out)


def test_every_node_has_a_row_in_each_precision_and_the_whole_one(
    network: Path, end_of_net: Path
) -> None:
    nodes = {node.name for node in read_graph(end_of_net).nodes}
    measurements = read_run(network).measurements
    timed = [row for row in measurements if is_of_layers(row) and row.samples]
    for precision in ("fp32", "int8"):
        rows = [row for row in timed if json.loads(row.params).get("precision") == precision]
        networks = [row for row in rows if row.ceiling == "layer/network"]
        names = [json.loads(row.params)["layer"] for row in rows if row not in networks]
        assert sorted(names) == sorted(nodes)
        assert len(networks) == 1
    placed = placements(network)
    assert {row["layer"] for row in placed} == nodes
    assert {row["dtype"] for row in placed if row["op"] == "Conv"} == {"fp32", "int8"}
    assert {row["dtype"] for row in placed if row["op"] == "Dropout"} <= {"fp32"}


def test_a_network_has_its_pictures_and_its_words_in_the_report(network: Path) -> None:
    for name in ("network-light_squeezenet-fp32.png", "network-light_squeezenet-precisions.png"):
        assert (network / name).stat().st_size > 10_000
    page = (network / "report.html").read_text()
    for words in ("speed of light", "in one go", "layers timed alone", "FLOPs do not predict time"):
        assert words.lower() in page.lower()


def ceilings(folder: Path) -> list[Measurement]:
    """The rows of a run that are not of layers."""
    of_layers = ("layer/", "overhead/run")
    rows = read_run(folder).measurements
    return [row for row in rows if not row.ceiling.startswith(of_layers)]


def test_layers_are_placed_on_the_roofs_of_another_run(network: Path, tmp_path: Path) -> None:
    argv = ["--layers", "reshapes", "--roofs", str(network), "--out", str(tmp_path)]
    assert run_all.main([*CPU, *argv]) == 0
    folder = only_run(tmp_path)
    assert ceilings(folder) == ceilings(network)
    rows = sorted(placements(folder), key=lambda row: float(row["x"]))
    intensities = [float(row["intensity"]) for row in rows]
    assert intensities == sorted(intensities, reverse=True)
    assert len(set(intensities)) == len(rows) == 3, (
        "each reshape lowers the intensity of the network"
    )
    assert (folder / "layers-reshapes.png").exists()


def test_int8_is_timed_on_every_cpu_with_a_warning_where_it_saturates(
    network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--layers", "fc", "--roofs", str(network), "--out", str(tmp_path)]
    assert run_all.main([*CPU, *argv]) == 0
    rows = [row for row in placements(only_run(tmp_path)) if row["dtype"] == "int8"]
    saturations = [json.loads(row["params"]).get("saturated") for row in rows]
    assert len(rows) > 3
    is_warned = "INT8 saturates on this CPU" in capsys.readouterr().out
    assert any(saturations) == runtime_saturation.saturates() == is_warned
    for row, saturation in zip(rows, saturations, strict=True):
        if saturation:
            words = f"wrong in {saturation['values']} of {saturation['of']} values"
            assert words in row["remark"]


def test_layers_that_another_tool_timed_on_a_gpu_are_placed_without_one(tmp_path: Path) -> None:
    files = [str(DATA / "trt10_profile.json"), str(DATA / "trt10_layers.json")]
    assert run_all.main(["--import", *files, "--roofs", str(H200), "--out", str(tmp_path)]) == 0
    folder = only_run(tmp_path)
    assert read_run(folder).device.name == "NVIDIA H200"
    rows = placements(folder)
    assert rows
    assert any(row["roof"].startswith(("bandwidth/", "compute/")) for row in rows)


@pytest.mark.filterwarnings("error")
def test_nodes_that_no_layer_of_an_engine_names_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = onnx.helper.make_node
    nodes = [make("Relu", ["x"], ["h"], name="/a/Relu"), make("Exp", ["h"], ["y"], name="/b/Exp")]
    onnx.save(model_of(nodes, {"x": (4,)}, ["y"]), tmp_path / "net.onnx")
    (tmp_path / "p.json").write_text(
        '[{"count": 3}, {"name": "/a/Relu", "timeMs": 3.0, "averageMs": 1.0}]'
    )
    files = ["--import", str(tmp_path / "p.json"), "--model", str(tmp_path / "net.onnx")]
    argv = [*files, "--roofs", str(H200), "--out", str(tmp_path / "out")]
    assert run_all.main(argv) == 0
    line = "no layer of the profile names /b/Exp: their work is in no row"
    assert f"warning: {line}" in capsys.readouterr().out
    assert line in (only_run(tmp_path / "out") / "report.html").read_text()


def test_a_network_of_integers_is_timed_in_them(tmp_path: Path) -> None:
    net = Net()
    result = net.conv(net.input(1, 8, 9, 9), 8, 8, 3)  # 8 channels of 9x9, kernels of 3x3
    onnx.save(convert(net.model(result), "int8"), tmp_path / "net.onnx")
    assert run_all.main(timing(tmp_path / "net.onnx", tmp_path / "out")) == 0
    (row,) = placements(only_run(tmp_path / "out"))
    assert (row["op"], row["dtype"]) == ("Conv", "int8")
    assert "QLinearConv" in json.loads(row["params"])["executed"]
    data, weights = 8 * 9 * 9, 8 * (8 * 3 * 3)
    assert float(row["flops"]) == 2 * weights * 9 * 9
    # read and written in a byte each; scales and zero points add little
    assert float(row["bytes"]) == pytest.approx(2 * data + weights, rel=0.03)


def test_weights_that_are_quantized_as_the_network_loads_are_integers_too(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "scale", "zero"], ["xq"], name="encode"),
        make("DequantizeLinear", ["xq", "scale", "zero"], ["xd"], name="decode"),
        make("QuantizeLinear", ["w", "scale", "signed_zero"], ["wq"], name="weights"),
        make("DequantizeLinear", ["wq", "scale", "signed_zero"], ["wd"], name="decoded"),
        make("Conv", ["xd", "wd"], ["c"], name="conv"),
        make("QuantizeLinear", ["c", "scale", "zero"], ["y"], name="result"),
    ]
    values = {
        "w": np.full((8, 8, 3, 3), 0.1, np.float32),
        "scale": np.float32(0.02),
        "zero": np.uint8(9),
        "signed_zero": np.int8(0),
    }
    weights = [
        onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()
    ]
    onnx.save(model_of(nodes, {"x": (1, 8, 9, 9)}, ["y"], weights), tmp_path / "net.onnx")
    assert run_all.main(timing(tmp_path / "net.onnx", tmp_path / "out")) == 0
    rows = {row["layer"]: row for row in placements(only_run(tmp_path / "out"))}
    executed = {name: json.loads(row["params"])["executed"] for name, row in rows.items()}
    assert rows.keys() == {"encode", "conv"}
    assert (rows["encode"]["dtype"], executed["encode"]) == ("fp32", "QuantizeLinear")
    assert rows["conv"]["dtype"] == "int8"
    assert "QLinearConv" in executed["conv"]


def test_names_of_files_and_layers_may_hold_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # drawn: the names stand in pictures, too
    names = [
        "a$b$^{",
        "$\\frac{$",
        "层/卷积",
        "<script>alert(1)</script>",
        "[red]x[/]",
        "tab\tand\nline",
    ]
    lines = ["name,flops,bytes,seconds", *(f'"{name}",1e9,1e6,1e-3' for name in names)]
    (tmp_path / "net$x$_{.csv").write_text("\n".join(lines))
    argv = ["--import", str(tmp_path / "net$x$_{.csv"), "--roofs", str(H200)]
    assert run_all.main([*argv, "--out", str(tmp_path / "out")]) == 0
    folder = only_run(tmp_path / "out")
    assert [row["layer"] for row in placements(folder)] == names
    assert "<script>alert" not in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--batch", "2"], "--batch is of a network: give it with --model"),
        (["--precision", "fp16"], "--precision is of a network"),
        (["--roofs", str(H200)], "--roofs is for layers"),
        (
            ["--layers", "conv", "--device", "cpu"],
            "no family of layers is called 'conv'; there are: conv-kernel",
        ),
        (["--layers", "fc", "--device", "cpu", "--roofs", str(H200)], "is of NVIDIA H200, not of"),
        (
            ["--only", "layers", "--device", "cpu", "--roofs", str(H200)],
            "is of NVIDIA H200, not of",
        ),
        (["--only", "cache", "--device", "cpu", "--roofs", str(H200)], "--roofs is for layers"),
        (["--model", "nowhere.onnx", "--device", "cpu"], "nowhere.onnx cannot be read"),
        (["--model", str(ROOT / "README.md"), "--device", "cpu"], "not an ONNX model"),
        (
            ["--model", str(NET), "--precision", "fp17", "--device", "cpu"],
            "'fp17': there are fp32, tf32",
        ),
        (
            ["--model", str(NET), "--shape", "data_0=1x3", "--device", "cpu"],
            "2 dimensions, the model's has 4",
        ),
        (["--model", str(NET), "--shape", "data_0:1", "--device", "cpu"], "--shape"),
        (["--model", str(NET), "--batch", "0", "--device", "cpu"], "--batch"),
        (
            ["--model", str(NET), "--batch", "9" * 30, "--device", "cpu"],
            "is not a whole number from 1 to",
        ),
        (
            ["--model", str(NET), "--shape", "data_0=1x-3", "--device", "cpu"],
            "'-3' is not a whole number",
        ),
        (
            ["--model", str(NET), "--shape", "data_0", "--device", "cpu"],
            "'data_0' is not like NAME=1x3x224x224",
        ),
        (
            ["--model", str(NET), *(2 * ["--shape", "data_0=1x3x9x9"]), "--device", "cpu"],
            "data_0 is given twice",
        ),
        (["--model", str(NET), "--precision", ",", "--device", "cpu"], "',' names nothing"),
        (
            ["--model", str(NET), "--import", str(DATA / "plain.csv"), "--precision", "fp17"],
            "'fp17': there are",
        ),
        (
            ["--model", str(NET), "--import", str(DATA / "plain.csv"), "--precision", "fp16,int8"],
            "takes one --precision",
        ),
        (["--input", "sr=1", "--device", "cpu"], "--input is of a network: give it with --model"),
        (["--model", str(NET), "--input", "sr=1", "--device", "cpu"], "has no such input: data_0"),
        (
            ["--model", str(NET), "--input", "data_0", "--device", "cpu"],
            "'data_0' is not like NAME=16000",
        ),
        (
            ["--model", str(NET), "--input", "data_0=", "--device", "cpu"],
            "'data_0=' is not like NAME=16000",
        ),
        (
            ["--model", str(NET), *(2 * ["--input", "data_0=1"]), "--device", "cpu"],
            "--input data_0 is given twice",
        ),
        (
            ["--model", str(NET), "--import", str(DATA / "plain.csv"), "--input", "data_0=1"],
            "with --import nothing is fed",
        ),
        (
            ["--layer-seconds", "5", "--device", "cpu"],
            "--layer-seconds is for layers that are timed here: give --layers",
        ),
        (["--model", str(NET), "--layer-seconds", "0", "--device", "cpu"], "--layer-seconds"),
        (
            ["--model", str(NET), "--import", str(DATA / "plain.csv"), "--layer-seconds", "5"],
            "--layer-seconds is for layers that are timed here",
        ),
        (["--import", "nowhere.json", "--roofs", str(H200)], "nowhere.json cannot be read"),
        (
            ["--import", str(ROOT / "README.md"), "--roofs", str(H200)],
            "README.md line 1: no column",
        ),
    ],
)
def test_a_wrong_command_line_is_answered_in_one_line_and_starts_nothing(
    argv: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_all.main([*argv, "--out", str(tmp_path)]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir()), "nothing was begun"


def test_roofs_of_another_core_of_the_same_name_are_told_apart() -> None:
    """Clouds sell several generations of cores as one name."""
    args = argparse.Namespace(
        roofs=H200, layers=["fc"], model=None, imported=None, only=None, device=None
    )
    here = replace(read_run(H200).device, arch="9.1")
    with pytest.raises(
        RidgelineError, match=r"is of NVIDIA H200 \(9.0\), not of NVIDIA H200 \(9.1\): measure"
    ):
        asked.device(args, lambda _: (here, "as asked"))


def two_branches() -> Any:
    """A network of two branches, one for each sample rate, as Silero's detector of speech has them.

    One of them fits the shapes given; a runtime that knows the shapes refuses the other.
    """
    make = onnx.helper.make_node

    def branch(op: str, inputs: list[str], output: str) -> Any:
        """A branch of one node."""
        result = onnx.helper.make_empty_tensor_value_info(output)
        return onnx.helper.make_graph([make(op, inputs, [output])], op, [], [result])

    squeezed = branch("Squeeze", ["x", "zero"], "a")
    kept = branch("Identity", ["x"], "b")
    flat = branch("MatMul", ["t", "w"], "c")
    pooled = branch("GlobalAveragePool", ["t"], "d")
    nodes = [
        make("Shape", ["x"], ["shape"]),
        make("Gather", ["shape", "first"], ["batch"]),
        make("Equal", ["batch", "one"], ["single"]),
        make("If", ["single"], ["t"], then_branch=squeezed, else_branch=kept),
        make("Equal", ["sr", "rate"], ["known"]),
        make("If", ["known"], ["y"], then_branch=flat, else_branch=pooled),
    ]
    values = {
        "zero": np.array([0]),
        "first": np.array(0),
        "one": np.array(1),
        "rate": np.array(16000),
    }
    weights = [onnx.numpy_helper.from_array(value, name) for name, value in values.items()]
    weights.append(onnx.numpy_helper.from_array(np.ones((4, 4), np.float32), "w"))
    shapes: dict[str, Any] = {"x": ("batch", 8, 4), "sr": ()}
    return model_of(nodes, shapes, ["y"], weights, kinds={"sr": onnx.TensorProto.INT64}, opset=16)


def test_a_network_whose_other_branch_does_not_fit_is_timed_with_the_inputs_chosen(
    tmp_path: Path,
) -> None:
    onnx.save(two_branches(), tmp_path / "net.onnx")
    argv = [*timing(tmp_path / "net.onnx", tmp_path / "out"), "--shape", "x=1x8x4"]
    assert run_all.main([*argv, "--input", "sr=16000", "--precision", "fp32,int8"]) == 0
    in_fp32, in_int8 = whole_rows(only_run(tmp_path / "out"))
    assert (in_fp32.status, in_int8.status) == ("ok", "ok")
    assert "MatMul" in in_fp32.params, "the branch of 16 kHz"
    assert in_fp32.flops == in_int8.flops == 8 * 4 * 4 * 2 + 1, (
        "its product, and the question for the rate"
    )
    argv = [*timing(tmp_path / "net.onnx", tmp_path / "other"), "--shape", "x=1x8x4"]
    assert run_all.main([*argv, "--input", "sr=8000"]) == 0
    (whole,) = whole_rows(only_run(tmp_path / "other"))
    assert "GlobalAveragePool" in whole.params or whole.status == "skipped"


def test_a_file_that_declares_its_output_wrongly_runs_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    relu = onnx.helper.make_node("Relu", ["x"], ["y"], name="r")
    model = model_of([relu], {"x": (1, "width")}, ["y"])
    wrong = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["a", "b", "c"])
    model.graph.output[0].CopyFrom(wrong)
    onnx.save(model, tmp_path / "net.onnx")
    argv = [*timing(tmp_path / "net.onnx", tmp_path / "out"), "--shape", "x=1x64"]
    assert run_all.main(argv) == 0
    assert "declares its output y as axbxc; it is 1x64" in capsys.readouterr().out
    rows = read_run(only_run(tmp_path / "out")).measurements
    assert [row.status for row in rows if is_of_layers(row)] == ["ok", "ok"]


def test_what_needs_more_memory_than_is_free_is_refused_with_the_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("Range", ["zero", "n", "one"], ["r"], name="bomb"),
        make("Cast", ["r"], ["f"], to=onnx.TensorProto.FLOAT),
        make("ReduceMax", ["f"], ["m"]),
        make("Add", ["x", "m"], ["y"], name="add"),
    ]
    values = {"zero": 0, "n": 2**40, "one": 1}
    weights = [onnx.numpy_helper.from_array(np.array(n), name) for name, n in values.items()]
    onnx.save(model_of(nodes, {"x": (4,)}, ["y"], weights, opset=17), tmp_path / "net.onnx")
    assert run_all.main(timing(tmp_path / "net.onnx", tmp_path / "out")) == 0
    rows = {row.kernel: row for row in read_run(only_run(tmp_path / "out")).measurements}
    assert re.search(r"needs \d+\.\d+ GB of memory, and .* are free", rows["network"].reason)
    assert rows["Add"].status == "ok", "its own data are small"
    out = capsys.readouterr().out
    assert "the whole was not timed in one go: needs " in out
    assert out.index("So it has no speed of light.") > out.index("in one go")


def endless() -> Any:
    """x doubled so often that no run ends."""
    make = onnx.helper.make_node
    value = onnx.helper.make_tensor_value_info
    types = onnx.TensorProto
    nodes = [make("Add", ["s", "s"], ["sum"]), make("Identity", ["on"], ["still"])]
    inputs = [
        value("turn", types.INT64, []),
        value("on", types.BOOL, []),
        value("s", types.FLOAT, [8]),
    ]
    outputs = [value("still", types.BOOL, []), value("sum", types.FLOAT, [8])]
    body = onnx.helper.make_graph(nodes, "body", inputs, outputs)
    turns = onnx.numpy_helper.from_array(np.array(2**62), "turns")
    on = onnx.numpy_helper.from_array(np.array(True), "on")
    loop = make("Loop", ["turns", "on", "x"], ["h"], name="loop", body=body)
    relu = make("Relu", ["h"], ["y"], name="relu")
    return model_of([loop, relu], {"x": (8,)}, ["y"], [turns, on], opset=17)


def test_a_run_without_an_end_is_left_after_the_seconds_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    onnx.save(endless(), tmp_path / "net.onnx")
    argv = [*timing(tmp_path / "net.onnx", tmp_path / "out"), "--layer-seconds", "0.5"]
    assert run_all.main(argv) == 0
    (whole,) = whole_rows(only_run(tmp_path / "out"))
    assert whole.status == "skipped"
    assert whole.reason == "one run of it takes longer than 0.5 s (--layer-seconds)"
    line = f"neither the whole nor any of its layers could be timed: {whole.reason}."
    assert line in capsys.readouterr().out


def test_ctrl_c_ends_a_run_without_an_end(tmp_path: Path) -> None:
    onnx.save(endless(), tmp_path / "net.onnx")
    argv = [*timing(tmp_path / "net.onnx", tmp_path / "out"), "--layer-seconds", "9999"]
    command = [sys.executable, "-u", str(ROOT / "run_all.py"), *argv]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        assert running.stdout
        out = ""
        for line in running.stdout:
            out += line
            if " relu FP32 " in line:
                time.sleep(1)  # the whole network is next, and never ends by itself
                running.send_signal(signal.SIGINT)
    assert running.returncode == 130, out
    assert "interrupted: this run is partial" in out
    assert "Traceback" not in out


@pytest.mark.parametrize("noun", ["a pipe", "a folder", "a device"])
def test_a_model_that_is_no_file_is_refused_in_one_line(
    noun: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {"a pipe": tmp_path / "net.onnx", "a folder": tmp_path, "a device": Path("/dev/zero")}
    os.mkfifo(paths["a pipe"])
    path = paths[noun]
    assert run_all.main([*CPU, "--model", str(path), "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.startswith(f"run_all.py: {path} is {noun}, not a file")


def test_a_file_larger_than_any_model_is_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(tmp_path / "net.onnx", "wb") as large:
        large.truncate(1 << 40)  # bytes that take no room on the disk
    argv = ["--model", str(tmp_path / "net.onnx"), "--out", str(tmp_path / "out")]
    assert run_all.main([*CPU, *argv]) == 2
    line = "not an ONNX model: it has 1099.51 GB, and one holds up to 2.15 GB"
    assert line in capsys.readouterr().err


def test_an_input_that_sets_a_size_makes_the_work_of_its_layers_known(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    nodes = [
        make("Expand", ["x", "n"], ["e"], name="expand"),
        make("Relu", ["e"], ["y"], name="relu"),
    ]
    model = model_of(nodes, {"x": (1,), "n": (2,)}, ["y"], kinds={"n": onnx.TensorProto.INT64})
    net = tmp_path / "net.onnx"
    onnx.save(model, net)
    assert run_all.main([*timing(net, tmp_path / "out"), "--input", "n=30"]) == 0
    relu = next(row for row in placements(only_run(tmp_path / "out")) if row["layer"] == "relu")
    assert float(relu["bytes"]) == 2 * 4 * 30 * 30  # floats read and written
    assert run_all.main([*timing(net, tmp_path / "large"), "--input", f"n={2**31}"]) == 0
    large = read_run(only_run(tmp_path / "large"))
    rows = [row for row in large.measurements if is_of_layers(row)]
    assert len(rows) == 3
    assert all("of memory, and" in row.reason for row in rows)


def test_a_dynamic_input_needs_its_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["y"], name="r")
    onnx.save(model_of([node], {"x": [1, 8, "rows"]}, ["y"]), tmp_path / "net.onnx")
    argv = timing(tmp_path / "net.onnx", tmp_path / "out")
    assert run_all.main(argv) == 2
    assert "--shape x=1x8x128" in capsys.readouterr().err
    assert run_all.main([*argv, "--shape", "x=1x8x16"]) == 0
    (row,) = placements(only_run(tmp_path / "out"))
    assert float(row["bytes"]) == 2 * 4 * 8 * 16  # floats read and written


def test_a_network_in_which_nothing_runs_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value = onnx.numpy_helper.from_array(np.zeros(3, np.float32))
    constant = onnx.helper.make_node("Constant", [], ["y"], value=value)
    onnx.save(model_of([constant], {}, ["y"]), tmp_path / "n.onnx")
    argv = ["--model", str(tmp_path / "n.onnx"), "--out", str(tmp_path / "out")]
    assert run_all.main([*CPU, *argv]) == 2
    assert "n.onnx: nothing in it runs" in capsys.readouterr().err


def test_a_network_stored_in_fp16_runs_in_fp16_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = {"x": onnx.TensorProto.FLOAT16}
    model = model_of([onnx.helper.make_node("Relu", ["x"], ["y"])], {"x": (4,)}, ["y"], kinds=half)
    onnx.save(model, tmp_path / "n.onnx")
    argv = timing(tmp_path / "n.onnx", tmp_path / "out")
    assert run_all.main([*argv, "--precision", "fp16,int8"]) == 2, (
        "its fp16 layers would be timed as int8"
    )
    assert "n.onnx is stored in fp16: leave --precision out" in capsys.readouterr().err


def test_an_operation_that_no_table_knows_has_unknown_flops_and_not_zero(tmp_path: Path) -> None:
    node = onnx.helper.make_node("Trilu", ["x"], ["y"], name="known")
    odd = onnx.helper.make_node("DFT", ["y"], ["z"], name="odd")
    onnx.save(model_of([node, odd], {"x": [1, 8, 8, 1]}, ["z"], opset=17), tmp_path / "net.onnx")
    assert run_all.main(timing(tmp_path / "net.onnx", tmp_path / "out")) == 0
    row = next(row for row in placements(only_run(tmp_path / "out")) if row["layer"] == "odd")
    assert row["flops"] == ""
    assert "FLOPs unknown" in row["remark"]


def test_a_layer_of_unknown_shape_or_work_is_a_row_with_its_reason(tmp_path: Path) -> None:
    make = onnx.helper.make_node
    unshaped = onnx.ValueInfoProto(name="a")
    then = onnx.helper.make_graph([make("Relu", ["x"], ["a"])], "then", [], [unshaped])
    nodes = [
        make("NonZero", ["x"], ["places"], name="places"),
        make("Cast", ["places"], ["y"], name="after", to=onnx.TensorProto.FLOAT),
        make("ReduceMax", ["x"], ["most"], name="most", keepdims=0),
        make("Greater", ["most", "most"], ["flag"], name="flag"),
        make("If", ["flag"], ["z"], name="choose", then_branch=then, else_branch=then),
    ]
    onnx.save(model_of(nodes, {"x": (1, 8)}, ["y", "z"]), tmp_path / "net.onnx")
    argv = timing(tmp_path / "net.onnx", tmp_path / "out")
    assert run_all.main(argv) == 0
    measurements = read_run(only_run(tmp_path / "out")).measurements
    rows = {json.loads(row.params).get("layer"): row for row in measurements}
    assert rows["places"].status == rows["whole network"].status == "ok", (
        "the runtime sizes what depends on the data"
    )
    assert "runs a network of its own" in rows["choose"].reason
    assert "tensor places has no known shape" in rows["after"].reason
    # a guess: only the data say how many
    guess = [*timing(tmp_path / "net.onnx", tmp_path / "guess"), "--shape", "places=2x99"]
    assert run_all.main(guess) == 0
    assert {row["layer"] for row in placements(only_run(tmp_path / "guess"))} >= {"places", "after"}
