"""The importer of trtexec: its profile, with the layer information that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from probes.importers.importer import Beside, Destination, Importer
from probes.importers.source import Source
from probes.importers.trtexec import pairs
from probes.importers.trtexec.files import read_layers, read_profile
from probes.importers.trtexec.read import read
from probes.records.measurement import Measurement, RidgelineError

TIMES = ("timeMs", "averageMs", "medianMs")


def _recognises(source: Source) -> bool:
    """True for a profile and for layer information."""
    if not source.is_json:
        return False
    data = source.json
    if isinstance(data, list):
        return any(isinstance(each, dict) and _is_of_profile(each) for each in data)
    return _is_info(source)


def _is_of_profile(element: dict[str, Any]) -> bool:
    """True for the time of a layer, or the count of runs at the beginning of a profile."""
    return list(element) == ["count"] or (
        "name" in element and any(time in element for time in TIMES)
    )


def _is_info(source: Source) -> bool:
    """True for layer information, which has no times."""
    return isinstance(source.json, dict) and "Layers" in source.json


def _rows(source: Source, destination: Destination, beside: Beside) -> list[Measurement]:
    """The layers of a profile; none of layer information, which tells what those are."""
    infos = [other for other in beside if _is_info(other)]
    profiles = [other for other in beside if not _is_info(other)]
    if not profiles:
        raise RidgelineError(
            f"{infos[0].path} says what layers are, not how long they take: add the profile"
        )
    if source in infos:
        return []
    return read(
        source,
        destination.device,
        destination.started,
        layers=_info_of(source, profiles, infos),
        nodes=destination.nodes,
        network=destination.network,
    )


def _info_of(source: Source, profiles: Sequence[Source], infos: Sequence[Source]) -> Source | None:
    """The layer information of a profile; None if it has none."""
    timed = [
        pairs.Named(each.path, frozenset(name for name, *_ in read_profile(each)))
        for each in profiles
    ]
    described = [
        pairs.Named(each.path, frozenset(layer["Name"] for layer in read_layers(each)))
        for each in infos
    ]
    by_path: dict[Path, Source] = {info.path: info for info in infos}
    path = pairs.paired(timed, described).get(source.path)
    return by_path[path] if path else None


IMPORTER = Importer(
    reads="trtexec --exportProfile and --exportLayerInfo", read=_rows, recognises=_recognises
)
