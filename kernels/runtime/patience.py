"""Runs of the runtime that may never end: each is told to when its time is up, or when Ctrl-C
comes.

The runtime hears of it between two operations, of a Loop between two of its turns. One operation
that takes forever it does not leave: then the whole process has to end, if it is one that can be
spared. While the runtime runs, Python cannot act on a signal: so another thread waits for the byte
that the signal's handler in C writes, or for the time, and tells the runtime.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kernels.base import Unavailable

SECONDS = 30.0
"""How long one run of a layer may take (``--layer-seconds``)."""
GRACE = 2.0  # seconds that a run has to end after it was told to
ENDED = b"\xff"
"""What is written when a run has ended: no signal has this number."""


class TooLong(Unavailable):
    """A run took longer than it may."""


_leave: list[Callable[[TooLong], None]] = []
"""What ends this process where a run does not end; nothing where the process cannot be spared."""


def can_be_spared(leave: Callable[[TooLong], None]) -> None:
    """This process may be ended to be rid of a run: ``leave`` does so, and is told why. It never
    returns.
    """
    _leave[:] = [leave]


@contextmanager
def limited(options: Any, seconds: float = SECONDS) -> Iterator[None]:
    """End what runs within it with these RunOptions after so long, or at Ctrl-C, which the main
    thread alone hears.

    Raises TooLong where it took longer.
    """
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    main = threading.current_thread() is threading.main_thread()
    before = signal.set_wakeup_fd(writes, warn_on_full_buffer=False) if main else -1
    watch = _Watch(reads, options, seconds)
    watch.start()
    try:
        yield
    except Exception:
        if watch.late:
            raise _too_long(seconds) from None
        raise
    finally:
        if main:
            signal.set_wakeup_fd(before)
        os.write(writes, ENDED)
        watch.join()
        os.close(reads)
        os.close(writes)


def _too_long(seconds: float) -> TooLong:
    return TooLong(f"one run of it takes longer than {seconds:g} s (--layer-seconds)")


class _Watch(threading.Thread):
    """Waits for the end of a run, a signal, or the time; after the last two it asks the run to
    end.
    """

    def __init__(self, reads: int, options: Any, seconds: float) -> None:
        super().__init__(daemon=True)
        self._reads, self._options, self._seconds = reads, options, seconds
        self.late = False

    def run(self) -> None:
        waiting = select.poll()
        waiting.register(self._reads, select.POLLIN)
        ready = waiting.poll(1000 * self._seconds)
        if ready and ENDED in os.read(self._reads, 64):
            return
        self.late = not ready
        self._options.terminate = True
        if self.late and _leave and not waiting.poll(1000 * GRACE):
            _leave[0](_too_long(self._seconds))
        while ENDED not in os.read(self._reads, 64):
            pass
