"""Runs of the runtime that may never end: each is told to when its time is up, or when Ctrl-C comes.

The runtime hears of it between two operations, of a Loop between two of its turns; one operation that takes forever it
does not leave. While it runs, Python cannot act on a signal: so another thread waits for the byte that the signal's
handler in C writes, or for the time, and tells the runtime.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kernels.base import Unavailable

SECONDS = 30.0
"""How long one run of a layer may take (``--layer-seconds``)."""
ENDED = b"\xff"
"""What is written when a run has ended: no signal has this number."""


class TooLong(Unavailable):
    """A run took longer than it may."""


@contextmanager
def limited(options: Any, seconds: float = SECONDS) -> Iterator[None]:
    """End what runs within it with these RunOptions after so long, or at Ctrl-C, which the main thread alone hears.

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
            raise TooLong(f"one run of it takes longer than {seconds:g} s (--layer-seconds)") from None
        raise
    finally:
        if main:
            signal.set_wakeup_fd(before)
        os.write(writes, ENDED)
        watch.join()
        os.close(reads)
        os.close(writes)


class _Watch(threading.Thread):
    """Waits for the end of a run, a signal, or the time; after the last two it asks the run to end."""

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
        while ENDED not in os.read(self._reads, 64):
            pass
