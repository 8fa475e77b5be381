"""The importer of ONNX Runtime: the profile of a session."""

from __future__ import annotations

from typing import Any

from probes.importers.importer import Beside, Destination, Importer
from probes.importers.onnxruntime.read import NODE_EVENT, RUN_EVENT, read
from probes.importers.source import Source
from probes.records.measurement import Measurement


def _recognises(source: Source) -> bool:
    if not source.is_json:
        return False
    data = source.json
    return isinstance(data, list) and any(map(_is_event, data))


def _is_event(event: Any) -> bool:
    """True for an event that no other tool writes."""
    if not isinstance(event, dict):
        return False
    name = event.get("name")
    return event.get("cat") in ("Node", "Session") or (
        isinstance(name, str) and (name == RUN_EVENT or name.endswith(NODE_EVENT))
    )


def _rows(source: Source, destination: Destination, beside: Beside) -> list[Measurement]:
    return read(
        source,
        destination.device,
        destination.started,
        network=destination.network,
        nodes=destination.nodes,
    )


IMPORTER = Importer(reads="an ONNX Runtime profile", read=_rows, recognises=_recognises)
