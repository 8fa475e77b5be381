"""The importer of Nsight Compute: its tables as CSV."""

from __future__ import annotations

import re

from probes.importers.importer import Beside, Destination, Importer
from probes.importers.ncu.read import KERNEL, read
from probes.importers.source import START, Source
from probes.records.measurement import Measurement

SAYS = re.compile(r"^==(PROF|ERROR|WARNING|LOG)==", re.MULTILINE)
"""What ncu prints before its table, or in its place."""


def _recognises(source: Source) -> bool:
    if source.is_json:
        return False
    return KERNEL in source.text[:START] or SAYS.search(source.text) is not None


def _rows(source: Source, destination: Destination, beside: Beside) -> list[Measurement]:
    return read(source, destination.device, destination.started, network=destination.network)


IMPORTER = Importer(reads="Nsight Compute CSV", read=_rows, recognises=_recognises)
