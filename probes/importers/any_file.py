"""Whatever another tool wrote: find out which tool it was, and read its file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from probes.importers.importer import Destination
from probes.importers.layer_row import Nodes, malformed
from probes.importers.recognised import importer_of
from probes.importers.source import Source
from probes.records.given import shortened
from probes.records.measurement import Measurement, RidgelineError
from probes.records.stored import cells_problem, row_problem


def read_all(
    paths: Sequence[Path], device: str, started: str, network: str, nodes: Nodes
) -> list[Measurement]:
    """The layers in these files.

    Raises RidgelineError that names the file, the place in it and what is wrong.
    """
    importers = {source: importer_of(source) for source in map(Source, paths)}
    _check_distinct(paths)
    destination = Destination(device, started, network, nodes)
    rows: list[Measurement] = []
    for source, importer in importers.items():
        beside = [other for other, theirs in importers.items() if theirs is importer]
        rows += _checked(source, partial(importer.read, source, destination, beside))
    return rows


def _check_distinct(paths: Sequence[Path]) -> None:
    real_paths: set[str] = set()
    for path in paths:
        real_path = os.path.realpath(path)
        if real_path in real_paths:
            raise RidgelineError(f"--import {path} is given twice")
        real_paths.add(real_path)


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
