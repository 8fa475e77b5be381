"""``--fleet``: one job a node, through submitit, until each has ended or has run out of time.

The runs go to the disk that all nodes share. A node that dies or hangs is named and holds up no
other one; Ctrl-C cancels what is not done and keeps what is there.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from kernels.base import one_line
from probes.command.every_gpu import ALL
from probes.command.forwarded import without
from probes.command.options import ENGINES
from probes.harness.case import choose
from probes.records import given
from probes.records.fleet import (
    CANCELLED,
    DIED,
    DONE,
    ENDS,
    QUEUED,
    RUNNING,
    TOO_LONG,
    FleetJob,
    save_jobs,
)
from probes.records.measurement import RidgelineError
from probes.records.run import COMPLETE, folders_of_runs, read_run

SLURM, LOCAL = ENGINES
FOLDER, LOGS = "fleets", "jobs"
"""Where fleets go, below ``--out``; and what their jobs print, below that."""
TAKEN = {
    "--fleet": 1,
    "--nodes": 1,
    "--partition": 1,
    "--node-minutes": 1,
    "--sbatch": 1,
    "--out": 1,
    "--note-host": 0,
}
"""Options that a node is not given, or given anew, and how many values they take."""
USUAL_MINUTES = 30.0
"""That a node may take."""
POLL_SECONDS = {SLURM: 10.0, LOCAL: 0.5}
"""Between two looks at the jobs."""
SECONDS_TO_END = 15.0
"""For jobs that were cancelled."""
MARGIN_MINUTES = 2
"""By which the limit of the engine itself is longer: it serves where this program is gone."""
WARNING_SECONDS = 20
"""Before that limit a job is told of it."""
UP = ("idle", "mixed", "allocated", "completing", "planned", "reserved")
"""States of nodes, as sinfo calls them, that may run a job; the first ones are asked first."""
INSTALL = "pip install -e '.[fleet]'"


class Handle(Protocol):
    """A job in an engine."""

    @property
    def number(self) -> str:
        """What the engine calls it."""

    def state(self) -> tuple[str, str]:
        """(QUEUED, RUNNING, DONE or DIED, why) as the engine sees it."""

    def cancel(self) -> None:
        """End it, whatever it does."""


class Engine(Protocol):
    """What starts jobs on nodes."""

    name: str

    def submit(self, command: Sequence[str], node: str) -> Handle:
        """Start a job. Raises RidgelineError where it cannot be."""

    def look(self) -> None:
        """Ask once for the states of all jobs."""


@dataclass(frozen=True)
class Asked:
    """What the command asks of a fleet."""

    engine: str
    """``slurm`` or ``local``."""
    nodes: int | None
    """How many; None for all of the partition, of ``local`` one."""
    partition: str
    """Of Slurm; empty for its usual one."""
    minutes: float
    """That a node may take."""
    sbatch: Mapping[str, str]
    """More options of sbatch."""
    words: tuple[str, ...]
    """The command line of each node."""
    out: Path
    """Where fleets go."""


def asked(args: argparse.Namespace, argv: Sequence[str], known: Sequence[str]) -> Asked:
    """What is asked for. Raises RidgelineError for options that contradict each other."""
    if args.fleet == LOCAL:
        for option in ("partition", "sbatch"):
            if getattr(args, option):
                raise RidgelineError(f"--{option} is for --fleet {SLURM}")
    if args.only:
        choose(args.only, args.full)
    return Asked(
        engine=args.fleet,
        nodes=args.nodes,
        partition=args.partition or "",
        minutes=args.node_minutes or USUAL_MINUTES,
        sbatch=dict(args.sbatch),
        words=tuple(without(argv, TAKEN, known)),
        out=args.out,
    )


def refuse_without_fleet(args: argparse.Namespace) -> None:
    """Raise RidgelineError for options of fleets and of all GPUs that would have no effect."""
    for name in ("nodes", "partition", "node_minutes", "sbatch"):
        if getattr(args, name) and not args.fleet:
            raise RidgelineError(f"--{name.replace('_', '-')} has no effect without --fleet")
    if args.together and args.device != ALL:
        raise RidgelineError("--together has no effect without --device all")


def command_of(asked: Asked, out: Path) -> list[str]:
    """The command that a node runs."""
    program = Path(__file__).resolve().parents[2] / "run_all.py"
    command = [sys.executable, str(program), *asked.words, "--note-host", "--out", str(out)]
    if asked.engine == SLURM:
        return command
    # submitit hides all GPUs from its local jobs: they see what this process sees
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return ["env", "-u", "CUDA_VISIBLE_DEVICES", *command]
    return ["env", f"CUDA_VISIBLE_DEVICES={visible}", *command]


@dataclass
class _Watched:
    """A job while it is watched."""

    job: FleetJob
    handle: Handle | None = None
    started: float | None = None
    """When it was first seen to run, by the clock of the watcher."""


def launch(
    asked: Asked,
    folder: Path,
    engine: Engine,
    nodes: Sequence[str],
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[FleetJob]:
    """Start a job a node, watch them until all have ended, and return them.

    Local jobs run one after the other, so that none disturbs another. Their states are in
    ``fleet.json`` at any time. say: is told how many are where. Raises KeyboardInterrupt after all
    were cancelled.
    """
    watched = [_Watched(FleetJob(node, "", QUEUED, folder=_slug(node))) for node in nodes]
    at_once = 1 if asked.engine == LOCAL else len(watched)
    try:
        while True:
            engine.look()
            for each in watched:
                _look_at(each, asked, folder, clock)
            _submit(watched, at_once, asked, folder, engine)
            save_jobs(folder, engine.name, [each.job for each in watched])
            say(progress([each.job for each in watched]))
            if all(each.job.state in ENDS for each in watched):
                return [each.job for each in watched]
            sleep(POLL_SECONDS[asked.engine])
    except KeyboardInterrupt:
        _cancel(watched, engine, clock, sleep)
        save_jobs(folder, engine.name, [each.job for each in watched])
        raise


def _submit(
    watched: Sequence[_Watched], at_once: int, asked: Asked, folder: Path, engine: Engine
) -> None:
    """Start jobs that wait, as long as there is room."""
    running = sum(each.handle is not None and each.job.state not in ENDS for each in watched)
    for each in watched:
        if running >= at_once:
            return
        if each.handle is not None or each.job.state in ENDS:
            continue
        command = command_of(asked, folder / each.job.folder)
        try:
            each.handle = engine.submit(command, each.job.host)
        except RidgelineError as error:
            each.job = replace(each.job, state=DIED, why=str(error))
            continue
        each.job = replace(each.job, job=each.handle.number)
        running += 1


def _look_at(each: _Watched, asked: Asked, folder: Path, clock: Callable[[], float]) -> None:
    """Take over what the engine and the disk tell of a job, and end it where it takes too long."""
    if each.handle is None or each.job.state in ENDS:
        return
    state, why = each.handle.state()
    runs = folders_of_runs(folder / each.job.folder)
    if state == QUEUED and runs:
        state = RUNNING  # the engine may tell late, or nothing at all
    if state == RUNNING and each.started is None:
        each.started = clock()
    if state == RUNNING and each.started is not None:
        if clock() - each.started <= 60 * asked.minutes:
            each.job = replace(each.job, state=RUNNING)
            return
        with suppress(RidgelineError):
            each.handle.cancel()
        limit = f"--node-minutes is {asked.minutes:g}"
        each.job = replace(each.job, state=TOO_LONG, why=limit)
        return
    if state in (DONE, DIED):
        # the disk decides: a run of which a row failed ends with an error, too
        if runs and all(map(_is_complete, runs)):
            each.job = replace(each.job, state=DONE)
        else:
            reason = why or _last_line(folder / LOGS, each.job.job)
            each.job = replace(each.job, state=DIED, why=reason)


def _is_complete(run: Path) -> bool:
    """True if all of a run was measured."""
    try:
        return read_run(run).status == COMPLETE
    except RidgelineError:
        return False


def _last_line(logs: Path, job: str) -> str:
    """The last line that a job wrote to standard error; empty if there is none."""
    for file in sorted(logs.glob(f"{job}_*_log.err")):
        with suppress(OSError):
            lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
            written = [line.strip() for line in lines if line.strip()]
            if written:
                return given.shortened(written[-1])
    return ""


def _cancel(
    watched: Sequence[_Watched],
    engine: Engine,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """End all jobs that have not ended, and wait a little for those that run."""
    running = [each for each in watched if each.job.state not in ENDS]
    for each in running:
        if each.handle:
            with suppress(RidgelineError):
                each.handle.cancel()
        each.job = replace(each.job, state=CANCELLED)
    end = clock() + SECONDS_TO_END
    while clock() < end:
        engine.look()
        states = [each.handle.state()[0] for each in running if each.handle]
        if RUNNING not in states:
            return
        sleep(0.2)


def progress(jobs: Sequence[FleetJob]) -> str:
    """``12 of 64 done, 50 run, 2 wait; gone: node7``."""
    done = sum(job.state == DONE for job in jobs)
    running = sum(job.state == RUNNING for job in jobs)
    waiting = sum(job.state == QUEUED for job in jobs)
    parts = [f"{done} of {len(jobs)} done"]
    if running:
        parts.append(f"{running} running")
    if waiting:
        parts.append(f"{waiting} waiting")
    gone = [job.host for job in jobs if job.state in (DIED, TOO_LONG)]
    more = f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    named = f"; gone: {', '.join(gone[:3])}{more}" if gone else ""
    return f"{', '.join(parts)}{named}"


def _slug(node: str) -> str:
    """Name of the folder of a node."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in node)


def nodes_of(asked: Asked, sinfo: Callable[[Sequence[str]], str] | None = None) -> list[str]:
    """Names of the nodes to measure. Raises RidgelineError where there are not so many.

    sinfo: runs this command of Slurm and returns what it prints.
    """
    if asked.engine == LOCAL:
        host = socket.gethostname().partition(".")[0]
        count = asked.nodes or 1
        return [host] if count == 1 else [f"{host}-run-{n}" for n in range(1, count + 1)]
    listed = list(_listed((sinfo or _run)(_sinfo_command(asked.partition)), asked.partition))
    state_of = dict(listed)
    up = [node for node, state in state_of.items() if state in UP]
    up.sort(key=lambda node: UP.index(state_of[node]))
    where = f"partition {asked.partition}" if asked.partition else "the usual partition"
    if not up:
        raise RidgelineError(f"--fleet slurm: no node of {where} is up: see sinfo")
    if asked.nodes and asked.nodes > len(up):
        raise RidgelineError(
            f"--nodes {asked.nodes}: {where} has {len(up)} nodes that are up: see sinfo"
        )
    return up[: asked.nodes]


def _sinfo_command(partition: str) -> list[str]:
    command = ["sinfo", "--noheader", "--Node", "--format=%N %T %P"]
    return [*command, f"--partition={partition}"] if partition else command


def _listed(text: str, partition: str) -> Iterator[tuple[str, str]]:
    """(node, state) of each line of sinfo; without a partition those of the usual one."""
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3:
            continue
        node, state, name = words
        if partition or name.endswith("*"):
            yield node, state.rstrip("*~#!%$@^-+").lower()


def _run(command: Sequence[str]) -> str:
    """What a command of Slurm prints. Raises RidgelineError if it fails or is not there."""
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RidgelineError(f"--fleet slurm: {command[0]}: {one_line(error)}") from None
    if process.returncode:
        why = given.shortened(" ".join(process.stderr.split())) or f"exit code {process.returncode}"
        raise RidgelineError(f"--fleet slurm: {command[0]}: {why}")
    return process.stdout


def check_engine(asked: Asked) -> None:
    """Raise RidgelineError where the engine that is asked for is not there."""
    if importlib.util.find_spec("submitit") is None:
        raise RidgelineError(f"--fleet needs submitit: {INSTALL}")
    missing = [name for name in ("sbatch", "srun", "sinfo") if not shutil.which(name)]
    if asked.engine == SLURM and missing:
        raise RidgelineError(
            f"--fleet slurm: there is no {missing[0]} here: start it where sbatch works, or take "
            "--fleet local"
        )


def engine_of(asked: Asked, folder: Path) -> Engine:
    """The engine that is asked for, which must be there."""
    import submitit

    logging.getLogger("submitit").setLevel(logging.CRITICAL)
    if asked.engine == SLURM:
        return _Submitit(SLURM, submitit.SlurmExecutor(folder / LOGS), slurm_options(asked))
    minutes = asked.minutes + MARGIN_MINUTES
    options = {"timeout_min": minutes, "signal_delay_s": WARNING_SECONDS}
    return _Submitit(LOCAL, submitit.LocalExecutor(folder / LOGS), options)


def slurm_options(asked: Asked) -> dict[str, Any]:
    """What sbatch is told of each job: one task that has its node for itself."""
    options: dict[str, Any] = {
        "job_name": "ridgeline",
        "nodes": 1,
        "ntasks_per_node": 1,
        "exclusive": True,
        "time": ceil(asked.minutes) + MARGIN_MINUTES,
        "signal_delay_s": WARNING_SECONDS,
    }
    if asked.partition:
        options["partition"] = asked.partition
    if asked.sbatch:
        options["additional_parameters"] = dict(asked.sbatch)
    return options


@dataclass
class _Submitit:
    """An engine of submitit."""

    name: str
    executor: Any
    """Its executor."""
    options: Mapping[str, Any]
    """What each job is told."""

    def submit(self, command: Sequence[str], node: str) -> Handle:
        """Start a job, which becomes the command itself: signals reach it, and nothing is left."""
        options = dict(self.options)
        if self.name == SLURM:
            options["nodelist"] = node
        try:
            self.executor.update_parameters(**options)
            with _errors_to(Path(self.executor.folder) / "engine.err"):
                job = self.executor.submit(os.execvp, command[0], list(command))
        except Exception as error:  # sbatch may refuse for many reasons, each an exception
            raise RidgelineError(f"{self.name} refuses it: {one_line(error)}") from None
        return _SubmititJob(self.name, job)

    def look(self) -> None:
        """Ask once for the states of all jobs; of local ones each process tells."""
        if self.name == SLURM:
            from submitit.slurm.slurm import SlurmJob

            SlurmJob.watcher.update()


@contextmanager
def _errors_to(path: Path) -> Iterator[None]:
    """Within it, processes that are started write their errors into a file, not on the terminal.

    The local engine is such a process, and tells of Ctrl-C by a traceback.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    usual = os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 2)
            yield
    finally:
        os.dup2(usual, 2)
        os.close(usual)


SLURM_STATES: Mapping[str, str] = {
    "RUNNING": RUNNING,
    "COMPLETING": RUNNING,
    "PENDING": QUEUED,
    "REQUEUED": QUEUED,
    "CONFIGURING": QUEUED,
    "SUSPENDED": RUNNING,
    "UNKNOWN": QUEUED,
    "READY": QUEUED,
    "COMPLETED": DONE,
}
"""States of Slurm; all others are bad ends."""


@dataclass
class _SubmititJob:
    """A job of submitit."""

    engine: str
    job: Any

    @property
    def number(self) -> str:
        """Number of the job, of a local one of its process."""
        return str(self.job.job_id)

    def state(self) -> tuple[str, str]:
        """What Slurm, or the process, tells."""
        if self.engine == LOCAL:
            local_state = self.job.get_info()["jobState"]
            return (RUNNING if local_state == "RUNNING" else DONE), ""
        words = (self.job.watcher.get_state(self.job.job_id, mode="cache") or "UNKNOWN").split()
        state = SLURM_STATES.get(words[0].rstrip("+"), DIED)
        return state, f"Slurm says {words[0]}" if state == DIED else ""

    def cancel(self) -> None:
        """End it. Raises RidgelineError where the engine cannot."""
        try:
            self.job.cancel(check=False)
        except Exception as error:
            raise RidgelineError(f"cannot cancel job {self.number}: {one_line(error)}") from None


def in_words(asked: Asked, nodes: Sequence[str], folder: Path) -> str:
    """``64 nodes by slurm, each runs: --only bandwidth; runs go to results/fleets/…``."""
    count = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    words = shlex.join(asked.words) or "the usual probes"
    return f"{count} by {asked.engine}, each measures: {words}; runs go to {folder}"
