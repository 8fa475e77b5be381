"""TensorRT in one command, by a stand-in for trtexec: the real code drives it, errors included."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes.records.run import Run
from tests.devices import GPU, measurement
from tests.runs import ROOT, facts, main, only_run, table

VERSIONS = ("8.6", "10.3", "11.4")
STAND_IN = ROOT / "tests" / "stand_ins" / "trtexec.py"


def stand_in(folder: Path, version: str) -> Path:
    """A program that answers like trtexec of this version."""
    path = folder / "trtexec"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} {version} "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def roofs(tmp_path: Path) -> Path:
    """A run of the made-up GPU that has some ceilings."""
    folder = tmp_path / "roofs"
    folder.mkdir()
    run = Run(GPU, "2030-01-02T03:04:05Z", {"rounds": 1}, {}, status="complete")
    run.measurements = [
        measurement("bandwidth/dram/copy", 7e11),
        measurement("compute/fp32", 3e13),
        measurement("compute/fp16/mma-fp16", 5e14, dtype="fp16"),
        measurement("compute/int8/mma-int32", 1e15, dtype="int8"),
    ]
    run.save(folder)
    return folder


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A network of two convolutions, the first with a Relu."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    weights = [
        numpy_helper.from_array(np.full((8, 8, 3, 3), 0.1, np.float32), f"w{place}")
        for place in range(2)
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], "conv1", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["b"], "relu1"),
        helper.make_node("Conv", ["b", "w1"], ["y"], "conv2", pads=[1, 1, 1, 1]),
    ]
    shape: list[str | int | None] = ["n", 8, 16, 16]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "net.onnx"
    onnx.save(model, str(path))
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of engines of this test alone."""
    from probes.tensorrt import cache as engines

    folder = tmp_path / "engines"
    folder.mkdir()
    monkeypatch.setattr(engines, "_folder", lambda: folder)
    return folder


def command(net: Path, tool: Path, roofs: Path, out: Path, *more: str) -> list[str]:
    """Arguments that time a network by a stand-in on the roofs of the made-up GPU."""
    fixed = ["--runtime", "tensorrt", "--model", str(net), "--trtexec", str(tool)]
    return [*fixed, "--roofs", str(roofs), "--out", str(out), *more]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_times_layers_with_the_work_of_their_nodes(
    version: str, net: Path, roofs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "starts"
    monkeypatch.setenv("TRTEXEC_LOG", str(log))
    tool = stand_in(tmp_path, version)
    out = tmp_path / "out"
    assert main(*command(net, tool, roofs, out, "--batch", "2", "--precision", "fp16,int8")) == 0
    folder = only_run(out)
    assert facts(folder)["status"] == "complete"
    rows = [row for row in table(folder, "measurements.csv") if row["ceiling"].startswith("layer/")]
    flops = 2 * (2 * 2 * 8 * 8 * 9 * 16 * 16) + 2 * 8 * 16 * 16
    for precision in ("fp16", "int8"):
        of_net = [row for row in rows if json.loads(row["params"])["precision"] == precision]
        whole = [row for row in of_net if row["ceiling"] == "layer/network"]
        layers = [row for row in of_net if row["ceiling"] != "layer/network"]
        assert [float(row["flops"]) for row in whole] == [flops]
        assert int(whole[0]["samples"]) == 40
        assert sum(float(row["flops"] or 0) for row in layers) == flops
        first = next(
            row for row in layers if json.loads(row["params"])["layer"].startswith("conv1")
        )
        assert json.loads(first["params"])["nodes"][0] == "conv1"
    starts = log.read_text()
    assert ("--fp16" in starts) == (version != "11.4")
    assert starts.count("--saveEngine") == 2
    assert main(*command(net, tool, roofs, tmp_path / "again", "--batch", "2")) == 0
    again = [*command(net, tool, roofs, tmp_path / "third", "--batch", "2", "--precision", "fp16")]
    assert main(*again) == 0
    # FP32 had to be built, FP16 was there
    assert log.read_text().count("--saveEngine") == 3


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("memory", "out of memory"),
        ("operation", "Strange is unsupported"),
        ("kernel", "no kernel for conv1 + relu1"),
        ("crash", "crashed (SIGSEGV"),
        ("kill", "killed, most likely for lack of memory"),
        ("driver", "cannot use the GPU"),
        ("silent", "ended with code 3"),
    ],
)
def test_an_error_is_one_line_and_the_rest_goes_on(
    fault: str,
    words: str,
    net: Path,
    roofs: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRTEXEC_FAULT", fault)
    tool = stand_in(tmp_path, "10.3")
    out = tmp_path / "out"
    assert main(*command(net, tool, roofs, out, "--batch", "1", "--precision", "fp32")) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert words in printed
    assert "Traceback" not in printed
    folder = only_run(out)
    (row,) = [row for row in table(folder, "measurements.csv") if row["ceiling"] == "layer/network"]
    assert row["status"] == "skipped"
    assert words in row["reason"]
    assert not list(cache.glob("*.part"))


@pytest.mark.usefixtures("undrawn")
def test_a_trtexec_that_hangs_is_ended_with_its_children(
    net: Path, roofs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "starts"
    monkeypatch.setenv("TRTEXEC_LOG", str(log))
    monkeypatch.setenv("TRTEXEC_FAULT", "hang")
    tool = stand_in(tmp_path, "8.6")
    out = tmp_path / "out"
    more = ["--batch", "1", "--trtexec-seconds", "1"]
    assert main(*command(net, tool, roofs, out, *more)) == 1
    rows = table(only_run(out), "measurements.csv")
    assert any("did not end within" in row["reason"] for row in rows)
    assert all_ended(log)


def all_ended(log: Path) -> bool:
    """True if no process of a group that the stand-in led still runs; a dead one may wait."""
    groups = {line.split()[0] for line in log.read_text().splitlines()}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, after_name = file.read_text(errors="replace").rpartition(")")
        except OSError:
            continue
        state, _, group, *_ = after_name.split()
        if group in groups and state != "Z":
            return False
    return True


def test_ctrl_c_ends_trtexec_and_keeps_the_rows(net: Path, roofs: Path, tmp_path: Path) -> None:
    log = tmp_path / "starts"
    tool = stand_in(tmp_path, "10.3")
    out = tmp_path / "out"
    environment = os.environ | {
        "TRTEXEC_LOG": str(log),
        "TRTEXEC_FAULT": "hang",
        "XDG_CACHE_HOME": str(tmp_path / "home"),
    }
    arguments = command(net, tool, roofs, out, "--batch", "1")
    process = subprocess.Popen(
        [sys.executable, "run_all.py", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 120
    while "--saveEngine" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in printed
    assert "rows so far are in" in " ".join(printed.split())
    assert all_ended(log)
    assert len(table(only_run(out), "measurements.csv")) == 4
    assert not list((tmp_path / "home").rglob("*.part"))


def test_without_trtexec_one_line_and_bad_input(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from probes.tensorrt import find

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(find, "USUAL_PLACES", (tmp_path / "no" / "trtexec",))
    assert main("--runtime", "tensorrt", "--model", str(net)) == 2
    error = capsys.readouterr().err
    assert "needs trtexec" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("library", "libnvinfer.so.8 is missing"),
        ("hang", "did not end within"),
        ("crash", "crashed (SIGSEGV"),
    ],
)
def test_a_trtexec_that_does_not_start_is_bad_input(
    fault: str,
    words: str,
    net: Path,
    roofs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRTEXEC_FAULT", fault)
    monkeypatch.setenv("TRTEXEC_FAULT_AT", "help")
    tool = stand_in(tmp_path, "8.6")
    more = ["--batch", "1", "--trtexec-seconds", "1"]
    assert main(*command(net, tool, roofs, tmp_path / "out", *more)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_layers_of_another_gpu_do_not_stand_on_these_roofs(
    net: Path, roofs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRTEXEC_DEVICE", "Orin")
    monkeypatch.setenv("TRTEXEC_ARCH", "8.7")
    out = tmp_path / "out"
    tool = stand_in(tmp_path, "10.3")
    assert main(*command(net, tool, roofs, out, "--batch", "1")) == 1
    rows = table(only_run(out), "measurements.csv")
    (row,) = [row for row in rows if row["ceiling"].startswith("layer/")]
    assert (row["status"], "it ran on Orin (8.7)" in row["reason"]) == ("skipped", True)


def test_tensorrt_is_refused_on_the_cpu(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = stand_in(tmp_path, "10.3")
    arguments = ["--runtime", "tensorrt", "--trtexec", str(tool), "--model", str(net)]
    assert main(*arguments, "--batch", "1", "--device", "cpu") == 2
    assert "TensorRT runs on a GPU" in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_an_engine_that_exists_is_timed_as_it_is(
    net: Path, roofs: Path, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = stand_in(tmp_path, "10.3")
    built = ["--batch", "1", "--precision", "int8"]
    assert main(*command(net, tool, roofs, tmp_path / "out", *built)) == 0
    (engine,) = cache.glob("*.engine")
    plan = tmp_path / "net.plan"
    plan.write_bytes(engine.read_bytes())
    alone = ["--engine", str(plan), "--trtexec", str(tool), "--roofs", str(roofs)]
    assert main(*alone, "--out", str(tmp_path / "engine")) == 0
    rows = table(only_run(tmp_path / "engine"), "measurements.csv")
    assert [row["status"] for row in rows if row["ceiling"].startswith("layer/")] == ["ok"] * 5
    with_nodes = [*alone, "--model", str(net), "--batch", "1", "--precision", "int8"]
    assert main(*with_nodes, "--out", str(tmp_path / "nodes")) == 0
    rows = table(only_run(tmp_path / "nodes"), "measurements.csv")
    layers = [row for row in rows if row["ceiling"].startswith("layer/")]
    whole = [float(row["flops"]) for row in layers if row["ceiling"] == "layer/network"]
    assert [sum(float(row["flops"] or 0) for row in layers) - whole[0]] == whole
    plan.write_bytes(b"no engine")
    assert main(*alone, "--out", str(tmp_path / "damaged")) == 1
    assert "damaged, or of another version" in " ".join(capsys.readouterr().out.split())


def test_batches_and_integers_are_explained_and_drawn(
    net: Path, roofs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    tool = stand_in(tmp_path, "10.3")
    more = ["--batch", "1,8", "--precision", "fp16,int8"]
    assert main(*command(net, tool, roofs, out, *more)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "net over batch size in INT8: an image takes" in printed
    assert "Reformats in FP16: 1, " in printed
    assert "2 of 2 convolutions and products use them" in printed
    assert "reformats take" in printed
    assert "1 of 2 convolutions and products have no INT8 kernel" in printed
    folder = only_run(out)
    assert (folder / "network-net-batches.png").stat().st_size > 10_000
    assert "over batch size" in (folder / "report.html").read_text()


def test_several_batches_are_of_tensorrt(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("--model", str(net), "--batch", "1,8") == 2
    assert "--runtime tensorrt" in capsys.readouterr().err
