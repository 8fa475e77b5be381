"""A team of pinned threads that start together, and the record of what each one really did.

Timing from Python would count the interpreter's own locks: threads meet at a barrier in native
code, and read the clock, their processor time and their core's frequency there, with no interpreter
in between.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from probes.harness.clocks import native
from probes.harness.clocks.record import FIELDS, STATUS


class Team:
    """Threads pinned one to each CPU of ``cpus``, waiting for work."""

    def __init__(self, cpus: Sequence[int]) -> None:
        self.size = len(cpus)
        self._timed = native.timed_run()
        self._barrier = np.zeros(16, np.int64)
        self._meetings = 0
        self.pools = [ThreadPoolExecutor(1, initializer=_pin, initargs=(cpu,)) for cpu in cpus]
        """One thread each."""

    def run(self, address: int, arguments: np.ndarray, repeat: int) -> np.ndarray:
        """Call the native kernel at ``address`` on each thread with its row of ``arguments``.

        Returns int64 [threads, FIELDS]: nanoseconds of the monotonic clock and of the thread's
        processor time around the kernel, and of two clock probes of PROBE_CYCLES cycles. Fewer
        rows: fewer threads.
        """
        size = len(arguments)
        records = np.zeros((size, FIELDS), np.int64)
        goal = self._meetings + size
        self._meetings += 2 * size
        with _unbroken():
            jobs = [
                pool.submit(
                    self._timed,
                    address,
                    row.ctypes.data,
                    repeat,
                    self._barrier.ctypes.data,
                    goal,
                    size,
                    rec.ctypes.data,
                )
                for pool, row, rec in zip(self.pools, arguments, records, strict=False)
            ]
            for job in jobs:
                job.result()
        if (records[:, STATUS] != 0).any():
            raise RuntimeError(
                "a thread did not reach the barrier within 10 s: the machine is overloaded"
            )
        return records

    def spread(self, work: Callable[[int], Any]) -> None:
        """Call ``work(thread)`` on every pinned thread: memory first touched there lies near that
        core.
        """
        with _unbroken():
            for job in [pool.submit(work, number) for number, pool in enumerate(self.pools)]:
                job.result()

    def close(self) -> None:
        """End the threads."""
        for pool in self.pools:
            pool.shutdown()


@contextmanager
def _unbroken() -> Iterator[None]:
    """Let an interrupt wait: threads in native code use buffers that whoever is interrupted gives
    back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *moment: came.append(moment))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(*came[0])


def _pin(cpu: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})
