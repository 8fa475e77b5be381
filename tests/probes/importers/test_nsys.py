"""An export of Nsight Systems becomes rows, whatever its version."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from probes.importers.any_file import read_all
from probes.records.measurement import Measurement, RidgelineError

Table = tuple[str, str, Sequence[Sequence[Any]]]
"""Name, columns, rows."""

STRINGS: Table = (
    "StringIds",
    "id INTEGER PRIMARY KEY, value TEXT NOT NULL",
    [(1, "void ns::gemm<float>(float *)"), (2, "gemm"), (3, "relu_kernel"), (4, "_Zgemm")],
)
KERNEL_COLUMNS = (
    "start INT, end INT, deviceId INT, contextId INT, streamId INT, correlationId INT, "
    "globalPid INT, demangledName INT, shortName INT, gridX INT, gridY INT, gridZ INT, "
    "blockX INT, blockY INT, blockZ INT"
)
PROCESS = 7 << 24
KERNELS: Table = (
    "CUPTI_ACTIVITY_KIND_KERNEL",
    KERNEL_COLUMNS,
    [
        (1000, 3000, 0, 1, 7, 11, PROCESS, 1, 2, 8, 1, 1, 128, 1, 1),
        (4000, 5000, 0, 1, 7, 12, PROCESS, 1, 2, 8, 1, 1, 128, 1, 1),
        (6000, 6500, 0, 1, 7, 13, PROCESS, 3, 3, 4, 1, 1, 64, 1, 1),
    ],
)
RUNTIME: Table = (
    "CUPTI_ACTIVITY_KIND_RUNTIME",
    "start INT, end INT, globalTid INT, correlationId INT, nameId INT",
    [
        (510, 520, PROCESS + 5, 11, 2),
        (610, 620, PROCESS + 5, 12, 2),
        (710, 720, PROCESS + 5, 13, 2),
        (510, 520, (9 << 24) + 5, 13, 2),  # the same number in another process
    ],
)
LINEAR = "aten::linear, op_id = 1, sizes = [[4, 8], [3, 8], [3]]"
ADDMM = "aten::addmm, seq = 4, op_id = 2, sizes = [[3], [4, 8], [8, 3], [], []], input_op_ids = []"


def database(path: Path, *tables: Table) -> Path:
    """An SQLite file with these tables."""
    connection = sqlite3.connect(path)
    for name, columns, rows in tables:
        connection.execute(f'CREATE TABLE "{name}" ({columns})')
        places = ", ".join("?" * len(columns.split(", ")))
        connection.executemany(f'INSERT INTO "{name}" VALUES ({places})', rows)
    connection.commit()
    connection.close()
    return path


def rows_of(path: Path) -> dict[str, Measurement]:
    """The rows of an export by the name of their layer."""
    return {row.layer: row for row in read_all([path], "device", "now", "", {})}


def facts(row: Measurement) -> Mapping[str, Any]:
    """What the row's params say."""
    stored: Mapping[str, Any] = json.loads(row.params)
    return stored


def test_kernels_of_one_grid_are_a_row(tmp_path: Path) -> None:
    rows = rows_of(database(tmp_path / "report.sqlite", STRINGS, KERNELS, RUNTIME))
    assert set(rows) == {"void ns::gemm<float>(float *)", "relu_kernel"}
    gemm = rows["void ns::gemm<float>(float *)"]
    assert gemm.seconds_median == pytest.approx(3e-6)
    assert (gemm.kernel, gemm.flops, gemm.bytes) == ("gemm", None, None)
    assert facts(gemm)["launches"] == 2
    assert "nsys counts none; ncu does" in gemm.reason
    assert gemm.probe == "importers/nsys"


VERSIONS: dict[str, list[Table]] = {
    "of 2019, without processes": [
        STRINGS,
        (
            "CUPTI_ACTIVITY_KIND_KERNEL",
            "start INT, end INT, correlationId INT, demangledName INT, shortName INT",
            [(1000, 3000, 11, 1, 2), (4000, 5000, 12, 1, 2)],
        ),
    ],
    "with names in place": [
        (
            "CUPTI_ACTIVITY_KIND_KERNEL",
            "start INTEGER, end INTEGER, demangledName TEXT",
            [(1000, 3000, STRINGS[2][0][1]), (4000, 5000, STRINGS[2][0][1])],
        ),
    ],
    "of nvprof": [
        ("StringTable", "_id_ INTEGER PRIMARY KEY, value TEXT", STRINGS[2]),
        (
            "CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL",
            "_id_ INT, start INT, end INT, correlationId INT, name INT",
            [(1, 1000, 3000, 11, 1), (2, 4000, 5000, 12, 1)],
        ),
    ],
    "of 2026, with columns that nobody knows yet": [
        STRINGS,
        (
            "CUPTI_ACTIVITY_KIND_KERNEL",
            f"{KERNEL_COLUMNS}, mangledName INT, graphNodeId INT, launchType INT",
            [(*row, 4, 0, 0) for row in KERNELS[2][:2]],
        ),
        ("META_DATA_EXPORT", "name TEXT, value TEXT", [("EXPORT_SCHEMA_VERSION", "3.99.0")]),
    ],
}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read(tmp_path: Path, version: str) -> None:
    (row,) = rows_of(database(tmp_path / "r.sqlite", *VERSIONS[version])).values()
    assert row.layer == "void ns::gemm<float>(float *)"
    assert row.seconds_median == pytest.approx(3e-6)


@pytest.mark.parametrize("is_listed", [True, False], ids=["textId", "text"])
def test_shapes_that_pytorch_marked_tell_the_work(tmp_path: Path, is_listed: bool) -> None:
    strings = (*STRINGS[:2], [*STRINGS[2], (21, LINEAR), (22, ADDMM), (23, "step 3")])
    texts: list[tuple[str | None, int | None]] = [(None, 21), (None, 22), (None, 23)]
    if not is_listed:
        texts = [(LINEAR, None), (ADDMM, None), ("step 3", None)]
    thread = PROCESS + 5
    ranges: Table = (
        "NVTX_EVENTS",
        "start INT, end INT, eventType INT, text TEXT, textId INT, globalTid INT",
        [
            (500, 630, 59, *texts[0], thread),
            (505, 625, 59, *texts[1], thread),
            (100, 900, 59, *texts[2], thread),
            (500, None, 34, *texts[2], thread),
        ],
    )
    path = database(tmp_path / "r.sqlite", strings, KERNELS, RUNTIME, ranges)
    rows = rows_of(path)
    assert set(rows) == {"aten::linear 4x8 3x8 3", "relu_kernel"}
    linear = rows["aten::linear 4x8 3x8 3"]
    assert (linear.flops, linear.bytes) == (2 * 4 * 8 * 3, None), "types are not marked"
    assert linear.seconds_median == pytest.approx(3e-6)
    assert "type not recorded: fp32 assumed" in linear.reason
    assert facts(linear)["launches"] == 2


def test_copies_fillings_and_whole_graphs_are_rows(tmp_path: Path) -> None:
    copies: Table = (
        "CUPTI_ACTIVITY_KIND_MEMCPY",
        "start INT, end INT, correlationId INT, bytes INT, copyKind INT",
        [(0, 1000, 1, 4096, 1), (0, 500, 2, 4096, 8)],
    )
    fillings: Table = (
        "CUPTI_ACTIVITY_KIND_MEMSET",
        "start INT, end INT, correlationId INT, bytes INT",
        [(0, 100, 3, 256)],
    )
    graphs: Table = (
        "CUPTI_ACTIVITY_KIND_GRAPH_TRACE",
        "start INT, end INT, graphId INT, graphExecId INT, correlationId INT",
        [(0, 9000, 1, 5, 4)],
    )
    rows = rows_of(database(tmp_path / "r.sqlite", graphs, copies, fillings))
    assert rows["Memcpy DtoD"].bytes == 2 * 4096
    assert rows["Memset"].bytes == 256
    assert rows["Memcpy HtoD"].bytes is None
    (graph,) = (name for name in rows if name.startswith("CUDA graph 5"))
    assert "--cuda-graph-trace=node" in graph


def test_more_kernels_than_memory_may_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.importers.nsys.read.MOST_EVENTS", 2)
    with pytest.raises(RidgelineError, match=r"more than 2 kernels.*--duration=SECONDS"):
        rows_of(database(tmp_path / "r.sqlite", STRINGS, KERNELS))


def damaged(path: Path, change: str) -> Path:
    """An export with one thing wrong."""
    if change == "cut":
        database(path, STRINGS, (*KERNELS[:2], list(KERNELS[2]) * 500))
        path.write_bytes(path.read_bytes()[:9000])
    elif change == "packed":
        database(path, STRINGS, KERNELS)
        path.write_bytes(gzip.compress(path.read_bytes()))
    elif change == "header only":
        path.write_bytes(b"SQLite format 3\0")
    elif change == "noise":
        path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    elif change == "of a browser":
        database(path, ("moz_places", "id INT, url TEXT", [(1, "a")]))
    elif change == "a schema that is no text":
        database(path, STRINGS, KERNELS)
        path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", b"CRE\xffTE T\xc9BLE"))
    elif change == "no kernels":
        database(path, STRINGS, RUNTIME)
    elif change == "no end":
        database(path, ("CUPTI_ACTIVITY_KIND_KERNEL", "start INT, name INT", [(1, 2)]))
    elif change == "text for a time":
        columns = "start INT, end INT, demangledName INT"
        database(path, ("CUPTI_ACTIVITY_KIND_KERNEL", columns, [("soon", 2, 3)]))
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("cut", "is a damaged SQLite file .*: export it again"),
        ("packed", "is packed with gzip, and a database is read where it lies: unpack it"),
        ("header only", "is a damaged SQLite file"),
        ("noise", "is a damaged SQLite file"),
        ("a schema that is no text", "is a damaged SQLite file"),
        ("of a browser", "is an SQLite database, and no export of nsys"),
        ("no kernels", "holds no kernel: profile with nsys profile --trace=cuda"),
        ("no end", "table CUPTI_ACTIVITY_KIND_KERNEL: no column end"),
        ("text for a time", "start is 'soon', no time in ns"),
    ],
)
def test_a_damaged_export_is_one_line(tmp_path: Path, change: str, says: str) -> None:
    path = damaged(tmp_path / "report.sqlite", change)
    before = path.read_bytes()
    with pytest.raises(RidgelineError, match=says) as error:
        read_all([path], "device", "now", "", {})
    assert "\n" not in str(error.value)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["report.sqlite"], "nothing beside it"


@pytest.mark.gpu
def test_an_export_of_the_installed_nsys_is_read(tmp_path: Path) -> None:
    pytest.importorskip("cupy")
    if not shutil.which("nsys"):
        pytest.skip("Nsight Systems is not installed")
    program = "import cupy; a = cupy.ones((512, 512)); cupy.tanh(a @ a).sum().item()"
    report = tmp_path / "report.nsys-rep"
    for command in (
        ["nsys", "profile", "--trace=cuda,nvtx", "-o", str(report), sys.executable, "-c", program],
        ["nsys", "export", "--type", "sqlite", "-o", str(tmp_path / "r.sqlite"), str(report)],
    ):
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert process.returncode == 0, process.stderr
    rows = rows_of(tmp_path / "r.sqlite")
    assert any("tanh" in name for name in rows)
    assert all(row.seconds_median for row in rows.values())
    assert "Memcpy DtoH" in rows
