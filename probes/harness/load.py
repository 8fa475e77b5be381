"""What else runs on this machine, and what holds its clock down, from /proc and /sys.

Two readings of Linux's counts tell what happened between them. What a machine does not count is
taken for nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from probes.harness.devices.reading import number, read

CPUS = "sys/devices/system/cpu"
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100  # in a second of /proc's times
USED = (0, 1, 2, 5, 6)
"""Columns of /proc/stat: user (with the time of guests), nice, system, irq and softirq."""
STEAL = 7  # column of /proc/stat
NAME_LETTERS = 15  # of a process's name: what the kernel keeps
WORTH_NAMING = 0.05  # cores: processes that use less are not named
MOST_NAMED = 3  # processes


@dataclass(frozen=True)
class Reading:
    """Counts at one moment."""

    at: float
    """Seconds of the monotonic clock."""
    used: float
    """Seconds of the processors in question that any process used."""
    stolen: float
    """Seconds of these processors that the hypervisor gave to other machines."""
    own: float
    """Seconds of processor time of this process and its children, one of which runs the cases."""
    stopped: float
    """Seconds that a control group's quota stopped this process."""
    processes: Mapping[int, tuple[str, float]] = field(default_factory=dict)
    """Name and seconds of processor time of every other process in sight."""


@dataclass(frozen=True)
class Load:
    """What went on between two readings."""

    seconds: float
    """Time between the readings."""
    cores: int
    """Processors that this process may use."""
    others: float
    """How many of these processors other processes kept busy, on average."""
    steal: float
    """Share of their time that the hypervisor gave to other machines."""
    stopped: float
    """Share of the time that a control group's quota stopped this process."""
    busiest: tuple[tuple[str, float], ...] = ()
    """Names of other processes, and the cores that each used, most first."""

    def as_json(self) -> dict[str, Any]:
        """All fields, for ``run.json``."""
        return asdict(self)


def reading(cpus: Iterable[int], root: Path = Path("/"), names: bool = True) -> Reading:
    """The counts of this moment, of the processors ``cpus``.

    names: with those of other processes, which take longer to read.
    """
    lines = _named_lines(root / "proc/stat")
    used = 0.0
    stolen = 0.0
    for cpu in cpus:
        words = lines.get(f"cpu{cpu}", "").split()
        counts = [int(word) for word in words if word.isdecimal()]
        used += sum(counts[k] for k in USED if k < len(counts)) / TICKS
        if len(counts) > STEAL:
            stolen += counts[STEAL] / TICKS
    processes = _processes(root) if names else {}
    return Reading(
        at=time.monotonic(),
        used=used,
        stolen=stolen,
        own=_own(root),
        stopped=_stopped(root),
        processes=processes,
    )


def between(before: Reading, after: Reading, cores: int) -> Load:
    """What went on between two readings of ``cores`` processors."""
    seconds = max(after.at - before.at, 1e-9)
    others = (after.used - before.used) - (after.own - before.own)
    busy = []
    for pid, (name, total) in after.processes.items():
        _, total_before = before.processes.get(pid, (name, 0.0))
        busy_cores = (total - total_before) / seconds
        if busy_cores >= WORTH_NAMING:
            busy.append((name, busy_cores))
    busy.sort(key=lambda process: process[1], reverse=True)
    return Load(
        seconds=seconds,
        cores=cores,
        others=max(0.0, others / seconds),
        steal=max(0.0, after.stolen - before.stolen) / seconds / max(1, cores),
        stopped=max(0.0, after.stopped - before.stopped) / seconds,
        busiest=tuple(busy[:MOST_NAMED]),
    )


class Watch:
    """Tells what else goes on, lap by lap, on the processors that this process may use."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        first = reading(self._cpus, root)
        self._lap_start = first
        self._company_start = first

    def lap(self, least_seconds: float = 0.0) -> Load:
        """What went on since the last lap, or at first since the watch was made.

        Waits until that is ``least_seconds`` ago.
        """
        before = self._lap_start
        time.sleep(max(0.0, before.at + least_seconds - time.monotonic()))
        self._lap_start = reading(self._cpus, self._root)
        return between(before, self._lap_start, len(self._cpus))

    def company(self) -> float:
        """Share of the processors' time that others had since the last call, or since the start."""
        before = self._company_start
        self._company_start = reading(self._cpus, self._root, names=False)
        load = between(before, self._company_start, len(self._cpus))
        return load.others / max(1, load.cores) + load.steal

    def clock_limits(self) -> list[str]:
        """What keeps these processors below their highest clock, in words."""
        return clock_limits(self._cpus, self._root)


def _named_lines(path: Path) -> dict[str, str]:
    """The lines of a file by their first word."""
    return dict(line.split(" ", 1) for line in read(path).splitlines() if " " in line)


def _stopped(root: Path) -> float:
    """Seconds that the quota of this process' control group has stopped it; 0 without a quota."""
    counts = _named_lines(root / "sys/fs/cgroup/cpu.stat")
    microseconds = counts.get("throttled_usec", "0")  # version 2 of control groups
    nanoseconds = counts.get("throttled_time", "0")  # version 1
    if microseconds.isdecimal() and int(microseconds):
        return int(microseconds) * 1e-6
    return int(nanoseconds) * 1e-9 if nanoseconds.isdecimal() else 0.0


def _own(root: Path) -> float:
    """Processor seconds of this process and its children, those that have ended and that run."""
    times = os.times()
    ended = times.children_user + times.children_system
    running = 0.0
    for pid in _children(root):
        _, seconds = _spent(root, pid)
        running += seconds
    return time.process_time() + ended + running


def _children(root: Path) -> set[int]:
    """The running children of this process; none where the kernel does not list them."""
    pids: set[int] = set()
    for list_of_thread in (root / "proc" / str(os.getpid()) / "task").glob("*/children"):
        pids |= {int(word) for word in read(list_of_thread).split() if word.isdecimal()}
    return pids


def _spent(root: Path, pid: int) -> tuple[str, float]:
    """Name of a process, and seconds of processor time of it and its ended children.

    ("", 0) if the process is gone.
    """
    # PID (NAME) STATE ..., where a name may hold parentheses itself (man 5 proc)
    _, _, after_pid = read(root / f"proc/{pid}/stat").partition("(")
    name, _, fields = after_pid.rpartition(")")
    times = fields.split()[11:15]  # user and system, then the same of ended children
    if len(times) < 4 or not all(word.lstrip("-").isdecimal() for word in times):
        return "", 0.0
    return name[:NAME_LETTERS], sum(map(int, times)) / TICKS


def _processes(root: Path) -> dict[int, tuple[str, float]]:
    """Name and processor seconds of every process in sight but this one and its children."""
    own = {os.getpid(), *_children(root)}
    processes = {}
    for folder in (root / "proc").glob("[0-9]*"):
        if not folder.name.isdecimal() or int(folder.name) in own:
            continue
        name, seconds = _spent(root, int(folder.name))
        if name:
            processes[int(folder.name)] = (name, seconds)
    return processes


def clock_limits(cpus: Iterable[int], root: Path = Path("/")) -> list[str]:
    """What is known to keep these processors below their highest clock, in words."""
    limits = []
    for cpu in cpus:
        folder = root / CPUS / f"cpu{cpu}/cpufreq"
        allowed = number(folder / "scaling_max_freq")
        highest = number(folder / "cpuinfo_max_freq")
        if allowed and highest and allowed < highest:
            limits.append(
                f"the clock is limited to {allowed / 1e6:.2f} of {highest / 1e6:.2f} GHz "
                "(scaling_max_freq)"
            )
            break
    no_turbo = number(root / CPUS / "intel_pstate/no_turbo")
    boost = number(root / CPUS / "cpufreq/boost")
    if no_turbo == 1 or boost == 0:
        limits.append("boost clocks are switched off")
    return limits
