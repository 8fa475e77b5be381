"""The importer of layers that anybody timed, as a CSV."""

from __future__ import annotations

from probes.importers.importer import Beside, Destination, Importer
from probes.importers.plain.read import read
from probes.importers.source import Source
from probes.records.measurement import Measurement


def _rows(source: Source, destination: Destination, beside: Beside) -> list[Measurement]:
    return read(source, destination.device, destination.started, network=destination.network)


IMPORTER = Importer(reads="a plain CSV", read=_rows, is_fallback=True)
