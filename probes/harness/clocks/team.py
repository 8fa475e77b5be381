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

        Returns int64 [threads, FIELDS], as ``record`` describes them. Fewer rows run on fewer
        threads. Raises RuntimeError if a thread did not reach the barrier.
        """
        size = len(arguments)
        records = np.zeros((size, FIELDS), np.int64)
        goal = self._meetings + size
        self._meetings += 2 * size
        with _interrupts_wait():
            jobs = []
            for pool, row, record in zip(self.pools, arguments, records, strict=False):
                job = pool.submit(
                    self._timed,
                    address,
                    row.ctypes.data,
                    repeat,
                    self._barrier.ctypes.data,
                    goal,
                    size,
                    record.ctypes.data,
                )
                jobs.append(job)
            for job in jobs:
                job.result()
        if (records[:, STATUS] != 0).any():
            raise RuntimeError(
                "a thread did not reach the barrier within 10 s: the machine is overloaded"
            )
        return records

    def spread(self, work: Callable[[int], Any]) -> None:
        """Call ``work(thread)`` on every pinned thread.

        Memory first touched there lies near that core.
        """
        with _interrupts_wait():
            jobs = [pool.submit(work, number) for number, pool in enumerate(self.pools)]
            for job in jobs:
                job.result()

    def close(self) -> None:
        """End the threads."""
        for pool in self.pools:
            pool.shutdown()


@contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Raise an interrupt only at its end.

    Threads in native code use buffers that whoever is interrupted gives back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts: list[Any] = []
    usual = signal.signal(signal.SIGINT, lambda *arguments: interrupts.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if interrupts and callable(usual):
            usual(*interrupts[0])


def _pin(cpu: int) -> None:
    """Pin the calling thread, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})
