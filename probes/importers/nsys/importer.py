"""The importer of Nsight Systems: its export to SQLite."""

from __future__ import annotations

from probes.importers.importer import Beside, Destination, Importer
from probes.importers.nsys.read import read
from probes.importers.source import Source
from probes.records.measurement import Measurement


def _recognises_start(start: bytes) -> bool:
    return start.startswith(b"SQLite format 3\0")


def _rows(source: Source, destination: Destination, beside: Beside) -> list[Measurement]:
    return read(source, destination.device, destination.started, network=destination.network)


IMPORTER = Importer(
    reads="an nsys export to SQLite", read=_rows, recognises_start=_recognises_start
)
