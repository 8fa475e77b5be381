"""Which tool wrote a file, by its content.

Of a file that is not read, it tells what the file is and what to export instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from probes.importers.source import Source
from probes.records.measurement import RidgelineError

PROFILE, LAYERS, RUNTIME, COUNTERS, PLAIN = (
    "trtexec profile",
    "trtexec layers",
    "onnxruntime",
    "ncu",
    "plain",
)
KNOWN = (
    "trtexec --exportProfile and --exportLayerInfo, an ONNX Runtime profile, Nsight Compute "
    "CSV, or a plain CSV"
)
TRTEXEC = (
    "export --exportProfile=NET.profile.json and, with --profilingVerbosity=detailed, "
    "--exportLayerInfo=NET.layers.json"
)
BY_COUNTERS = (
    "profile with Nsight Compute instead: ncu --csv --page raw, its output saved as a file"
)
BY_HAND = "write a CSV with the columns name, flops, bytes, seconds[, dtype]"
UNPACK = "unpack it, and give what is in it"
HEAD = 1 << 16
"""Characters at the beginning of a file in which its tool is looked for."""

NCU_SAYS = re.compile(r"^==(PROF|ERROR|WARNING|LOG)==", re.MULTILINE)
TIMES = ("timeMs", "averageMs", "medianMs")
NODE_EVENT, RUN_EVENT = "_kernel_time", "model_run"


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is recognised, but not read."""

    what: str
    """What it is."""
    instead: str
    """What to do instead."""


MAGIC: Mapping[bytes, Foreign] = {
    b"SQLite format 3\0": Foreign("an SQLite database, such as an nsys export", BY_COUNTERS),
    b"NVR\0": Foreign(
        "a report of Nsight Compute", "export its table: ncu --import FILE --csv --page raw"
    ),
    b"ftrt": Foreign("a TensorRT engine", f"run it with trtexec --loadEngine=FILE and {TRTEXEC}"),
    b"ptrt": Foreign("a TensorRT engine", f"run it with trtexec --loadEngine=FILE and {TRTEXEC}"),
    b"\x1f\x8b": Foreign("packed with gzip", UNPACK),
    b"BZh": Foreign("packed with bzip2", UNPACK),
    b"\xfd7zXZ": Foreign("packed with xz", UNPACK),
    b"\x28\xb5\x2f\xfd": Foreign("packed with zstd", UNPACK),
    b"PK\x03\x04": Foreign(
        "a zip archive, or a spreadsheet", f"{UNPACK}; save a spreadsheet as CSV"
    ),
    b"PAR1": Foreign("a table in Parquet", BY_HAND),
    b"\x89HDF": Foreign("a file of HDF5", BY_HAND),
    b"\x89PNG": Foreign("a picture", f"give {KNOWN}"),
    b"%PDF": Foreign("a PDF", f"give {KNOWN}"),
    b"\x7fELF": Foreign("a program", f"profile it; {BY_COUNTERS}"),
}
"""How binary files begin."""
ENDINGS: Mapping[str, Foreign] = {
    ".onnx": Foreign("a network", "give it as --model, beside the profile"),
    ".nsys-rep": Foreign("a report of Nsight Systems", BY_COUNTERS),
    ".qdrep": Foreign("a report of Nsight Systems", BY_COUNTERS),
    ".qdstrm": Foreign("a report of Nsight Systems", BY_COUNTERS),
    ".ncu-rep": Foreign(
        "a report of Nsight Compute", "export its table: ncu --import FILE --csv --page raw"
    ),
    ".engine": Foreign("a TensorRT engine", f"run it with trtexec --loadEngine=FILE and {TRTEXEC}"),
    ".plan": Foreign("a TensorRT engine", f"run it with trtexec --loadEngine=FILE and {TRTEXEC}"),
}
"""Endings of the names of binary files that say nothing at their beginning."""
NSYS = Foreign("an nsys export", BY_COUNTERS)
NVPROF = Foreign("an nvprof CSV", BY_COUNTERS)
TRACE = Foreign(
    "a trace of events, as PyTorch's profiler or a browser writes one", f"for layers, {BY_HAND}"
)
RUN = Foreign("part of a run of Ridgeline", "give its folder to --roofs or --replot")
TEXTS: tuple[tuple[re.Pattern[str], Foreign], ...] = (
    (re.compile(r"\Aschema_version,|\A\s*\{\s*\"device\": \{\s*\"kind\""), RUN),
    (
        re.compile(r"^&&&& \w+ TensorRT\.|\[[IVWE]\] (\[TRT\]|=== \w)", re.MULTILINE),
        Foreign("a trtexec log", TRTEXEC),
    ),
    (re.compile(r"^==\d+== |^\"?Type\"?,\"?Time\(%\)\"?,", re.MULTILINE), NVPROF),
    (
        re.compile(r"^\"?Time ?\(%\)\"?,\"?Total Time|^ *\*\* .* Summary \(\w+\):", re.MULTILINE),
        NSYS,
    ),
    (re.compile(r"^Start \(ns\),Duration \(ns\),", re.MULTILINE), NSYS),
    (re.compile(r"\A\{.*\"(CudaEvent|TraceProcessEvent|ProfilerInfo)\"", re.DOTALL), NSYS),
    (
        re.compile(r"^ *Section: GPU Speed Of Light", re.MULTILINE),
        Foreign("what ncu prints for people", "add --csv --page raw to its command"),
    ),
    (re.compile(r"\AlayerName;execStatus;"), Foreign("a report of OpenVINO", BY_HAND)),
    (
        re.compile(r"\A\s*<(\?xml|!DOCTYPE|html)", re.IGNORECASE),
        Foreign("HTML or XML", f"give {KNOWN}"),
    ),
)
"""What the text of a file begins with, or what stands at the beginning of one of its lines."""


def kind_of(source: Source) -> str:
    """The importer that reads this file.

    Raises RidgelineError that says what the file is, if no importer reads it.
    """
    for start, foreign in MAGIC.items():
        if source.content.startswith(start):
            raise refused(source, foreign)
    by_ending = ENDINGS.get(source.path.suffix.lower())
    if by_ending:
        raise refused(source, by_ending)
    head = source.text[:HEAD]
    for pattern, foreign in TEXTS:
        if pattern.search(head):
            raise refused(source, foreign)
    if source.text.lstrip()[:1] not in ("[", "{"):
        return COUNTERS if "Kernel Name" in head or NCU_SAYS.search(source.text) else PLAIN
    return _of_json(source)


def refused(source: Source, foreign: Foreign) -> RidgelineError:
    """The error that says what the file is and what to do instead."""
    return RidgelineError(f"{source.path} is {foreign.what}, which is not read: {foreign.instead}")


def _of_json(source: Source) -> str:
    data = source.json
    if isinstance(data, dict):
        if "Layers" in data:
            return LAYERS
        raise refused(source, TRACE) if "traceEvents" in data else _unknown(source)
    objects = list(_objects(data))
    if any(_of_runtime(each) for each in objects):
        return RUNTIME
    if any("ph" in each and "ts" in each for each in objects):
        raise refused(source, TRACE)
    if any("latencyMs" in each or "startComputeMs" in each for each in objects):
        raise refused(source, Foreign("trtexec's --exportTimes, the times of whole runs", TRTEXEC))
    if any("values" in each and "dimensions" in each for each in objects):
        raise refused(source, Foreign("trtexec's --exportOutput, what an engine computed", TRTEXEC))
    if any(_of_profile(each) for each in objects):
        return PROFILE
    raise _unknown(source)


def _objects(data: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of a list."""
    if isinstance(data, list):
        yield from (each for each in data if isinstance(each, dict))


def _of_runtime(event: Mapping[str, Any]) -> bool:
    """True for an event of ONNX Runtime, which no other tool writes."""
    name = event.get("name")
    return event.get("cat") in ("Node", "Session") or (
        isinstance(name, str) and (name == RUN_EVENT or name.endswith(NODE_EVENT))
    )


def _of_profile(element: Mapping[str, Any]) -> bool:
    """True for the time of a layer, or the count of runs at the beginning of a profile."""
    return list(element) == ["count"] or (
        "name" in element and any(time in element for time in TIMES)
    )


def _unknown(source: Source) -> RidgelineError:
    return RidgelineError(f"{source.path} is of no tool that is known: give {KNOWN}")
