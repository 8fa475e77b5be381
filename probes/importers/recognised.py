"""Which tool wrote a file, by its content.

Of a file that is not read, it tells what the file is and what to export instead.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from probes.importers.importer import Importer, all_importers
from probes.importers.source import START, Source
from probes.records.measurement import RidgelineError

TRTEXEC = (
    "export --exportProfile=NET.profile.json and, with --profilingVerbosity=detailed, "
    "--exportLayerInfo=NET.layers.json"
)
ENGINE = f"give it to --engine on its GPU, or run trtexec --loadEngine=FILE there and {TRTEXEC}"
BY_COUNTERS = (
    "profile with Nsight Compute instead: ncu --csv --page raw, its output saved as a file"
)
BY_HAND = "write a CSV with the columns name, flops, bytes, seconds[, dtype]"
BY_EXPORT = (
    "export it: nsys export --type sqlite FILE.nsys-rep, and give the .sqlite (for FLOPs and bytes "
    "as counted, profile with ncu)"
)
UNPACK = "unpack it, and give what is in it"


@dataclass(frozen=True)
class Foreign:
    """A kind of file that is recognised, but not read."""

    what: str
    """What it is."""
    instead: str = ""
    """What to do instead; empty for what nothing but another file helps."""


MAGIC: Mapping[bytes, Foreign] = {
    b"NVR\0": Foreign(
        "a report of Nsight Compute", "export its table: ncu --import FILE --csv --page raw"
    ),
    b"ftrt": Foreign("a TensorRT engine", ENGINE),
    b"ptrt": Foreign("a TensorRT engine", ENGINE),
    b"BZh": Foreign("packed with bzip2", UNPACK),
    b"\xfd7zXZ": Foreign("packed with xz", UNPACK),
    b"\x28\xb5\x2f\xfd": Foreign("packed with zstd", UNPACK),
    b"PK\x03\x04": Foreign(
        "a zip archive, or a spreadsheet", f"{UNPACK}; save a spreadsheet as CSV"
    ),
    b"PAR1": Foreign("a table in Parquet", BY_HAND),
    b"\x89HDF": Foreign("a file of HDF5", BY_HAND),
    b"\x89PNG": Foreign("a picture"),
    b"%PDF": Foreign("a PDF"),
    b"\x7fELF": Foreign("a program", f"profile it; {BY_COUNTERS}"),
}
"""How binary files begin."""
ENDINGS: Mapping[str, Foreign] = {
    ".onnx": Foreign("a network", "give it as --model, beside the profile"),
    ".nsys-rep": Foreign("a report of Nsight Systems", BY_EXPORT),
    ".qdrep": Foreign("a report of Nsight Systems", BY_EXPORT),
    ".qdstrm": Foreign("a report of Nsight Systems", BY_EXPORT),
    ".ncu-rep": Foreign(
        "a report of Nsight Compute", "export its table: ncu --import FILE --csv --page raw"
    ),
    ".engine": Foreign("a TensorRT engine", ENGINE),
    ".plan": Foreign("a TensorRT engine", ENGINE),
}
"""Endings of the names of binary files that say nothing at their beginning."""
NSYS = Foreign("an nsys export", BY_EXPORT)
NVPROF = Foreign("an nvprof CSV", BY_COUNTERS)
TRACE = Foreign(
    "a trace of events, as a browser writes one, and none of PyTorch's profiler",
    f"for layers, {BY_HAND}",
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
        Foreign("HTML or XML"),
    ),
)
"""What the text of a file begins with, or what stands at the beginning of one of its lines."""


def importer_of(source: Source) -> Importer:
    """The importer that reads this file.

    Raises RidgelineError that says what the file is, if no importer reads it.
    """
    for importer in all_importers():
        if importer.recognises_start(source.start):
            return importer
    _check_is_text(source)
    for importer in all_importers():
        if importer.recognises(source):
            return importer
    if source.is_json:
        raise _no_importer(source)
    return next(importer for importer in all_importers() if importer.is_fallback)


def _check_is_text(source: Source) -> None:
    """Raise RidgelineError that says what the file is, if its beginning or its name tells that."""
    for start, foreign in MAGIC.items():
        if source.start.startswith(start):
            raise refused(source, foreign)
    by_ending = ENDINGS.get(source.path.suffix.lower())
    if by_ending:
        raise refused(source, by_ending)
    head = source.text[:START]
    for pattern, foreign in TEXTS:
        if pattern.search(head):
            raise refused(source, foreign)


def refused(source: Source, foreign: Foreign) -> RidgelineError:
    """The error that says what the file is and what to do instead."""
    instead = foreign.instead or _known()
    return RidgelineError(f"{source.path} is {foreign.what}, which is not read: {instead}")


def _known() -> str:
    """What is read, in words."""
    return f"give {', '.join(importer.reads for importer in all_importers())}"


KEYS: tuple[tuple[frozenset[str], Foreign], ...] = (
    (frozenset(("ph", "ts")), TRACE),
    (frozenset(("latencyMs",)), Foreign("trtexec's --exportTimes, the times of runs", TRTEXEC)),
    (frozenset(("startComputeMs",)), Foreign("trtexec's --exportTimes, times of runs", TRTEXEC)),
    (
        frozenset(("values", "dimensions")),
        Foreign("trtexec's --exportOutput, what an engine computed", TRTEXEC),
    ),
)
"""What an object in a list of JSON has, where it is of no importer."""


def _no_importer(source: Source) -> RidgelineError:
    """The error of JSON that no importer reads."""
    objects = source.json if isinstance(source.json, list) else []
    for keys, foreign in KEYS:
        if any(isinstance(each, dict) and keys <= each.keys() for each in objects):
            return refused(source, foreign)
    return RidgelineError(f"{source.path} is of no tool that is known: {_known()}")
