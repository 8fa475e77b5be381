"""Whatever another tool wrote: find out which tool it was, and read its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from probes.importers import pairs, plain
from probes.importers.layer_row import Nodes, malformed
from probes.importers.nsight import read as ncu
from probes.importers.onnxruntime import read as ort
from probes.importers.recognised import COUNTERS, LAYERS, PROFILE, RUNTIME, kind_of
from probes.importers.source import Source
from probes.importers.trtexec import read as trtexec
from probes.importers.trtexec.files import read_layers, read_profile
from probes.records.given import shortened
from probes.records.measurement import Measurement, RidgelineError
from probes.records.stored import cells_problem, row_problem


def read_all(
    paths: Sequence[Path], device: str, started: str, network: str, nodes: Nodes
) -> list[Measurement]:
    """The layers in these files, TensorRT's layer information beside the profile it belongs to.

    Raises RidgelineError that names the file, the place in it and what is wrong.
    """
    kinds = {source: kind_of(source) for source in map(Source, paths)}
    _check_distinct(paths)
    infos = _infos(kinds)
    rows: list[Measurement] = []
    for source, kind in kinds.items():
        if kind != LAYERS:
            info = infos.get(source.path)
            rows += _checked(
                source, partial(_read, source, kind, info, device, started, network, nodes)
            )
    return rows


def _check_distinct(paths: Sequence[Path]) -> None:
    real_paths: set[str] = set()
    for path in paths:
        real_path = os.path.realpath(path)
        if real_path in real_paths:
            raise RidgelineError(f"--import {path} is given twice")
        real_paths.add(real_path)


def _infos(kinds: Mapping[Source, str]) -> dict[Path, Source]:
    """The layer information of each profile, by the profile's path."""
    by_path = {source.path: source for source, kind in kinds.items() if kind == LAYERS}
    profiles = [source for source, kind in kinds.items() if kind == PROFILE]
    if by_path and not profiles:
        raise RidgelineError(
            f"{next(iter(by_path))} says what layers are, not how long they take: add the profile"
        )
    timed = [
        pairs.Named(each.path, frozenset(name for name, *_ in read_profile(each)))
        for each in profiles
    ]
    described = [
        pairs.Named(each.path, frozenset(layer["Name"] for layer in read_layers(each)))
        for each in by_path.values()
    ]
    return {profile: by_path[info] for profile, info in pairs.paired(timed, described).items()}


def _read(
    source: Source,
    kind: str,
    info: Source | None,
    device: str,
    started: str,
    network: str,
    nodes: Nodes,
) -> list[Measurement]:
    if kind == PROFILE:
        return trtexec.read(source, device, started, layers=info, nodes=nodes, network=network)
    if kind == RUNTIME:
        return ort.read(source, device, started, network=network, nodes=nodes)
    if kind == COUNTERS:
        return ncu.read(source, device, started, network=network)
    return plain.read(source, device, started, network=network)


def _checked(source: Source, read: Callable[[], list[Measurement]]) -> list[Measurement]:
    """The rows of a file, each of which could be read back from a run. Raises RidgelineError."""
    try:
        rows = read()
    except RecursionError:
        raise RidgelineError(f"{source.path} is nested too deep") from None
    except OverflowError:
        raise RidgelineError(
            f"{source.path} holds sizes whose product no machine could count"
        ) from None
    for row in rows:
        if why := cells_problem(row) or row_problem(row):
            raise malformed(source.path, f"layer {shortened(repr(row.layer))}", why)
    return rows
