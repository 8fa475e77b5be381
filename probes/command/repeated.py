"""Several runs in one go, and earlier ones that they are compared with."""

from __future__ import annotations

import argparse
from pathlib import Path

from probes.records.measurement import RidgelineError
from probes.records.run import folders_of_runs, read_run, time_in_names

SETS = "sets"
"""Folder of sets, below ``--out``: a set is a folder of runs."""


def out_of_set(out: Path, started: str) -> Path:
    """Where the runs of a set that begins now go."""
    return out / SETS / time_in_names(started)


def check_earlier(args: argparse.Namespace) -> None:
    """Raise RidgelineError now, not after the measurement, for runs that cannot be compared with.

    Also for a gate with nothing that it could be held against.
    """
    if args.gate is not None and not args.compare:
        raise RidgelineError("--gate has no effect without --compare RUN_DIR")
    for place in args.compare:
        folders = folders_of_runs(place)
        if folders in ([place], []):
            read_run(place)
