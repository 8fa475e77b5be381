"""What Nsight Systems saw, exported with ``nsys export --type sqlite``.

A row is a kernel and its grid. Where PyTorch marked its operations with their shapes (by ``nsys
profile --pytorch=autograd-shapes-nvtx``, or ``emit_nvtx(record_shapes=True)`` of
``torch.autograd.profiler``), a row is an operation, with the work that follows from them.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from probes.importers.nsys.database import Database, opened
from probes.importers.source import Source, source_of
from probes.importers.timeline.events import MOST_EVENTS, Call, Kernel, Launch, Timeline
from probes.importers.timeline.operations import UNTYPED, Signature, is_shape
from probes.importers.timeline.rows import Wording, rows_of
from probes.records.measurement import Measurement, RidgelineError

KERNELS = "CUPTI_ACTIVITY_KIND_KERNEL"
CONCURRENT = "CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL"
"""nvprof's name of the table of kernels."""
GRAPHS = "CUPTI_ACTIVITY_KIND_GRAPH_TRACE"
COPIES, FILLINGS = "CUPTI_ACTIVITY_KIND_MEMCPY", "CUPTI_ACTIVITY_KIND_MEMSET"
RUNTIME, DRIVER = "CUPTI_ACTIVITY_KIND_RUNTIME", "CUPTI_ACTIVITY_KIND_DRIVER"
RANGES = "NVTX_EVENTS"
NAMES = ("demangledName", "name", "mangledName", "shortName")
"""Columns with the name of a kernel, the best first."""
GRID = ("gridX", "gridY", "gridZ")
BLOCK = ("blockX", "blockY", "blockZ")
DIRECTIONS = {1: "HtoD", 2: "DtoH", 3: "HtoA", 4: "AtoH", 8: "DtoD", 10: "PtoP"}
"""Of a copy, by CUpti_ActivityMemcpyKind."""
PROCESS = 1 << 24
"""The lower bits of a globalTid are the thread, the others the process."""
OPERATION = re.compile(r"(?P<name>[\w:.]+), .*\bsizes = (?P<sizes>\[[\[\]\d, ]*\])")
"""A range of PyTorch: ``aten::addmm, op_id = 12, sizes = [[64], [4, 8], [8, 64], [], []]``."""
WORDING = Wording(
    tool="nsys",
    no_shapes="its range holds no sizes: profile with --pytorch=autograd-shapes-nvtx",
    no_operation="nsys counts none; ncu does, and PyTorch's shapes tell it: nsys profile "
    "--pytorch=autograd-shapes-nvtx",
)
GRAPH_HINT = " (its kernels: nsys profile --cuda-graph-trace=node)"


def read(file: Path | Source, device: str, started: str, network: str = "") -> list[Measurement]:
    """A row for every kernel and grid, or operation and its shapes.

    Raises RidgelineError that names what is missing or wrong.
    """
    source = source_of(file)
    if source.is_packed:
        raise RidgelineError(
            f"{source.path} is packed with gzip, and a database is read where it lies: unpack it"
        )
    with opened(source.path) as database:
        timeline = _timeline(database)
    return rows_of(
        timeline, WORDING, device=device, started=started, network=network or source.stem
    )


def _timeline(database: Database) -> Timeline:
    timeline = Timeline()
    for table in (KERNELS, CONCURRENT):
        timeline.kernels += _kernels(database, table)
    timeline.kernels += _graphs(database)
    if not timeline.kernels:
        raise RidgelineError(f"{database.path} {_nothing(database)}")
    timeline.kernels += _copies(database)
    timeline.calls = _operations(database)
    timeline.has_shapes = bool(timeline.calls)
    if timeline.calls:
        timeline.launches = _launches(database)
    return timeline


def _nothing(database: Database) -> str:
    """What a database without kernels is."""
    if RANGES in database.tables or any("CUPTI" in table for table in database.tables):
        return "holds no kernel: profile with nsys profile --trace=cuda,nvtx"
    return "is an SQLite database, and no export of nsys: no table of kernels"


def _kernels(database: Database, table: str) -> list[Kernel]:
    named = [name for name in NAMES if name in database.columns(table)]
    kernels = []
    more = (*named, *GRID, *BLOCK, "correlationId", "globalPid")
    for row in database.rows(table, ("start", "end"), more):
        texts = (database.text(row[name]) for name in named)
        name = next(filter(None, texts), "") or "a kernel without a name"
        sizes = ["x".join(str(row[axis]) for axis in axes) for axes in (GRID, BLOCK)]
        grid = "" if row["gridX"] is None else " of ".join(sizes)
        kernels.append(_kernel(database, table, row, name, "kernel", grid=sys.intern(grid)))
        if len(kernels) > MOST_EVENTS:
            raise RidgelineError(
                f"{database.path} holds more than {MOST_EVENTS:,} kernels, which memory may not "
                "hold: profile a shorter time (nsys profile --duration=SECONDS)"
            )
    return kernels


def _kernel(
    database: Database, table: str, row: dict[str, Any], name: str, category: str, **more: Any
) -> Kernel:
    start, end = database.time(table, row, "start"), database.time(table, row, "end")
    return Kernel(
        name=name,
        category=category,
        start=start * 1e-3,
        microseconds=max(0.0, end - start) * 1e-3,
        call=None,
        correlation=(row["globalPid"], row["correlationId"]),
        grid=more.get("grid", ""),
        bytes=more.get("bytes"),
    )


def _graphs(database: Database) -> list[Kernel]:
    """CUDA graphs that were traced as a whole."""
    kernels = []
    columns = ("graphExecId", "graphId", "correlationId", "globalPid")
    for row in database.rows(GRAPHS, ("start", "end"), columns):
        number = row["graphExecId"] if row["graphExecId"] is not None else row["graphId"]
        name = f"CUDA graph {number}{GRAPH_HINT}"
        kernels.append(_kernel(database, GRAPHS, row, name, "kernel"))
    return kernels


def _copies(database: Database) -> list[Kernel]:
    copies = []
    columns = ("bytes", "copyKind", "correlationId", "globalPid")
    for row in database.rows(COPIES, ("start", "end"), columns):
        name = f"Memcpy {DIRECTIONS.get(row['copyKind'], 'of another kind')}"
        moved = _count(row["bytes"])
        copies.append(_kernel(database, COPIES, row, name, "memcpy", bytes=moved))
    for row in database.rows(FILLINGS, ("start", "end"), ("bytes", *columns[2:])):
        moved = _count(row["bytes"])
        copies.append(_kernel(database, FILLINGS, row, "Memset", "memset", bytes=moved))
    return copies


def _count(value: Any) -> float | None:
    is_count = isinstance(value, int | float) and 0 <= value < 1e24
    return float(value) if is_count else None


def _operations(database: Database) -> list[Call]:
    """The operations that PyTorch marked, with their shapes."""
    calls = []
    signatures: dict[str, Signature] = {}
    needed = ("start", "end")
    for row in database.rows(RANGES, needed, ("text", "textId", "globalTid")):
        text = database.text(row["text"] or row["textId"])
        match = OPERATION.match(text)
        if not match or row["end"] is None:
            continue
        if text not in signatures:
            signatures[text] = _signature(match["name"], match["sizes"])
        start, end = (database.time(RANGES, row, name) * 1e-3 for name in needed)
        calls.append(Call(signatures[text], (row["globalTid"], None), start, end, None))
    return calls


def _signature(name: str, sizes: str) -> Signature:
    """The signature of an operation. A range tells neither types nor arguments that are numbers."""
    try:
        listed = json.loads(sizes)
    except ValueError:
        return Signature(name)
    shapes = tuple(tuple(shape) if isinstance(shape, list) else () for shape in listed)
    types = tuple(UNTYPED if is_shape(shape) and shape else "Scalar" for shape in shapes)
    return Signature(name, shapes, types)


def _launches(database: Database) -> dict[Any, Launch]:
    """The launches by process and correlation, as kernels name them."""
    launches: dict[Any, Launch] = {}
    has_process = "globalPid" in database.columns(KERNELS)
    for table in (RUNTIME, DRIVER):
        for row in database.rows(table, ("start", "correlationId"), ("globalTid",)):
            thread = row["globalTid"]
            process = None
            if has_process and isinstance(thread, int):
                process = thread // PROCESS * PROCESS
            start = database.time(table, row, "start") * 1e-3
            launches[process, row["correlationId"]] = Launch(None, (thread, None), start)
    return launches
