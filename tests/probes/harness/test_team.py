"""The thread team: an interrupt never gives buffers back under a thread that still uses them."""

from __future__ import annotations

import os
import signal
import time

import pytest

from probes.harness.team import Team


def test_an_interrupt_waits_for_the_threads() -> None:
    cpu = min(os.sched_getaffinity(0))
    team, done = Team([cpu, cpu]), []

    def work(thread: int) -> None:
        if thread == 0:
            signal.raise_signal(signal.SIGINT)
        time.sleep(0.05)
        done.append(thread)

    with pytest.raises(KeyboardInterrupt):
        team.spread(work)
    assert sorted(done) == [0, 1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    team.close()
