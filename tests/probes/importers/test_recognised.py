"""Files that are not read are called by their name, with what to export instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from probes.importers.any_file import read_all
from probes.records.measurement import RidgelineError
from tests.runs import ROOT

FILES: list[tuple[str, bytes | str, str, str]] = [
    ("a.nsys-rep", b"\x01\x02\x03\xff", "a report of Nsight Systems", "nsys export --type sqlite"),
    ("a.ncu-rep", b"NVR\0\x07\xff", "a report of Nsight Compute", "ncu --import FILE --csv"),
    ("net.engine", b"\x00\x00\xff\xfe\x01", "a TensorRT engine", "--exportProfile"),
    ("anything", b"ftrt\x00\x00\xff", "a TensorRT engine", "--exportLayerInfo"),
    ("net.onnx", b"\x08\x07\x12\x07pytorch\xff", "a network", "--model"),
    ("a.json.zst", b"\x28\xb5\x2f\xfd\xff", "packed with zstd", "unpack it"),
    ("a.xlsx", b"PK\x03\x04\xff", "a zip archive, or a spreadsheet", "save a spreadsheet as CSV"),
    (
        "log.txt",
        "[11/27/2026-10:00:00] [I] === Performance summary ===\n[I] Throughput: 1 qps\n",
        "a trtexec log",
        "--exportProfile",
    ),
    (
        "log2.txt",
        "&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # trtexec --onnx=a\n",
        "a trtexec log",
        "--export",
    ),
    (
        "nvprof.csv",
        '==123== NVPROF is profiling process 123\n"Type","Time(%)","Time","Calls"\n',
        "an nvprof CSV",
        "",
    ),
    (
        "nvprof2.csv",
        '"Type","Time(%)","Time","Calls","Avg","Min","Max","Name"\n,%,ms,,ms\n',
        "an nvprof CSV",
        "ncu",
    ),
    (
        "nsys.csv",
        "Time (%),Total Time (ns),Instances,Avg (ns),Name\n99.0,12,1,12,gemm\n",
        "an nsys export",
        "ncu",
    ),
    (
        "old.csv",
        "Time(%),Total Time (ns),Instances,Average,Name\n99.0,12,1,12,gemm\n",
        "an nsys export",
        "ncu",
    ),
    (
        "sum.txt",
        " ** CUDA GPU Kernel Summary (cuda_gpu_kern_sum):\n\n Time (%)  Total\n",
        "an nsys export",
        "ncu",
    ),
    (
        "trace.csv",
        "Start (ns),Duration (ns),CorrId,GrdX,Name\n1,2,3,4,k\n",
        "an nsys export",
        "ncu",
    ),
    (
        "nsys.json",
        '{"Type":48,"CudaEvent":{"startNs":"1"}}\n{"Type":48}\n',
        "an nsys export",
        "ncu",
    ),
    (
        "ncu.txt",
        "  gemm (1, 1, 1)\n    Section: GPU Speed Of Light Throughput\n",
        "what ncu prints for",
        "--csv",
    ),
    (
        "chrome.json",
        '[{"ph": "X", "cat": "blink", "name": "Layout", "ts": 1, "dur": 2}]',
        "a trace of events, as a browser writes one",
        "name, flops, bytes, seconds",
    ),
    (
        "times.json",
        '[{"startComputeMs": 1, "latencyMs": 2}]',
        "trtexec's --exportTimes",
        "--exportProfile",
    ),
    (
        "out.json",
        '[{"name": "y", "dimensions": "1x3", "values": [1]}]',
        "trtexec's --exportOutput",
        "--exportProfile",
    ),
    (
        "ov.csv",
        "layerName;execStatus;layerType;execType;realTime (ms);cpuTime (ms)\n",
        "a report of OpenVINO",
        "name",
    ),
    ("page.json", "<!DOCTYPE html><html>", "HTML or XML", "trtexec --exportProfile"),
    (
        "rows.csv",
        "schema_version,device,started\n",
        "part of a run of Ridgeline",
        "--roofs or --replot",
    ),
]


@pytest.mark.parametrize(
    ("name", "content", "what", "instead"), FILES, ids=[name for name, *_ in FILES]
)
def test_what_is_not_read_is_named(
    tmp_path: Path, name: str, content: bytes | str, what: str, instead: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(RidgelineError) as error:
        read_all([path], "device", "now", "", {})
    message = str(error.value)
    assert message.startswith(f"{path} is {what}"), message
    assert "which is not read: " in message
    assert instead in message
    assert "\n" not in message


def test_a_run_of_our_own_is_no_profile() -> None:
    with pytest.raises(RidgelineError, match=r"run\.json is part of a run of Ridgeline"):
        read_all([ROOT / "results/reference/nvidia-h200/run.json"], "device", "now", "", {})


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "profile.json")
    with pytest.raises(
        RidgelineError,
        match=r"profile\.json is a pipe, not a file: save what comes out of it first",
    ):
        read_all([tmp_path / "profile.json"], "device", "now", "", {})
