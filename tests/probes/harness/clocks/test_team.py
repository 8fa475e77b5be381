"""The thread team: an interrupt never gives buffers back under a thread that still uses them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probes.harness.clocks.team import Team

ROOT = Path(__file__).parents[4]


def test_an_interrupt_waits_for_the_threads() -> None:
    cpu = min(os.sched_getaffinity(0))
    team = Team([cpu, cpu])
    finished_threads = []

    def work(thread: int) -> None:
        if thread == 0:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.05)
        finished_threads.append(thread)

    with pytest.raises(KeyboardInterrupt):
        team.spread(work)
    assert sorted(finished_threads) == [0, 1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    team.close()


LATE_PARTNER = """
import os, threading, time
import numpy as np
from kernels.cpu.emit import compile_kernel
from probes.harness.clocks.team import Team

threading.stack_size(256 << 10)
team = Team((sorted(os.sched_getaffinity(0)) * 2)[:2])
nothing = compile_kernel(lambda builder, arguments, repeat: None)
team.pools[1].submit(time.sleep, 0.5)
print(len(team.run(nothing.address, np.zeros((2, 1), np.int64), 1)), flush=True)
os._exit(0)
"""
"""A program of two threads with small stacks, of which one starts half a second late."""


def test_a_thread_that_waits_long_for_another_takes_no_more_of_its_stack() -> None:
    command = [sys.executable, "-c", LATE_PARTNER]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")
