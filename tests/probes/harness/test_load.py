"""Who else has the processors: from made-up files of /proc, and beside a real busy process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes.harness.clocks import waiting
from probes.harness.load import TICKS, Reading, Watch, between, clock_limits, reading
from tests.probes.harness.devices.trees import CPUS, write


def stat(pid: int, name: str, user: int, system: int) -> str:
    """The line of /proc of a process that has used so many ticks."""
    return f"{pid} ({name}) R 1 1 1 0 -1 0 0 0 0 0 {user} {system} 0 0 20 0 1 0 5\n"


def test_a_reading_counts_the_processors_of_this_process_only(tmp_path: Path) -> None:
    # By column: user, nice, system, idle, waiting, interrupts, soft interrupts, stolen, guests.
    processors = (
        "cpu  9 9 9 9",
        "cpu0 100 20 30 400 5 6 7 80 50 0",
        "cpu1 10 0 0 0 0 0 0 1 0 0",
        "cpu2 99 0 0 0 0 0 0 9",
    )
    root = write(
        tmp_path,
        {
            "proc/stat": "\n".join(processors),
            "proc/77/stat": stat(77, "a (b) c", 300, 100),
            "proc/88/stat": "damaged",
            "proc/self/nothing": "",
            "sys/fs/cgroup/cpu.stat": "usage_usec 5\nthrottled_usec 2500000\n",
        },
    )
    counts = reading([0, 1], root)
    assert counts.used == pytest.approx((100 + 20 + 30 + 6 + 7 + 10) / TICKS)
    assert counts.stolen == pytest.approx((80 + 1) / TICKS)
    assert counts.stopped == pytest.approx(2.5)
    assert counts.processes == {77: ("a (b) c", 400 / TICKS)}
    assert reading([0], root, names=False).processes == {}


def test_a_machine_that_tells_nothing_disturbs_nothing(tmp_path: Path) -> None:
    empty = reading([0, 1], tmp_path)
    load = between(empty, empty, 2)
    assert (load.others, load.steal, load.stopped, load.busiest) == (0.0, 0.0, 0.0, ())
    assert clock_limits([0, 1], tmp_path) == []


def test_others_are_what_this_process_did_not_use() -> None:
    before = Reading(
        at=10.0, used=50.0, stolen=1.0, own=5.0, stopped=0.0, processes={7: ("old", 3.0)}
    )
    after = Reading(
        at=12.0,
        used=53.5,
        stolen=1.2,
        own=6.5,
        stopped=0.5,
        processes={7: ("old", 4.0), 8: ("new", 0.9), 9: ("idle", 0.01)},
    )
    load = between(before, after, 2)
    assert load.others == pytest.approx(1.0)
    assert load.steal == pytest.approx(0.05)
    assert load.stopped == pytest.approx(0.25)
    assert load.busiest == (("old", 0.5), ("new", 0.45))
    assert between(after, before, 2).others == 0.0, "never less than nothing"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {
                "cpu0/cpufreq/scaling_max_freq": "2000000",
                "cpu0/cpufreq/cpuinfo_max_freq": "3500000",
            },
            "2.00 of 3.50 GHz",
        ),
        (
            {
                "cpu0/cpufreq/scaling_max_freq": "3500000",
                "cpu0/cpufreq/cpuinfo_max_freq": "3500000",
            },
            "",
        ),
        ({"intel_pstate/no_turbo": "1"}, "boost clocks are switched off"),
        ({"cpufreq/boost": "0"}, "boost clocks are switched off"),
        ({"cpufreq/boost": "1", "intel_pstate/no_turbo": "0"}, ""),
    ],
)
def test_what_holds_the_clock_down_is_told(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    root = write(tmp_path, {f"{CPUS}/{name}": text for name, text in files.items()})
    limits = clock_limits([0, 1], root)
    assert words in " ".join(limits)
    assert bool(limits) == bool(words)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc here")
def test_a_busy_process_is_seen_and_named_and_a_child_of_ours_is_not() -> None:
    loop = "import time\nwhile True: pass"
    watch = Watch()
    own = subprocess.Popen([sys.executable, "-c", loop])
    # Its parent ends at once, so that it is no child of this process.
    start = f"subprocess.Popen([sys.executable, '-c', {loop!r}], stdout=subprocess.DEVNULL)"
    command = [sys.executable, "-c", f"import subprocess, sys; print({start}.pid)"]
    started = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    pid = int(started.stdout)
    try:
        load = watch.lap(2.0)
        names = [name for name, _ in load.busiest]
        with open(f"/proc/{pid}/stat") as file:
            name = file.read().partition("(")[2].rpartition(")")[0]
    finally:
        os.kill(pid, 9)
        own.kill()
        own.wait()
    assert name in names
    assert (
        load.others > 0.1
    )  # processors: what a machine that is full still leaves the busy process


@pytest.mark.skipif(
    not Path("/proc/thread-self/schedstat").exists(), reason="the kernel does not count waiting"
)
def test_waiting_is_counted_and_sleeping_is_not() -> None:
    before = waiting.of_process()
    time.sleep(0.2)
    waited_ns = waiting.of_process() - before
    assert waited_ns < 0.15e9, "less than it slept"
    assert waiting.of_process() >= waiting.of_thread() >= 0
