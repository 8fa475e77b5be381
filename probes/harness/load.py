"""What else runs on this machine, and what holds its clock down: who uses its processors, for how
long, from /proc.

Two readings tell what happened between them. All of it is Linux's own count; what a machine does
not tell is left out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from probes.harness.devices.limits import number, read

CPUS = "sys/devices/system/cpu"
TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
USED = (
    0,
    1,
    2,
    5,
    6,
)  # user, nice, system, irq, softirq in a line of /proc/stat; guest time is part of user
STEAL = 7
NAME_LETTERS = 15  # of a process: what the kernel keeps
WORTH_NAMING = 0.05  # of a core: processes that use less are not named
NAMED = 3


@dataclass(frozen=True)
class Reading:
    """Counts at one moment."""

    at: float
    """Seconds of the monotonic clock."""
    used: float
    """Seconds of the processors of this process, that any process used."""
    stolen: float
    """Seconds of these processors that the hypervisor gave to others."""
    own: float
    """Seconds of processor time of this process and its children, of which one runs the cases."""
    stopped: float
    """Seconds that a control group's quota stopped this process."""
    processes: Mapping[int, tuple[str, float]] = field(default_factory=dict)
    """Name and seconds of processor time of every other process in sight."""


@dataclass(frozen=True)
class Load:
    """What went on between two readings."""

    seconds: float
    """Between the readings."""
    cores: int
    """Processors that this process may use."""
    others: float
    """Of these, how many others kept busy, on average."""
    steal: float
    """Share of their time that the hypervisor gave to others."""
    stopped: float
    """Share of the time that a control group's quota stopped this process."""
    busiest: tuple[tuple[str, float], ...] = ()
    """Names of other processes, and the cores that each used, most first."""

    def as_json(self) -> dict[str, Any]:
        """All fields, for ``run.json``."""
        return asdict(self)


def reading(cpus: Iterable[int], root: Path = Path("/"), names: bool = True) -> Reading:
    """The counts of this moment, of the processors ``cpus``; ``names``: with those of other
    processes.
    """
    lines = dict(
        line.split(" ", 1) for line in read(root / "proc/stat").splitlines() if " " in line
    )
    used = stolen = 0.0
    for cpu in cpus:
        counts = [int(word) for word in lines.get(f"cpu{cpu}", "").split() if word.isdecimal()]
        used += sum(counts[k] for k in USED if k < len(counts)) / TICKS
        stolen += counts[STEAL] / TICKS if len(counts) > STEAL else 0.0
    others = _processes(root) if names else {}
    return Reading(time.monotonic(), used, stolen, _own(root), _stopped(root), others)


def between(before: Reading, after: Reading, cores: int) -> Load:
    """What went on between two readings of ``cores`` processors."""
    seconds = max(after.at - before.at, 1e-9)
    others = (after.used - before.used) - (after.own - before.own)
    spent = {
        pid: (name, total - before.processes.get(pid, (name, 0.0))[1])
        for pid, (name, total) in after.processes.items()
    }
    shares = [(name, used / seconds) for name, used in spent.values()]
    busiest = sorted((s for s in shares if s[1] >= WORTH_NAMING), key=lambda s: -s[1])
    return Load(
        seconds=seconds,
        cores=cores,
        others=max(0.0, others / seconds),
        steal=max(0.0, after.stolen - before.stolen) / seconds / max(1, cores),
        stopped=max(0.0, after.stopped - before.stopped) / seconds,
        busiest=tuple(busiest[:NAMED]),
    )


class Watch:
    """Tells what else goes on, lap by lap, on the processors that this process may use."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self._before = self._asked = reading(self._cpus, root)

    def lap(self, least_seconds: float = 0.0) -> Load:
        """What went on since the last lap, or since the watch was made. Waits until that is so many
        seconds ago.
        """
        time.sleep(max(0.0, self._before.at + least_seconds - time.monotonic()))
        now = reading(self._cpus, self._root)
        before, self._before = self._before, now
        return between(before, now, len(self._cpus))

    def company(self) -> float:
        """Share of the processors' time that other processes or machines had since this was last
        asked.
        """
        now = reading(self._cpus, self._root, names=False)
        before, self._asked = self._asked, now
        lap = between(before, now, len(self._cpus))
        return lap.others / max(1, lap.cores) + lap.steal

    def clock_limits(self) -> list[str]:
        """What keeps these processors below their highest clock, in plain words."""
        return clock_limits(self._cpus, self._root)


def _stopped(root: Path) -> float:
    """Seconds that the quota of this process' control group has stopped it; 0 where there is
    none.
    """
    lines = read(root / "sys/fs/cgroup/cpu.stat").splitlines()
    counts = dict(line.split(" ", 1) for line in lines if " " in line)
    microseconds, nanoseconds = counts.get("throttled_usec", "0"), counts.get("throttled_time", "0")
    if microseconds.isdecimal() and int(microseconds):
        return int(microseconds) * 1e-6
    return int(nanoseconds) * 1e-9 if nanoseconds.isdecimal() else 0.0


def _own(root: Path) -> float:
    """Processor seconds of this process, of its children that have ended, and of those that run."""
    times = os.times()
    ended = times.children_user + times.children_system
    running = sum(_spent(root, pid)[1] for pid in _children(root))
    return time.process_time() + ended + running


def _children(root: Path) -> set[int]:
    """The processes that this one started and that run; nothing where the kernel does not list
    them.
    """
    lists = (root / "proc" / str(os.getpid()) / "task").glob("*/children")
    return {int(pid) for file in lists for pid in read(file).split() if pid.isdecimal()}


def _spent(root: Path, pid: int) -> tuple[str, float]:
    """Name of a process, and the seconds of processor time of it and its ended children; ("", 0) if
    it is gone.
    """
    name, _, rest = read(root / f"proc/{pid}/stat").partition("(")[2].rpartition(")")
    times = rest.split()[11:15]  # of user and system, then the same of ended children
    if len(times) < 4 or not all(word.lstrip("-").isdecimal() for word in times):
        return "", 0.0
    return name[:NAME_LETTERS], sum(map(int, times)) / TICKS


def _processes(root: Path) -> dict[int, tuple[str, float]]:
    """Name and processor seconds of every process in sight but this one and its children."""
    own = {os.getpid(), *_children(root)}
    pids = (
        int(folder.name) for folder in (root / "proc").glob("[0-9]*") if folder.name.isdecimal()
    )
    return {pid: spent for pid in pids if pid not in own and (spent := _spent(root, pid))[0]}


def clock_limits(cpus: Iterable[int], root: Path = Path("/")) -> list[str]:
    """What keeps these processors below their highest clock, in plain words; empty where nothing is
    known to.
    """
    said = []
    folders = [root / CPUS / f"cpu{cpu}/cpufreq" for cpu in cpus]
    for folder in folders:
        allowed, most = number(folder / "scaling_max_freq"), number(folder / "cpuinfo_max_freq")
        if allowed and most and allowed < most:
            said.append(
                f"the clock is limited to {allowed / 1e6:.2f} of {most / 1e6:.2f} GHz "
                "(scaling_max_freq)"
            )
            break
    if (
        number(root / CPUS / "intel_pstate/no_turbo") == 1
        or number(root / CPUS / "cpufreq/boost") == 0
    ):
        said.append("boost clocks are switched off")
    return said
