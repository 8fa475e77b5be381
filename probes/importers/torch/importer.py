"""The importer of PyTorch's profiler: its trace, .json or .json.gz."""

from __future__ import annotations

import re

from probes.importers.importer import Beside, Destination, Importer
from probes.importers.source import Source
from probes.importers.torch.read import read
from probes.records.measurement import Measurement

EVENTS = re.compile(rb'"traceEvents"\s*:\s*\[')
OURS = re.compile(rb'"cat"\s*:\s*"(cpu_op|kernel|cuda_runtime|user_annotation|Operator|Kernel)"')


def _recognises_start(start: bytes) -> bool:
    head = start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if head == b"{":
        return EVENTS.search(start) is not None
    return head == b"[" and OURS.search(start) is not None


def _recognises(source: Source) -> bool:
    """A trace whose list of events begins late, behind facts of many processes."""
    return source.is_json and isinstance(source.json, dict) and "traceEvents" in source.json


def _rows(source: Source, destination: Destination, beside: Beside) -> list[Measurement]:
    return read(source, destination.device, destination.started, network=destination.network)


IMPORTER = Importer(
    reads="a PyTorch profiler trace",
    read=_rows,
    recognises_start=_recognises_start,
    recognises=_recognises,
)
