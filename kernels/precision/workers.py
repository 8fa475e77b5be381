"""Processes that share long work in Python, and keep what they are given from call to call.

NumPy's histograms and the library's search for entropy hold the interpreter: threads of one process
would take turns.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context
from types import TracebackType
from typing import TypeVar

from kernels.processes import end_with

Item = TypeVar("Item")
Result = TypeVar("Result")

GONE = (OSError, BrokenProcessPool)
"""What calls raise where there is no right or no room for processes, or one of them is killed."""


class Workers:
    """So many processes, in a ``with``; each starts with the first call that it is given."""

    def __init__(self, count: int) -> None:
        """count: one at least."""
        self.count = count
        # a pool of one process each, so that a caller can choose which of them does a call
        self._pools: dict[int, ProcessPoolExecutor] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for pool in self._pools.values():
            # an interrupt waits for nothing that was not begun
            pool.shutdown(wait=False, cancel_futures=True)

    def submit(
        self, worker: int, call: Callable[..., Result], *arguments: object
    ) -> Future[Result]:
        """Have one worker do a call after those that it was given before.

        worker: any number; equal ones are the same process. Raises one of GONE.
        """
        return self._pool(worker % self.count).submit(call, *arguments)

    def _pool(self, place: int) -> ProcessPoolExecutor:
        """The process at a place, started by this thread if there is none: it ends with that."""
        if place not in self._pools:
            pool = ProcessPoolExecutor(1, get_context("spawn"), _begin, (os.getpid(),))
            pool.submit(_nothing)
            self._pools[place] = pool
        return self._pools[place]

    def map(self, call: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """The results of a call, in the order of the items. Who is free takes the next one.

        Raises one of GONE.
        """
        if not items:
            return
        places = range(min(self.count, len(items)))
        for place in places:
            self._pool(place)
        with ExitStack() as stack:
            # each thread waits for the process that it asks: as many as there are processes
            askers = ThreadPoolExecutor(len(places))
            stack.callback(askers.shutdown, wait=False, cancel_futures=True)
            free = list(places)

            def ask(item: Item) -> Result:
                worker = free.pop()
                try:
                    return self.submit(worker, call, item).result()
                finally:
                    free.append(worker)

            yield from askers.map(ask, items)


def _begin(parent: int) -> None:
    """End with the program, however that ends, and leave Ctrl-C to it. parent: its number."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _nothing() -> None:
    """What a process is started with."""
