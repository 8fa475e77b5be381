"""All runs below a folder, read by several processes, each run reduced to what a fleet needs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from analysis.fleet.node import Lost, Node, host_of_folder, read_node
from probes.records import given
from probes.records.fleet import read_jobs
from probes.records.measurement import RidgelineError
from probes.records.run import ROWS_FILE, RUN_FILE

FEW_RUNS = 40
"""So many are read by this process alone: starting others takes longer."""
MOST_PROCESSES = 4
"""Each takes about 100 MB."""
AT_ONCE = 8
"""Runs that a process is given at a time."""


@dataclass(frozen=True)
class Nodes:
    """What was read of a fleet."""

    nodes: tuple[Node, ...]
    """Of runs that could be read, by name."""
    lost: tuple[Lost, ...]
    """Nodes with no run that can be read."""
    namesakes: tuple[str, ...] = ()
    """Hosts of several runs of what seems to be one device."""


def read_nodes(top: Path, progress: Callable[[int, int], None] | None = None) -> Nodes:
    """All runs below ``top``.

    progress: is told how many of how many runs are read. Raises RidgelineError where there is no
    such folder, or no run in it.
    """
    if not top.is_dir():
        raise RidgelineError(f"{top} is no folder: give the one that holds the runs of a fleet")
    runs, empty = _folders(top)
    lost = [Lost(host_of_empty(folder, top), "its folder holds no run", folder) for folder in empty]
    nodes = []
    for done, result in enumerate(_read_all(runs, top), start=1):
        if isinstance(result, Lost):
            lost.append(result)
        else:
            nodes.append(result)
        if progress:
            progress(done, len(runs))
    hosts = {node.host for node in nodes}
    known = hosts | {one.name for one in lost}
    jobs = [job for job in read_jobs(top) if job.problem]
    with_run = {run.relative_to(top).parts[0] for run in runs if run != top}
    without_run = [job for job in jobs if job.host not in known and job.folder not in with_run]
    lost += [Lost(job.host, job.problem) for job in without_run]
    if not nodes and not lost:
        raise RidgelineError(f"{top} holds no run of Ridgeline")
    problems = {job.host: job.problem for job in jobs}
    lost = [replace(one, why=problems[one.name]) if one.name in problems else one for one in lost]
    return Nodes(tuple(_named(nodes)), tuple(lost), tuple(_namesakes(nodes)))


def host_of_empty(folder: Path, top: Path) -> str:
    """The name of a node that left an empty folder."""
    return str(folder.relative_to(top))


def _folders(top: Path) -> tuple[list[Path], list[Path]]:
    """Folders of runs below ``top``, and empty ones, both by name."""
    runs, empty = [], []
    for folder, names, files in os.walk(top):
        names.sort()
        if RUN_FILE in files or ROWS_FILE in files:
            runs.append(Path(folder))
            names.clear()
        elif not names and not files and Path(folder) != top:
            empty.append(Path(folder))
    return runs, empty


def _read_all(runs: Sequence[Path], top: Path) -> Iterator[Node | Lost]:
    """Each run, in their order."""
    read = partial(_read, top=top)
    processes = min(MOST_PROCESSES, os.cpu_count() or 1)
    if len(runs) <= FEW_RUNS or processes < 2:
        yield from map(read, runs)
        return
    with ProcessPoolExecutor(processes, get_context("fork"), _end_at_interrupt) as pool:
        try:
            yield from pool.map(read, runs, chunksize=AT_ONCE)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_at_interrupt() -> None:
    """Let Ctrl-C end this process at once: the first one tells of it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _read(folder: Path, top: Path) -> Node | Lost:
    """One run, or why it cannot be read."""
    try:
        return read_node(folder, top)
    except RidgelineError as error:
        why = str(error)
    except OSError as error:
        why = f"{folder} cannot be read: {given.reason(error)}"
    return Lost(host_of_folder(folder, top), why, folder)


def _named(nodes: Sequence[Node]) -> list[Node]:
    """The nodes, by name; of several of one host, each with its number."""
    by_host: dict[str, list[Node]] = {}
    for node in nodes:
        by_host.setdefault(node.host, []).append(node)
    named = []
    for host, group in sorted(by_host.items()):
        units = {(node.kind.kind, node.unit) for node in group}
        counts: dict[str, int] = {}
        for node in sorted(group, key=lambda node: (node.index, node.started, str(node.folder))):
            name = host
            if len(units) > 1:
                name = f"{host} GPU {node.index}" if node.kind.kind == "cuda" else f"{host} CPU"
            counts[name] = counts.get(name, 0) + 1
            if counts[name] > 1:
                name = f"{name} ({counts[name]})"
            named.append(replace(node, name=name))
    return named


def _namesakes(nodes: Sequence[Node]) -> list[str]:
    """Hosts with several runs of one device: of one node, or of two that are called the same."""
    counts: dict[tuple[str, str, str], int] = {}
    for node in nodes:
        key = node.host, node.kind.kind, node.unit
        counts[key] = counts.get(key, 0) + 1
    return sorted({host for (host, _, _), count in counts.items() if count > 1})
